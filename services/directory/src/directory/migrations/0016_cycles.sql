-- What Entra's traffic says beside what it asks for: about whom it asked, about whose manager, and when its cycles were.

CREATE TABLE asked_about (
    company_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    manager_asked_at timestamptz,
    kept_manager_id uuid,
    PRIMARY KEY (company_id, employee_id),
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
) WITH (fillfactor = 70);

COMMENT ON TABLE asked_about IS 'Written in the background, at most twice a cycle for each person; no request waits for it';
COMMENT ON COLUMN asked_about.asked_at IS 'In the last cycle that asked about him; not every time is kept';
COMMENT ON COLUMN asked_about.manager_asked_at IS 'The same of his manager: a reference check, or a write of the manager';
COMMENT ON COLUMN asked_about.kept_manager_id IS 'HR has said that this manager stays, and Entra has not asked about him since';

CREATE TABLE cycles (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    last_request_at timestamptz NOT NULL,
    requests bigint NOT NULL,
    has_gaps boolean NOT NULL,
    looked_at timestamptz,
    verdict text CHECK (verdict IN ('partial', 'without_checks', 'full', 'has_gaps')),
    PRIMARY KEY (company_id, started_at),
    CHECK ((looked_at IS NULL) = (verdict IS NULL)),
    CHECK (last_request_at >= started_at)
) WITH (fillfactor = 70);
CREATE INDEX cycles_to_look_at ON cycles (company_id, started_at) WHERE looked_at IS NULL;

COMMENT ON TABLE cycles IS 'Runs of provisioning requests without a pause of ten minutes';
COMMENT ON COLUMN cycles.has_gaps IS 'Not all that was asked about is known; nothing is concluded from it';
COMMENT ON COLUMN cycles.verdict IS 'What the sweep found it to be, when it looked at it';

ALTER TABLE asked_about ALTER COLUMN company_id SET STATISTICS 0;
ALTER TABLE cycles ALTER COLUMN company_id SET STATISTICS 0;

ALTER TABLE asked_about ENABLE ROW LEVEL SECURITY;
ALTER TABLE asked_about FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON asked_about
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE cycles ENABLE ROW LEVEL SECURITY;
ALTER TABLE cycles FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON cycles
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, UPDATE ON asked_about TO identity_app;
GRANT SELECT, INSERT, UPDATE ON cycles TO identity_app;
