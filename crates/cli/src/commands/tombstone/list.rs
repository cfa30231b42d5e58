//! `lethe tombstone list`: numbers, kinds, subjects and counts, never a key.

use jiff::Timestamp;
use lethe_engine::{ledger, prune};
use lethe_format::ledger::Seq;
use lethe_rules::ledger::expired;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, age, count};
use crate::settings::Settings;

pub(super) async fn list(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let headers = ledger::headers(&repository).await?;
    // Which snapshots are older than an entry can be told only with the naming key.
    let snapshots: Option<Vec<Seq>> = if repository.has_naming_key() {
        let stored = prune::stored_snapshots(&repository).await?;
        Some(stored.into_iter().map(|snapshot| snapshot.ledger.before).collect())
    } else {
        None
    };
    let expired = expired(&headers);
    output.say(format!(
        "{:>8}  {:<20}  {:>5}  {:<11} {:>12}  {:<28}  needed by",
        "entry", "at", "age", "kind", "keys", "subject"
    ));
    let now = Timestamp::now();
    for header in &headers {
        let keys = header.body.map(|body| body.count);
        let subject = header.subject.as_ref().map(ToString::to_string).unwrap_or_default();
        let older = snapshots.as_ref().map(|seqs| seqs.iter().filter(|seq| **seq < header.seq).count());
        let is_expired = expired.contains(&header.seq);
        let needed = match (keys, older) {
            (None, _) => String::new(),
            _ if is_expired => "expired".to_owned(),
            (_, None) => "?".to_owned(),
            (_, Some(0)) if header.settled => "nobody: lethe prune lets it go".to_owned(),
            (_, Some(0)) => "newer snapshots, until the deletion is seen".to_owned(),
            (_, Some(older)) => format!("{older} snapshots"),
        };
        output.say(format!(
            "{:>8}  {:<20}  {:>5}  {:<11} {:>12}  {subject:<28}  {needed}{}",
            header.seq,
            header.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            age(now, header.at),
            header.kind.to_string(),
            keys.map(count).unwrap_or_default(),
            if header.request.is_some() { "  (with a request)" } else { "" }
        ));
        output.item(
            "entry",
            &json!({"seq": header.seq, "at": header.at, "kind": header.kind, "keys": keys, "subject": subject, "request": header.request.is_some(), "settled": header.settled, "expired": is_expired, "needed_by_snapshots": older}),
        );
    }
    output.summary("tombstone", &json!({"entries": headers.len()}));
    Ok(())
}
