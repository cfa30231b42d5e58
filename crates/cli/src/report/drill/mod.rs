//! Whether a drill has shown that a restore works, how long it took, and how it went before.

mod checks;
mod reasons;

use jiff::{SignedDuration, Timestamp};
use lethe_engine::drill::DrillEvidence;
use lethe_format::ids::{EventId, SnapshotId};
use lethe_rules::drill::TableFacts;
use serde::Serialize;

use super::numbers::Numbers;
use super::page::{Cell, Page};
use super::plot::{Bar, Course, Drawing, Plot};
use super::restore::described;
use super::words::{Words, fill};

#[derive(Debug, Serialize)]
pub(crate) struct Drilled {
    pub(crate) id: EventId,
    pub(crate) evidence: DrillEvidence,
    /// The last drills, oldest first.
    pub(crate) history: Vec<PastDrill>,
    /// Reports of drills that nobody vouches for.
    pub(crate) unreadable: Vec<EventId>,
}

/// What the history says of a drill.
#[derive(Debug, Serialize)]
pub(crate) struct PastDrill {
    pub(crate) report: EventId,
    pub(crate) at: Timestamp,
    pub(crate) passed: bool,
    pub(crate) snapshot: Option<SnapshotId>,
    pub(crate) age_seconds: Option<u64>,
    pub(crate) ready_seconds: Option<f64>,
    pub(crate) verified_seconds: Option<f64>,
}

impl PastDrill {
    pub(crate) fn new(report: EventId, evidence: &DrillEvidence) -> Self {
        Self {
            report,
            at: evidence.finished_at,
            passed: evidence.verdict.passed,
            snapshot: evidence.snapshot.clone(),
            age_seconds: evidence.age_seconds,
            ready_seconds: evidence.ready_seconds,
            verified_seconds: evidence.verified_seconds,
        }
    }
}

pub(super) fn write(facts: &Drilled, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let evidence = &facts.evidence;
    let passed = evidence.verdict.passed;
    let verdict = if passed { words.drill_passed } else { words.drill_failed };
    page.head(words.drill_title, words.drill_lead, passed, verdict);
    let dropped = evidence.facts.tables.iter().map(|table| table.dropped).fold(0, u64::saturating_add);
    page.figures(&[
        (words.ready_after, seconds(evidence.ready_seconds, numbers)),
        (words.verified_after, seconds(evidence.verified_seconds, numbers)),
        (words.age_of_data, age(evidence.age_seconds, numbers)),
        (words.rows_dropped, Cell::text(numbers.count(dropped))),
    ]);
    page.heading(words.reasons);
    if passed {
        page.say(words.no_reason);
    } else {
        page.items(&reasons::reasons(&evidence.facts, words, numbers));
    }
    let notes = reasons::notes(&evidence.facts, words, numbers);
    if !notes.is_empty() {
        page.heading(words.notes);
        page.items(&notes);
    }
    page.heading(words.what_was_tried);
    let text = |text: Option<String>| text.map_or(Cell::Nothing, Cell::Text);
    page.list(&[
        (words.snapshot, evidence.snapshot.as_ref().map_or(Cell::Nothing, Cell::id)),
        (words.taken_at, evidence.snapshot_at.map_or(Cell::Nothing, Cell::Time)),
        (words.age_of_data, age(evidence.age_seconds, numbers)),
        (words.restored_into, evidence.place.clone().map_or(Cell::Nothing, Cell::Quote)),
        (words.ledger_entry, text(evidence.ledger_head.map(|head| numbers.count(head.seq)))),
        (words.begun_at, Cell::Time(evidence.started_at)),
        (words.finished_at, Cell::Time(evidence.finished_at)),
        (words.bytes_stored, text(evidence.bytes_stored.map(|bytes| numbers.bytes(bytes)))),
        (words.bytes_plain, text(evidence.bytes_plain.map(|bytes| numbers.bytes(bytes)))),
        (words.program_of_the_run, Cell::text(format!("Lethe {}", evidence.version))),
        (words.report_id, Cell::id(&facts.id)),
    ]);
    page.heading(words.checks);
    page.say(words.checks_text);
    let checks = checks::checks(&evidence.facts, evidence.verified_seconds.is_some(), words, numbers);
    page.table(words.checks_table, &[words.check, words.result, words.detail], &checks, None);
    history(facts, page);
    stages(evidence, page);
    tables(&evidence.facts.tables, page);
}

/// How many reasons and notes a page says.
#[cfg(test)]
pub(super) fn said(facts: &lethe_rules::drill::DrillFacts, language: super::Language) -> (usize, usize) {
    let (words, numbers) = (language.words(), Numbers(language));
    (reasons::reasons(facts, words, numbers).len(), reasons::notes(facts, words, numbers).len())
}

fn seconds(seconds: Option<f64>, numbers: Numbers) -> Cell {
    seconds.map_or(Cell::Nothing, |seconds| Cell::Text(numbers.seconds(seconds)))
}

fn age(seconds: Option<u64>, numbers: Numbers) -> Cell {
    seconds.map_or(Cell::Nothing, |seconds| Cell::Text(numbers.age(duration(seconds))))
}

fn duration(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn history(facts: &Drilled, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    page.heading(words.history);
    page.say(words.history_text);
    let runs: Vec<(Option<f64>, Option<f64>)> = facts
        .history
        .iter()
        // Whatever a failed drill measured is no time in which a restore was done.
        .map(|past| if past.passed { (past.ready_seconds, past.verified_seconds) } else { (None, None) })
        .collect();
    if let (Some(oldest), Some(newest)) = (facts.history.first(), facts.history.last()) {
        let longest = runs.iter().flat_map(|run| [run.0, run.1]).flatten().fold(0.0, f64::max);
        let most = rounded_up(longest);
        let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| numbers.seconds(value));
        let passed = facts.history.iter().filter(|past| past.passed).count();
        let description = fill(
            words.course_text,
            &[
                &numbers.size(facts.history.len()),
                &numbers.size(passed),
                &value(Some(longest).filter(|longest| *longest > 0.0)),
                &value(runs.last().and_then(|run| run.0)),
                &value(runs.last().and_then(|run| run.1)),
            ],
        );
        page.plot(&Plot {
            title: words.course_plot.to_owned(),
            description,
            drawing: Drawing::Course(Course {
                first: words.course_ready.to_owned(),
                second: words.course_verified.to_owned(),
                neither: words.course_failed.to_owned(),
                runs,
                scale: [most, most / 2.0, 0.0].map(|mark| numbers.seconds(mark)),
                most,
                ends: [numbers.day(oldest.at), numbers.day(newest.at)],
            }),
        });
    }
    let row = |past: &PastDrill| {
        let text = if past.passed { words.passed } else { words.failed };
        let number = |value: Option<f64>| Cell::or_nothing(value.map(|value| numbers.seconds(value)));
        vec![
            Cell::Time(past.at),
            Cell::Verdict { good: past.passed, text: text.to_owned() },
            number(past.ready_seconds),
            number(past.verified_seconds),
            Cell::or_nothing(past.age_seconds.map(|seconds| numbers.age(duration(seconds)))),
            past.snapshot.as_ref().map_or(Cell::Nothing, Cell::id),
            Cell::id(&past.report),
        ]
    };
    let rows: Vec<Vec<Cell>> = facts.history.iter().rev().map(row).collect();
    let heads = [
        words.finished_at,
        words.result,
        words.ready_after,
        words.verified_after,
        words.age_of_data,
        words.snapshot,
        words.report_id,
    ];
    page.table(words.history_table, &heads, &rows, None);
    if !facts.unreadable.is_empty() {
        let ids: Vec<String> = facts.unreadable.iter().map(ToString::to_string).collect();
        page.say(&fill(words.unreadable, &[&ids.join(", ")]));
    }
}

/// To seconds, minutes or hours of which the half is a number that people like as well.
fn rounded_up(seconds: f64) -> f64 {
    if seconds <= 0.0 {
        return 1.0;
    }
    let unit = [3600.0, 60.0].into_iter().find(|unit| seconds > *unit).unwrap_or(1.0);
    let power = 10_f64.powf((seconds / unit).log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power * unit);
    steps.into_iter().find(|step| *step >= seconds).unwrap_or(seconds)
}

fn stages(evidence: &DrillEvidence, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let bars: Vec<Bar> = evidence
        .stages
        .iter()
        .map(|stage| {
            let to = stage.to.max(stage.from);
            let value = numbers.seconds(to - stage.from);
            Bar { label: stage_name(words, &stage.stage), value, from: stage.from, to }
        })
        .collect();
    let row = |bar: &Bar| {
        let times = [bar.from, bar.to, bar.to - bar.from];
        let cells = times.map(|seconds| Cell::Number(numbers.seconds(seconds)));
        std::iter::once(Cell::text(&bar.label)).chain(cells).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<Cell>> = bars.iter().map(row).collect();
    page.heading(words.stages);
    page.plot(&Plot {
        title: words.stages_plot.to_owned(),
        description: described(&bars),
        drawing: Drawing::Stages(bars),
    });
    page.table(words.stages_table, &[words.stage, words.from, words.to, words.took], &rows, None);
}

fn stage_name(words: &Words, stage: &str) -> String {
    let name = match stage {
        "leftovers" => words.stage_leftovers,
        "choose" => words.stage_choose,
        "place" => words.stage_place,
        "restore" => words.stage_restore,
        "plan" => words.stage_plan,
        "load" => words.stage_load,
        "finish" => words.stage_finish,
        "verify" => words.stage_verify,
        "check" => words.stage_check,
        "compare with the source" => words.stage_compare,
        "search for canaries" => words.stage_search,
        "remove" => words.stage_remove,
        // One that a newer version knows.
        other => other,
    };
    name.to_owned()
}

fn tables(tables: &[TableFacts], page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    if tables.is_empty() {
        return;
    }
    let values: [fn(&TableFacts) -> u64; 6] = [
        |table| table.manifest,
        |table| table.read,
        |table| table.loaded,
        |table| table.dropped,
        |table| table.changed,
        |table| table.found,
    ];
    let row = |table: &TableFacts| {
        let cells = values.iter().map(|value| Cell::Number(numbers.count(value(table))));
        std::iter::once(Cell::name(&table.table)).chain(cells).collect::<Vec<_>>()
    };
    let sums = values.iter().map(|value| {
        let sum = tables.iter().map(value).fold(0, u64::saturating_add);
        Cell::Number(numbers.count(sum))
    });
    let sum = std::iter::once(Cell::text(words.all_tables)).chain(sums).collect();
    let rows: Vec<Vec<Cell>> = tables.iter().map(row).collect();
    page.heading(words.rows);
    page.say(words.drill_rows_text);
    let heads = [
        words.table,
        words.in_snapshot,
        words.read,
        words.loaded,
        words.dropped,
        words.changed,
        words.counted_by_server,
    ];
    page.table(words.rows_table, &heads, &rows, Some(sum));
}
