//! E-mail addresses in the schema: whether one is an erased person's is known by that person's rows alone.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::Catalog;
use lethe_format::ids::Oid;
use lethe_format::manifest::TableData;

use super::SchemaText;
use super::pieces::tokens;
use crate::closure::{Scratch, Verdict};
use crate::objection::Objection;
use crate::row_filter::{Error, Filters, for_each_row};
use crate::scan::Scan;

/// Asks the rows that go whether they hold an address that stands in the schema. Reads nothing if none stands there.
#[derive(Debug)]
pub struct ErasedAddresses<'a> {
    filters: &'a Filters,
    texts: &'a [SchemaText],
    /// Each address in lower case, and the texts that it stands in.
    addresses: BTreeMap<String, Vec<usize>>,
    /// The fields of each table that may hold one.
    fields: BTreeMap<Oid, Vec<usize>>,
    asked: bool,
    found: BTreeSet<String>,
}

impl<'a> ErasedAddresses<'a> {
    #[must_use]
    pub fn new(catalog: &Catalog, data: &[TableData], filters: &'a Filters, texts: &'a [SchemaText]) -> Self {
        let mut addresses: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, text) in texts.iter().enumerate() {
            for address in addresses_in(&text.text) {
                addresses.entry(address).or_default().push(index);
            }
        }
        let fields = data.iter().filter(|data| filters.is_subject(data.table)).filter_map(|data| {
            let table = catalog.table(data.table)?;
            let is_text = |attnum: &i16| {
                let base = table.column(*attnum).and_then(|column| catalog.base_type(column.type_oid));
                base.is_some_and(|base| {
                    matches!(base.name.name.as_str(), "text" | "varchar" | "bpchar" | "citext" | "name")
                })
            };
            let fields = data.columns.iter().enumerate().filter(|(_, attnum)| is_text(attnum));
            Some((data.table, fields.map(|(field, _)| field).collect()))
        });
        Self { filters, texts, fields: fields.collect(), addresses, asked: false, found: BTreeSet::new() }
    }

    #[must_use]
    pub fn objections(&self) -> Vec<Objection> {
        let mut by_text: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for address in &self.found {
            for index in self.addresses.get(address).into_iter().flatten() {
                by_text.entry(*index).or_default().insert(address.clone());
            }
        }
        by_text.iter().filter_map(|(index, found)| Some(self.texts.get(*index)?.objection(found))).collect()
    }
}

impl Scan for ErasedAddresses<'_> {
    fn next_scan(&mut self) -> Option<Vec<Oid>> {
        if self.asked || self.addresses.is_empty() {
            return None;
        }
        self.asked = true;
        let with_text = self.fields.iter().filter(|(_, fields)| !fields.is_empty());
        Some(with_text.map(|(table, _)| *table).collect::<Vec<_>>()).filter(|tables| !tables.is_empty())
    }

    fn observe(&mut self, table: Oid, chunk: &[u8]) -> Result<(), Error> {
        let Self { filters, addresses, fields, found, .. } = self;
        let (Some(rules), Some(fields)) = (filters.rules.get(&table), fields.get(&table)) else {
            return Ok(());
        };
        let mut scratch = Scratch::default();
        for_each_row(rules, chunk, |row, _| {
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            let verdict = filters.judge(table, rules, row, &mut scratch).map_err(unreadable)?;
            if !matches!(verdict, Verdict::Drop) {
                return Ok(());
            }
            for field in fields.iter() {
                let Some(value) = row.value(*field).map_err(unreadable)? else { continue };
                let Ok(value) = std::str::from_utf8(&value) else { continue };
                let value = value.trim().to_lowercase();
                if addresses.contains_key(&value) {
                    found.insert(value);
                }
            }
            Ok(())
        })
    }
}

/// What looks like an e-mail address, in lower case.
fn addresses_in(text: &str) -> BTreeSet<String> {
    let is_address = |token: &&str| {
        token.split_once('@').is_some_and(|(local, domain)| {
            let parts: Vec<&str> = domain.split('.').collect();
            !local.is_empty()
                && parts.len() > 1
                && parts.iter().all(|part| !part.is_empty())
                && !domain.contains('@')
        })
    };
    let tokens = tokens(text).map(|token| token.trim_matches(['.', '-', '%']));
    tokens.filter(is_address).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_only_has_the_sign() {
        let text = "IS 'Ask Bob@Example.org, or <ann.b+c@x.co.uk>.'; CHECK (v ~ '^[^@]+@[^@]+$'); a@b; @c.d; e@.f; g@h.";
        assert_eq!(
            addresses_in(text).into_iter().collect::<Vec<_>>(),
            ["ann.b+c@x.co.uk", "bob@example.org"]
        );
    }
}
