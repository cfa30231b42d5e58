//! Whether a drill has shown that a snapshot can be restored: a verdict from what was measured.
//!
//! A drill that did not come to its end has shown nothing, so it has failed. What could not be looked at is a note and
//! no reason: it is said, and somebody may put it right. The facts hold names and counts, never a row's value.

pub mod name;

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was measured.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DrillFacts {
    /// Why the drill did not come to its end.
    pub failure: Option<DrillFailure>,
    pub tables: Vec<TableFacts>,
    /// They are what a restore had loaded that did not come to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub so_far: bool,
    /// None if the drill did not get so far.
    pub constraints: Option<ConstraintFacts>,
    pub indexes: Option<IndexFacts>,
    pub checks: Vec<CheckFacts>,
    /// None if the settings name no canaries, or the drill did not get so far.
    pub canaries: Option<CanaryFacts>,
    /// None if no live source was named.
    pub source: Option<SourceFacts>,
    /// What is left of the throw-away server or database, if it could not be removed.
    pub left_behind: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DrillFailure {
    /// In which stage: `prepare`, `place`, `restore`, `check` …
    pub stage: String,
    /// The error and its causes, without row values.
    pub problem: String,
    /// The exit code that a command would have ended with that had failed like this.
    pub exit_code: u8,
    /// What speaks against the restore, if it was refused.
    pub objections: Vec<String>,
}

/// Rows of one table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TableFacts {
    pub table: String,
    /// By the manifest.
    pub manifest: u64,
    /// By the restore's own account.
    pub read: u64,
    pub loaded: u64,
    pub dropped: u64,
    pub changed: u64,
    /// As the server counts them afterwards.
    pub found: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ConstraintFacts {
    /// Constraints that the server holds for true.
    pub valid: u64,
    /// Those that it does not, as in the source: `NOT VALID` there.
    pub not_valid_in_source: Vec<String>,
    /// Those that it does not though the source did.
    pub not_valid: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct IndexFacts {
    /// False if the server has no `amcheck`.
    pub amcheck: bool,
    pub checked: u64,
    /// Of kinds that `amcheck` does not know.
    pub not_checked: u64,
    pub damaged: Vec<String>,
    /// Marked by the server as not to be used.
    pub invalid: Vec<String>,
}

/// One of the owner's own assertions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckFacts {
    pub name: String,
    pub outcome: CheckOutcome,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    Met,
    /// The answer was another one. It is not kept: it may say something of people.
    Different,
    /// The server refused the question, or the answer was not one value.
    Failed(String),
}

/// What a search of all files of the stopped server found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CanaryFacts {
    pub files: u64,
    pub bytes: u64,
    /// Strings of erased test people that were looked for.
    pub erased: u64,
    /// Files, by their paths in the data directory, that hold one of them.
    pub erased_found_in: Vec<String>,
    /// Strings of test people who are there: the positive control.
    pub living: u64,
    /// How many of them were found in the tables' files.
    pub living_found: u64,
}

/// A look at the live source. What differs is shown and decides nothing: the source goes on living.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Why it was not compared.
    pub unreachable: Option<String>,
    pub tables: Vec<SourceTable>,
    /// By how many percent a count may differ before it is shown.
    pub tolerance_percent: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceTable {
    pub table: String,
    pub found: u64,
    /// None if the source has no such table.
    pub source: Option<u64>,
    /// By the statistics of the source's server, not counted.
    pub estimated: bool,
}

impl SourceTable {
    /// Whether the counts are further apart than this many percent of the larger one.
    #[must_use]
    pub fn differs(&self, percent: u64) -> bool {
        let Some(source) = self.source else { return true };
        let apart = u128::from(self.found.abs_diff(source));
        apart * 100 > u128::from(self.found.max(source)) * u128::from(percent)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DrillVerdict {
    pub passed: bool,
    /// Why it failed; empty if it passed.
    pub reasons: Vec<String>,
    /// What it does not show, and what somebody should look at.
    pub notes: Vec<String>,
}

impl fmt::Display for DrillVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.passed { "passed" } else { "FAILED" })
    }
}

impl DrillVerdict {
    #[must_use]
    pub fn of(facts: &DrillFacts) -> Self {
        let (mut reasons, mut notes) = (Vec::new(), Vec::new());
        if let Some(failure) = &facts.failure {
            reasons.push(format!("it did not come to its end: {}: {}", failure.stage, failure.problem));
            reasons.extend(failure.objections.iter().cloned());
        }
        // Of a restore that did not come to its end nobody expects all rows.
        if !facts.so_far {
            facts.tables.iter().for_each(|table| judge_table(table, &mut reasons));
        }
        // Whatever the drill came to its end without is no proof of it.
        let ended = facts.failure.is_none();
        match &facts.constraints {
            Some(constraints) => judge_constraints(constraints, &mut reasons, &mut notes),
            None if ended => reasons.push("no constraint was looked at".to_owned()),
            None => {}
        }
        match &facts.indexes {
            Some(indexes) => judge_indexes(indexes, &mut reasons, &mut notes),
            None if ended => reasons.push("no index was looked at".to_owned()),
            None => {}
        }
        for check in &facts.checks {
            match &check.outcome {
                CheckOutcome::Met => {}
                CheckOutcome::Different => {
                    reasons.push(format!("check {:?}: the answer is another one", check.name));
                }
                CheckOutcome::Failed(problem) => reasons.push(format!("check {:?}: {problem}", check.name)),
            }
        }
        match &facts.canaries {
            Some(canaries) => judge_canaries(canaries, &mut reasons),
            None if ended => notes.push(
                "no canaries were looked for in the server's files: [drill] names none, or the server is not one of the drill's own"
                    .to_owned(),
            ),
            None => {}
        }
        if let Some(source) = &facts.source {
            judge_source(source, &mut notes);
        }
        if let Some(left) = &facts.left_behind {
            reasons.push(format!("what was restored is still there: {left}"));
        }
        Self { passed: reasons.is_empty(), reasons, notes }
    }
}

fn judge_table(table: &TableFacts, reasons: &mut Vec<String>) {
    let TableFacts { table, manifest, read, loaded, dropped, found, .. } = table;
    if manifest != read {
        reasons.push(format!("{table}: {manifest} rows in the snapshot, {read} read"));
    }
    if loaded.checked_add(*dropped) != Some(*read) {
        reasons.push(format!("{table}: of {read} rows, {loaded} loaded and {dropped} dropped"));
    }
    if found != loaded {
        reasons.push(format!("{table}: {loaded} rows loaded, and the server finds {found}"));
    }
}

fn judge_constraints(facts: &ConstraintFacts, reasons: &mut Vec<String>, notes: &mut Vec<String>) {
    reasons.extend(facts.not_valid.iter().map(|name| format!("constraint {name} is not valid")));
    if !facts.not_valid_in_source.is_empty() {
        let names = facts.not_valid_in_source.join(", ");
        notes.push(format!("not valid in the source either, so not checked: {names}"));
    }
}

fn judge_indexes(facts: &IndexFacts, reasons: &mut Vec<String>, notes: &mut Vec<String>) {
    reasons.extend(facts.damaged.iter().map(|name| format!("index {name} does not agree with its table")));
    reasons.extend(facts.invalid.iter().map(|name| format!("index {name} is not valid")));
    if !facts.amcheck {
        notes.push(
            "no index was checked: the server has no extension amcheck (postgresql-contrib)".to_owned(),
        );
    } else if facts.not_checked > 0 {
        notes.push(format!("{} indexes are of kinds that amcheck does not know", facts.not_checked));
    }
}

fn judge_canaries(facts: &CanaryFacts, reasons: &mut Vec<String>) {
    for file in &facts.erased_found_in {
        reasons.push(format!("{file} holds something of an erased test person"));
    }
    // A search that finds nothing at all shows nothing.
    if facts.living == 0 {
        reasons.push("the search for canaries has no positive control: name living ones".to_owned());
    } else if facts.living_found < facts.living {
        reasons.push(format!(
            "the search for canaries found {} of the {} test people who are there, so it shows nothing of the others",
            facts.living_found, facts.living
        ));
    }
}

fn judge_source(facts: &SourceFacts, notes: &mut Vec<String>) {
    if let Some(problem) = &facts.unreachable {
        notes.push(format!("not compared with the live source: {problem}"));
    }
    for table in facts.tables.iter().filter(|table| table.differs(facts.tolerance_percent)) {
        notes.push(match table.source {
            Some(source) => {
                let about = if table.estimated { "about " } else { "" };
                format!("{}: {} rows here, {about}{source} in the source", table.table, table.found)
            }
            None => format!("{}: not in the source any more", table.table),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> DrillFacts {
        DrillFacts {
            tables: vec![TableFacts {
                table: "public.users".to_owned(),
                manifest: 10,
                read: 10,
                loaded: 8,
                dropped: 2,
                changed: 0,
                found: 8,
            }],
            constraints: Some(ConstraintFacts { valid: 3, ..ConstraintFacts::default() }),
            indexes: Some(IndexFacts { amcheck: true, checked: 2, ..IndexFacts::default() }),
            checks: vec![CheckFacts { name: "a".to_owned(), outcome: CheckOutcome::Met }],
            canaries: Some(CanaryFacts { erased: 1, living: 1, living_found: 1, ..CanaryFacts::default() }),
            ..DrillFacts::default()
        }
    }

    #[test]
    fn a_drill_passes_only_if_nothing_speaks_against_it() {
        assert_eq!(DrillVerdict::of(&good()), DrillVerdict { passed: true, reasons: vec![], notes: vec![] });
        let broken: [fn(&mut DrillFacts); 15] = [
            |facts| facts.tables[0].manifest = 11,
            |facts| facts.tables[0].read = 9,
            |facts| facts.tables[0].loaded = u64::MAX,
            |facts| facts.tables[0].dropped = 1,
            |facts| facts.tables[0].found = 10,
            |facts| facts.constraints = None,
            |facts| {
                facts.constraints =
                    Some(ConstraintFacts { not_valid: vec!["k".to_owned()], ..ConstraintFacts::default() })
            },
            |facts| facts.indexes = None,
            |facts| {
                facts.indexes = Some(IndexFacts { damaged: vec!["i".to_owned()], ..IndexFacts::default() })
            },
            |facts| facts.checks[0].outcome = CheckOutcome::Different,
            |facts| facts.checks[0].outcome = CheckOutcome::Failed("no".to_owned()),
            |facts| facts.canaries = Some(CanaryFacts { erased: 1, ..CanaryFacts::default() }),
            |facts| {
                facts.canaries = Some(CanaryFacts { living: 2, living_found: 1, ..CanaryFacts::default() })
            },
            |facts| {
                let found = vec!["base/1/2".to_owned()];
                facts.canaries = Some(CanaryFacts {
                    living: 1,
                    living_found: 1,
                    erased_found_in: found,
                    ..CanaryFacts::default()
                });
            },
            |facts| facts.left_behind = Some("/tmp/x".to_owned()),
        ];
        for (number, damage) in broken.iter().enumerate() {
            let mut facts = good();
            damage(&mut facts);
            let verdict = DrillVerdict::of(&facts);
            assert!(!verdict.passed && !verdict.reasons.is_empty(), "{number}");
        }
    }

    #[test]
    fn a_drill_that_could_not_run_has_failed() {
        let failure = DrillFailure {
            stage: "place".to_owned(),
            problem: "no server".to_owned(),
            exit_code: 1,
            objections: vec!["a".to_owned()],
        };
        let verdict = DrillVerdict::of(&DrillFacts { failure: Some(failure), ..DrillFacts::default() });
        assert_eq!((verdict.passed, verdict.reasons.len()), (false, 2));
    }

    #[test]
    fn what_the_source_says_decides_nothing() {
        let table = |found, source| SourceTable { table: "t".to_owned(), found, source, estimated: false };
        assert!(!table(100, Some(105)).differs(5));
        assert!(table(100, Some(106)).differs(5));
        assert!(!table(0, Some(0)).differs(0));
        assert!(table(u64::MAX, Some(0)).differs(99));
        let tables = vec![table(1, Some(1000)), table(1, None)];
        let source = SourceFacts { tables, tolerance_percent: 5, unreachable: Some("away".to_owned()) };
        let verdict = DrillVerdict::of(&DrillFacts { source: Some(source), ..good() });
        assert_eq!((verdict.passed, verdict.notes.len()), (true, 3));
    }
}
