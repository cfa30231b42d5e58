-- What postgresql_anonymizer's masks and identifiers are declared by. Labels of roles and of the database lie in pg_shseclabel and
-- say nothing about columns.
SELECT provider, objoid, nullif(objsubid, 0)::int2, label
FROM pg_seclabel
WHERE classoid = 'pg_class'::regclass AND objoid = ANY ($1) AND provider IN ('anon', 'k_anonymity')
ORDER BY objoid, objsubid, provider
