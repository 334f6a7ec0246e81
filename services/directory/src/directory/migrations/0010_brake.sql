-- The mass-change brake: how many deactivations Entra has asked for within the hour, and those that are held.

CREATE TABLE brakes (
    company_id uuid PRIMARY KEY REFERENCES companies (company_id) ON DELETE CASCADE,
    minutes jsonb NOT NULL DEFAULT '[]',
    open_until timestamptz
) WITH (fillfactor = 50);

COMMENT ON TABLE brakes IS 'One row per company, locked by every deactivation of Entra''s before anybody is locked, so that simultaneous ones are counted';
COMMENT ON COLUMN brakes.minutes IS '[minute since 1970, asked for the first time, of these passed], of about the last hour';
COMMENT ON COLUMN brakes.open_until IS 'Somebody released what was held: until then nothing is held';

CREATE TABLE held_changes (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    employee_id uuid NOT NULL,
    step text NOT NULL CHECK (step IN ('suspend', 'remove')),
    state text NOT NULL CHECK (state IN ('held', 'refused', 'released')),
    asked_at timestamptz NOT NULL,
    last_asked_at timestamptz NOT NULL,
    times integer NOT NULL,
    asked_by text NOT NULL,
    request_id text NOT NULL,
    decided_at timestamptz,
    decided_by_kind text,
    decided_by text,
    PRIMARY KEY (company_id, employee_id),
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE,
    CHECK (num_nulls(decided_at, decided_by_kind, decided_by) = CASE state WHEN 'held' THEN 3 ELSE 0 END)
);
CREATE INDEX held_changes_by_state ON held_changes (company_id, state, employee_id);
CREATE INDEX held_changes_by_ask ON held_changes (company_id, last_asked_at);

COMMENT ON TABLE held_changes IS 'Deactivations that the brake holds: at most one per employee, gone when it is done or wanted no more';
COMMENT ON COLUMN held_changes.asked_by IS 'The Entra connection (token) that asked last';

ALTER TABLE brakes ENABLE ROW LEVEL SECURITY;
ALTER TABLE brakes FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON brakes
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE held_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE held_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON held_changes
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, UPDATE ON brakes TO identity_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON held_changes TO identity_app;
