use std::collections::BTreeMap;

use lethe_format::catalog::{CompositeField, QualifiedName, Type, TypeKind};
use lethe_format::ids::Oid;
use tokio_postgres::Row;

use super::tables::query;
use super::{STAGE, unexpected};
use crate::{Error, Server};

pub(super) async fn read(server: &Server, oids: &[u32]) -> Result<BTreeMap<Oid, Type>, Error> {
    let mut types = BTreeMap::new();
    for row in query(server, include_str!("types.sql"), &[&oids]).await? {
        let oid: Oid = row.get(0);
        let name = QualifiedName::new(row.get::<_, String>(1), row.get::<_, String>(2));
        let kind = kind(server, &row, &name).await?;
        let (extension, binary, labels) = (row.get(8), row.get(9), row.get(13));
        types.insert(oid, Type { oid, name, kind, extension, binary, labels });
    }
    Ok(types)
}

async fn kind(server: &Server, row: &Row, name: &QualifiedName) -> Result<TypeKind, Error> {
    let missing = || unexpected(server, format!("type {name} lacks a part"));
    Ok(match row.get::<_, &str>(3) {
        "b" => TypeKind::Base,
        "e" => TypeKind::Enum,
        "a" => TypeKind::Array { element: row.get(5) },
        "d" => TypeKind::Domain { base: row.get(4), accepts_null: accepts_null(server, name).await? },
        "r" => TypeKind::Range { subtype: row.get::<_, Option<Oid>>(6).ok_or_else(missing)? },
        "m" => TypeKind::Multirange { range: row.get::<_, Option<Oid>>(7).ok_or_else(missing)? },
        "p" => TypeKind::Pseudo,
        "c" => {
            let (names, types): (Vec<String>, Vec<Oid>) = (row.get(10), row.get(11));
            let deterministic: Vec<bool> = row.get(12);
            let fields = names.into_iter().zip(types).zip(deterministic);
            let field = |((name, type_oid), deterministic)| CompositeField { name, type_oid, deterministic };
            TypeKind::Composite { fields: fields.map(field).collect() }
        }
        other => return Err(unexpected(server, format!("type {name} is of kind {other:?}"))),
    })
}

/// Asks the server itself, since a domain may forbid NULL by `NOT NULL` or by any check.
async fn accepts_null(server: &Server, name: &QualifiedName) -> Result<bool, Error> {
    server.run("SAVEPOINT lethe_domain", STAGE, server.settings()).await?;
    let accepted = server.client().batch_execute(&format!("SELECT NULL::{}", name.sql())).await.is_ok();
    let end = "ROLLBACK TO SAVEPOINT lethe_domain; RELEASE SAVEPOINT lethe_domain";
    server.run(end, STAGE, server.settings()).await?;
    Ok(accepted)
}
