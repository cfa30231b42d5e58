-- lethe_capture brings deletions from the outbox to the ledger, and sees nothing but the outbox.
-- Run as a superuser in the source database, after lethe tombstone capture install --confirm, and give it a password.
-- It needs not be run again when the capture is installed again.
CREATE ROLE lethe_capture LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 3;
GRANT USAGE ON SCHEMA lethe_capture TO lethe_capture;
GRANT SELECT, DELETE, UPDATE (batch) ON lethe_capture.outbox TO lethe_capture;
