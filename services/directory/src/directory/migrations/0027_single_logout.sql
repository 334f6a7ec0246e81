-- A logout that Entra begins names sessions by what Entra knows them by.

CREATE INDEX sessions_by_index ON sessions (company_id, session_index);
CREATE INDEX sessions_by_name_id ON sessions (company_id, name_id);
