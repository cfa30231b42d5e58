//! Whether masked rows still satisfy the `CHECK` constraints: decided here, or a question for the server.

use std::fmt::Write as _;

use lethe_format::catalog::{Catalog, CheckConstraint, FIRST_NORMAL_OID, Table};
use lethe_format::sql::{quote_ident, quote_literal};

use super::Words;
use super::everybody::{Bound, Everybody};
use super::fill::{By, Fill};
use crate::check_expression::{holds_for_null, only_tests_null};
use crate::objection::{Code, Objection};

/// Values that a constraint is tried with.
const SAMPLES: u64 = 100;

/// Asked of any server before the first write: one statement that gives true if masked values satisfy the constraint.
#[derive(Clone, Debug)]
pub struct Question {
    pub table: String,
    pub constraint: String,
    pub sql: String,
}

impl Question {
    /// For when the answer is no, or when the server cannot tell.
    #[must_use]
    pub fn objection(&self, cannot_tell: bool) -> Objection {
        let problem = if cannot_tell {
            "whether masked values satisfy the check constraint {} cannot be found out before they are there"
        } else {
            "the check constraint {} does not accept what its columns are masked with"
        };
        refused(&self.table, &self.constraint, problem)
    }
}

fn refused(table: &str, constraint: &str, problem: &str) -> Objection {
    let object = format!("[[mask]] of {table}");
    Objection::new(Code::MaskRefused, object, problem.replace("{}", constraint)).hint(
        "mask these columns with NULL or a constant that it accepts, or rule them out with [[not_personal]]",
    )
}

impl Everybody {
    /// The constraints that only a server can decide, tried with values made from `seed`; and an objection for each one that
    /// looks at columns of which some are masked and others are not.
    #[must_use]
    pub fn questions(
        &self,
        catalog: &Catalog,
        words: &Words,
        seed: &[u8; 32],
    ) -> (Vec<Question>, Vec<Objection>) {
        let (mut questions, mut objections) = (Vec::new(), Vec::new());
        for table in &catalog.tables {
            for check in &table.checks {
                let masked: Vec<&Bound> =
                    check.columns.iter().filter_map(|column| self.bound(table.oid, *column)).collect();
                if masked.is_empty() || is_safe(table, check, &masked) {
                    continue;
                }
                let name = table.name.to_string();
                if masked.len() < check.columns.len() {
                    let problem = "the check constraint {} compares them with columns that are not masked";
                    objections.push(refused(&name, &check.name, problem));
                    continue;
                }
                let question = |sql| Question { table: name.clone(), constraint: check.name.clone(), sql };
                match sql(catalog, table, check, &masked, words, seed).map(question) {
                    Some(question) => questions.push(question),
                    None => objections.push(
                        Question { table: name.clone(), constraint: check.name.clone(), sql: String::new() }
                            .objection(true),
                    ),
                }
            }
        }
        (questions, objections)
    }
}

/// Whether no masked value can change the outcome.
fn is_safe(table: &Table, check: &CheckConstraint, masked: &[&Bound]) -> bool {
    if masked.iter().all(|bound| bound.fill == Fill::Null) {
        return holds_for_null(&check.expression);
    }
    // What is made from the old value is NULL exactly where that was.
    masked.iter().all(|bound| {
        let keeps_null = matches!(&bound.fill, Fill::Made(made) if matches!(made.by, By::Value { .. }));
        let column = table.column(bound.column).map(|column| column.name.as_str());
        keeps_null && column.is_some_and(|column| only_tests_null(&check.expression, column))
    })
}

/// None if a column's type is one that only the restored database will have.
fn sql(
    catalog: &Catalog,
    table: &Table,
    check: &CheckConstraint,
    masked: &[&Bound],
    words: &Words,
    seed: &[u8; 32],
) -> Option<String> {
    let mut columns = Vec::new();
    for bound in masked {
        let column = table.column(bound.column)?;
        let base = catalog.base_type(column.type_oid).filter(|base| base.oid < FIRST_NORMAL_OID)?;
        columns.push((*bound, column, base.name.sql()));
    }
    let mut rows = String::new();
    for sample in 0..SAMPLES {
        let values = columns.iter().map(|(bound, column, type_name)| {
            let place = [sample.to_be_bytes(), (column.attnum as u64).to_be_bytes()].concat();
            let value = match (&bound.fill, &bound.constant) {
                (Fill::Made(made), _) => {
                    let hash = blake3::keyed_hash(seed, &place);
                    quote_literal(&made.sample(words, hash.as_bytes()))
                }
                (Fill::Constant(_), Some(text)) => quote_literal(text),
                _ => "NULL".to_owned(),
            };
            format!("CAST({value} AS {type_name})")
        });
        let separator = if rows.is_empty() { "" } else { ", " };
        let _ = write!(rows, "{separator}({})", values.collect::<Vec<_>>().join(", "));
    }
    let names: Vec<String> = columns.iter().map(|(_, column, _)| quote_ident(&column.name)).collect();
    Some(format!(
        "SELECT bool_and(coalesce(({}), true)) FROM (VALUES {rows}) AS {}({})",
        check.expression,
        quote_ident(&table.name.name),
        names.join(", ")
    ))
}
