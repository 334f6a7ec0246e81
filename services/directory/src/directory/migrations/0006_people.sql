-- People as HR knows them: who owns each attribute, departments, what only HR says, and what waits for HR.

ALTER TABLE companies
    ADD COLUMN rehire_ask_after_days integer CHECK (rehire_ask_after_days BETWEEN 0 AND 36500),
    ADD COLUMN brake_people integer NOT NULL DEFAULT 30 CHECK (brake_people BETWEEN 0 AND 1000000),
    ADD COLUMN brake_percent integer NOT NULL DEFAULT 30 CHECK (brake_percent BETWEEN 0 AND 100),
    ADD COLUMN erase_after_months integer CHECK (erase_after_months BETWEEN 1 AND 1200),
    ADD COLUMN ends_at timestamptz;

COMMENT ON COLUMN companies.rehire_ask_after_days IS 'Inactive longer than this: HR decides what a return means (A11); NULL: nobody is asked';
COMMENT ON COLUMN companies.ends_at IS 'The company is closed, and will be deleted then';

ALTER TABLE employees
    ADD COLUMN owners jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN department_key text,
    ADD COLUMN calendar_group text,
    ADD COLUMN hired_on date,
    ADD COLUMN policy text,
    ADD COLUMN blocked_at timestamptz,
    ADD COLUMN rehire_asked_at timestamptz,
    ADD COLUMN adoption_confirmed_at timestamptz,
    ADD COLUMN previous_employee_id uuid,
    ADD COLUMN only_direct_approver boolean NOT NULL DEFAULT false,
    ADD COLUMN leaver_done_at timestamptz,
    ADD CONSTRAINT employees_previous FOREIGN KEY (company_id, previous_employee_id)
        REFERENCES employees (company_id, employee_id),
    ADD CONSTRAINT employees_rehire CHECK (rehire_asked_at IS NULL OR state = 'suspended');

COMMENT ON COLUMN employees.owners IS 'attribute -> [entra | hr | csv, since when]';
COMMENT ON COLUMN employees.department_key IS 'Into departments; NULL without a department';
COMMENT ON COLUMN employees.calendar_group IS 'ISO 3166-1 alpha-2 of the country, where its spelling is known';
COMMENT ON COLUMN employees.blocked_at IS 'HR took his access away, whatever Entra says';
COMMENT ON COLUMN employees.rehire_asked_at IS 'Entra says active again; no access until HR has chosen';
COMMENT ON COLUMN employees.adoption_confirmed_at IS 'A Setup admin has said that Entra may take this account over (A24)';
COMMENT ON COLUMN employees.previous_employee_id IS 'The same person in an earlier employment';
COMMENT ON COLUMN employees.leaver_done_at IS 'HR has dealt with the registrations of a leaver';

CREATE TABLE departments (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    department_key text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, department_key)
);

-- What Entra or an import has sent so far belongs to it, and so do the departments that it named. Company by company, for
-- row-level security binds the tables' owner too.
DO $$
DECLARE
    company registry.companies;
BEGIN
    FOR company IN SELECT * FROM registry.companies LOOP
        PERFORM set_config('app.company_id', company.company_id::text, true);
        UPDATE public.employees e
            SET department_key = normalize(lower(normalize(e.department))),
                owners = (
                    SELECT coalesce(jsonb_object_agg(key, jsonb_build_array(
                        CASE e.source WHEN 'entra' THEN 'entra' WHEN 'csv' THEN 'csv' ELSE 'hr' END,
                        to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))), '{}')
                    FROM jsonb_each(to_jsonb(e))
                    WHERE jsonb_typeof(value) <> 'null' AND key = ANY (ARRAY['login_name', 'email', 'given_name', 'family_name',
                        'display_name', 'formatted_name', 'title', 'department', 'employee_number', 'work_phone',
                        'mobile_phone', 'country', 'manager_ref']))
            WHERE e.company_id = company.company_id;
        INSERT INTO public.departments (company_id, department_key, name, created_at)
            SELECT DISTINCT ON (e.department_key) e.company_id, e.department_key, e.department, e.created_at
            FROM public.employees e
            WHERE e.company_id = company.company_id AND e.department_key IS NOT NULL
            ORDER BY e.department_key, e.created_at;
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

CREATE INDEX employees_previous ON employees (company_id, previous_employee_id) WHERE previous_employee_id IS NOT NULL;
CREATE INDEX employees_by_department ON employees (company_id, department_key) WHERE department_key IS NOT NULL;
-- The work list reads these three, and nothing else.
CREATE INDEX employees_joiners ON employees (company_id, employee_id)
    WHERE state = 'active' AND (policy IS NULL OR hired_on IS NULL OR employee_number IS NULL);
CREATE INDEX employees_leavers ON employees (company_id, employee_id) WHERE state <> 'active' AND leaver_done_at IS NULL;
CREATE INDEX employees_leavers_done ON employees (company_id, employee_id) WHERE leaver_done_at IS NOT NULL;
CREATE INDEX employees_unknown_country ON employees (company_id, country)
    WHERE state <> 'departed' AND country IS NOT NULL AND calendar_group IS NULL;
CREATE INDEX employees_rehires ON employees (company_id, employee_id) WHERE rehire_asked_at IS NOT NULL;

CREATE TABLE department_approvers (
    company_id uuid NOT NULL,
    department_key text NOT NULL,
    employee_id uuid NOT NULL,
    beside_manager boolean NOT NULL,
    granted_at timestamptz NOT NULL,
    granted_by text NOT NULL,
    PRIMARY KEY (company_id, department_key, employee_id),
    FOREIGN KEY (company_id, department_key) REFERENCES departments (company_id, department_key) ON DELETE CASCADE,
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
);
CREATE INDEX department_approvers_of_employee ON department_approvers (company_id, employee_id);

COMMENT ON COLUMN department_approvers.beside_manager IS 'Granted (again) while the company follows Entra''s managers: approves beside them (S52, S55)';

CREATE TABLE findings (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    finding_id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    employee_id uuid,
    details jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    times integer NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (company_id, finding_id),
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX findings_open ON findings (company_id, kind, subject) WHERE closed_at IS NULL;
CREATE INDEX findings_of_employee ON findings (company_id, employee_id) WHERE employee_id IS NOT NULL;

ALTER TABLE departments ENABLE ROW LEVEL SECURITY;
ALTER TABLE departments FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON departments
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE department_approvers ENABLE ROW LEVEL SECURITY;
ALTER TABLE department_approvers FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON department_approvers
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE findings ENABLE ROW LEVEL SECURITY;
ALTER TABLE findings FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON findings
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT ON departments TO identity_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON department_approvers TO identity_app;
GRANT SELECT, INSERT, UPDATE ON findings TO identity_app;
