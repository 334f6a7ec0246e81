-- What becomes of a new certificate in the company's federation metadata.

ALTER TABLE companies
    ADD COLUMN metadata_use text NOT NULL DEFAULT 'propose' CHECK (metadata_use IN ('off', 'propose', 'adopt'));

COMMENT ON COLUMN companies.metadata_use IS
    'off: not looked for; propose: told to the company, which trusts it or not; adopt: trusted at once';
