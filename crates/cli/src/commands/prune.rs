//! `lethe prune`.

use jiff::Timestamp;
use lethe_engine::prune;

use crate::args::Prune;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: Prune, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let plan = prune::plan(&repository).await?;
    let list = |seqs: &[u64]| seqs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let expiry = &plan.ledger;
    if expiry.expire.is_empty() && expiry.remove.is_empty() {
        output.say(format!("no ledger entry can go; {} are still needed", count(expiry.kept)));
    } else {
        let going: Vec<u64> = expiry.expire.iter().chain(&expiry.remove).copied().collect();
        output.say(format!("ledger entries that no stored snapshot needs any more: {}", list(&going)));
        output.say(format!("  {} entries are still needed", count(expiry.kept)));
    }
    if !expiry.unknown.is_empty() {
        output.say(format!(
            "  note: entries {} were written ahead of the deletion; whether it was carried out can only be told where the identity is, and for anonymised people not at all",
            list(&expiry.unknown)
        ));
    }
    if args.confirm {
        prune::carry_out(&repository, &plan, &settings.last_seen(&repository), Timestamp::now()).await?;
        output.say("done: their bodies are removed, and the chain still verifies");
    } else if !expiry.expire.is_empty() || !expiry.remove.is_empty() {
        output.say("nothing was removed: --confirm carries it out");
    }
    output.summary("prune", &serde_json::json!({"plan": plan, "carried_out": args.confirm}));
    Ok(())
}
