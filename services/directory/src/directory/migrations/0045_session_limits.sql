-- How long a company's people stay signed in: at most so many hours, and no longer than so many minutes without being seen.

ALTER TABLE companies
    ADD COLUMN session_hours integer NOT NULL DEFAULT 335 CHECK (session_hours BETWEEN 1 AND 335),
    ADD COLUMN idle_minutes integer NOT NULL DEFAULT 0 CHECK (idle_minutes = 0 OR idle_minutes BETWEEN 5 AND 20100);

COMMENT ON COLUMN companies.session_hours IS 'After so long a session ends, however busy; of open ones too';
COMMENT ON COLUMN companies.idle_minutes IS 'A session that was not used for so long has ended; 0: it may rest';
