//! What was restored, how long it took, and which rows did not come back.

use lethe_engine::restore::{Kept, MayBeStale, RestoreEvidence, RestoredTo, RowCounts};
use lethe_format::ids::EventId;
use lethe_rules::derived::Kind;
use lethe_rules::target_label::TargetLabel;
use serde::Serialize;

use super::page::{Cell, Page, Said};
use super::plot::{Bar, Drawing, Plot};
use super::words::{Words, fill, place_name};

#[derive(Debug, Serialize)]
pub(crate) struct Restored {
    pub(crate) id: EventId,
    pub(crate) evidence: RestoreEvidence,
}

pub(super) fn write(facts: &Restored, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let evidence = &facts.evidence;
    let report = &evidence.report;
    page.head(words.restore_title, words.restore_lead, true, words.verified_verdict);
    page.figures(&[
        (words.ready_after, Cell::text(numbers.seconds(report.seconds.ready))),
        (words.verified_after, Cell::text(numbers.seconds(report.seconds.verified))),
        (words.rows_loaded, Cell::text(numbers.count(report.rows.loaded))),
        (words.rows_dropped, Cell::text(numbers.count(report.rows.dropped))),
    ]);
    let label = report.label.as_ref().map_or(Cell::Nothing, |label| Cell::text(purpose_name(words, label)));
    page.heading(words.what_was_restored);
    let alone = report.only.iter().map(|only| format!("{}: {}", only.subject, numbers.count(only.keys)));
    let alone: Vec<String> = alone.collect();
    if !alone.is_empty() {
        page.list(&[(words.restored_alone, Cell::name(alone.join(", ")))]);
    }
    page.list(&[
        (words.snapshot, Cell::id(&report.snapshot)),
        (words.ledger_entry, Cell::text(numbers.count(report.ledger_head.seq))),
        (words.ledger_hash, Cell::name(report.ledger_head.hash)),
        (words.target, Cell::Text(target(&evidence.target, page))),
        (words.label_of_restore, label),
        (words.masked_columns, Cell::text(numbers.count(report.masked.columns))),
        (words.masked_rows, Cell::text(numbers.count(report.masked.rows))),
        (words.finished_at, Cell::Time(evidence.finished_at)),
        (words.bytes_stored, Cell::text(numbers.bytes(report.bytes.stored))),
        (words.bytes_plain, Cell::text(numbers.bytes(report.bytes.plain))),
        (words.peak_memory, Cell::text(numbers.bytes(report.peak_rss))),
        (words.program_of_the_run, Cell::text(format!("Lethe {}", evidence.version))),
        (words.report_id, Cell::id(&facts.id)),
    ]);
    if report.large_objects.stored > 0 {
        let objects = report.large_objects;
        page.list(&[
            (words.objects_stored, Cell::text(numbers.count(objects.stored))),
            (words.objects_restored, Cell::text(numbers.count(objects.restored))),
            (words.objects_of_dropped, Cell::text(numbers.count(objects.of_dropped_rows))),
            (words.objects_unreferenced, Cell::text(numbers.count(objects.unreferenced))),
        ]);
    }
    if report.masked.check.rows > 0 {
        page.list(&[(words.masked_compared, Cell::text(numbers.count(report.masked.check.values)))]);
    }
    stages(facts, page);
    rows(facts, page);
    kept(&report.kept, page);
    derived(facts, page);
    page.heading(words.acknowledged);
    if report.acknowledged.is_empty() {
        page.say(words.none_acknowledged);
    } else {
        page.say(words.acknowledged_text);
        let items: Vec<Said> = report
            .acknowledged
            .iter()
            .map(|objection| Said::quoting(objection_name(words, objection.code), objection))
            .collect();
        page.items(&items);
    }
}

fn kept(kept: &[Kept], page: &mut Page) {
    let words = page.words;
    if kept.is_empty() {
        return;
    }
    page.heading(words.kept_rows);
    page.say(words.kept_rows_text);
    let line = |kept: &Kept| vec![Cell::name(&kept.reference), Cell::text(&kept.because)];
    let lines: Vec<Vec<Cell>> = kept.iter().map(line).collect();
    page.table(words.kept_rows_table, &[words.reference, words.why], &lines, None);
}

/// What the application must look after itself.
fn derived(facts: &Restored, page: &mut Page) {
    let words = page.words;
    let stale = &facts.evidence.report.may_be_stale;
    if stale.is_empty() {
        return;
    }
    page.heading(words.stale);
    page.say(words.stale_text);
    let line = |stale: &MayBeStale| {
        let why = match stale.why {
            Kind::Counter => words.stale_counter,
            Kind::Search => words.stale_search,
        };
        vec![Cell::name(&stale.table), Cell::name(&stale.column), Cell::text(why)]
    };
    let lines: Vec<Vec<Cell>> = stale.iter().map(line).collect();
    page.table(words.stale_table, &[words.table, words.column, words.why], &lines, None);
}

fn objection_name(words: &Words, code: lethe_rules::objection::Code) -> &'static str {
    use lethe_rules::objection::Code;
    match code {
        Code::CaptureLag => words.objection_capture_lag,
        Code::UnknownReference => words.objection_unknown_reference,
        Code::Unclassified => words.objection_unclassified,
        Code::LargeObjects => words.objection_large_objects,
        Code::SchemaText => words.objection_schema_text,
        // None but these can be answered for.
        _ => words.objection_other,
    }
}

fn target(target: &RestoredTo, page: &Page) -> String {
    let words = page.words;
    let purpose = target.purpose.as_ref().map(|purpose| purpose_name(words, purpose).to_owned());
    let place = target.place.as_deref().map(|code| {
        place_name(page.language, code).map_or_else(|| code.to_owned(), |name| format!("{code} ({name})"))
    });
    match (purpose, place) {
        (None, None) => words.on_this_machine.to_owned(),
        (Some(purpose), Some(place)) => format!("{purpose}, {place}"),
        (Some(purpose), None) => purpose,
        (None, Some(place)) => place,
    }
}

pub(super) fn purpose_name<'a>(words: &Words, purpose: &'a TargetLabel) -> &'a str {
    match purpose.as_str() {
        "production" => words.production,
        "staging" => words.staging,
        "drill" => words.for_drills,
        other => other,
    }
}

fn stages(facts: &Restored, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let report = &facts.evidence.report;
    let seconds = report.seconds;
    let ends = [
        (words.stage_plan, seconds.plan),
        (words.stage_load, seconds.load),
        (words.stage_finish, seconds.ready),
        (words.stage_verify, seconds.verified),
    ];
    let (mut bars, mut rows, mut from) = (Vec::new(), Vec::new(), 0.0);
    for (stage, to) in ends {
        // A run that went on after its cut-over had nothing more to plan or load.
        let to = f64::max(to, from);
        let took = to - from;
        let is_load = stage == words.stage_load;
        let of_load = |cell: Option<String>| Cell::or_nothing(cell.filter(|_| is_load));
        rows.push(vec![
            Cell::text(stage),
            Cell::Number(numbers.seconds(from)),
            Cell::Number(numbers.seconds(to)),
            Cell::Number(numbers.seconds(took)),
            of_load(Some(numbers.bytes(report.bytes.plain))),
            of_load(numbers.rate(report.bytes.plain, took)),
            of_load(numbers.rate(report.bytes.stored, took)),
            of_load(numbers.rows_rate(report.rows.read, took)),
        ]);
        bars.push(Bar { label: stage.to_owned(), value: numbers.seconds(took), from, to });
        from = to;
    }
    let all = |total, seconds| Cell::or_nothing(numbers.rate(total, seconds));
    let sum = vec![
        Cell::text(words.until_ready),
        Cell::Number(numbers.seconds(0.0)),
        Cell::Number(numbers.seconds(seconds.ready)),
        Cell::Number(numbers.seconds(seconds.ready)),
        Cell::Number(numbers.bytes(report.bytes.plain)),
        all(report.bytes.plain, seconds.ready),
        all(report.bytes.stored, seconds.ready),
        Cell::or_nothing(numbers.rows_rate(report.rows.read, seconds.ready)),
    ];
    page.heading(words.stages);
    page.say(words.restore_stages_text);
    page.plot(&Plot {
        title: words.stages_plot.to_owned(),
        description: described(&bars),
        drawing: Drawing::Stages(bars),
    });
    let heads = [
        words.stage,
        words.from,
        words.to,
        words.took,
        words.bytes_of_rows,
        words.rate_plain,
        words.rate_stored,
        words.rate_rows,
    ];
    page.table(words.stages_table, &heads, &rows, Some(sum));
    page.remark(words.rates_text);
}

/// What a plot of stages shows, in words.
pub(super) fn described(bars: &[Bar]) -> String {
    bars.iter().map(|bar| format!("{}: {}", bar.label, bar.value)).collect::<Vec<_>>().join("; ")
}

fn rows(facts: &Restored, page: &mut Page) {
    let (words, numbers) = (page.words, page.numbers);
    let report = &facts.evidence.report;
    let line = |name: Cell, rows: &RowCounts| {
        let mut cells = vec![name];
        cells.extend(
            [rows.read, rows.loaded, rows.dropped, rows.never_loaded, rows.late_removed, rows.changed]
                .map(|number| Cell::Number(numbers.count(number))),
        );
        cells
    };
    page.heading(words.rows);
    page.say(words.rows_text);
    let tables: Vec<Vec<Cell>> =
        report.tables.iter().map(|table| line(Cell::name(&table.table), &table.rows)).collect();
    let heads = [
        words.table,
        words.read,
        words.loaded,
        words.dropped,
        words.never_loaded,
        words.taken_back,
        words.changed,
    ];
    page.table(words.rows_table, &heads, &tables, Some(line(Cell::text(words.all_tables), &report.rows)));
    if report.rows.late_removed > 0 {
        page.say(&fill(words.late_text, &[&numbers.count(report.rows.late_removed)]));
    }
}
