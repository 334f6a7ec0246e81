-- History in a chain: every event of a company has a number without gaps and a hash that covers the event before it, so that
-- whoever removes or alters one afterwards is found out (`directory company verify-history`).
--
-- The numbers are given under a lock of the company's head row, held until the transaction ends: the order of the numbers is
-- the order of the commits, and a reader that has seen number n has missed nothing before it. Events are therefore written last
-- in a transaction.

CREATE TABLE registry.histories (
    company_id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    hash bytea NOT NULL
) WITH (fillfactor = 50);

COMMENT ON TABLE registry.histories IS 'The newest event of each company: its number, moment and hash';

INSERT INTO registry.histories (company_id, sequence, at, hash)
    SELECT company_id, 0, '-infinity', '' FROM registry.companies;

CREATE OR REPLACE FUNCTION registry.follow_company() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM registry.companies WHERE company_id = OLD.company_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO registry.companies (company, company_id) VALUES (NEW.company, NEW.company_id);
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO registry.histories (company_id, sequence, at, hash) VALUES (NEW.company_id, 0, '-infinity', '');
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM registry.histories WHERE company_id = OLD.company_id;
    END IF;
    RETURN NULL;
END
$$;

-- `names` holds the changes of what a departure releases (login name, e-mail, external id), `changes` all others. Each has a salt
-- of its own and a digest; the chain covers the digests, so that content can be erased and the chain still holds.
ALTER TABLE events
    ADD COLUMN sequence bigint,
    ADD COLUMN names jsonb,
    ADD COLUMN changes_salt bytea,
    ADD COLUMN changes_sha256 bytea,
    ADD COLUMN names_salt bytea,
    ADD COLUMN names_sha256 bytea,
    ADD COLUMN hash bytea;

COMMENT ON COLUMN events.changes_salt IS 'NULL: the content was erased; its digest stays';

-- What an erased person leaves behind is the fact that something happened to an id.
ALTER TABLE events DROP CONSTRAINT events_employee;

-- The one form of an event that its hash covers; `directory.events.chain` computes the same in Python.
CREATE FUNCTION registry.event_hash(previous bytea, event public.events) RETURNS bytea
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    RETURN sha256(previous || convert_to(jsonb_build_array(
        event.company_id, event.sequence, to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), event.kind,
        event.employee_id, event.actor_kind, event.actor_id, event.request_id, event.trace_id,
        encode(event.changes_sha256, 'hex'), encode(event.names_sha256, 'hex')
    )::text, 'UTF8'));

CREATE FUNCTION registry.chained(previous registry.histories, event public.events) RETURNS public.events
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    releasable constant text[] := ARRAY['login_name', 'email', 'external_id'];
    released jsonb;
BEGIN
    event.sequence := previous.sequence + 1;
    -- Clocks of several processes differ, and transactions overtake each other; along the chain time never runs backwards. Where
    -- the moment moves on, the event tells when its employee changed by the clock of whoever wrote it, as his row does.
    IF event.at < previous.at THEN
        IF event.kind LIKE 'employee.%' THEN
            event.changes := event.changes || jsonb_build_object('updated_at', jsonb_build_object(
                'before', NULL, 'after', to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
        END IF;
        event.at := previous.at;
    END IF;
    IF event.changes ?| releasable THEN
        released := '{}';
        FOR place IN 1 .. cardinality(releasable) LOOP
            IF event.changes ? releasable[place] THEN
                released := released || jsonb_build_object(releasable[place], event.changes -> releasable[place]);
            END IF;
        END LOOP;
    END IF;
    event.changes := event.changes - releasable;
    event.changes_salt := uuid_send(gen_random_uuid());
    event.changes_sha256 := sha256(event.changes_salt || convert_to(event.changes::text, 'UTF8'));
    event.names := released;
    event.names_salt := CASE WHEN released IS NOT NULL THEN uuid_send(gen_random_uuid()) END;
    event.names_sha256 := sha256(event.names_salt || convert_to(released::text, 'UTF8'));
    event.hash := registry.event_hash(previous.hash, event);
    RETURN event;
END
$$;

-- The head's row is locked by each event and written once, at the end of the statement: a row that one transaction writes ten
-- thousand times is read through all its dead versions each time. What the statement has written already stands behind the head.
-- Both look-ups are by unique keys: their plans are worth keeping, and must not be ones for a table that was still empty.
CREATE FUNCTION registry.chain_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    head registry.histories;
    newest registry.histories;
BEGIN
    -- Before row-level security looks at the row, so that nobody holds up another company's history.
    IF NEW.company_id IS DISTINCT FROM public.current_company() THEN
        RAISE insufficient_privilege USING MESSAGE = 'an event belongs to the company whose transaction it is (row-level security)';
    END IF;
    SELECT * INTO STRICT head FROM registry.histories h WHERE h.company_id = NEW.company_id FOR NO KEY UPDATE;
    SELECT e.company_id, e.sequence, e.at, e.hash INTO newest FROM public.events e
        WHERE e.company_id = NEW.company_id AND e.sequence > head.sequence
        ORDER BY e.sequence DESC LIMIT 1;
    IF FOUND THEN
        head := newest;
    END IF;
    RETURN registry.chained(head, NEW);
END
$$;

CREATE FUNCTION registry.move_head() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE registry.histories h SET sequence = newest.sequence, at = newest.at, hash = newest.hash
        FROM (SELECT e.sequence, e.at, e.hash FROM told e ORDER BY e.sequence DESC LIMIT 1) AS newest
        WHERE h.company_id = public.current_company();
    RETURN NULL;
END
$$;

-- What is there already, in the order in which it was written.
DO $$
DECLARE
    company registry.companies;
    head registry.histories;
    old public.events;
    new public.events;
BEGIN
    FOR company IN SELECT * FROM registry.companies LOOP
        PERFORM set_config('app.company_id', company.company_id::text, true);
        FOR old IN SELECT * FROM public.events e WHERE e.company_id = company.company_id ORDER BY e.event_id LOOP
            SELECT * INTO STRICT head FROM registry.histories h WHERE h.company_id = company.company_id;
            new := registry.chained(head, old);
            UPDATE public.events e
                SET sequence = new.sequence, at = new.at, changes = new.changes, changes_salt = new.changes_salt,
                    changes_sha256 = new.changes_sha256, names = new.names, names_salt = new.names_salt,
                    names_sha256 = new.names_sha256, hash = new.hash
                WHERE e.company_id = old.company_id AND e.event_id = old.event_id;
            UPDATE registry.histories h SET sequence = new.sequence, at = new.at, hash = new.hash
                WHERE h.company_id = company.company_id;
        END LOOP;
        -- Of those who departed before this release the released names are forgotten as well (S40).
        UPDATE public.events e SET names = NULL, names_salt = NULL
            FROM public.employees p
            WHERE e.company_id = company.company_id AND e.names IS NOT NULL
                AND p.company_id = e.company_id AND p.employee_id = e.employee_id AND p.state = 'departed';
    END LOOP;
    PERFORM set_config('app.company_id', '', true);
END
$$;

ALTER TABLE events
    ALTER COLUMN sequence SET NOT NULL,
    ALTER COLUMN changes_sha256 SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL,
    DROP CONSTRAINT events_pkey,
    ADD PRIMARY KEY (company_id, sequence);
DROP INDEX events_of_employee;
CREATE INDEX events_of_employee ON events (company_id, employee_id, sequence);

CREATE TRIGGER chain_event BEFORE INSERT ON events
    FOR EACH ROW EXECUTE FUNCTION registry.chain_event();
CREATE TRIGGER move_head AFTER INSERT ON events REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION registry.move_head();

-- S40: what a departure releases is forgotten by the history too. The one change of history open to the application, and only
-- for whoever has departed.
CREATE FUNCTION registry.forget_names(departed uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE public.events e SET names = NULL, names_salt = NULL
        WHERE e.company_id = public.current_company() AND e.employee_id = departed AND e.names IS NOT NULL
            AND EXISTS (SELECT FROM public.employees p
                        WHERE p.company_id = public.current_company() AND p.employee_id = departed AND p.state = 'departed')
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION registry.forget_names(uuid) TO identity_app;
