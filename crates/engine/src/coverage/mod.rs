//! Which columns of a live database may refer to a person, by names, types and some of the values: read in one view, without
//! writing anything. What is decided lies in [`lethe_rules::coverage`].

mod leads;

use std::collections::BTreeMap;

use lethe_format::catalog::{Catalog, Column, QualifiedName, Table, TableKind, TypeKind};
use lethe_format::classification::Classification;
use lethe_format::reference::Reference;
use lethe_postgres::capture::is_own_table;
use lethe_postgres::sample::{Question, Values, look};
use lethe_postgres::{ConnectionSettings, Purpose, Server, catalog};
use lethe_rules::anonymise::{Labelled, TableMask, labelled};
use lethe_rules::closure::subject_key;
use lethe_rules::coverage::{
    CoveredColumn, Evidence, Lead, Seen, coverage, personal_columns, personal_names, suggest, suggest_masks,
};

use crate::Error;

/// What was found in a database.
#[derive(Clone, Debug)]
pub struct Found {
    pub catalog: Catalog,
    pub columns: Vec<CoveredColumn>,
    /// Columns whose values were not looked at, since it took too long.
    pub not_looked_at: Vec<String>,
    evidence: Evidence,
    leads: Vec<Lead>,
}

impl Found {
    /// Rules for the open columns, in TOML.
    #[must_use]
    pub fn suggestion(&self, references: &[Reference], classification: &Classification) -> String {
        suggest(&self.catalog, references, classification, &self.evidence, &self.leads)
    }
}

/// What is looked at besides names and types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Look {
    Names,
    /// Some values of each column that could hold a key, an address or a document.
    Values,
    /// Besides, where in the values of open columns keys stand.
    Places,
}

/// Reads the catalog and looks at what is wanted.
///
/// # Errors
/// [`Error::Refused`] if a subject is not in this database; the server's.
pub async fn of_source(
    source: &ConnectionSettings,
    references: &[Reference],
    classification: &Classification,
    look_at: Look,
) -> Result<Found, Error> {
    let server = Server::connect(source, Purpose::Snapshot).await?;
    server.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "begin", source).await?;
    let mut catalog = catalog::read(&server).await?;
    // What Lethe itself keeps there is told of elsewhere.
    catalog.tables.retain(|table| !is_own_table(&table.name));
    let keys = keys(&catalog, classification)?;
    let (mut evidence, mut not_looked_at) = (Evidence::new(), Vec::new());
    for table in catalog.tables.iter().filter(|table| look_at >= Look::Values && is_looked_at(table)) {
        for column in table.copied_columns() {
            let Some(question) = question(&catalog, table, column, &keys) else { continue };
            match look(&server, &question).await? {
                Some(answer) => {
                    let personal_names = personal_names(&answer.names);
                    let seen = Seen {
                        values: answer.values,
                        keys: answer.keys,
                        addresses: answer.addresses,
                        personal_names,
                    };
                    evidence.insert((table.oid, column.name.clone()), seen);
                }
                None => not_looked_at.push(format!("{}.{}", table.name, column.name)),
            }
        }
    }
    let columns = coverage(&catalog, references, classification, &evidence);
    let mut found = Found { catalog, columns, not_looked_at, evidence, leads: Vec::new() };
    if look_at >= Look::Places {
        let open = found.columns.iter().filter(|column| column.is_open());
        let (leads, more) = leads::look(&server, &found.catalog, classification, open, &keys).await?;
        found.leads = leads;
        found.not_looked_at.extend(more);
    }
    Ok(found)
}

/// What a database for masked data alone would still lack.
#[derive(Clone, Debug)]
pub struct MissingMasks {
    /// How many columns have no mask, and what can be guessed, in TOML.
    pub unmasked: usize,
    pub suggestion: String,
    /// What the security labels of the source say.
    pub labelled: Labelled,
}

/// Which columns neither the settings nor security labels mask.
#[must_use]
pub fn masks_for(
    catalog: &Catalog,
    references: &[Reference],
    classification: &Classification,
    masks: Vec<TableMask>,
) -> MissingMasks {
    let labelled = labelled(catalog, &masks, classification);
    let named = masks
        .iter()
        .chain(&labelled.masks)
        .flat_map(|mask| mask.columns.iter().map(|column| (mask.table.clone(), column.name.clone())));
    let named: Vec<(QualifiedName, String)> = named.collect();
    let mut personal = personal_columns(catalog, references, classification);
    personal.retain(|column| !is_own_table(&column.0) && !named.contains(column));
    let left: Vec<&(QualifiedName, String)> = personal.iter().collect();
    let suggestion = suggest_masks(catalog, references, &left);
    MissingMasks { unmasked: left.len(), suggestion, labelled }
}

/// By names and types alone, as a snapshot and a restore judge.
#[must_use]
pub fn by_names(
    catalog: &Catalog,
    references: &[Reference],
    classification: &Classification,
) -> Vec<CoveredColumn> {
    let columns = coverage(catalog, references, classification, &Evidence::new());
    columns.into_iter().filter(|column| !is_own_table(&column.table)).collect()
}

fn is_looked_at(table: &Table) -> bool {
    table.partition_of.is_none() && table.kind != TableKind::Foreign
}

/// The subjects' keys and other unique columns that name one of them, by the name of their type.
type KeysByType = BTreeMap<String, Vec<(QualifiedName, String)>>;

fn keys(catalog: &Catalog, classification: &Classification) -> Result<KeysByType, Error> {
    let mut found = KeysByType::new();
    for subject in &classification.subjects {
        let key = subject_key(catalog, subject).map_err(|objection| Error::Refused(vec![objection]))?;
        let Some(table) = catalog.table(key.table) else { continue };
        let unique = table.unique_keys.iter().filter(|unique| unique.columns.len() == 1);
        let single = unique
            .flat_map(|unique| &unique.columns)
            .chain(key.columns.iter().filter(|_| key.columns.len() == 1));
        for column in single.filter_map(|attnum| table.column(*attnum)) {
            let Some(name) = compared_as(catalog, column.type_oid) else { continue };
            let entry = (table.name.clone(), column.name.clone());
            let of_type = found.entry(name).or_default();
            if !of_type.contains(&entry) {
                of_type.push(entry);
            }
        }
    }
    Ok(found)
}

fn question<'a>(
    catalog: &Catalog,
    table: &'a Table,
    column: &'a Column,
    keys: &'a KeysByType,
) -> Option<Question<'a>> {
    let base = catalog.base_type(column.type_oid)?;
    let (values, element) = match (&base.kind, base.name.name.as_str()) {
        (TypeKind::Array { element }, _) => (Values::Elements, *element),
        (TypeKind::Base, "json" | "jsonb") => (Values::Json, column.type_oid),
        _ => (Values::Plain, column.type_oid),
    };
    let compared = compared_as(catalog, element);
    if compared.is_none() && values != Values::Json {
        return None;
    }
    let of_type = compared.as_ref().and_then(|name| keys.get(name)).into_iter().flatten();
    // A subject's own key is a key by definition.
    let others = of_type.filter(|(of, key)| (of, key) != (&table.name, &column.name));
    Some(Question {
        table: &table.name,
        column: &column.name,
        values,
        keys: others.map(|(of, key)| (of, key.as_str())).collect(),
        is_text: compared.as_deref() == Some("text"),
    })
}

/// Types that the server compares with each other by an index, under one name; none for those that hold no keys.
fn compared_as(catalog: &Catalog, type_oid: u32) -> Option<String> {
    let base = catalog.base_type(type_oid)?;
    let name = match (&base.kind, base.name.name.as_str()) {
        (TypeKind::Base, "int2" | "int4" | "int8") => "integer",
        (TypeKind::Base, "text" | "varchar") => "text",
        (TypeKind::Base, "uuid") => "uuid",
        _ => return None,
    };
    Some(name.to_owned())
}
