//! The list: every finding as it comes, and what the command ends with.

use lethe_engine::ExitCode;
use lethe_rules::doctor::{Finding, Verdict};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug)]
pub(super) struct List<'a> {
    output: &'a Output,
    findings: Vec<Finding>,
    /// What is where it may not be, with the way out.
    forbidden: Option<(String, Option<String>)>,
}

impl<'a> List<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, findings: Vec::new(), forbidden: None }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let word = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Wrong => "WRONG",
            Verdict::Unknown => "unknown",
        };
        self.output.say(format!("{word:<8} {}: {}", finding.check, finding.what));
        if let Some(advice) = &finding.advice {
            advice.lines().for_each(|line| self.output.say(format!("         {line}")));
        }
        self.output.item("check", &finding);
        self.findings.push(finding);
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// What came of a check, or that it could not be made, which somebody must look into: what is not known is not taken for fine.
    pub(super) fn tried(&mut self, check: &'static str, found: Result<Finding, Failure>) {
        match found {
            Ok(finding) => self.add(finding),
            Err(failure) => self.failed(check, failure),
        }
    }

    pub(super) fn failed(&mut self, check: &'static str, failure: Failure) {
        let what = failure.in_one_line();
        let hint = failure.hint.unwrap_or_else(|| "see docs/OPERATIONS.md".to_owned());
        if failure.code == ExitCode::Residency {
            self.forbid(check, what, hint);
        } else {
            self.add(Finding::wrong(check, what, hint));
        }
    }

    /// Something is where data may not be.
    pub(super) fn forbid(&mut self, check: &'static str, what: String, advice: String) {
        self.forbidden.get_or_insert_with(|| (what.clone(), Some(advice.clone())));
        self.add(Finding::wrong(check, what, advice));
    }

    pub(super) fn is_allowed(&self) -> bool {
        self.forbidden.is_none()
    }

    /// What is wrong decides; where data is counts first.
    pub(super) fn end(self, profile: &str) -> Result<(), Failure> {
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (ok, warnings) = (count(Verdict::Ok), count(Verdict::Warning));
        let (wrong, unknown) = (count(Verdict::Wrong), count(Verdict::Unknown));
        let summary: Value =
            json!({"profile": profile, "ok": ok, "warnings": warnings, "wrong": wrong, "unknown": unknown});
        self.output.say(format!("{ok} ok, {warnings} warnings, {wrong} wrong, {unknown} not looked at"));
        let (code, (what, advice)) = match self.forbidden {
            Some(forbidden) => (ExitCode::Residency, forbidden),
            None => match self.findings.into_iter().find(|finding| finding.verdict == Verdict::Wrong) {
                Some(finding) => (ExitCode::Failed, (finding.what, finding.advice)),
                None => {
                    self.output.summary("doctor", &summary);
                    return Ok(());
                }
            },
        };
        let more = if wrong > 1 {
            format!(" (and {} more are wrong: see the list)", wrong - 1)
        } else {
            String::new()
        };
        let failure = Failure { code, hint: advice, ..Failure::failed(format!("{what}{more}")) };
        Err(failure.with_summary("doctor", &summary))
    }
}
