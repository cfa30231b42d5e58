//! When each entry runs: by its kind, and never before what it depends on.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Entry, Section};
use super::{Step, target};
use crate::sql::NameReader;

/// The steps of entries that are in the archive's order.
pub(super) fn steps(entries: &[&Entry]) -> Vec<Step> {
    let partitioned: BTreeSet<_> = entries.iter().filter_map(|entry| attached_to(entry)).collect();
    let mut by_id = BTreeMap::new();
    let mut steps = Vec::with_capacity(entries.len());
    for entry in entries {
        let needed = entry.dependencies.iter().filter_map(|id| by_id.get(id).copied()).max();
        let step = raised(entry, by_kind(entry, &partitioned), needed);
        by_id.insert(entry.dump_id, step);
        steps.push(step);
    }
    steps
}

/// An entry follows what it needs into a later step: an index on a view that itself waits for a primary key, or the
/// comment on an event trigger.
fn raised(entry: &Entry, step: Step, needed: Option<Step>) -> Step {
    let Some(needed) = needed.filter(|_| entry.section != Section::PreData) else { return step };
    match (step, needed) {
        // Newer versions of pg_dump make a partition's index depend on the one it is attached to, older ones the
        // other way round. Either order works; the archive's is kept.
        (Step::PreData, Step::Index) => Step::IndexAttach,
        // Indexes run side by side, in no order.
        (Step::Index, Step::Index) => Step::PostData,
        _ => step.max(needed),
    }
}

/// `_tocEntryRestorePass` in `pg_backup_archiver.c` tells the last two apart from the rest; the others are ours.
fn by_kind(entry: &Entry, partitioned: &BTreeSet<Index>) -> Step {
    match (entry.section, entry.desc.as_str()) {
        (_, "ACL" | "ACL LANGUAGE" | "DEFAULT ACL") => Step::Acl,
        (_, "EVENT TRIGGER") => Step::EventTrigger,
        (_, "COMMENT" | "SECURITY LABEL") if entry.tag.starts_with("EVENT TRIGGER ") => Step::EventTrigger,
        // Comments and labels, on objects of any step.
        (Section::None, _) => Step::Late,
        (Section::PreData | Section::Data, _) => Step::PreData,
        (Section::PostData, desc) => match desc {
            "INDEX" | "CONSTRAINT" => index(entry, partitioned),
            "INDEX ATTACH" => Step::IndexAttach,
            "FK CONSTRAINT" => Step::ForeignKey,
            "TRIGGER" => Step::Trigger,
            "COMMENT"
            | "POLICY"
            | "PUBLICATION"
            | "PUBLICATION TABLE"
            | "PUBLICATION TABLES IN SCHEMA"
            | "ROW SECURITY"
            | "SECURITY LABEL"
            | "SUBSCRIPTION"
            | "SUBSCRIPTION TABLE" => Step::Late,
            _ => Step::PostData,
        },
    }
}

fn index(entry: &Entry, partitioned: &BTreeSet<Index>) -> Step {
    // Without a table the caller could not tell when the rows are complete.
    let Some(target) = target::find(entry) else { return Step::PostData };
    let holds_no_rows = partitioned.contains(&(target.table.0, target.name));
    if holds_no_rows { Step::PreData } else { Step::Index }
}

/// Schema and name: a constraint's index is named as the constraint, and is in its table's schema.
type Index = (String, String);

/// `ALTER INDEX schema.index ATTACH PARTITION …` (`dumpIndexAttach`): the index of the partitioned table.
fn attached_to(entry: &Entry) -> Option<Index> {
    let mut names = NameReader::new(&entry.definition);
    if entry.desc != "INDEX ATTACH" || !names.word("ALTER") || !names.word("INDEX") {
        return None;
    }
    let (schema, index) = names.qualified_name().ok()?;
    Some((schema?, index))
}
