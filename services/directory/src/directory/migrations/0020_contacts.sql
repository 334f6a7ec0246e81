-- When each company's Entra was heard last, where all companies can be counted together: a provisioning job that has fallen silent
-- says nothing by itself, so somebody must notice (quarantine, an expired token, a job that was stopped).

CREATE TABLE registry.contacts (
    company_id uuid PRIMARY KEY,
    last_request_at timestamptz NOT NULL
) WITH (fillfactor = 50);

COMMENT ON TABLE registry.contacts IS 'Follows cycles. A company whose provisioning is switched off is not expected to be heard, and has no row';

CREATE FUNCTION registry.follow_cycle() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO registry.contacts AS c (company_id, last_request_at) VALUES (NEW.company_id, NEW.last_request_at)
        ON CONFLICT (company_id) DO UPDATE SET last_request_at = EXCLUDED.last_request_at
        WHERE c.last_request_at < EXCLUDED.last_request_at;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_cycle AFTER INSERT OR UPDATE OF last_request_at ON cycles
    FOR EACH ROW EXECUTE FUNCTION registry.follow_cycle();

CREATE FUNCTION registry.follow_provisioning() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT NEW.provisioning_enabled THEN
        DELETE FROM registry.contacts WHERE company_id = NEW.company_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_provisioning AFTER UPDATE OF provisioning_enabled ON connections
    FOR EACH ROW EXECUTE FUNCTION registry.follow_provisioning();

-- How many companies were heard within each of these; nothing about any one of them.
CREATE FUNCTION registry.count_contacts(moment timestamptz, running interval, silent interval,
    OUT running_now bigint, OUT resting bigint, OUT fallen_silent bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FILTER (WHERE last_request_at >= moment - running),
        count(*) FILTER (WHERE last_request_at < moment - running AND last_request_at >= moment - silent),
        count(*) FILTER (WHERE last_request_at < moment - silent)
    FROM registry.contacts
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.count_contacts(timestamptz, interval, interval) TO identity_app;
