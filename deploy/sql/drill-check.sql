-- lethe_drill_check looks at what a drill has restored, and at nothing else. As the owner of the restored database or a
-- superuser, in that database, once it is ready; the role itself needs a superuser or CREATEROLE.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lethe_drill_check') THEN
        CREATE ROLE lethe_drill_check LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 5;
        ALTER ROLE lethe_drill_check SET default_transaction_read_only = on;
        -- A check that hidden rows are missing from would say that all is well.
        ALTER ROLE lethe_drill_check BYPASSRLS;
    END IF;
END $$;
DO $$
DECLARE
    schema_name text;
BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO lethe_drill_check', current_database());
    FOR schema_name IN
        SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'lethe')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO lethe_drill_check', schema_name);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO lethe_drill_check', schema_name);
        EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO lethe_drill_check', schema_name);
    END LOOP;
END $$;
