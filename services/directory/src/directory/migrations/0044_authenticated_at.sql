-- When somebody showed Entra who he is, which may be weeks before he signed in here: what an app is told (auth_time), and what a
-- demand for a fresh login is measured by.

ALTER TABLE login_tickets ADD COLUMN authenticated_at timestamptz;
ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz;

COMMENT ON COLUMN sessions.authenticated_at IS 'As the assertion says (AuthnInstant); null: a session of an earlier release';
