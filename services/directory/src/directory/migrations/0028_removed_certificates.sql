-- What somebody has taken away does not come back by itself: Entra's metadata goes on naming a certificate until it is deleted there.

ALTER TABLE companies
    ADD COLUMN removed_certificates text[] NOT NULL DEFAULT '{}',
    ADD COLUMN compromised_certificates text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN companies.removed_certificates IS 'Fingerprints that are trusted again only when somebody says so';
COMMENT ON COLUMN companies.compromised_certificates IS 'Fingerprints that are never trusted again';
