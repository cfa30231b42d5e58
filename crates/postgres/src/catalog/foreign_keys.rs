use lethe_format::catalog::{Action, AttNum, EqualityOperator, ForeignKey, KeyPair, Matching};
use tokio_postgres::Row;

use super::tables::query;
use super::unexpected;
use crate::{Error, Server};

pub(super) async fn read(server: &Server, oids: &[u32]) -> Result<Vec<ForeignKey>, Error> {
    let rows = query(server, include_str!("foreign_keys.sql"), &[&oids]).await?;
    rows.iter().map(|row| foreign_key(server, row)).collect()
}

fn foreign_key(server: &Server, row: &Row) -> Result<ForeignKey, Error> {
    let name: String = row.get(0);
    let (children, parents): (Vec<AttNum>, Vec<AttNum>) = (row.get(3), row.get(4));
    let operators = operators(row);
    if children.len() != parents.len() || children.len() != operators.len() {
        return Err(unexpected(server, format!("foreign key {name} has columns that do not pair")));
    }
    let pairs = children.into_iter().zip(parents).zip(operators);
    let action = |column: usize| {
        action(row.get(column)).ok_or_else(|| unexpected(server, format!("an action of {name}")))
    };
    Ok(ForeignKey {
        child: row.get(1),
        parent: row.get(2),
        columns: pairs.map(|((child, parent), operator)| KeyPair { child, parent, operator }).collect(),
        on_delete: action(5)?,
        set_columns: row.get(11),
        on_update: action(6)?,
        matching: match row.get::<_, &str>(7) {
            "f" => Matching::Full,
            "s" => Matching::Simple,
            other => return Err(unexpected(server, format!("foreign key {name} matches by {other:?}"))),
        },
        validated: row.get(8),
        enforced: row.get(9),
        temporal: row.get(10),
        name,
    })
}

fn operators(row: &Row) -> Vec<EqualityOperator> {
    let (oids, names): (Vec<u32>, Vec<String>) = (row.get(12), row.get(13));
    let (lefts, rights): (Vec<u32>, Vec<u32>) = (row.get(14), row.get(15));
    let sides = lefts.into_iter().zip(rights);
    let named = oids.into_iter().zip(names).zip(sides);
    named.map(|((oid, name), (left, right))| EqualityOperator { oid, name, left, right }).collect()
}

fn action(code: &str) -> Option<Action> {
    Some(match code {
        "a" => Action::NoAction,
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull,
        "d" => Action::SetDefault,
        _ => return None,
    })
}
