//! A customer's part of the audit log, to be read by people. What proves it is the export as lines of JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lethe_format::audit::export::Verified;
use lethe_format::audit::{Action, Shared};
use lethe_format::ids::Digest;
use lethe_format::ledger::Seq;
use lethe_rules::audit::{Ending, stories};
use serde::Serialize;

use super::page::{Cell, Page};
use super::words::{Words, fill};

/// Rows of the table: who wants all of them takes the lines of JSON.
const MOST_ROWS: usize = 2000;

#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    /// As it was typed; none for all that any customer may read.
    pub(crate) tenant: Option<String>,
    pub(crate) key: String,
    /// Entries of the whole log.
    pub(crate) size: u64,
    pub(crate) root: Digest,
    /// In the order in which they began.
    pub(crate) actions: Vec<Told>,
}

/// One action, as far as the customer may know of it.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    pub(crate) entry: Seq,
    pub(crate) at: Timestamp,
    pub(crate) action: Action,
    #[serde(flatten)]
    pub(crate) ending: Ending,
    pub(crate) shared: Shared,
}

impl Exported {
    pub(crate) fn new(tenant: Option<String>, log: Verified) -> Self {
        let shared: BTreeMap<Seq, &Shared> =
            log.entries.iter().map(|(header, shared)| (header.seq, shared)).collect();
        // The last entry is that this export was begun, which could not have ended yet.
        let others = &log.entries[..log.entries.len().saturating_sub(1)];
        let told = stories(others.iter().map(|(header, _)| header)).into_iter().filter_map(|story| {
            Some(Told {
                entry: story.began.seq,
                at: story.began.at,
                action: story.began.action,
                ending: story.ending,
                shared: (*shared.get(&story.last())?).clone(),
            })
        });
        Self {
            tenant,
            key: log.key.to_string(),
            size: log.checkpoint.size,
            root: log.checkpoint.root,
            actions: told.collect(),
        }
    }
}

pub(super) fn write(facts: &Exported, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let open = facts.actions.iter().filter(|told| told.ending == Ending::Open).count();
    let count = numbers.size(facts.actions.len());
    let verdict = match open {
        0 => fill(words.audit_whole, &[&count]),
        _ => fill(words.audit_open, &[&count, &numbers.size(open)]),
    };
    page.head(words.audit_title, words.audit_lead, true, verdict);
    page.list(&[
        (words.audit_of, facts.tenant.as_ref().map_or(Cell::text(words.audit_of_all), Cell::name)),
        (words.audit_size, Cell::Number(numbers.count(facts.size))),
        (words.audit_root, Cell::id(facts.root)),
        (words.audit_key, Cell::id(&facts.key)),
    ]);
    page.heading(words.audit_actions);
    if facts.actions.is_empty() {
        page.say(words.audit_none);
    }
    let row = |told: &Told| {
        let about = &told.shared.facts;
        let on = match (&about.subject, about.counts.get("people"), &about.snapshot) {
            (Some(subject), Some(people), _) => Cell::name(format!("{} × {subject}", numbers.count(*people))),
            (Some(subject), None, _) => Cell::name(subject),
            (None, _, Some(snapshot)) => Cell::id(snapshot),
            (None, _, None) => Cell::Nothing,
        };
        vec![
            Cell::Time(told.at),
            Cell::text(name(words, told.action)),
            match told.ending {
                Ending::Done { .. } => Cell::Verdict { good: true, text: words.audit_done.to_owned() },
                Ending::Failed { .. } => Cell::Verdict { good: false, text: words.audit_failed.to_owned() },
                Ending::Open => Cell::text(words.audit_no_end),
            },
            told.shared.request.as_ref().map_or(Cell::Nothing, Cell::name),
            on,
            Cell::Number(numbers.count(told.entry)),
        ]
    };
    if !facts.actions.is_empty() {
        let heads = [
            words.audit_when,
            words.audit_what,
            words.audit_how,
            words.audit_request,
            words.audit_on,
            words.audit_entry,
        ];
        // The newest are those that somebody looks for first.
        let rows: Vec<_> = facts.actions.iter().rev().take(MOST_ROWS).map(row).collect();
        let shown = rows.len();
        page.table(words.audit_table, &heads, &rows, None);
        if shown < facts.actions.len() {
            page.remark(&fill(words.cut, &[&numbers.size(shown), &count]));
        }
    }
    page.remark(words.audit_text);
}

fn name(words: &'static Words, action: Action) -> &'static str {
    match action {
        Action::TombstoneAdd => words.act_tombstone_add,
        Action::TombstoneRevoke => words.act_tombstone_revoke,
        Action::TombstoneCapture => words.act_tombstone_capture,
        Action::CaptureInstall => words.act_capture_install,
        Action::CaptureRemove => words.act_capture_remove,
        Action::Snapshot => words.act_snapshot,
        Action::RestorePlan => words.act_restore_plan,
        Action::Restore => words.act_restore,
        Action::Drill => words.act_drill,
        Action::Prune => words.act_prune,
        Action::Copy => words.act_copy,
        Action::HoldAdd => words.act_hold_add,
        Action::HoldRemove => words.act_hold_remove,
        Action::Verify => words.act_verify,
        Action::KeysChange => words.act_keys_change,
        Action::KeysSeal => words.act_keys_seal,
        Action::AuditExport => words.act_audit_export,
        Action::SettingsLoosened => words.act_settings_loosened,
    }
}
