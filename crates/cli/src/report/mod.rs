//! Reports for people: facts, and the page or the JSON that is made of them. Nothing here reads, waits or knows a clock.

mod audit;
mod certificate;
mod drill;
mod html;
mod numbers;
mod page;
mod plot;
mod residency;
mod restore;
mod retention;
mod words;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;

pub(crate) use audit::Exported;
pub(crate) use drill::{Drilled, PastDrill};
use lethe_rules::audit::Certificate;
use page::Page;
pub(crate) use residency::{Finding, Placed, StoreSeen, StoreUse, TargetSeen};
pub(crate) use restore::Restored;
pub(crate) use retention::{PastPrune, Retained};
pub(crate) use words::Language;

/// What a report is about.
#[derive(Debug, Serialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub(crate) enum Facts {
    Restore(Restored),
    Drill(Box<Drilled>),
    Retention(Retained),
    Residency(Placed),
    Audit(Exported),
    Certificate(Certificate),
}

/// A report: who made it from what, and the facts.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) made_at: Timestamp,
    /// The version of this program.
    pub(crate) program: &'static str,
    pub(crate) store: String,
    /// None where the repository was not opened.
    pub(crate) repository: Option<String>,
    #[serde(flatten)]
    pub(crate) facts: Facts,
}

impl Report {
    /// One page of HTML that needs nothing else: no network, no script, no font.
    pub(crate) fn page(&self, language: Language) -> String {
        let mut page = Page::new(language);
        match &self.facts {
            Facts::Restore(facts) => restore::write(facts, &mut page),
            Facts::Drill(facts) => drill::write(facts, &mut page),
            Facts::Retention(facts) => retention::write(facts, &mut page),
            Facts::Residency(facts) => residency::write(facts, &mut page),
            Facts::Audit(facts) => audit::write(facts, &mut page),
            Facts::Certificate(facts) => certificate::write(facts, &mut page),
        }
        page.close(self)
    }
}
