-- lethe_snapshot takes snapshots: it reads every row of every database and changes nothing.
-- Run as a superuser on the source, PostgreSQL 14 or newer, then give it a password: \password lethe_snapshot
CREATE ROLE lethe_snapshot LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 20;
GRANT pg_read_all_data TO lethe_snapshot;
-- A row that a policy hides would be missing in the backup; so Lethe stops at one, unless the role may see it.
ALTER ROLE lethe_snapshot BYPASSRLS;
ALTER ROLE lethe_snapshot SET default_transaction_read_only = on;
-- pg_read_all_data does not open large objects. Where there are any, grant each, also those to come:
--   GRANT SELECT ON LARGE OBJECT 16403 TO lethe_snapshot;
