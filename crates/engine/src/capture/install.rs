use lethe_format::catalog::{Catalog, QualifiedName, Table, TableKind};
use lethe_postgres::capture::{CapturedSubject, Columns, Installation, installation, outbox, remove_sql};
use lethe_postgres::{ConnectionSettings, Purpose, Server, catalog};
use lethe_rules::closure::subject_key;
use lethe_rules::objection::{Code, Objection};

use super::{Capturing, Customer};
use crate::Error;

/// What came of an installation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Installed {
    Now,
    /// Exactly this was installed already; nothing was touched.
    Before,
}

/// The SQL that captures the deletions of these subjects in this database.
///
/// # Errors
/// [`Error::Refused`] with an objection for each subject that the database does not have.
pub async fn plan_installation(
    source: &ConnectionSettings,
    subjects: &[Capturing],
) -> Result<Installation, Error> {
    let server = Server::connect(source, Purpose::Capture).await?;
    server.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "begin", source).await?;
    let catalog = catalog::read(&server).await?;
    let mut captured = Vec::new();
    let mut objections = Vec::new();
    for subject in subjects {
        match bind(&catalog, subject) {
            Ok(mut bound) => {
                for column in &mut bound.columns {
                    column.sql_type = catalog::column_type(&server, &bound.table, &column.name).await?;
                }
                captured.push(bound);
            }
            Err(objection) => objections.push(objection),
        }
    }
    if objections.is_empty() { Ok(installation(&captured)) } else { Err(Error::Refused(objections)) }
}

/// Installs, in one transaction. The application waits for its locks for a moment, and this for the application's for
/// five seconds at most.
pub async fn install(source: &ConnectionSettings, wanted: &Installation) -> Result<Installed, Error> {
    let server = Server::connect(source, Purpose::Capture).await?;
    if outbox::installed_fingerprint(&server).await?.as_ref() == Some(&wanted.fingerprint) {
        return Ok(Installed::Before);
    }
    transaction(&server, &wanted.sql, "install the capture in").await?;
    Ok(Installed::Now)
}

/// Removes the capture.
///
/// # Errors
/// [`Error::Usage`] while deletions wait in the outbox: they would be forgotten.
pub async fn remove(source: &ConnectionSettings) -> Result<(), Error> {
    let server = Server::connect(source, Purpose::Capture).await?;
    if outbox::is_installed(&server).await? {
        let waiting = outbox::waiting(&server).await?.waiting;
        if waiting > 0 {
            return Err(Error::Usage(format!(
                "{waiting} deletions wait in the outbox and would be forgotten: run lethe tombstone capture run first"
            )));
        }
    }
    transaction(&server, &remove_sql(), "remove the capture from").await
}

async fn transaction(server: &Server, sql: &str, stage: &'static str) -> Result<(), Error> {
    let script = format!("BEGIN; SET LOCAL lock_timeout = '5s'; {sql} COMMIT");
    server.run(&script, stage, server.settings()).await?;
    Ok(())
}

fn bind(catalog: &Catalog, capturing: &Capturing) -> Result<CapturedSubject, Objection> {
    let Capturing { subject, customer } = capturing;
    let label = format!("subject {subject}");
    let shape = subject_key(catalog, subject)?;
    let unknown = || Objection::new(Code::UnknownSubject, &label, "its table is not in the database");
    let table = catalog.table(shape.table).ok_or_else(unknown)?;
    let name = subject
        .name
        .clone()
        .ok_or_else(|| Objection::new(Code::UnknownSubject, &label, "it has no name in lethe.toml"))?;
    // Names of functions are made from it, and PostgreSQL cuts names after 63 bytes.
    if name.len() > 40 {
        return Err(Objection::new(Code::UnknownSubject, &label, "its name is longer than 40 bytes"));
    }
    let columns = || shape.columns.iter().filter_map(|attnum| table.column(*attnum));
    let tenant: Vec<String> = match customer {
        Customer::None => Vec::new(),
        Customer::Named(columns) => columns.clone(),
        Customer::Themselves => columns().map(|column| column.name.clone()).collect(),
    };
    if let Some(missing) = tenant.iter().find(|name| table.column_named(name).is_none()) {
        let problem = format!("{} has no column {missing}, which names the customer", table.name);
        return Err(Objection::new(Code::UnknownSubject, &label, problem)
            .hint("tenant under the subject in lethe.toml is a column of its table"));
    }
    let mut key = shape.columns.clone();
    key.sort_unstable();
    let unique = table.unique_keys.iter().any(|unique| {
        let mut columns = unique.columns.clone();
        columns.sort_unstable();
        columns == key
    });
    let family = family(catalog, table);
    let is_leaf = |table: &&&Table| table.kind == TableKind::Plain;
    let is_heir = |found: &&&Table| found.partition_of.is_none() || found.oid == table.oid;
    Ok(CapturedSubject {
        name,
        table: table.name.clone(),
        configured: subject.columns.clone(),
        columns: columns()
            .map(|column| Columns { name: column.name.clone(), sql_type: String::new() })
            .collect(),
        leaves: names(family.iter().filter(is_leaf)),
        heirs: names(family.iter().filter(is_heir)),
        tenant,
        unique,
    })
}

fn names<'a>(tables: impl Iterator<Item = &'a &'a Table>) -> Vec<QualifiedName> {
    tables.map(|table| table.name.clone()).collect()
}

/// The table, its partitions and its children by inheritance, at any depth.
fn family<'a>(catalog: &'a Catalog, table: &'a Table) -> Vec<&'a Table> {
    let mut found = vec![table];
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|table| table.oid) {
        next += 1;
        for table in &catalog.tables {
            let below = table.partition_of == Some(parent) || table.inherits.contains(&parent);
            if below && found.iter().all(|known| known.oid != table.oid) {
                found.push(table);
            }
        }
    }
    found
}
