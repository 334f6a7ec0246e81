-- The move of a company to another Entra tenant: a second connection is prepared while the first is live, and one transaction
-- makes it the live one.

CREATE TABLE next_connections (
    company_id uuid PRIMARY KEY REFERENCES companies (company_id) ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    group_id uuid,
    group_name text,
    sso_enabled boolean NOT NULL,
    login_url text NOT NULL,
    issuer text NOT NULL,
    signed text NOT NULL,
    idp_initiated text NOT NULL,
    group_check text NOT NULL,
    email_domains text[] NOT NULL,
    provisioning_enabled boolean NOT NULL,
    provisioning_strict boolean NOT NULL,
    prepared_at timestamptz NOT NULL
);

CREATE TABLE next_certificates (
    company_id uuid NOT NULL REFERENCES next_connections (company_id) ON DELETE CASCADE,
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    der bytea NOT NULL,
    subject text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    PRIMARY KEY (company_id, fingerprint)
);

-- Where the company was before: what still comes from there changes nothing, and no manifest leads back by mistake.
CREATE TABLE retired_connections (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    app_id uuid NOT NULL,
    retired_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, tenant_id, app_id)
);

ALTER TABLE scim_tokens
    ADD COLUMN connection text NOT NULL DEFAULT 'live' CHECK (connection IN ('next', 'live', 'retired'));
COMMENT ON COLUMN scim_tokens.connection IS 'next: prepared, reads only; retired: of the tenant that the company has left, refused';

ALTER TABLE employees
    ADD COLUMN awaits_link_since timestamptz,
    ADD CONSTRAINT employees_awaits_link CHECK (
        awaits_link_since IS NULL OR (state <> 'departed' AND entra_object_id IS NULL));
COMMENT ON COLUMN employees.awaits_link_since IS 'Released by a move: the next create that names him links him to the new tenant';
CREATE INDEX employees_awaiting_link ON employees (company_id, employee_id) WHERE awaits_link_since IS NOT NULL;

ALTER TABLE next_connections ENABLE ROW LEVEL SECURITY;
ALTER TABLE next_connections FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON next_connections
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE next_certificates ENABLE ROW LEVEL SECURITY;
ALTER TABLE next_certificates FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON next_certificates
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE retired_connections ENABLE ROW LEVEL SECURITY;
ALTER TABLE retired_connections FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON retired_connections
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

-- Moves are an operator's; the application asks whether there is one.
GRANT SELECT ON next_connections TO identity_app;

-- A prepared connection has the Entra app and group for itself already. It is always of another tenant than the live one, so
-- each trigger keeps the bindings of its own tenant.

CREATE OR REPLACE FUNCTION registry.follow_connection() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM registry.entra_bindings WHERE company_id = OLD.company_id AND tenant_id = OLD.tenant_id;
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

CREATE FUNCTION registry.follow_next_connection() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM registry.entra_bindings WHERE company_id = OLD.company_id AND tenant_id = OLD.tenant_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO registry.entra_bindings (tenant_id, kind, object_id, company_id)
            VALUES (NEW.tenant_id, 'app', NEW.app_id, NEW.company_id);
        IF NEW.group_id IS NOT NULL THEN
            INSERT INTO registry.entra_bindings (tenant_id, kind, object_id, company_id)
                VALUES (NEW.tenant_id, 'group', NEW.group_id, NEW.company_id);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_next_connection AFTER INSERT OR UPDATE OR DELETE ON next_connections
    FOR EACH ROW EXECUTE FUNCTION registry.follow_next_connection();

-- The door of provisioning says which connection the token is of.
DROP FUNCTION registry.enter_by_scim_token(bytea, timestamptz);
CREATE FUNCTION registry.enter_by_scim_token(
    token bytea, moment timestamptz,
    OUT company_id uuid, OUT company text, OUT token_id uuid, OUT time_zone text,
    OUT provisioning_enabled boolean, OUT provisioning_strict boolean, OUT connection text
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
    -- A cut-over waits for whoever is inside, and whoever comes meanwhile waits for it: no request judged by the tokens of before
    -- writes after it.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('provisioning ' || found_company::text, 0));
    SELECT c.company_id, c.company, t.token_id, c.time_zone, n.provisioning_enabled, n.provisioning_strict, t.connection,
            t.last_used_at
        INTO company_id, company, token_id, time_zone, provisioning_enabled, provisioning_strict, connection, last_used
        FROM public.scim_tokens t
        JOIN public.companies c ON c.company_id = t.company_id
        JOIN public.connections n ON n.company_id = t.company_id
        WHERE t.company_id = found_company AND t.token_sha256 = token
            AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > moment)
            -- A prepared connection answers whether provisioning is on or not; that of a company that has ended does not.
            AND (t.connection <> 'next' OR c.ends_at IS NULL);
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
ALTER FUNCTION registry.enter_by_scim_token(bytea, timestamptz) SET plan_cache_mode = 'auto';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.enter_by_scim_token(bytea, timestamptz) TO identity_app;
