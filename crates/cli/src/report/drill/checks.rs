//! The checks of a drill, one by one: also those that found nothing, since that is what they are for.

use lethe_rules::drill::{CheckOutcome, DrillFacts, TableFacts};

use super::super::numbers::Numbers;
use super::super::page::Cell;
use super::super::words::{Words, fill};

/// What came of a check.
enum Result {
    Good,
    Bad,
    /// It was not carried out, or not to its end.
    None,
}

pub(super) fn checks(facts: &DrillFacts, verified: bool, words: &Words, numbers: Numbers) -> Vec<Vec<Cell>> {
    let mut lines = Vec::new();
    let mut add = |name: Cell, result: Result, detail: Cell| {
        let detail = if matches!(result, Result::None) { Cell::Nothing } else { detail };
        let result = match result {
            Result::Good => Cell::Verdict { good: true, text: words.met.to_owned() },
            Result::Bad => Cell::Verdict { good: false, text: words.not_met.to_owned() },
            Result::None => Cell::text(words.not_carried_out),
        };
        lines.push(vec![name, result, detail]);
    };
    let tables = &facts.tables;
    let result = match tables.iter().all(is_whole) {
        _ if tables.is_empty() => Result::None,
        true => Result::Good,
        false => Result::Bad,
    };
    add(
        Cell::text(words.check_rows),
        result,
        Cell::Text(fill(words.check_rows_detail, &[&numbers.size(tables.len())])),
    );
    let result = if verified { Result::Good } else { Result::None };
    add(Cell::text(words.check_erased), result, Cell::text(words.check_erased_detail));
    match &facts.constraints {
        None => add(Cell::text(words.check_constraints), Result::None, Cell::Nothing),
        Some(found) => {
            let bad = numbers.size(found.not_valid.len());
            let detail = fill(words.check_constraints_detail, &[&numbers.count(found.valid), &bad]);
            let result = if found.not_valid.is_empty() { Result::Good } else { Result::Bad };
            add(Cell::text(words.check_constraints), result, Cell::Text(detail));
        }
    }
    match &facts.indexes {
        None => add(Cell::text(words.check_indexes), Result::None, Cell::Nothing),
        Some(found) => {
            let bad = numbers.size(found.damaged.len() + found.invalid.len());
            let detail = fill(
                words.check_indexes_detail,
                &[&numbers.count(found.checked), &bad, &numbers.count(found.not_checked)],
            );
            let result = match found.damaged.is_empty() && found.invalid.is_empty() {
                false => Result::Bad,
                true if found.amcheck => Result::Good,
                true => Result::None,
            };
            add(Cell::text(words.check_indexes), result, Cell::Text(detail));
        }
    }
    match &facts.canaries {
        None => add(Cell::text(words.check_canaries), Result::None, Cell::Nothing),
        Some(found) => {
            let detail = fill(
                words.check_canaries_detail,
                &[
                    &numbers.count(found.files),
                    &numbers.bytes(found.bytes),
                    &numbers.size(found.erased_found_in.len()),
                    &numbers.count(found.living_found),
                    &numbers.count(found.living),
                ],
            );
            let good =
                found.erased_found_in.is_empty() && found.living > 0 && found.living_found == found.living;
            let result = if good { Result::Good } else { Result::Bad };
            add(Cell::text(words.check_canaries), result, Cell::Text(detail));
        }
    }
    for check in &facts.checks {
        let (result, detail) = match &check.outcome {
            CheckOutcome::Met => (Result::Good, Cell::text(words.own_check)),
            CheckOutcome::Different => (Result::Bad, Cell::text(words.own_check_different)),
            CheckOutcome::Failed(problem) => (Result::Bad, Cell::Quote(problem.clone())),
        };
        add(Cell::name(&check.name), result, detail);
    }
    let left = facts.left_behind.as_ref();
    let result = if left.is_none() { Result::Good } else { Result::Bad };
    add(Cell::text(words.check_removed), result, left.cloned().map_or(Cell::Nothing, Cell::Quote));
    lines
}

fn is_whole(table: &TableFacts) -> bool {
    table.manifest == table.read
        && table.loaded.checked_add(table.dropped) == Some(table.read)
        && table.found == table.loaded
}
