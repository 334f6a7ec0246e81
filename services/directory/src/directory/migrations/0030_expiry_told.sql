-- The company is told of a certificate's end at 60, 30, 14, 7 and 1 days, and when it has come; each once.

ALTER TABLE certificates ADD COLUMN told_days integer;

COMMENT ON COLUMN certificates.told_days IS 'So many days before its end, at most, the company was told last; null: not yet';
