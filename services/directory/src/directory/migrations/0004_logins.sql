-- Logins under way, and sessions. Secrets stand here as SHA-256 only.

CREATE TABLE login_flows (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    flow_id text NOT NULL,
    browser_sha256 bytea NOT NULL CHECK (length(browser_sha256) = 32),
    return_to text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, flow_id)
);
CREATE INDEX login_flows_expiring ON login_flows (company_id, expires_at);

-- Replay: an assertion is accepted once. The row outlives the assertion's validity.
CREATE TABLE seen_assertions (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    assertion_sha256 bytea NOT NULL CHECK (length(assertion_sha256) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, assertion_sha256)
);
CREATE INDEX seen_assertions_expiring ON seen_assertions (company_id, expires_at);

CREATE TABLE login_tickets (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    ticket_sha256 bytea NOT NULL CHECK (length(ticket_sha256) = 32),
    employee_id uuid NOT NULL,
    browser_sha256 bytea,
    return_to text NOT NULL,
    name_id text NOT NULL,
    name_id_format text,
    session_index text,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, ticket_sha256),
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
);
CREATE INDEX login_tickets_expiring ON login_tickets (company_id, expires_at);
CREATE INDEX login_tickets_of_employee ON login_tickets (company_id, employee_id);

CREATE TABLE sessions (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    session_sha256 bytea NOT NULL CHECK (length(session_sha256) = 32),
    employee_id uuid NOT NULL,
    name_id text NOT NULL,
    name_id_format text,
    session_index text,
    signed_in_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, session_sha256),
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
);
CREATE INDEX sessions_of_employee ON sessions (company_id, employee_id);
CREATE INDEX sessions_expiring ON sessions (company_id, expires_at);

-- What was decided about each verified assertion, for the one who must explain it.
CREATE TABLE login_traces (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    login_trace_id uuid NOT NULL,
    at timestamptz NOT NULL,
    trace_id text NOT NULL,
    outcome text NOT NULL,
    employee_id uuid,
    idp_initiated boolean NOT NULL,
    signer_fingerprint text NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (company_id, login_trace_id),
    FOREIGN KEY (company_id, employee_id) REFERENCES employees (company_id, employee_id) ON DELETE CASCADE
);
CREATE INDEX login_traces_by_time ON login_traces (company_id, at);

ALTER TABLE login_flows ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_flows FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON login_flows
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE seen_assertions ENABLE ROW LEVEL SECURITY;
ALTER TABLE seen_assertions FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON seen_assertions
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE login_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON login_tickets
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON sessions
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE login_traces ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_traces FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON login_traces
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, DELETE ON login_flows, seen_assertions, login_tickets, sessions TO identity_app;
GRANT SELECT, INSERT ON login_traces TO identity_app;
