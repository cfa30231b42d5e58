SELECT conrelid, conname::text, coalesce(conkey, '{}'), pg_get_expr(conbin, conrelid)
FROM pg_constraint
WHERE conrelid = ANY ($1) AND contype = 'c'
ORDER BY conrelid, conname
