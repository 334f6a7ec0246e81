-- OAuth 2.0 for provisioning: secrets of a company's client, tenants whose assertions it trusts, and the access tokens issued for
-- either. Secrets and tokens stand here as SHA-256 only.

CREATE TABLE oauth_secrets (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    secret_id uuid NOT NULL,
    secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
    connection text NOT NULL CHECK (connection IN ('next', 'live', 'retired')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (company_id, secret_id),
    UNIQUE (company_id, secret_sha256)
);

CREATE TABLE federations (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    federation_id uuid NOT NULL,
    issuer text NOT NULL,
    audience text NOT NULL,
    audience_key text NOT NULL,
    subject text NOT NULL,
    connection text NOT NULL CHECK (connection IN ('next', 'live', 'retired')),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (company_id, federation_id)
);
COMMENT ON COLUMN federations.audience IS 'As the administrator pasted it';
COMMENT ON COLUMN federations.audience_key IS 'Without /.default, which Entra shows in one place and leaves out in another';
CREATE UNIQUE INDEX federation_taken ON federations (company_id, issuer, audience_key, subject)
    WHERE revoked_at IS NULL AND connection <> 'retired';

-- A token has no end but its hour: whether it is revoked, and of which connection it is, is asked of what it was issued for. So a
-- revocation and a move reach those that are being issued at the same moment.
CREATE TABLE access_tokens (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    token_sha256 bytea NOT NULL CHECK (length(token_sha256) = 32),
    secret_id uuid,
    federation_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, token_sha256),
    CHECK (num_nonnulls(secret_id, federation_id) = 1),
    FOREIGN KEY (company_id, secret_id) REFERENCES oauth_secrets (company_id, secret_id) ON DELETE CASCADE,
    FOREIGN KEY (company_id, federation_id) REFERENCES federations (company_id, federation_id) ON DELETE CASCADE
);
CREATE INDEX access_tokens_expiring ON access_tokens (company_id, expires_at);
CREATE INDEX access_tokens_of_secret ON access_tokens (company_id, secret_id) WHERE secret_id IS NOT NULL;
CREATE INDEX access_tokens_of_federation ON access_tokens (company_id, federation_id) WHERE federation_id IS NOT NULL;

-- As migration 0014 says of every table.
ALTER TABLE oauth_secrets ALTER COLUMN company_id SET STATISTICS 0;
ALTER TABLE federations ALTER COLUMN company_id SET STATISTICS 0;
ALTER TABLE access_tokens ALTER COLUMN company_id SET STATISTICS 0;

ALTER TABLE oauth_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON oauth_secrets
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE federations ENABLE ROW LEVEL SECURITY;
ALTER TABLE federations FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON federations
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE access_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON access_tokens
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

-- Secrets and trust are an operator's; the application only notes their use and issues tokens.
GRANT SELECT ON oauth_secrets, federations TO identity_app;
GRANT UPDATE (last_used_at) ON federations TO identity_app;
GRANT SELECT, INSERT ON access_tokens TO identity_app;

CREATE TABLE registry.oauth_secrets (
    secret_sha256 bytea PRIMARY KEY,
    company_id uuid NOT NULL
);
CREATE INDEX oauth_secrets_of_company ON registry.oauth_secrets (company_id);

CREATE TABLE registry.access_tokens (
    token_sha256 bytea PRIMARY KEY,
    company_id uuid NOT NULL
);
CREATE INDEX access_tokens_of_company ON registry.access_tokens (company_id);

CREATE FUNCTION registry.follow_oauth_secret() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM registry.oauth_secrets WHERE secret_sha256 = OLD.secret_sha256;
    ELSE
        INSERT INTO registry.oauth_secrets (secret_sha256, company_id) VALUES (NEW.secret_sha256, NEW.company_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_oauth_secret AFTER INSERT OR DELETE ON oauth_secrets
    FOR EACH ROW EXECUTE FUNCTION registry.follow_oauth_secret();

CREATE FUNCTION registry.follow_access_token() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM registry.access_tokens WHERE token_sha256 = OLD.token_sha256;
    ELSE
        INSERT INTO registry.access_tokens (token_sha256, company_id) VALUES (NEW.token_sha256, NEW.company_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_access_token AFTER INSERT OR DELETE ON access_tokens
    FOR EACH ROW EXECUTE FUNCTION registry.follow_access_token();

-- The door of the token endpoint. A federation has none: what it goes by is no secret, so its company is entered by name.
CREATE FUNCTION registry.enter_by_oauth_secret(
    secret bytea, moment timestamptz,
    OUT company_id uuid, OUT company text, OUT time_zone text, OUT secret_id uuid, OUT connection text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_company uuid;
BEGIN
    SELECT r.company_id INTO found_company FROM registry.oauth_secrets r WHERE r.secret_sha256 = secret;
    IF found_company IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('app.company_id', found_company::text, true);
    SELECT c.company_id, c.company, c.time_zone, s.secret_id, s.connection
        INTO company_id, company, time_zone, secret_id, connection
        FROM public.oauth_secrets s
        JOIN public.companies c ON c.company_id = s.company_id
        WHERE s.company_id = found_company AND s.secret_sha256 = secret
            AND s.revoked_at IS NULL AND s.expires_at > moment
            AND (s.connection <> 'next' OR c.ends_at IS NULL);
    IF company_id IS NULL THEN
        PERFORM set_config('app.company_id', '', true);
        RETURN;
    END IF;
    UPDATE public.oauth_secrets s SET last_used_at = moment
        WHERE s.company_id = found_company AND s.secret_sha256 = secret
            AND (s.last_used_at IS NULL OR s.last_used_at < moment - interval '1 minute');
    RETURN NEXT;
END
$$;
ALTER FUNCTION registry.enter_by_oauth_secret(bytea, timestamptz) SET plan_cache_mode = 'auto';

-- The door of provisioning knows access tokens too, and says whose word a change is: a token that is gone within the hour tells
-- nobody anything, so `token_id` is the id of what it was issued for.
DROP FUNCTION registry.enter_by_scim_token(bytea, timestamptz);
CREATE FUNCTION registry.enter_by_scim_token(
    token bytea, moment timestamptz,
    OUT company_id uuid, OUT company text, OUT token_id uuid, OUT time_zone text,
    OUT provisioning_enabled boolean, OUT provisioning_strict boolean, OUT connection text, OUT issued_for text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_company uuid;
    last_used timestamptz;
    is_access_token boolean := false;
BEGIN
    SELECT t.company_id INTO found_company FROM registry.scim_tokens t WHERE t.token_sha256 = token;
    IF found_company IS NULL THEN
        SELECT a.company_id INTO found_company FROM registry.access_tokens a WHERE a.token_sha256 = token;
        is_access_token := true;
    END IF;
    IF found_company IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('app.company_id', found_company::text, true);
    -- A cut-over waits for whoever is inside, and whoever comes meanwhile waits for it: no request judged by the tokens of before
    -- writes after it.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('provisioning ' || found_company::text, 0));
    IF is_access_token THEN
        SELECT c.company_id, c.company, coalesce(s.secret_id, f.federation_id), c.time_zone, n.provisioning_enabled,
                n.provisioning_strict, coalesce(s.connection, f.connection),
                CASE WHEN s.secret_id IS NULL THEN 'federation' ELSE 'secret' END
            INTO company_id, company, token_id, time_zone, provisioning_enabled, provisioning_strict, connection, issued_for
            FROM public.access_tokens a
            JOIN public.companies c ON c.company_id = a.company_id
            JOIN public.connections n ON n.company_id = a.company_id
            LEFT JOIN public.oauth_secrets s ON s.company_id = a.company_id AND s.secret_id = a.secret_id
                AND s.revoked_at IS NULL AND s.expires_at > moment
            LEFT JOIN public.federations f ON f.company_id = a.company_id AND f.federation_id = a.federation_id
                AND f.revoked_at IS NULL
            WHERE a.company_id = found_company AND a.token_sha256 = token AND a.expires_at > moment
                AND num_nonnulls(s.secret_id, f.federation_id) = 1
                AND (coalesce(s.connection, f.connection) <> 'next' OR c.ends_at IS NULL);
    ELSE
        SELECT c.company_id, c.company, t.token_id, c.time_zone, n.provisioning_enabled, n.provisioning_strict, t.connection,
                'token', t.last_used_at
            INTO company_id, company, token_id, time_zone, provisioning_enabled, provisioning_strict, connection, issued_for,
                last_used
            FROM public.scim_tokens t
            JOIN public.companies c ON c.company_id = t.company_id
            JOIN public.connections n ON n.company_id = t.company_id
            WHERE t.company_id = found_company AND t.token_sha256 = token
                AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > moment)
                -- A prepared connection answers whether provisioning is on or not; that of a company that has ended does not.
                AND (t.connection <> 'next' OR c.ends_at IS NULL);
    END IF;
    IF company_id IS NULL THEN
        PERFORM set_config('app.company_id', '', true);
        RETURN;
    END IF;
    -- Once a minute is exact enough for people, and spares every lookup a write.
    IF NOT is_access_token AND (last_used IS NULL OR last_used < moment - interval '1 minute') THEN
        UPDATE public.scim_tokens t SET last_used_at = moment
            WHERE t.company_id = found_company AND t.token_sha256 = token
                AND (t.last_used_at IS NULL OR t.last_used_at < moment - interval '1 minute');
    END IF;
    RETURN NEXT;
END
$$;
ALTER FUNCTION registry.enter_by_scim_token(bytea, timestamptz) SET plan_cache_mode = 'auto';

REVOKE ALL ON FUNCTION registry.follow_oauth_secret(), registry.follow_access_token(),
    registry.enter_by_oauth_secret(bytea, timestamptz), registry.enter_by_scim_token(bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.enter_by_oauth_secret(bytea, timestamptz),
    registry.enter_by_scim_token(bytea, timestamptz) TO identity_app;
