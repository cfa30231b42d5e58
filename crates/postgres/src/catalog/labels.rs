use lethe_format::catalog::SecurityLabel;

use super::tables::query;
use crate::{Error, Server};

pub(super) async fn read(server: &Server, oids: &[u32]) -> Result<Vec<SecurityLabel>, Error> {
    let rows = query(server, include_str!("labels.sql"), &[&oids]).await?;
    let label = |row: &tokio_postgres::Row| SecurityLabel {
        provider: row.get(0),
        table: row.get(1),
        column: row.get(2),
        label: row.get(3),
    };
    Ok(rows.iter().map(label).collect())
}
