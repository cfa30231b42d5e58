//! Where the stores and the servers are, and what speaks against it: what `lethe doctor` looks at.

use lethe_rules::residency::{Place, Profile, Provider};
use lethe_rules::target_label::TargetLabel;
use serde::Serialize;

use super::page::{Cell, Page, Said};
use super::restore::purpose_name;
use super::words::{Language, Words, fill, place_name};

#[derive(Debug, Serialize)]
pub(crate) struct Placed {
    pub(crate) profile: String,
    /// The codes of the places that it allows.
    pub(crate) allowed: Vec<&'static str>,
    pub(crate) stores: Vec<StoreSeen>,
    pub(crate) targets: Vec<TargetSeen>,
    pub(crate) findings: Vec<Finding>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreUse {
    Store,
    Ledger,
    Second,
    SecondLedger,
}

/// A store that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StoreSeen {
    #[serde(rename = "use")]
    pub(crate) purpose: StoreUse,
    pub(crate) url: String,
    /// Whether it could be looked at.
    pub(crate) answered: bool,
    /// The code of the place; none if it is on this machine.
    pub(crate) place: Option<&'static str>,
}

/// What the settings say of a server, and whether a restore may write to it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TargetSeen {
    pub(crate) host: String,
    pub(crate) place: String,
    pub(crate) purpose: TargetLabel,
    pub(crate) allowed: bool,
}

/// What somebody should look at, in the doctor's words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", content = "text", rename_all = "snake_case")]
pub(crate) enum Finding {
    /// It leads to where data may not be.
    Elsewhere(String),
    /// Whether it does is not known.
    Unknown(String),
    /// Anything else.
    Other(String),
}

impl Finding {
    fn text(&self) -> &str {
        match self {
            Self::Elsewhere(text) | Self::Unknown(text) | Self::Other(text) => text,
        }
    }
}

pub(super) fn write(facts: &Placed, page: &mut Page) {
    let (words, numbers, language) = (page.words, page.numbers, page.language);
    let is_elsewhere = facts.findings.iter().any(|finding| matches!(finding, Finding::Elsewhere(_)))
        || facts.targets.iter().any(|target| !target.allowed);
    let verdict = match facts.findings.len() {
        _ if is_elsewhere => words.placed_elsewhere.to_owned(),
        0 => words.placed_well.to_owned(),
        count => fill(words.placed_with_findings, &[&numbers.size(count)]),
    };
    page.head(
        words.residency_title,
        words.residency_lead,
        facts.findings.is_empty() && !is_elsewhere,
        verdict,
    );
    page.heading(words.profile_heading);
    page.say(match facts.profile.parse::<Profile>() {
        Ok(Profile::Eu) => words.profile_eu,
        _ => words.profile_de,
    });
    let allowed: Vec<Said> = facts.allowed.iter().map(|code| Said::new(place(code, language))).collect();
    page.items(&allowed);
    page.heading(words.stores);
    let row = |store: &StoreSeen| {
        let known = store.place.and_then(lethe_rules::residency::place);
        vec![
            Cell::text(use_name(words, store.purpose)),
            Cell::name(&store.url),
            match (store.answered, store.place) {
                (false, _) => Cell::text(words.did_not_answer),
                (true, None) => Cell::text(words.on_this_machine),
                (true, Some(code)) => Cell::Text(place(code, language)),
            },
            known.map_or(Cell::Nothing, |place| Cell::text(provider(place))),
        ]
    };
    let rows: Vec<Vec<Cell>> = facts.stores.iter().map(row).collect();
    page.table(
        words.stores_table,
        &[words.used_for, words.address, words.place, words.provider],
        &rows,
        None,
    );
    page.heading(words.looked_at);
    page.say(words.looked_at_text);
    let of_all = [words.look_endpoint, words.look_region, words.look_replication, words.look_key];
    let of_all = of_all.into_iter().chain([
        words.look_versions,
        words.look_lifecycle,
        words.look_ways_out,
        words.look_policy,
    ]);
    page.items(&of_all.map(Said::new).collect::<Vec<_>>());
    page.remark(words.not_looked_at);
    page.heading(words.targets);
    if facts.targets.is_empty() {
        page.say(words.no_target);
    } else {
        let row = |target: &TargetSeen| {
            let text = if target.allowed { words.allowed } else { words.not_allowed };
            vec![
                Cell::name(&target.host),
                Cell::Text(place(&target.place, language)),
                Cell::text(purpose_name(words, &target.purpose)),
                Cell::Verdict { good: target.allowed, text: text.to_owned() },
            ]
        };
        let rows: Vec<Vec<Cell>> = facts.targets.iter().map(row).collect();
        page.table(
            words.targets_table,
            &[words.server, words.place, words.label, words.by_the_profile],
            &rows,
            None,
        );
    }
    page.heading(words.findings);
    if facts.findings.is_empty() {
        page.say(words.no_finding);
        return;
    }
    page.say(words.findings_text);
    let said = |finding: &Finding| {
        let kind = match finding {
            Finding::Elsewhere(_) => words.finding_elsewhere,
            Finding::Unknown(_) => words.finding_unknown,
            Finding::Other(_) => words.finding_other,
        };
        Said::quoting(kind, finding.text())
    };
    page.items(&facts.findings.iter().map(said).collect::<Vec<_>>());
}

/// A code with what it is called, if it is on the list.
fn place(code: &str, language: Language) -> String {
    place_name(language, code).map_or_else(|| code.to_owned(), |name| format!("{code} ({name})"))
}

fn use_name(words: &Words, purpose: StoreUse) -> &'static str {
    match purpose {
        StoreUse::Store => words.use_store,
        StoreUse::Ledger => words.use_ledger,
        StoreUse::Second => words.use_second,
        StoreUse::SecondLedger => words.use_second_ledger,
    }
}

fn provider(place: &Place) -> &'static str {
    match place.provider {
        Provider::Amazon => "Amazon",
        Provider::Hetzner => "Hetzner",
    }
}
