-- Credentials of the BitaBIZ application: per company, with scopes. Several live side by side; SHA-256 only.

CREATE TABLE api_credentials (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    credential_id uuid NOT NULL,
    credential_sha256 bytea NOT NULL CHECK (length(credential_sha256) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['employees:read', 'events:read']),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (company_id, credential_id),
    UNIQUE (company_id, credential_sha256)
);

ALTER TABLE api_credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON api_credentials
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

GRANT SELECT, INSERT, UPDATE ON api_credentials TO identity_app;

CREATE TABLE registry.api_credentials (
    credential_sha256 bytea PRIMARY KEY,
    company_id uuid NOT NULL
);
CREATE INDEX api_credentials_of_company ON registry.api_credentials (company_id);

CREATE FUNCTION registry.follow_api_credential() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM registry.api_credentials WHERE credential_sha256 = OLD.credential_sha256;
    ELSE
        INSERT INTO registry.api_credentials (credential_sha256, company_id) VALUES (NEW.credential_sha256, NEW.company_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_api_credential AFTER INSERT OR DELETE ON api_credentials
    FOR EACH ROW EXECUTE FUNCTION registry.follow_api_credential();

-- The door, as the one for SCIM tokens.
CREATE FUNCTION registry.enter_by_api_credential(
    credential bytea, moment timestamptz,
    OUT company_id uuid, OUT company text, OUT time_zone text, OUT credential_id uuid, OUT scopes text[]
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_company uuid;
    last_used timestamptz;
BEGIN
    SELECT r.company_id INTO found_company FROM registry.api_credentials r WHERE r.credential_sha256 = credential;
    IF found_company IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('app.company_id', found_company::text, true);
    SELECT c.company_id, c.company, c.time_zone, a.credential_id, a.scopes, a.last_used_at
        INTO company_id, company, time_zone, credential_id, scopes, last_used
        FROM public.api_credentials a
        JOIN public.companies c ON c.company_id = a.company_id
        WHERE a.company_id = found_company AND a.credential_sha256 = credential
            AND a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > moment);
    IF company_id IS NULL THEN
        PERFORM set_config('app.company_id', '', true);
        RETURN;
    END IF;
    -- To the minute, which spares every other request a write.
    IF last_used IS NULL OR last_used < moment - interval '1 minute' THEN
        UPDATE public.api_credentials a SET last_used_at = moment
            WHERE a.company_id = found_company AND a.credential_sha256 = credential
                AND (a.last_used_at IS NULL OR a.last_used_at < moment - interval '1 minute');
    END IF;
    RETURN NEXT;
END
$$;
ALTER FUNCTION registry.enter_by_api_credential(bytea, timestamptz) SET plan_cache_mode = 'auto';

-- How far the histories of these companies have come: one look for all readers who wait. Nothing but numbers leaves.
CREATE FUNCTION registry.history_heads(asked uuid[], OUT company_id uuid, OUT sequence bigint) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.company_id, h.sequence FROM registry.histories h WHERE h.company_id = ANY (asked)
$$;

REVOKE ALL ON FUNCTION registry.follow_api_credential(), registry.enter_by_api_credential(bytea, timestamptz),
    registry.history_heads(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.enter_by_api_credential(bytea, timestamptz), registry.history_heads(uuid[])
    TO identity_app;

-- The application looks people up by payroll number; by department and name there are indexes already.
CREATE INDEX employees_by_number ON employees (company_id, employee_number) WHERE employee_number IS NOT NULL;
