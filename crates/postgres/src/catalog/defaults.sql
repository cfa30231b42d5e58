-- Defaults of the columns of foreign keys that SET DEFAULT; a domain's default counts where the column has none.
-- A default is a constant if its tree holds nothing that reads state, and calls immutable functions only.
WITH keyed AS (
    SELECT DISTINCT c.conrelid, k.attnum
    FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) k(attnum)
    WHERE c.contype = 'f' AND 'd' IN (c.confdeltype, c.confupdtype) AND c.conrelid = ANY ($1)
), defaulted AS (
    SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod,
           coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(t.typdefaultbin, 0)) AS expression,
           coalesce(d.adbin, t.typdefaultbin)::text AS tree, t.typsend::regproc::text AS send
    FROM keyed k
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.attnum
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
)
SELECT attrelid, attnum, format_type(atttypid, atttypmod), expression, send,
       tree !~ '\{(SQLVALUEFUNCTION|NEXTVALUEEXPR|SUBLINK|VAR|PARAM|COERCEVIAIO) '
       AND NOT EXISTS (SELECT 1 FROM regexp_matches(tree, ':(?:funcid|opfuncid) (\d+)', 'g') m
                       JOIN pg_proc p ON p.oid = m[1]::oid WHERE p.provolatile <> 'i')
FROM defaulted
WHERE expression IS NOT NULL
