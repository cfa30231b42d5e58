//! How old what is stored is, what keeps it, and what the last prunes have done.

use jiff::Timestamp;
use lethe_engine::holds;
use lethe_engine::prune::{PlanSummary, Receipt};
use lethe_format::ids::EventId;
use lethe_rules::retention::{Fate, Verdict};
use serde::Serialize;

use super::page::{Cell, Page, Said};
use super::plot::{Ages, Drawing, Lane, Plot};
use super::words::{Words, fill};

/// Rows of one table of the page: who wants all of them takes the JSON.
const MOST_ROWS: usize = 200;

#[derive(Debug, Serialize)]
pub(crate) struct Retained {
    /// By the store's clock and this machine's, which agree.
    pub(crate) at: Timestamp,
    /// Days.
    pub(crate) keep: i64,
    pub(crate) ceiling: i64,
    /// Oldest first, those included that the next prune lets go.
    pub(crate) snapshots: Vec<Verdict>,
    /// What the next prune would do.
    pub(crate) next: PlanSummary,
    pub(crate) holds: Vec<holds::Listed>,
    /// Newest first.
    pub(crate) prunes: Vec<PastPrune>,
    /// Reports of prunes that nobody vouches for.
    pub(crate) unreadable: Vec<EventId>,
}

/// A prune that was carried out.
#[derive(Debug, Serialize)]
pub(crate) struct PastPrune {
    pub(crate) report: EventId,
    pub(crate) at: Timestamp,
    pub(crate) receipt: Receipt,
}

pub(super) fn write(facts: &Retained, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let remains = &facts.next.remains;
    let ceiling = numbers.days(facts.ceiling);
    let is_held_beyond = |one: &&Verdict| matches!(one.fate, Fate::Held { .. }) && one.ceiling_at <= facts.at;
    let held = facts.snapshots.iter().filter(is_held_beyond).count();
    let verdict = match (remains.len(), held) {
        (0, 0) => fill(words.nothing_beyond, &[&ceiling]),
        (0, held) => fill(words.nothing_beyond_but_held, &[&ceiling, &numbers.size(held)]),
        (count, _) => fill(words.something_beyond, &[&ceiling, &numbers.size(count)]),
    };
    page.head(words.retention_title, words.retention_lead, remains.is_empty(), verdict);
    let age = |at: Timestamp| numbers.age(facts.at.duration_since(at));
    let oldest = facts.snapshots.iter().map(|verdict| verdict.taken_at).min();
    page.figures(&[
        (words.snapshots_stored, Cell::text(numbers.size(facts.snapshots.len()))),
        (words.oldest_byte, oldest.map_or(Cell::Nothing, |at| Cell::text(age(at)))),
        (words.limit, Cell::text(&ceiling)),
        (words.last_prune, facts.prunes.first().map_or(Cell::Nothing, |prune| Cell::Time(prune.at))),
    ]);
    page.heading(words.beyond_heading);
    if remains.is_empty() {
        page.say(words.nothing_beyond_text);
    } else {
        page.say(words.beyond_text);
        let said = |remains: &lethe_rules::retention::Remains| {
            Said::quoting(&remains.what, format!("{}. {}", remains.why, remains.hint))
        };
        page.items(&remains.iter().map(said).collect::<Vec<_>>());
    }
    page.heading(words.ages);
    ages(facts, page);
    next(facts, page);
    holds(facts, page);
    prunes(facts, page);
}

/// What keeps a snapshot.
struct Kind {
    label: &'static str,
    is: fn(&Fate) -> bool,
}

/// In the order of the lanes.
fn kinds(words: &Words) -> [Kind; 6] {
    [
        Kind { label: words.fate_kept, is: |fate| matches!(fate, Fate::Kept) },
        Kind { label: words.fate_held, is: |fate| matches!(fate, Fate::Held { .. }) },
        Kind { label: words.fate_leased, is: |fate| matches!(fate, Fate::Leased { .. }) },
        Kind { label: words.fate_last, is: |fate| matches!(fate, Fate::Last) },
        Kind { label: words.fate_unfinished, is: |fate| matches!(fate, Fate::Unfinished) },
        Kind { label: words.fate_goes, is: Fate::goes },
    ]
}

fn ages(facts: &Retained, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    if facts.snapshots.is_empty() {
        page.say(words.no_snapshot);
        return;
    }
    let days =
        |verdict: &Verdict| facts.at.duration_since(verdict.taken_at).as_secs_f64().max(0.0) / 86_400.0;
    let oldest = facts.snapshots.iter().map(days).fold(0.0, f64::max);
    let most = f64::max(oldest.ceil(), facts.ceiling as f64) + 1.0;
    let lanes: Vec<Lane> = kinds(words)
        .iter()
        .map(|Kind { label, is }| {
            let ages: Vec<f64> = facts.snapshots.iter().filter(|one| is(&one.fate)).map(days).collect();
            Lane { label: (*label).to_owned(), value: numbers.size(ages.len()), ages }
        })
        .filter(|lane| !lane.ages.is_empty())
        .collect();
    let described: Vec<String> = lanes.iter().map(|lane| format!("{}: {}", lane.label, lane.value)).collect();
    let (keep, ceiling) = (numbers.days(facts.keep), numbers.days(facts.ceiling));
    page.plot(&Plot {
        title: words.ages_plot.to_owned(),
        description: format!(
            "{}; {}; {}",
            described.join("; "),
            fill(words.aim_line, &[&keep]),
            fill(words.limit_line, &[&ceiling])
        ),
        drawing: Drawing::Ages(Ages {
            lanes,
            most,
            ends: [words.now.to_owned(), numbers.days(most as i64)],
            aim: (facts.keep as f64, fill(words.aim_line, &[&keep])),
            limit: (facts.ceiling as f64, fill(words.limit_line, &[&ceiling])),
        }),
    });
    page.remark(words.ages_text);
    let rows: Vec<Vec<Cell>> =
        facts.snapshots.iter().take(MOST_ROWS).map(|one| snapshot(one, facts, page)).collect();
    let heads =
        [words.snapshot, words.taken_at, words.age, words.goes_at, words.gone_by, words.why_it_is_there];
    page.table(words.snapshots_table, &heads, &rows, None);
    cut(facts.snapshots.len(), page);
}

fn snapshot(verdict: &Verdict, facts: &Retained, page: &Page) -> Vec<Cell> {
    let (words, numbers) = (page.words, page.numbers);
    let kind = kinds(words).iter().find(|kind| (kind.is)(&verdict.fate)).map_or("", |kind| kind.label);
    let until = match &verdict.fate {
        Fate::Held { until } | Fate::Leased { until } => Some(*until),
        _ => None,
    };
    let why = until.map_or_else(|| kind.to_owned(), |until| fill(words.until, &[kind, &numbers.time(until)]));
    vec![
        Cell::id(&verdict.snapshot),
        Cell::Time(verdict.taken_at),
        Cell::Number(numbers.age(facts.at.duration_since(verdict.taken_at))),
        Cell::Time(verdict.expires_at),
        Cell::Time(verdict.ceiling_at),
        Cell::Text(why),
    ]
}

/// Says what a page leaves out.
fn cut(all: usize, page: &mut Page) {
    if all > MOST_ROWS {
        let (shown, all) = (page.numbers.size(MOST_ROWS), page.numbers.size(all));
        page.remark(&fill(page.words.cut, &[&shown, &all]));
    }
}

fn next(facts: &Retained, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    page.heading(words.next_prune);
    page.say(words.next_prune_text);
    page.list(&[
        (words.snapshots_that_go, Cell::text(numbers.size(facts.next.going.len()))),
        (words.objects_that_go, Cell::text(numbers.size(facts.next.objects))),
        (words.bytes_that_go, Cell::text(numbers.bytes(facts.next.bytes))),
        (words.uploads_that_go, Cell::text(numbers.size(facts.next.uploads))),
    ]);
}

fn holds(facts: &Retained, page: &mut Page) {
    let words = page.words;
    page.heading(words.holds);
    if facts.holds.is_empty() {
        page.say(words.no_hold);
        return;
    }
    page.say(words.holds_text);
    let row = |listed: &holds::Listed| {
        let hold = &listed.hold;
        vec![
            Cell::id(&hold.id),
            Cell::id(&hold.snapshot),
            Cell::text(if listed.is_active { words.hold_active } else { words.hold_ended }),
            Cell::Time(hold.at),
            Cell::Time(hold.until),
            Cell::name(&hold.reason),
            Cell::name(&hold.approved_by),
        ]
    };
    let rows: Vec<Vec<Cell>> = facts.holds.iter().map(row).collect();
    let heads = [
        words.hold,
        words.snapshot,
        words.state,
        words.held_since,
        words.held_until,
        words.reason,
        words.approved_by,
    ];
    page.table(words.holds_table, &heads, &rows, None);
}

fn prunes(facts: &Retained, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    page.heading(words.prunes);
    if facts.prunes.is_empty() {
        page.say(words.no_prune);
    } else {
        page.say(words.prunes_text);
        let row = |prune: &PastPrune| {
            let Receipt { removed_snapshots, removed_objects, removed_bytes, staying_snapshots, .. } =
                &prune.receipt;
            let still_there = prune.receipt.left.len().max(prune.receipt.remains.len());
            let oldest = prune.receipt.oldest_object.map(|at| numbers.age(prune.at.duration_since(at)));
            vec![
                Cell::Time(prune.at),
                Cell::Number(numbers.size(removed_snapshots.len())),
                Cell::Number(numbers.size(*removed_objects)),
                Cell::Number(numbers.bytes(*removed_bytes)),
                Cell::Number(numbers.size(prune.receipt.removed_ledger_bodies)),
                Cell::Number(numbers.size(*staying_snapshots)),
                Cell::or_nothing(oldest),
                Cell::Number(numbers.size(still_there)),
                Cell::id(&prune.report),
            ]
        };
        let rows: Vec<Vec<Cell>> = facts.prunes.iter().map(row).collect();
        let heads = [
            words.carried_out_at,
            words.snapshots_removed,
            words.objects_removed,
            words.bytes_removed,
            words.bodies_removed,
            words.snapshots_stayed,
            words.oldest_object,
            words.still_there,
            words.report_id,
        ];
        page.table(words.prunes_table, &heads, &rows, None);
    }
    if !facts.unreadable.is_empty() {
        let ids: Vec<String> = facts.unreadable.iter().map(ToString::to_string).collect();
        page.say(&fill(words.unreadable, &[&ids.join(", ")]));
    }
}
