-- A company may map a leave date in Entra; it becomes the termination date of whoever is deactivated (A4). Whose word the termination
-- date is stands beside it.

ALTER TABLE employees
    ADD COLUMN leave_date text,
    ADD COLUMN leaves_on date,
    ADD COLUMN suspended_on date,
    ADD COLUMN spent_leave_date text,
    ADD COLUMN termination_source text CHECK (termination_source IN ('inactivation', 'leave_date', 'hr'));

COMMENT ON COLUMN employees.leave_date IS 'As it was sent';
COMMENT ON COLUMN employees.leaves_on IS 'The day that leave_date means, in the company''s time zone; NULL where it cannot be read';
COMMENT ON COLUMN employees.suspended_on IS 'The day he was deactivated on last, whatever his termination date is';
COMMENT ON COLUMN employees.spent_leave_date IS 'The leave date that stood when he last returned, or was employed anew: it is of the time before';
COMMENT ON COLUMN employees.termination_source IS 'The day he was deactivated on, his leave date, or a day that HR chose';

-- Company by company, for row-level security binds the tables' owner too. Which dates HR chose before this was not kept.
DO $$
DECLARE
    company registry.companies;
BEGIN
    FOR company IN SELECT * FROM registry.companies LOOP
        PERFORM set_config('app.company_id', company.company_id::text, true);
        UPDATE public.employees
            SET termination_source = 'inactivation', suspended_on = CASE WHEN state = 'suspended' THEN termination_date END
            WHERE company_id = company.company_id AND termination_date IS NOT NULL;
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

ALTER TABLE employees
    ADD CONSTRAINT employees_end_source CHECK ((termination_date IS NULL) = (termination_source IS NULL));

ALTER TABLE employees
    ADD CONSTRAINT employees_suspended_on CHECK (state <> 'suspended' OR suspended_on IS NOT NULL);

CREATE INDEX employees_unknown_leave_date ON employees (company_id, leave_date)
    WHERE state <> 'departed' AND leave_date IS NOT NULL AND leaves_on IS NULL;
