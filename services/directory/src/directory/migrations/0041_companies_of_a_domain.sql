-- One domain may be claimed by more companies than anybody chooses from (that of a mail provider, say): a question looks at so many.
-- The function without a bound stays for the release before.

CREATE FUNCTION registry.companies_for_domain(
    asked text, most integer, OUT company text, OUT name text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidate uuid;
BEGIN
    FOR candidate IN SELECT d.company_id FROM registry.email_domains d WHERE d.domain = asked ORDER BY d.company_id LIMIT most LOOP
        PERFORM set_config('app.company_id', candidate::text, true);
        RETURN QUERY
            SELECT c.company, c.name FROM public.companies c
            JOIN public.connections n ON n.company_id = c.company_id
            WHERE c.company_id = candidate AND n.sso_enabled;
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION registry.companies_for_domain(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.companies_for_domain(text, integer) TO identity_app;
