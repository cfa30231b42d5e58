use lethe_format::catalog::QualifiedName;
use lethe_format::manifest::Sequence;

use super::STAGE;
use super::tables::query;
use crate::{Error, Server};

/// All sequences with the value that they have now: a sequence does not take part in snapshots, so it may be ahead of
/// the rows, never behind them.
pub async fn sequences(server: &Server) -> Result<Vec<Sequence>, Error> {
    const QUERY: &str = "
        SELECT n.nspname::text, c.relname::text, s.seqincrement, s.seqmin, s.seqmax, d.refobjid, d.refobjsubid::int2
        FROM pg_sequence s
        JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                             AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
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
            owned_by: row.get::<_, Option<u32>>(5).zip(row.get::<_, Option<i16>>(6)),
            name,
        });
    }
    Ok(sequences)
}
