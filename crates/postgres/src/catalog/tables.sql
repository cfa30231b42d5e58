-- Tables whose rows a snapshot keeps, partitioned tables above them, and foreign tables that are left out later.
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text,
       (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition),
       ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT c.relispartition ORDER BY i.inhseqno),
       e.extname::text,
       (SELECT e.extcondition[p] FROM generate_subscripts(e.extconfig, 1) p WHERE e.extconfig[p] = c.oid),
       ARRAY(SELECT k FROM unnest(p.partattrs::int2[]) k WHERE k > 0
             UNION
             -- Columns that an expression in the partition key names: the table depends on its own columns.
             SELECT d.refobjsubid::int2 FROM pg_depend d
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
               AND p.partrelid IS NOT NULL)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = m.refobjid
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lethe')
  AND (e.oid IS NULL OR c.oid = ANY (e.extconfig))
ORDER BY n.nspname, c.relname
