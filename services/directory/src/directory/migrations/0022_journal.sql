-- The journal of provisioning: every exchange with a credential of the company, for as long as the company keeps them.

ALTER TABLE companies
    ADD COLUMN journal_days integer NOT NULL DEFAULT 30 CHECK (journal_days BETWEEN 1 AND 400);

COMMENT ON COLUMN companies.journal_days IS 'So long an exchange stays in the journal';

CREATE TABLE exchanges (
    company_id uuid NOT NULL REFERENCES companies (company_id) ON DELETE CASCADE,
    exchange_id uuid NOT NULL,
    credential text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    query text NOT NULL,
    activity_id text NOT NULL,
    request_id text NOT NULL,
    status integer NOT NULL,
    result text NOT NULL,
    scim_type text,
    detail text,
    took_ms real NOT NULL,
    refused boolean NOT NULL,
    told jsonb NOT NULL,
    asked jsonb,
    body text,
    body_bytes integer NOT NULL,
    about uuid[] NOT NULL,
    keys text[] NOT NULL,
    PRIMARY KEY (company_id, exchange_id)
);
CREATE INDEX exchanges_refused ON exchanges (company_id, exchange_id) WHERE refused;
CREATE INDEX exchanges_by_activity ON exchanges (company_id, activity_id, exchange_id) WHERE activity_id <> '';

COMMENT ON COLUMN exchanges.exchange_id IS 'UUIDv7, made when the request came: the order of ids is that of time';
COMMENT ON COLUMN exchanges.credential IS 'What it came with, as people know it: tok_…, sec_…, fed_…';
COMMENT ON COLUMN exchanges.refused IS 'The whole of it, or something beside a deactivation';
COMMENT ON COLUMN exchanges.told IS 'Names of attributes, ignored ones, quirks, and what was left out';
COMMENT ON COLUMN exchanges.asked IS 'The compiled request, which a replay does again';
COMMENT ON COLUMN exchanges.body IS 'As it came but for secrets, or its beginning';
COMMENT ON COLUMN exchanges.keys IS 'The keys of its rows in exchange_people, so that they are found when it goes';

-- Whom an exchange names: by id, or by a name as its search key. An array with an index of its own would not do: operators on
-- arrays are not leakproof, so that row-level security keeps them from any index. No foreign key: written, trimmed and erased
-- together with the exchange, in one statement.
CREATE TABLE exchange_people (
    company_id uuid NOT NULL,
    key text NOT NULL,
    exchange_id uuid NOT NULL,
    tie text NOT NULL CHECK (tie IN ('about', 'name', 'mention')),
    PRIMARY KEY (company_id, key, exchange_id)
);

COMMENT ON COLUMN exchange_people.tie IS
    'about: him, by id or with an id beside it; name: somebody who was known by this name only; mention: beside whom it is about';

ALTER TABLE exchanges ALTER COLUMN company_id SET STATISTICS 0;
ALTER TABLE exchange_people ALTER COLUMN company_id SET STATISTICS 0;

ALTER TABLE exchanges ENABLE ROW LEVEL SECURITY;
ALTER TABLE exchanges FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON exchanges
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

ALTER TABLE exchange_people ENABLE ROW LEVEL SECURITY;
ALTER TABLE exchange_people FORCE ROW LEVEL SECURITY;
CREATE POLICY same_company ON exchange_people
    USING (company_id = current_company()) WITH CHECK (company_id = current_company());

-- What was written stays as it is until it is trimmed or erased, by the owner.
GRANT SELECT, INSERT ON exchanges, exchange_people TO identity_app;
