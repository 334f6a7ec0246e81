-- Groups and who is in them. Names stand as they were sent; the key beside the name decides what is the same name.

CREATE TABLE groups (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    group_id uuid NOT NULL,
    display_name text NOT NULL,
    name_key text NOT NULL,
    external_id text,
    entra_object_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (company_id, group_id),
    CONSTRAINT groups_name_taken UNIQUE (company_id, name_key),
    CONSTRAINT groups_external_id_taken UNIQUE (company_id, external_id),
    CONSTRAINT groups_object_id_taken UNIQUE (company_id, entra_object_id)
);

COMMENT ON COLUMN groups.entra_object_id IS 'From external_id where that is an object id: what the company''s own group is recognised by';

CREATE TABLE group_members (
    company_id uuid NOT NULL,
    group_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, group_id, employee_id),
    CONSTRAINT group_members_group FOREIGN KEY (company_id, group_id)
        REFERENCES groups (company_id, group_id) ON DELETE CASCADE,
    CONSTRAINT group_members_employee FOREIGN KEY (company_id, employee_id)
        REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
);
CREATE INDEX group_members_of_employee ON group_members (company_id, employee_id);

ALTER TABLE groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE groups FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON groups
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE group_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_members FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON group_members
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, UPDATE, DELETE ON groups TO identity_app;
GRANT SELECT, INSERT, DELETE ON group_members TO identity_app;
