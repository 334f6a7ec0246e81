-- Approvers: where nobody else can approve the Setup admins do, and they are found without reading everybody.

CREATE INDEX employees_setup_admins ON employees (company_id, employee_id) WHERE 'setup_admin' = ANY (roles);
