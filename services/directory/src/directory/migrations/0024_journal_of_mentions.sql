-- Whom a change names beside whom it is about (a group's member, somebody's manager) is found by it; whom a look-up compares
-- with is not: a manager is looked up with each of his people, in every cycle.

ALTER TABLE exchange_people DROP CONSTRAINT exchange_people_tie_check;
ALTER TABLE exchange_people ADD CONSTRAINT exchange_people_tie_check CHECK (tie IN ('about', 'name', 'mention', 'aside')) NOT VALID;

COMMENT ON COLUMN exchange_people.tie IS
    'about: him, by id or with an id beside it; name: somebody who was known by this name only; mention: beside whom it is about;
    aside: the same, of a request that only read';
