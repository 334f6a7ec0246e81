-- What one request wrote about a group, which is no employee's event: found by the request, for the journal.

CREATE INDEX events_of_request ON events (company_id, request_id) WHERE employee_id IS NULL;
