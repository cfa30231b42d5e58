use lethe_format::catalog::QualifiedName;
use lethe_format::manifest::Sequence;

use super::STAGE;
use super::tables::query;
use crate::{Error, Server};

/// All sequences with the value that they have now: a sequence does not take part in snapshots, so it may be ahead of
/// the rows, never behind them.
pub async fn sequences(server: &Server) -> Result<Vec<Sequence>, Error> {
    const QUERY: &str = "
        SELECT n.nspname::text, c.relname::text, s.seqincrement, s.seqmin, s.seqmax, served.relids, served.attnums
        FROM pg_sequence s
        JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(relid ORDER BY relid, attnum), '{}') AS relids,
                   coalesce(array_agg(attnum ORDER BY relid, attnum), '{}') AS attnums
            FROM (SELECT d.refobjid AS relid, d.refobjsubid::int2 AS attnum FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                  UNION
                  SELECT a.adrelid, a.adnum FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid
                  WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjid = c.oid) columns) served
        LEFT JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e'
        WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lethe')
          AND m.objid IS NULL
        ORDER BY n.nspname, c.relname";
    let mut sequences = Vec::new();
    for row in query(server, QUERY, &[]).await? {
        let name = QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let sql = format!("SELECT last_value, is_called FROM {}", name.sql());
        let state = server.client().query_one(&sql, &[]).await.map_err(Error::server(STAGE, &name))?;
        sequences.push(Sequence {
            last_value: state.get(0),
            is_called: state.get(1),
            increment: row.get(2),
            min_value: row.get(3),
            max_value: row.get(4),
            columns: row.get::<_, Vec<u32>>(5).into_iter().zip(row.get::<_, Vec<i16>>(6)).collect(),
            name,
        });
    }
    Ok(sequences)
}
