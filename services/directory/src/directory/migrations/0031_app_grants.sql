-- What the apps of the OpenID Provider hold: codes on their way, and what was given for them. Secrets stand here as SHA-256 only.
--
-- A grant hangs on a session: the browser's in which its code was given, or the app's own. So whatever ends the session ends the
-- grant in the same transaction.

CREATE TABLE app_grants (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    grant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    scopes text[] NOT NULL,
    nonce text,
    authenticated_at timestamptz NOT NULL,
    code_sha256 bytea NOT NULL CHECK (length(code_sha256) = 32),
    code_challenge bytea NOT NULL CHECK (length(code_challenge) = 32),
    code_expires_at timestamptz NOT NULL,
    redeemed_at timestamptz,
    family_sha256 bytea CHECK (length(family_sha256) = 32),
    refresh_sha256 bytea CHECK (length(refresh_sha256) = 32),
    former_sha256 bytea CHECK (length(former_sha256) = 32),
    refreshed_at timestamptz,
    PRIMARY KEY (company_id, grant_id),
    UNIQUE (company_id, code_sha256),
    CHECK ((family_sha256 IS NULL) = (refresh_sha256 IS NULL)),
    FOREIGN KEY (company_id, session_id) REFERENCES sessions (company_id, session_id) ON DELETE CASCADE
);
COMMENT ON COLUMN app_grants.session_id IS 'On which it hangs: the browser''s, or the app''s own';
COMMENT ON COLUMN app_grants.family_sha256 IS 'Of what all its refresh tokens have in common; null: it has none';
COMMENT ON COLUMN app_grants.refresh_sha256 IS 'Of the refresh token that is to be used next';
COMMENT ON COLUMN app_grants.former_sha256 IS 'Of the one before';

CREATE UNIQUE INDEX app_grants_by_family ON app_grants (company_id, family_sha256) WHERE family_sha256 IS NOT NULL;
CREATE INDEX app_grants_of_session ON app_grants (company_id, session_id);
CREATE INDEX app_grants_without_refresh ON app_grants (company_id, code_expires_at) WHERE family_sha256 IS NULL;

-- As migration 0014 says of every table.
ALTER TABLE app_grants ALTER COLUMN company_id SET STATISTICS 0;

ALTER TABLE app_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE app_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON app_grants
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, UPDATE, DELETE ON app_grants TO identity_app;

-- Whoever hangs something on a session holds it until he has, and holding wants the right to change a column.
GRANT UPDATE (seen_at) ON sessions TO identity_app;
