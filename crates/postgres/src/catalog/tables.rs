use lethe_format::catalog::{
    CheckConstraint, Column, DefaultValue, ExtensionTable, QualifiedName, Table, TableKind, UniqueKey,
};
use tokio_postgres::Row;

use super::{STAGE, unexpected};
use crate::{Error, Server};

pub(super) async fn read(server: &Server) -> Result<Vec<Table>, Error> {
    let rows = query(server, include_str!("tables.sql"), &[]).await?;
    rows.iter()
        .map(|row| {
            let kind = match row.get::<_, &str>(3) {
                "r" => TableKind::Plain,
                "p" => TableKind::Partitioned,
                "f" => TableKind::Foreign,
                other => return Err(unexpected(server, format!("a table of kind {other:?}"))),
            };
            let extension = row.get::<_, Option<String>>(6).map(|extension| ExtensionTable {
                extension,
                condition: row.get::<_, Option<String>>(7).unwrap_or_default(),
            });
            Ok(Table {
                oid: row.get(0),
                name: QualifiedName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
                kind,
                partition_of: row.get(4),
                partition_columns: row.get(8),
                inherits: row.get(5),
                columns: Vec::new(),
                unique_keys: Vec::new(),
                checks: Vec::new(),
                extension,
            })
        })
        .collect()
}

pub(super) async fn add_columns(server: &Server, oids: &[u32], tables: &mut [Table]) -> Result<(), Error> {
    for row in query(server, include_str!("columns.sql"), &[&oids]).await? {
        let Some(table) = table_of(tables, &row) else { continue };
        table.columns.push(Column {
            attnum: row.get(1),
            name: row.get(2),
            type_oid: row.get(3),
            typmod: row.get(4),
            not_null: row.get(5),
            generated: row.get(6),
            identity: row.get(7),
            deterministic: row.get(8),
            default: None,
        });
    }
    Ok(())
}

pub(super) async fn add_keys(server: &Server, oids: &[u32], tables: &mut [Table]) -> Result<(), Error> {
    for row in query(server, include_str!("unique_keys.sql"), &[&oids]).await? {
        let Some(table) = table_of(tables, &row) else { continue };
        let key = UniqueKey {
            name: row.get(1),
            columns: row.get(2),
            primary: row.get(3),
            nulls_not_distinct: row.get(4),
        };
        table.unique_keys.push(key);
    }
    for row in query(server, include_str!("checks.sql"), &[&oids]).await? {
        let Some(table) = table_of(tables, &row) else { continue };
        table.checks.push(CheckConstraint { name: row.get(1), columns: row.get(2), expression: row.get(3) });
    }
    Ok(())
}

/// Lets the server evaluate the constant defaults.
pub(super) async fn add_defaults(server: &Server, oids: &[u32], tables: &mut [Table]) -> Result<(), Error> {
    for row in query(server, include_str!("defaults.sql"), &[&oids]).await? {
        let (attnum, type_name): (i16, String) = (row.get(1), row.get(2));
        let (expression, send, constant): (String, String, bool) = (row.get(3), row.get(4), row.get(5));
        let Some(column) =
            table_of(tables, &row).and_then(|table| table.columns.iter_mut().find(|c| c.attnum == attnum))
        else {
            continue;
        };
        column.default = Some(if constant {
            let binary = if send == "-" { "NULL".to_owned() } else { format!("encode({send}(v), 'hex')") };
            let sql = format!("SELECT v::text, {binary} FROM (SELECT ({expression})::{type_name}) d(v)");
            let value = server
                .client()
                .query_one(&sql, &[])
                .await
                .map_err(Error::server(STAGE, server.settings()))?;
            DefaultValue::Constant { text: value.get(0), binary: value.get(1) }
        } else {
            DefaultValue::Computed
        });
    }
    Ok(())
}

fn table_of<'a>(tables: &'a mut [Table], row: &Row) -> Option<&'a mut Table> {
    let oid: u32 = row.get(0);
    tables.iter_mut().find(|table| table.oid == oid)
}

pub(super) async fn query(
    server: &Server,
    sql: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    server.client().query(sql, parameters).await.map_err(Error::server(STAGE, server.settings()))
}
