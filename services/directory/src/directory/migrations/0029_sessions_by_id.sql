-- A session has a name that is no secret, so that it can be listed, ended and told of; and it may be an app's and not a browser's.

ALTER TABLE sessions
    ADD COLUMN session_id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN client_id text,
    ADD COLUMN seen_at timestamptz;

COMMENT ON COLUMN sessions.client_id IS 'The app whose session it is, as it is registered; null: a browser''s';
COMMENT ON COLUMN sessions.seen_at IS 'When it was last used, more or less; null: not since it was opened';

CREATE UNIQUE INDEX sessions_by_id ON sessions (company_id, session_id);
