//! What can be said to somebody who asked to be erased.

use lethe_format::ledger::Kind;
use lethe_rules::audit::{Certificate, ErasedEntry, Kept};

use super::page::{Cell, Page};
use super::words::fill;

pub(super) fn write(facts: &Certificate, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let (good, verdict) = match facts.last_goes_at {
        None => (true, words.certificate_gone.to_owned()),
        Some(at) => (true, fill(words.certificate_until, &[&numbers.time(at)])),
    };
    // Somebody who was taken off the ledger again must not be told that they are erased.
    let revoked = facts.entries.iter().any(|entry| entry.kind == Kind::Revoked);
    let (good, verdict) =
        if revoked { (false, words.certificate_revoked.to_owned()) } else { (good, verdict) };
    page.head(words.certificate_title, words.certificate_lead, good, verdict);
    page.figures(&[
        (words.audit_request, Cell::name(&facts.request)),
        (
            words.certificate_people,
            Cell::text(numbers.count(facts.entries.iter().map(|entry| entry.people).sum())),
        ),
        (words.certificate_backups, Cell::text(numbers.size(facts.may_hold.len()))),
        (words.certificate_restores, Cell::text(numbers.size(facts.restores.len()))),
    ]);
    page.heading(words.certificate_done);
    let row = |entry: &ErasedEntry| {
        vec![
            Cell::text(numbers.count(entry.entry)),
            Cell::Time(entry.at),
            Cell::text(match entry.kind {
                Kind::Anonymised => words.certificate_anonymised,
                Kind::Revoked => words.certificate_taken_back,
                _ => words.certificate_erased,
            }),
            Cell::name(&entry.subject),
            Cell::Number(numbers.count(entry.people)),
            Cell::text(if entry.forgotten {
                words.certificate_forgotten
            } else {
                words.certificate_remembered
            }),
        ]
    };
    page.table(
        words.certificate_entries,
        &[
            words.ledger_entry,
            words.audit_when,
            words.audit_what,
            words.audit_subject,
            words.audit_people,
            words.certificate_ids,
        ],
        &facts.entries.iter().map(row).collect::<Vec<_>>(),
        None,
    );
    page.heading(words.certificate_backups);
    if facts.may_hold.is_empty() {
        page.say(words.certificate_no_backup);
    } else {
        page.say(words.certificate_backups_text);
        let row = |kept: &Kept| {
            vec![
                Cell::id(&kept.snapshot),
                Cell::Time(kept.taken_at),
                Cell::Time(kept.goes_at),
                Cell::text(if kept.held { words.certificate_held } else { words.certificate_not_held }),
            ]
        };
        page.table(
            words.certificate_backups_table,
            &[words.snapshot, words.taken_at, words.certificate_goes_at, words.certificate_hold],
            &facts.may_hold.iter().map(row).collect::<Vec<_>>(),
            None,
        );
    }
    page.remark(words.certificate_text);
}
