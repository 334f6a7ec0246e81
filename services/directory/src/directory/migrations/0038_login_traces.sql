-- Login traces: every attempt to sign in as a timeline, under an id that can be said aloud, for as long as the company keeps them.

ALTER TABLE companies
    ADD COLUMN traces_days integer NOT NULL DEFAULT 30 CHECK (traces_days BETWEEN 1 AND 400);

COMMENT ON COLUMN companies.traces_days IS 'So long an attempt to sign in is kept';

-- A login that nobody answers becomes a trace when its time is over: all that is told of it stands here from the beginning.
ALTER TABLE login_flows
    ADD COLUMN attempt_id text,
    ADD COLUMN origin text NOT NULL DEFAULT 'page',
    ADD COLUMN is_test boolean NOT NULL DEFAULT false;

ALTER TABLE login_tickets ADD COLUMN attempt_id text;
ALTER TABLE sessions ADD COLUMN attempt_id text;

ALTER TABLE login_traces
    ADD COLUMN attempt_id text,
    ADD COLUMN flow_id text,
    ADD COLUMN is_test boolean NOT NULL DEFAULT false,
    ADD COLUMN times integer NOT NULL DEFAULT 1,
    ADD COLUMN name_key text,
    ADD COLUMN steps jsonb NOT NULL DEFAULT '[]';

COMMENT ON COLUMN login_traces.attempt_id IS 'Speakable; null: several of one kind in one row, or of an earlier release';
COMMENT ON COLUMN login_traces.outcome IS 'accepted, the reason of the refusal, or never_answered';
COMMENT ON COLUMN login_traces.signer_fingerprint IS 'Empty where nothing was proven';
COMMENT ON COLUMN login_traces.times IS 'How many attempts the row stands for';
COMMENT ON COLUMN login_traces.name_key IS 'The NameID that was presented and proven, as a search key; nothing personal stands anywhere else in the row';

CREATE UNIQUE INDEX login_traces_by_attempt ON login_traces (company_id, attempt_id);
CREATE INDEX login_traces_of_employee ON login_traces (company_id, employee_id, login_trace_id);
CREATE INDEX login_traces_of_name ON login_traces (company_id, name_key, login_trace_id);
CREATE INDEX login_traces_not_accepted ON login_traces (company_id, outcome, login_trace_id) WHERE outcome <> 'accepted';
-- In the order of their ids they are in that of time.
DROP INDEX login_traces_by_time;

-- Locking wants a right to update: two who make traces of them take different ones.
GRANT UPDATE (expires_at) ON login_flows TO identity_app;
-- An attempt goes on after it was written down: a second answer, the session, an app.
GRANT UPDATE (login_trace_id, at, outcome, trace_id, employee_id, signer_fingerprint, details, name_key, steps) ON login_traces TO identity_app;
