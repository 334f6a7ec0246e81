-- Somebody is asked whether he goes on as the one who is signed in, or switches: that takes longer than a redirect does.

ALTER TABLE login_tickets ADD COLUMN choice_until timestamptz;

COMMENT ON COLUMN login_tickets.choice_until IS 'Until when he may choose, from the first time that he was asked; null: not asked';

GRANT UPDATE (expires_at, choice_until) ON login_tickets TO identity_app;
