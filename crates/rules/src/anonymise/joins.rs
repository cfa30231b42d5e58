//! Whether references still join when both their sides are masked: those of whole values, and those of keys within values.

use std::collections::BTreeMap;
use std::sync::Arc;

use lethe_format::catalog::{AttNum, Catalog, Column, Table};
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};
use lethe_format::reference::Reference;

use super::everybody::Everybody;
use super::fill::{By, Fill, Form, Made};
use super::lengths::longest_text;
use super::within::{KeyWithin, Within};
use crate::closure::{Edge, Layouts, all_references, columns_in, domains, edges, family, inside};
use crate::embedded::{KeyForm, Place};
use crate::objection::{Code, Objection};

/// What each masked column becomes, by its leaf.
pub(super) type Fills = BTreeMap<(Oid, AttNum), Fill>;

/// Tells the masks of columns with keys within them what becomes of those keys.
pub(super) fn embed(
    catalog: &Catalog,
    data: &[TableData],
    references: &[Reference],
    fills: &mut Fills,
) -> Vec<Objection> {
    let layouts = Layouts { catalog, data };
    let mut objections = Vec::new();
    let mut found: BTreeMap<(Oid, AttNum), Vec<KeyWithin>> = BTreeMap::new();
    let all = all_references(catalog, references);
    for edge in &all {
        let bind = Bind { layouts, edge, fills };
        objections.extend(bind.condition());
        let [pair] = edge.key.columns.as_slice() else { continue };
        if edge.within.is_none() {
            continue;
        }
        for leaf in family::leaves(catalog, edge.key.child) {
            let mapped = columns_in(catalog, edge.key.child, &[pair.child], leaf).unwrap_or_default();
            let Some(attnum) = mapped.first().copied() else { continue };
            match bind.key_within(leaf, attnum) {
                Ok(None) => {}
                Ok(Some(key)) => found.entry((leaf, attnum)).or_default().push(key),
                Err(problem) => objections.push(bind.refused(problem)),
            }
        }
    }
    for (place, keys) in found {
        if let Some(Fill::Made(made)) = fills.get_mut(&place) {
            made.within = Some(Arc::new(Within::new(keys)));
        }
    }
    for edge in all.iter().filter(|edge| edge.within.is_some()) {
        let bind = Bind { layouts, edge, fills };
        let is_within = |fill: &Fill| matches!(fill, Fill::Made(made) if made.within.is_some());
        if bind.parents().any(|(_, fill)| fill.is_some_and(is_within)) {
            objections.push(bind.refused("the keys that it refers to hold keys themselves".to_owned()));
        }
    }
    objections
}

struct Bind<'a> {
    layouts: Layouts<'a>,
    edge: &'a Edge,
    fills: &'a Fills,
}

impl<'a> Bind<'a> {
    fn refused(&self, problem: String) -> Objection {
        let name = self.layouts.name(self.edge.key.child);
        let object = format!("reference {} of {name}", self.edge.key.name);
        Objection::new(Code::MaskRefused, object, problem).hint(
            "mask the column and the one that it refers to with \"random\" or the same fake; or the column with \"null\" or a constant, then no key is left in it",
        )
    }

    /// A reference that is there only in some rows cannot be followed where nobody can tell which.
    fn condition(&self) -> Option<Objection> {
        let when = self.edge.when.as_ref()?;
        let attnum = *when.column.columns.first()?;
        let is_masked = |leaf: &Oid| {
            let mapped =
                columns_in(self.layouts.catalog, when.column.table, &[attnum], *leaf).unwrap_or_default();
            mapped.first().is_some_and(|attnum| self.fills.contains_key(&(*leaf, *attnum)))
        };
        let leaf = family::leaves(self.layouts.catalog, when.column.table).into_iter().find(is_masked)?;
        let table = self.layouts.catalog.table(leaf)?;
        let column = table.column(attnum).map_or("?", |column| column.name.as_str());
        let object = format!("reference {} of {}", self.edge.key.name, table.name);
        let problem = format!("it holds where {column} has one value, and that column is masked");
        Some(
            Objection::new(Code::MaskRefused, object, problem).hint(
                "a column that says what an id refers to is nobody's: rule it out with [[not_personal]]",
            ),
        )
    }

    /// The leaves of the referenced table, and how each masks the key.
    fn parents(&self) -> impl Iterator<Item = (Oid, Option<&'a Fill>)> {
        let (catalog, key, fills) = (self.layouts.catalog, &self.edge.key, self.fills);
        family::leaves(catalog, key.parent).into_iter().filter_map(move |leaf| {
            let columns: Vec<AttNum> = key.columns.iter().map(|pair| pair.parent).collect();
            let attnum = *columns_in(catalog, key.parent, &columns, leaf)?.first()?;
            Some((leaf, fills.get(&(leaf, attnum))))
        })
    }

    /// How the referenced column is masked; none if it stays as it is.
    fn becomes(&self) -> Result<Option<&'a Made>, String> {
        let unlike = || "the keys that it refers to are not masked in a way that can be followed".to_owned();
        let mut parents = self.parents().map(|(_, fill)| fill);
        let first = parents.next().flatten();
        let same = |fill: Option<&Fill>| match (first, fill) {
            (None, None) => true,
            (Some(Fill::Made(one)), Some(Fill::Made(other))) => one.is_like(other),
            _ => false,
        };
        if !parents.all(same) {
            return Err(unlike());
        }
        match first {
            None => Ok(None),
            Some(Fill::Made(made)) if matches!(made.by, By::Value { .. }) && made.form == Form::Whole => {
                Ok(Some(made))
            }
            Some(_) => Err(unlike()),
        }
    }

    /// None if no key is left in the column.
    fn key_within(&self, leaf: Oid, attnum: AttNum) -> Result<Option<KeyWithin>, String> {
        let missing = "its column is not in the snapshot";
        let catalog = self.layouts.catalog;
        let table = catalog.table(leaf).ok_or(missing)?;
        let column = table.column(attnum).ok_or(missing)?;
        let becomes = self.becomes()?;
        let own = match (self.fills.get(&(leaf, attnum)), becomes) {
            (Some(Fill::Made(made)), _) => made,
            (Some(Fill::Null | Fill::Constant(_)), _) | (None, None) => return Ok(None),
            (None, Some(_)) => {
                return Err(format!("the keys that {} refers to are masked, and it is not", column.name));
            }
        };
        let (child, parent) = (catalog.table(self.edge.key.child), catalog.table(self.edge.key.parent));
        let (child, parent) = child.zip(parent).ok_or(missing)?;
        let domains = domains(catalog, self.edge, parent, child)?;
        let (Some(within), [pair], [domain]) =
            (&self.edge.within, self.edge.key.columns.as_slice(), domains.as_slice())
        else {
            return Err(missing.to_owned());
        };
        let as_text = self.layouts.of(leaf).is_some_and(|data| data.format == CopyFormat::Text);
        let referred = parent.column(pair.parent).ok_or(missing)?;
        let embedded = inside::embedded(catalog, within, (table, column), referred, domain, as_text)?;
        if let Some(becomes) = becomes {
            let is_same =
                matches!(&becomes.by, By::Value { reader: Some(reader), .. } if reader.domain == *domain);
            let is_stored = matches!(embedded.key, KeyForm::Stored(_));
            if !is_same || (is_stored && !own.kind.holds(&becomes.kind)) {
                return Err(format!(
                    "{} is masked as another kind of value than what it refers to",
                    column.name
                ));
            }
            self.fits((table, column), &embedded, becomes)?;
        }
        let guard = self.edge.when.as_ref().map(|when| self.layouts.guard(when, leaf)).transpose()?;
        Ok(Some(KeyWithin { embedded, guard, becomes: becomes.cloned() }))
    }

    /// Whether every masked key is short enough for the column.
    fn fits(
        &self,
        (table, column): (&Table, &Column),
        embedded: &crate::embedded::Embedded,
        becomes: &Made,
    ) -> Result<(), String> {
        let around = match &embedded.key {
            KeyForm::Written(written) => written.write("").chars().count(),
            KeyForm::Stored(_) => 0,
        };
        let needed = around.saturating_add(becomes.kind.longest());
        let is_document = matches!(embedded.place, Place::Document { .. });
        match longest_text(self.layouts.catalog, column).filter(|limit| !is_document && *limit < needed) {
            None => Ok(()),
            Some(limit) => Err(format!(
                "{}.{} holds {limit} characters, and a masked key in it may have {needed}",
                table.name, column.name
            )),
        }
    }
}

/// References between whole values of which the two sides would not be equal any more.
pub(super) fn unlike(catalog: &Catalog, references: &[Reference], everybody: &Everybody) -> Vec<Objection> {
    let (edges, _) = edges::edges(catalog, references);
    let mut found: BTreeMap<String, Objection> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.within.is_none()) {
        let key = &edge.key;
        for child in family::leaves(catalog, key.child) {
            for parent in family::leaves(catalog, key.parent) {
                for pair in &key.columns {
                    let at = |relation, column, leaf| {
                        let mapped = columns_in(catalog, relation, &[column], leaf)?;
                        everybody.bound(leaf, *mapped.first()?).map(|bound| &bound.fill)
                    };
                    let alike = match (at(key.child, pair.child, child), at(key.parent, pair.parent, parent))
                    {
                        (None, None) => true,
                        (Some(Fill::Made(one)), Some(Fill::Made(other))) => one.is_like(other),
                        _ => false,
                    };
                    if alike {
                        continue;
                    }
                    let name =
                        |oid| catalog.table(oid).map(|table| table.name.to_string()).unwrap_or_default();
                    let object = format!("reference {} of {}", key.name, name(key.child));
                    let problem =
                        format!("its columns and those of {} are not masked alike", name(key.parent));
                    let objection = Objection::new(Code::MaskRefused, &object, problem).hint(
                        "mask the columns on both sides with the same \"random\" or fake, and the same as if there is one; or on neither side",
                    );
                    found.insert(object, objection);
                }
            }
        }
    }
    found.into_values().collect()
}
