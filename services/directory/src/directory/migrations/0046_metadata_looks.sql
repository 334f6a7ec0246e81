-- When each company's federation metadata is looked at next, where those whose time has come are found together: whether anybody
-- signs in or not, the next certificate is known before it signs.

CREATE TABLE registry.metadata_looks (
    company_id uuid PRIMARY KEY,
    due_at timestamptz NOT NULL,
    looked_at timestamptz,
    failing_since timestamptz,
    failure text,
    CHECK ((failing_since IS NULL) = (failure IS NULL))
);
CREATE INDEX metadata_looks_due ON registry.metadata_looks (due_at);

COMMENT ON TABLE registry.metadata_looks IS 'Follows companies and connections. A company that wants no looks, is closed or has no login URL has no row';
COMMENT ON COLUMN registry.metadata_looks.looked_at IS 'When it was claimed last, to be looked at; of this app at this address';
COMMENT ON COLUMN registry.metadata_looks.failing_since IS 'The first of the looks in a row that failed, if the last one did';

CREATE FUNCTION registry.follow_metadata() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.companies c
        JOIN public.connections n ON n.company_id = c.company_id
        WHERE c.company_id = NEW.company_id AND c.metadata_use <> 'off' AND c.ends_at IS NULL AND n.login_url <> ''
    ) THEN
        -- At once: it is another document that is looked at, or something else that becomes of it.
        INSERT INTO registry.metadata_looks (company_id, due_at) VALUES (NEW.company_id, NEW.updated_at)
            ON CONFLICT (company_id) DO UPDATE
            SET due_at = EXCLUDED.due_at, looked_at = NULL, failing_since = NULL, failure = NULL;
    ELSE
        DELETE FROM registry.metadata_looks WHERE company_id = NEW.company_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow_metadata_use AFTER UPDATE OF metadata_use, ends_at ON companies
    FOR EACH ROW WHEN (OLD.metadata_use <> NEW.metadata_use OR (OLD.ends_at IS NULL) <> (NEW.ends_at IS NULL))
    EXECUTE FUNCTION registry.follow_metadata();
CREATE TRIGGER follow_new_metadata AFTER INSERT ON connections
    FOR EACH ROW EXECUTE FUNCTION registry.follow_metadata();
CREATE TRIGGER follow_metadata AFTER UPDATE OF tenant_id, app_id, login_url ON connections
    FOR EACH ROW WHEN ((OLD.tenant_id, OLD.app_id, OLD.login_url) IS DISTINCT FROM (NEW.tenant_id, NEW.app_id, NEW.login_url))
    EXECUTE FUNCTION registry.follow_metadata();

-- Those that are here already, spread over an hour.
DO $$
DECLARE
    company record;
BEGIN
    FOR company IN SELECT r.company_id FROM registry.companies r LOOP
        PERFORM set_config('app.company_id', company.company_id::text, true);
        INSERT INTO registry.metadata_looks (company_id, due_at)
            SELECT c.company_id, now() + random() * interval '1 hour'
            FROM public.companies c
            JOIN public.connections n ON n.company_id = c.company_id
            WHERE c.company_id = company.company_id AND c.metadata_use <> 'off' AND c.ends_at IS NULL AND n.login_url <> '';
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

-- Some of those whose time has come, longest due first; whoever asks looks at them, and nobody else does until they are due again.
-- What it says of each is where to look, and no secret.
CREATE FUNCTION registry.claim_metadata_looks(
    moment timestamptz, most integer, every interval, spread interval,
    OUT company text, OUT tenant_id uuid, OUT app_id uuid, OUT login_url text, OUT failure text
) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    claimed record;
BEGIN
    FOR claimed IN
        WITH due AS MATERIALIZED (
            SELECT l.company_id FROM registry.metadata_looks l
            WHERE l.due_at <= moment ORDER BY l.due_at LIMIT most
            FOR UPDATE SKIP LOCKED
        )
        UPDATE registry.metadata_looks l
        SET due_at = moment + every - random() * spread, looked_at = moment
        FROM due
        WHERE l.company_id = due.company_id
        RETURNING l.company_id, l.failure
    LOOP
        PERFORM set_config('app.company_id', claimed.company_id::text, true);
        RETURN QUERY
            SELECT c.company, n.tenant_id, n.app_id, n.login_url, claimed.failure
            FROM public.companies c
            JOIN public.connections n ON n.company_id = c.company_id
            WHERE c.company_id = claimed.company_id;
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

-- How the looks at the metadata of the company go whose scope was entered; no row: it is not looked at.
CREATE FUNCTION registry.metadata_look(
    OUT due_at timestamptz, OUT looked_at timestamptz, OUT failing_since timestamptz, OUT failure text
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.due_at, l.looked_at, l.failing_since, l.failure
    FROM registry.metadata_looks l
    WHERE l.company_id = public.current_company()
$$;

-- What came of one, in that company: why it failed, or null. Whether that is something new.
CREATE FUNCTION registry.note_metadata_look(moment timestamptz, reason text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE registry.metadata_looks l
    SET failure = reason, failing_since = CASE WHEN reason IS NOT NULL THEN coalesce(l.failing_since, moment) END
    WHERE l.company_id = public.current_company() AND l.failure IS DISTINCT FROM reason;
    RETURN FOUND;
END
$$;

-- How many companies' looks are late by more than the grace, fail, or go well; nothing about any one of them.
CREATE FUNCTION registry.count_metadata_looks(
    moment timestamptz, grace interval, OUT overdue bigint, OUT failing bigint, OUT in_time bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FILTER (WHERE due_at < moment - grace),
        count(*) FILTER (WHERE due_at >= moment - grace AND failure IS NOT NULL),
        count(*) FILTER (WHERE due_at >= moment - grace AND failure IS NULL)
    FROM registry.metadata_looks
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    registry.claim_metadata_looks(timestamptz, integer, interval, interval), registry.metadata_look(),
    registry.note_metadata_look(timestamptz, text), registry.count_metadata_looks(timestamptz, interval)
    TO identity_app;
