-- Companies, how they sign on and provision, whom they trust.

CREATE TABLE companies (
    company_id uuid PRIMARY KEY,
    company text NOT NULL CHECK (company ~ '^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$'),
    name text NOT NULL,
    time_zone text NOT NULL,
    language text NOT NULL CHECK (language IN ('da', 'en')),
    follow_entra_managers boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE connections (
    company_id uuid PRIMARY KEY REFERENCES companies (company_id) ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    group_id uuid,
    group_name text,
    entity_id text NOT NULL,
    sso_enabled boolean NOT NULL,
    login_url text NOT NULL,
    issuer text NOT NULL,
    signed text NOT NULL CHECK (signed IN ('assertion', 'response', 'both')),
    idp_initiated text NOT NULL CHECK (idp_initiated IN ('true', 'false', 'bounce')),
    group_check text NOT NULL CHECK (group_check IN ('off', 'when_sent', 'required')),
    email_domains text[] NOT NULL,
    provisioning_enabled boolean NOT NULL,
    provisioning_strict boolean NOT NULL,
    version integer NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE certificates (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    der bytea NOT NULL,
    subject text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    added_at timestamptz NOT NULL,
    last_signed_at timestamptz,
    PRIMARY KEY (company_id, fingerprint)
);

CREATE TABLE scim_tokens (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    token_id uuid NOT NULL,
    token_sha256 bytea NOT NULL CHECK (length(token_sha256) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (company_id, token_id),
    UNIQUE (company_id, token_sha256)
);

-- Registry: one row each, so that names, credentials and bindings are unique over all companies.

CREATE TABLE registry.companies (
    company text PRIMARY KEY,
    company_id uuid NOT NULL UNIQUE
);

CREATE TABLE registry.scim_tokens (
    token_sha256 bytea PRIMARY KEY,
    company_id uuid NOT NULL,
    token_id uuid NOT NULL
);
CREATE INDEX scim_tokens_of_company ON registry.scim_tokens (company_id);

CREATE TABLE registry.entra_bindings (
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('app', 'group')),
    object_id uuid NOT NULL,
    company_id uuid NOT NULL,
    CONSTRAINT entra_binding_taken PRIMARY KEY (tenant_id, kind, object_id)
);
CREATE INDEX entra_bindings_of_company ON registry.entra_bindings (company_id);

CREATE TABLE registry.email_domains (
    domain text NOT NULL,
    company_id uuid NOT NULL,
    PRIMARY KEY (domain, company_id)
);
CREATE INDEX email_domains_of_company ON registry.email_domains (company_id);

-- The registry follows the companies' tables by itself, whoever writes them.

CREATE FUNCTION registry.follow_company() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM registry.companies WHERE company_id = OLD.company_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO registry.companies (company, company_id) VALUES (NEW.company, NEW.company_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_company AFTER INSERT OR UPDATE OF company OR DELETE ON companies
    FOR EACH ROW EXECUTE FUNCTION registry.follow_company();

CREATE FUNCTION registry.follow_connection() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM registry.entra_bindings WHERE company_id = OLD.company_id;
        DELETE FROM registry.email_domains WHERE company_id = OLD.company_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO registry.entra_bindings (tenant_id, kind, object_id, company_id)
            VALUES (NEW.tenant_id, 'app', NEW.app_id, NEW.company_id);
        IF NEW.group_id IS NOT NULL THEN
            INSERT INTO registry.entra_bindings (tenant_id, kind, object_id, company_id)
                VALUES (NEW.tenant_id, 'group', NEW.group_id, NEW.company_id);
        END IF;
        INSERT INTO registry.email_domains (domain, company_id)
            SELECT DISTINCT domain, NEW.company_id FROM unnest(NEW.email_domains) AS domain;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_connection AFTER INSERT OR DELETE OR UPDATE OF tenant_id, app_id, group_id, email_domains
    ON connections FOR EACH ROW EXECUTE FUNCTION registry.follow_connection();

CREATE FUNCTION registry.follow_scim_token() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM registry.scim_tokens WHERE token_sha256 = OLD.token_sha256;
    ELSE
        INSERT INTO registry.scim_tokens (token_sha256, company_id, token_id)
            VALUES (NEW.token_sha256, NEW.company_id, NEW.token_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_scim_token AFTER INSERT OR DELETE ON scim_tokens
    FOR EACH ROW EXECUTE FUNCTION registry.follow_scim_token();

-- Row-level security: on, forced upon the owner too, and the same sentence for every table.

ALTER TABLE companies ENABLE ROW LEVEL SECURITY;
ALTER TABLE companies FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON companies
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE connections ENABLE ROW LEVEL SECURITY;
ALTER TABLE connections FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON connections
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE certificates ENABLE ROW LEVEL SECURITY;
ALTER TABLE certificates FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON certificates
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE scim_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE scim_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON scim_tokens
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, UPDATE ON companies, connections TO identity_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON certificates TO identity_app;
GRANT SELECT, INSERT, UPDATE ON scim_tokens TO identity_app;

-- The doors: each turns what the caller brought into one company's scope, for this transaction, and says whose it is.
-- No row: nobody's. Owned by the tables' owner, so that the application's role reads no credential across companies.

CREATE FUNCTION registry.enter_by_scim_token(
    token bytea, moment timestamptz,
    OUT company_id uuid, OUT company text, OUT token_id uuid, OUT time_zone text,
    OUT provisioning_enabled boolean, OUT provisioning_strict boolean
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_company uuid;
    last_used timestamptz;
BEGIN
    SELECT t.company_id INTO found_company FROM registry.scim_tokens t WHERE t.token_sha256 = token;
    IF found_company IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('app.company_id', found_company::text, true);
    SELECT c.company_id, c.company, t.token_id, c.time_zone, n.provisioning_enabled, n.provisioning_strict, t.last_used_at
        INTO company_id, company, token_id, time_zone, provisioning_enabled, provisioning_strict, last_used
        FROM public.scim_tokens t
        JOIN public.companies c ON c.company_id = t.company_id
        JOIN public.connections n ON n.company_id = t.company_id
        WHERE t.company_id = found_company AND t.token_sha256 = token
            AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > moment);
    IF company_id IS NULL THEN
        PERFORM set_config('app.company_id', '', true);
        RETURN;
    END IF;
    -- Once a minute is exact enough for people, and spares every lookup a write.
    IF last_used IS NULL OR last_used < moment - interval '1 minute' THEN
        UPDATE public.scim_tokens t SET last_used_at = moment
            WHERE t.company_id = found_company AND t.token_sha256 = token
                AND (t.last_used_at IS NULL OR t.last_used_at < moment - interval '1 minute');
    END IF;
    RETURN NEXT;
END
$$;

CREATE FUNCTION registry.enter_by_name(
    name text, OUT company_id uuid, OUT company text, OUT time_zone text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_company uuid;
BEGIN
    SELECT r.company_id INTO found_company FROM registry.companies r WHERE r.company = name;
    IF found_company IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('app.company_id', found_company::text, true);
    SELECT c.company_id, c.company, c.time_zone INTO company_id, company, time_zone
        FROM public.companies c WHERE c.company_id = found_company;
    RETURN NEXT;
END
$$;

CREATE FUNCTION registry.enter_by_id(
    id uuid, OUT company_id uuid, OUT company text, OUT time_zone text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('app.company_id', id::text, true);
    SELECT c.company_id, c.company, c.time_zone INTO company_id, company, time_zone
        FROM public.companies c WHERE c.company_id = id;
    IF company_id IS NULL THEN
        PERFORM set_config('app.company_id', '', true);
        RETURN;
    END IF;
    RETURN NEXT;
END
$$;

-- Home realm: names of the companies that claim a domain and have SSO on. Reads each of them in its own scope.
CREATE FUNCTION registry.companies_for_domain(
    asked text, OUT company text, OUT name text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidate uuid;
BEGIN
    FOR candidate IN SELECT d.company_id FROM registry.email_domains d WHERE d.domain = asked LOOP
        PERFORM set_config('app.company_id', candidate::text, true);
        RETURN QUERY
            SELECT c.company, c.name FROM public.companies c
            JOIN public.connections n ON n.company_id = c.company_id
            WHERE c.company_id = candidate AND n.sso_enabled;
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

-- The doors look up by unique keys alone: their plans are the same at every size and worth keeping, whatever the session says.
ALTER FUNCTION registry.enter_by_scim_token(bytea, timestamptz) SET plan_cache_mode = 'auto';
ALTER FUNCTION registry.enter_by_name(text) SET plan_cache_mode = 'auto';
ALTER FUNCTION registry.enter_by_id(uuid) SET plan_cache_mode = 'auto';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    registry.enter_by_scim_token(bytea, timestamptz), registry.enter_by_name(text), registry.enter_by_id(uuid),
    registry.companies_for_domain(text)
    TO identity_app;
