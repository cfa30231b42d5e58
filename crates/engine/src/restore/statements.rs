//! The schema's statements, with the options that change them applied.

use std::collections::BTreeMap;

use lethe_format::archive::ddl::{self, Statement, Step};
use lethe_format::catalog::TableKind;
use lethe_format::sql::quote_ident;
use lethe_postgres::Server;

use super::Prepared;
use super::target::Target;
use crate::Error;
use crate::progress::Progress;

#[derive(Debug)]
pub(super) struct Statements {
    all: Vec<Statement>,
    no_owner: bool,
    no_acl: bool,
}

/// A foreign key that was created without looking at the rows.
#[derive(Clone, Debug)]
pub(super) struct Unvalidated {
    /// Schema and table.
    pub table: (String, String),
    pub constraint: String,
}

impl Statements {
    pub(super) fn new(prepared: &Prepared) -> Self {
        let all = ddl::statements(&prepared.archive);
        Self {
            all,
            no_owner: prepared.options.no_owner || prepared.options.role.is_some(),
            no_acl: prepared.options.no_acl,
        }
    }

    pub(super) fn of(&self, step: Step) -> impl Iterator<Item = &Statement> {
        let left_out = self.no_acl && step == Step::Acl;
        self.all.iter().filter(move |statement| statement.step == step && !left_out)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Statement> {
        self.all.iter()
    }

    /// The foreign keys that are created without looking at the rows.
    pub(super) fn unvalidated(&self, prepared: &Prepared) -> Vec<Unvalidated> {
        self.of(Step::ForeignKey).filter_map(|statement| unvalidated(prepared, statement)).collect()
    }

    /// Everything that comes before the rows.
    pub(super) async fn create_schema(&self, target: &Target, progress: &Progress) -> Result<(), Error> {
        self.run_in_order(target, Step::PreData, "schema", progress).await
    }

    pub(super) async fn run_in_order(
        &self,
        target: &Target,
        step: Step,
        stage: &'static str,
        progress: &Progress,
    ) -> Result<(), Error> {
        progress.stage(stage, self.of(step).count() as u64);
        let server = target.worker().await?;
        for statement in self.of(step) {
            self.run(target, &server, statement).await?;
            progress.advance(1);
        }
        Ok(())
    }

    pub(super) async fn run(
        &self,
        target: &Target,
        server: &Server,
        statement: &Statement,
    ) -> Result<(), Error> {
        let sql = self.sql(statement, &statement.sql);
        match target.run_once(server, statement.dump_id, &sql, &statement.object).await {
            Err(Error::Postgres(error)) if is_unknown_provider(statement, &error) => {
                tracing::warn!(
                    object = statement.object,
                    "left out: the provider of the security label is not loaded on this server"
                );
                Ok(())
            }
            done => done,
        }
    }

    /// Creates the foreign key without validating it, where the server can.
    pub(super) async fn run_foreign_key(
        &self,
        prepared: &Prepared,
        target: &Target,
        server: &Server,
        statement: &Statement,
    ) -> Result<(), Error> {
        if unvalidated(prepared, statement).is_none() {
            return self.run(target, server, statement).await;
        }
        let text = statement.sql.trim().trim_end_matches(';');
        let sql = self.sql(statement, &format!("{text} NOT VALID;"));
        target.run_once(server, statement.dump_id, &sql, &statement.object).await
    }

    fn sql(&self, statement: &Statement, definition: &str) -> String {
        let mut sql = String::new();
        if let Some(tablespace) = &statement.tablespace {
            let name = if tablespace.is_empty() { "''".to_owned() } else { quote_ident(tablespace) };
            sql.push_str(&format!("SET LOCAL default_tablespace = {name};\n"));
        }
        if let Some(method) = &statement.table_access_method {
            sql.push_str(&format!("SET LOCAL default_table_access_method = {};\n", quote_ident(method)));
        }
        sql.push_str(definition);
        if let Some(owner) = statement.owner.as_ref().filter(|_| !self.no_owner) {
            sql.push_str(&format!("\n{}{};", owner.sql, quote_ident(&owner.role)));
        }
        sql
    }
}

/// A label belongs to a module that the server may not have loaded (`ExecSecLabelStmt` in `seclabel.c`). It holds no rows together, so a
/// restore goes on without it.
fn is_unknown_provider(statement: &Statement, error: &lethe_postgres::Error) -> bool {
    statement.desc == "SECURITY LABEL" && error.code() == Some("22023")
}

fn unvalidated(prepared: &Prepared, statement: &Statement) -> Option<Unvalidated> {
    let (table, constraint) = statement.table.clone().zip(statement.constraint.clone())?;
    may_be_validated_later(prepared, &table, &constraint).then_some(Unvalidated { table, constraint })
}

/// False for what the source itself had not validated, and for partitioned tables, where `NOT VALID` is refused before
/// PostgreSQL 18.
fn may_be_validated_later(prepared: &Prepared, table: &(String, String), constraint: &str) -> bool {
    let catalog = &prepared.manifest.catalog;
    let names: BTreeMap<u32, (&str, &str)> = catalog
        .tables
        .iter()
        .map(|table| (table.oid, (table.name.schema.as_str(), table.name.name.as_str())))
        .collect();
    let wanted = (table.0.as_str(), table.1.as_str());
    catalog.foreign_keys.iter().any(|key| {
        let plain = catalog.table(key.child).is_some_and(|table| table.kind == TableKind::Plain);
        key.name == constraint
            && names.get(&key.child) == Some(&wanted)
            && key.validated
            && key.enforced
            && plain
    })
}
