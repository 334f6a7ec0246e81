-- No statistics of company_id. They are of the companies that were there when PostgreSQL last counted: of a company that came
-- since it expects a single row, believes that every index which begins with company_id finds it at once, and may read the whole
-- company for each look-up (measured: an import of 5 s took 54 to 75 s). Without statistics it expects the same of every company,
-- some hundredth part of the table, and goes by the key that names the row. Every key begins with company_id, so nothing else
-- depends on knowing it better.

DO $$
DECLARE
    place record;
BEGIN
    FOR place IN
        SELECT c.relname
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'company_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('ALTER TABLE public.%I ALTER COLUMN company_id SET STATISTICS 0', place.relname);
    END LOOP;
END
$$;
