-- The application's role, and the schema in which companies are found before a scope exists.
--
-- identity_app owns nothing and logs in nowhere: login roles are made members of it. Roles belong to the whole cluster, so
-- another database of the same cluster may have created it already.

DO $$
BEGIN
    CREATE ROLE identity_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO identity_app;

-- What must be unique, or found, across companies lives here, away from the tables of the companies. The application's role
-- cannot read it; it may only call the functions that turn a credential or a name into one company's scope.
CREATE SCHEMA registry;
REVOKE ALL ON SCHEMA registry FROM PUBLIC;
GRANT USAGE ON SCHEMA registry TO identity_app;

-- The company that the transaction is about; NULL outside a scope. After a transaction-local set_config has ended the
-- setting reads '' and not NULL, hence nullif.
CREATE FUNCTION current_company() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.company_id', true), '')::uuid;
REVOKE ALL ON FUNCTION current_company() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_company() TO identity_app;
