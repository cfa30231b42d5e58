//! `lethe audit list`.

use jiff::Timestamp;
use lethe_engine::audit::read;
use lethe_format::audit::{Action, Audience, Internal};
use lethe_rules::audit::{Ending, stories};
use serde::Serialize;
use serde_json::json;

use crate::args::AuditList;
use crate::failure::Failure;
use crate::output::{Output, age, count};
use crate::settings::{Settings, time_or_day};

/// An action, for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    entry: u64,
    at: Timestamp,
    action: Action,
    audience: Audience,
    #[serde(flatten)]
    ending: Ending,
    /// None where the identity is not at hand.
    internal: Option<&'a Internal>,
}

pub(super) async fn run(settings: &Settings, args: &AuditList, output: &Output) -> Result<(), Failure> {
    let since =
        args.since.as_deref().map(|text| time_or_day(text, Ok)).transpose()?.unwrap_or(Timestamp::MIN);
    let repository = settings.open_repository().await?;
    let key = settings.audit_public_key(None, Some(&repository))?;
    let log = read(&repository, &settings.audit_last_seen(&repository), key.as_ref()).await?;
    let internal = |seq: u64| {
        let (_, opened) = log.entries.get(usize::try_from(seq).ok()?)?;
        opened.as_ref().map(|opened| &opened.internal)
    };
    let mut shown = 0;
    for story in stories(log.entries.iter().map(|(entry, _)| &entry.header)) {
        if story.began.at < since {
            continue;
        }
        shown += 1;
        let line = Line {
            entry: story.began.seq,
            at: story.began.at,
            action: story.began.action,
            audience: story.began.audience,
            ending: story.ending,
            internal: internal(story.last()),
        };
        output.say(told(&line));
        output.item("action", &line);
    }
    if shown == 0 {
        output.say("none");
    }
    output.summary("audit", &json!({"actions": shown, "entries": log.entries.len()}));
    Ok(())
}

fn told(line: &Line<'_>) -> String {
    let (took, how) = match line.ending {
        Ending::Done { at, .. } => (age(at, line.at), "done"),
        Ending::Failed { at, .. } => (age(at, line.at), "FAILED"),
        Ending::Open => ("-".to_owned(), "NO END: under way, or interrupted"),
    };
    let mut text =
        format!("{:>6}  {:.0}  {:<20} {took:>7}  {how}", line.entry, line.at, line.action.to_string());
    let Some(internal) = line.internal else { return text };
    text.push_str(&format!("  by {} on {}", internal.operator, internal.host));
    if let Some(request) = &internal.request {
        text.push_str(&format!("  for {request}"));
    }
    let facts = &internal.facts;
    let numbers = facts.counts.iter().map(|(name, number)| format!("{name} {}", count(*number)));
    let named = [
        facts.subject.as_ref().map(|subject| format!("subject {subject}")),
        facts.snapshot.as_ref().map(|id| format!("snapshot {id}")),
        facts.ledger.map(|seq| format!("ledger {seq}")),
        facts.reason.clone(),
    ];
    let all: Vec<String> = named.into_iter().flatten().chain(numbers).collect();
    for part in [all.join(", "), internal.loosened.join("; "), internal.problem.clone().unwrap_or_default()] {
        if !part.is_empty() {
            text.push_str(&format!("\n        {part}"));
        }
    }
    text
}
