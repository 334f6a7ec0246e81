-- Employees. Values stand as they were sent; each value that a search may name has a key column beside it, normalised by
-- the application (NFC, lower case), because functions in a filter are not pushed into an index under row-level security.

CREATE TABLE employees (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    employee_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'suspended', 'departed')),
    source text NOT NULL CHECK (source IN ('entra', 'csv', 'manual')),
    login_name text,
    login_key text,
    email text,
    email_key text,
    email_primary boolean,
    external_id text,
    entra_object_id uuid,
    released_sha256 bytea,
    given_name text NOT NULL,
    family_name text NOT NULL,
    display_name text,
    formatted_name text,
    title text,
    department text,
    employee_number text,
    work_phone text,
    mobile_phone text,
    country text,
    roles text[] NOT NULL DEFAULT '{}',
    manager_ref text,
    manager_key text,
    manager_id uuid,
    termination_date date,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (company_id, employee_id),
    CONSTRAINT employees_manager FOREIGN KEY (company_id, manager_id) REFERENCES employees (company_id, employee_id),
    CONSTRAINT employees_login_taken UNIQUE (company_id, login_key),
    CONSTRAINT employees_email_taken UNIQUE (company_id, email_key),
    CONSTRAINT employees_departed_released CHECK (
        state <> 'departed' OR (login_name IS NULL AND login_key IS NULL AND email IS NULL AND email_key IS NULL
                                AND external_id IS NULL)
    ),
    CONSTRAINT employees_present_named CHECK (
        state = 'departed' OR (login_name IS NOT NULL AND login_key IS NOT NULL AND email IS NOT NULL AND email_key IS NOT NULL)
    ),
    CONSTRAINT employees_manager_key CHECK ((manager_ref IS NULL) = (manager_key IS NULL)),
    CONSTRAINT employees_end CHECK ((state = 'active') = (termination_date IS NULL))
);

CREATE UNIQUE INDEX employees_external_id_taken ON employees (company_id, external_id);
CREATE UNIQUE INDEX employees_object_id_taken ON employees (company_id, entra_object_id) WHERE email_key IS NOT NULL;
CREATE INDEX employees_by_object_id ON employees (company_id, entra_object_id);
CREATE INDEX employees_by_manager ON employees (company_id, manager_id);
CREATE INDEX employees_by_manager_key ON employees (company_id, manager_key) WHERE manager_key IS NOT NULL;

COMMENT ON COLUMN employees.released_sha256 IS 'After a departure: salted hash of the released login name, for audit (S40)';
COMMENT ON COLUMN employees.entra_object_id IS 'The link key (decisions D1, D10): from externalId or learnt at the first login';
COMMENT ON COLUMN employees.roles IS 'Granted by hand only; Approver by having reports is derived (decision D9)';

ALTER TABLE employees ENABLE ROW LEVEL SECURITY;
ALTER TABLE employees FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON employees
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, UPDATE ON employees TO identity_app;

-- History: what happened, written with the change. The application may add and read, nothing else.

CREATE TABLE events (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    event_id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    employee_id uuid,
    actor_kind text NOT NULL CHECK (actor_kind IN ('entra', 'person', 'operator', 'system')),
    actor_id text NOT NULL,
    request_id text NOT NULL,
    trace_id text NOT NULL,
    changes jsonb NOT NULL,
    PRIMARY KEY (company_id, event_id),
    CONSTRAINT events_employee FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id)
);
CREATE INDEX events_of_employee ON events (company_id, employee_id, event_id);

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON events
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT ON events TO identity_app;
