//! The verdict's reasons and notes in the page's language. What decides is the verdict of [`lethe_rules::drill`]; a test
//! holds the two together.

use lethe_rules::drill::{CheckOutcome, DrillFacts, SourceTable, TableFacts};

use super::super::numbers::Numbers;
use super::super::page::Said;
use super::super::words::{Words, fill};
use super::stage_name;

pub(super) fn reasons(facts: &DrillFacts, words: &Words, numbers: Numbers) -> Vec<Said> {
    let mut reasons = Vec::new();
    if let Some(failure) = &facts.failure {
        let text = fill(words.why_not_ended, &[&stage_name(words, &failure.stage)]);
        reasons.push(Said::quoting(text, &failure.problem));
        reasons.extend(failure.objections.iter().map(|one| Said::quoting(words.why_objection, one)));
    }
    facts.tables.iter().for_each(|table| of_table(table, words, numbers, &mut reasons));
    let ended = facts.failure.is_none();
    match &facts.constraints {
        Some(found) => {
            reasons.extend(found.not_valid.iter().map(|name| Said::new(fill(words.why_constraint, &[name]))));
        }
        None if ended => reasons.push(Said::new(words.why_no_constraint)),
        None => {}
    }
    match &facts.indexes {
        Some(found) => {
            reasons.extend(found.damaged.iter().map(|name| Said::new(fill(words.why_damaged, &[name]))));
            reasons.extend(found.invalid.iter().map(|name| Said::new(fill(words.why_invalid, &[name]))));
        }
        None if ended => reasons.push(Said::new(words.why_no_index)),
        None => {}
    }
    for check in &facts.checks {
        match &check.outcome {
            CheckOutcome::Met => {}
            CheckOutcome::Different => reasons.push(Said::new(fill(words.why_different, &[&check.name]))),
            CheckOutcome::Failed(problem) => {
                reasons.push(Said::quoting(fill(words.why_refused, &[&check.name]), problem));
            }
        }
    }
    if let Some(canaries) = &facts.canaries {
        let found = &canaries.erased_found_in;
        reasons.extend(found.iter().map(|file| Said::new(fill(words.why_canary, &[file]))));
        if canaries.living == 0 {
            reasons.push(Said::new(words.why_no_control));
        } else if canaries.living_found < canaries.living {
            let (found, all) = (numbers.count(canaries.living_found), numbers.count(canaries.living));
            reasons.push(Said::new(fill(words.why_control, &[&found, &all])));
        }
    }
    if let Some(left) = &facts.left_behind {
        reasons.push(Said::quoting(words.why_left, left));
    }
    reasons
}

fn of_table(table: &TableFacts, words: &Words, numbers: Numbers, reasons: &mut Vec<Said>) {
    let TableFacts { table: name, manifest, read, loaded, dropped, found, .. } = table;
    let mut add = |template: &str, values: &[u64]| {
        let values: Vec<String> = values.iter().map(|value| numbers.count(*value)).collect();
        let mut parts = vec![name.as_str()];
        parts.extend(values.iter().map(String::as_str));
        reasons.push(Said::new(fill(template, &parts)));
    };
    if manifest != read {
        add(words.why_read, &[*manifest, *read]);
    }
    if loaded.checked_add(*dropped) != Some(*read) {
        add(words.why_sum, &[*read, *loaded, *dropped]);
    }
    if found != loaded {
        add(words.why_found, &[*loaded, *found]);
    }
}

/// What the drill does not show, and what somebody should look at.
pub(super) fn notes(facts: &DrillFacts, words: &Words, numbers: Numbers) -> Vec<Said> {
    let mut notes = Vec::new();
    if let Some(found) = facts.constraints.as_ref().filter(|found| !found.not_valid_in_source.is_empty()) {
        notes.push(Said::new(fill(words.note_not_valid, &[&found.not_valid_in_source.join(", ")])));
    }
    match &facts.indexes {
        Some(found) if !found.amcheck => notes.push(Said::new(words.note_no_amcheck)),
        Some(found) if found.not_checked > 0 => {
            notes.push(Said::new(fill(words.note_not_checked, &[&numbers.count(found.not_checked)])));
        }
        _ => {}
    }
    if facts.canaries.is_none() && facts.failure.is_none() {
        notes.push(Said::new(words.note_no_canaries));
    }
    if let Some(source) = &facts.source {
        if let Some(problem) = &source.unreachable {
            notes.push(Said::quoting(words.note_no_source, problem));
        }
        let differs = source.tables.iter().filter(|table| table.differs(source.tolerance_percent));
        notes.extend(differs.map(|table| of_source(table, words, numbers)));
    }
    notes
}

fn of_source(table: &SourceTable, words: &Words, numbers: Numbers) -> Said {
    let found = numbers.count(table.found);
    Said::new(match table.source {
        Some(source) => {
            let template = if table.estimated { words.note_estimated } else { words.note_differs };
            fill(template, &[&table.table, &found, &numbers.count(source)])
        }
        None => fill(words.note_not_in_source, &[&table.table]),
    })
}
