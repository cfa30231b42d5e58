-- lethe_restore creates databases and fills them. On the server that is restored to, and on no other; as a superuser.
-- Each database that it restores into belongs to it: createdb -U lethe_restore --template template0 restored
-- Nobody may be a member of it: whoever is could connect before the restore is ready.
CREATE ROLE lethe_restore LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 40;
-- A database is given its label (what it is for) as a setting, which is the right of superusers and of whoever was granted it.
-- A statement that fails would put the row that it carries into the server's log. Only superusers may turn that off, and
-- from PostgreSQL 15 on whoever was granted it.
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        GRANT SET ON PARAMETER log_statement, log_min_error_statement, log_error_verbosity, log_min_duration_statement,
            lethe.label
            TO lethe_restore;
    END IF;
END $$;
-- For restores that keep owners (without --no-owner), let it act as them:
--   GRANT app TO lethe_restore;
