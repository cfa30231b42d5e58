-- As declared: the rows that PostgreSQL keeps for each partition have a conparentid.
SELECT c.conname::text, c.conrelid, c.confrelid, c.conkey, c.confkey, c.confdeltype::text, c.confupdtype::text,
       c.confmatchtype::text, c.convalidated,
       coalesce((to_jsonb(c) ->> 'conenforced')::bool, true),
       coalesce((to_jsonb(c) ->> 'conperiod')::bool, false),
       ARRAY(SELECT jsonb_array_elements_text(nullif(to_jsonb(c) -> 'confdelsetcols', 'null'))::int2),
       ARRAY(SELECT o.oid FROM unnest(c.conpfeqop) WITH ORDINALITY u(op, n) JOIN pg_operator o ON o.oid = op ORDER BY n),
       ARRAY(SELECT o.oprname::text FROM unnest(c.conpfeqop) WITH ORDINALITY u(op, n) JOIN pg_operator o ON o.oid = op ORDER BY n),
       ARRAY(SELECT o.oprleft FROM unnest(c.conpfeqop) WITH ORDINALITY u(op, n) JOIN pg_operator o ON o.oid = op ORDER BY n),
       ARRAY(SELECT o.oprright FROM unnest(c.conpfeqop) WITH ORDINALITY u(op, n) JOIN pg_operator o ON o.oid = op ORDER BY n)
FROM pg_constraint c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY ($1)
ORDER BY c.conrelid, c.conname
