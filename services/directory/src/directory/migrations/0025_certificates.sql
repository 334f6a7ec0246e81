-- Whose certificate it is, over all companies: every Entra app signs with its own, so that another company's certificate is the wrong
-- app's; and how many companies have none that is valid much longer, for an alert.

CREATE TABLE registry.certificates (
    fingerprint text NOT NULL,
    company_id uuid NOT NULL,
    not_after timestamptz NOT NULL,
    PRIMARY KEY (fingerprint, company_id)
);
CREATE INDEX certificates_of_company ON registry.certificates (company_id);

CREATE FUNCTION registry.follow_certificate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM registry.certificates WHERE fingerprint = OLD.fingerprint AND company_id = OLD.company_id;
    ELSE
        INSERT INTO registry.certificates (fingerprint, company_id, not_after)
            VALUES (NEW.fingerprint, NEW.company_id, NEW.not_after);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_certificate AFTER INSERT OR DELETE ON certificates
    FOR EACH ROW EXECUTE FUNCTION registry.follow_certificate();

DO $$
DECLARE
    company record;
BEGIN
    FOR company IN SELECT r.company_id FROM registry.companies r LOOP
        PERFORM set_config('app.company_id', company.company_id::text, true);
        INSERT INTO registry.certificates (fingerprint, company_id, not_after)
            SELECT c.fingerprint, c.company_id, c.not_after FROM public.certificates c WHERE c.company_id = company.company_id;
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

-- Of these fingerprints, those that another company trusts; says nothing of which one.
CREATE FUNCTION registry.certificates_of_others(fingerprints text[], own uuid) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT c.fingerprint FROM registry.certificates c WHERE c.fingerprint = ANY(fingerprints) AND c.company_id <> own
$$;

-- How many companies have no certificate that is valid longer than so many days.
CREATE FUNCTION registry.count_expiring(moment timestamptz, days integer[])
    RETURNS TABLE (within_days integer, companies bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.day, count(*) FILTER (WHERE last.until < moment + make_interval(days => d.day))
    FROM unnest(days) AS d (day)
    CROSS JOIN (SELECT max(not_after) AS until FROM registry.certificates GROUP BY company_id) AS last
    GROUP BY d.day
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.certificates_of_others(text[], uuid) TO identity_app;
GRANT EXECUTE ON FUNCTION registry.count_expiring(timestamptz, integer[]) TO identity_app;
