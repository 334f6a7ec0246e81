-- The end of a company, and the erasure of people who left.

ALTER TABLE companies
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN sso_when_closed boolean,
    ADD COLUMN provisioning_when_closed boolean,
    ADD CONSTRAINT companies_closed CHECK (num_nulls(ends_at, closed_at, sso_when_closed, provisioning_when_closed) IN (0, 4));

COMMENT ON COLUMN companies.closed_at IS 'Sign-on and provisioning are refused since then, until ends_at or a restore';
COMMENT ON COLUMN companies.sso_when_closed IS 'What a restore switches on again';

-- The receipts. The one place that still knows a company which is gone: its name, no person.
CREATE TABLE registry.ended_companies (
    company_id uuid PRIMARY KEY,
    company text NOT NULL,
    began_at timestamptz NOT NULL,
    deleted_at timestamptz,
    rows_deleted jsonb NOT NULL DEFAULT '{}',
    sequence bigint,
    hash bytea,
    CHECK (num_nulls(deleted_at, sequence, hash) IN (0, 3))
);
CREATE INDEX ended_companies_by_name ON registry.ended_companies (company, began_at);
CREATE INDEX ended_companies_unfinished ON registry.ended_companies (began_at) WHERE deleted_at IS NULL;

COMMENT ON COLUMN registry.ended_companies.deleted_at IS 'Nothing of the company remains; NULL: its deletion is under way';
COMMENT ON COLUMN registry.ended_companies.hash IS 'Of the last event of its history, with its number: what an export can be compared with';

-- Whom retention looks for.
CREATE INDEX employees_ended ON employees (company_id, termination_date) WHERE termination_date IS NOT NULL;
