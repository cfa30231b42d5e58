//! `lethe verify`.

use lethe_engine::progress::Progress;
use lethe_engine::restore::Wanted;
use lethe_engine::verify::{Finding, Kind, VerifyOptions, VerifyReport, verify};
use lethe_engine::{ExitCode, Repository};
use lethe_format::audit::{Action, Facts};

use super::audited::{audited, with_all};
use crate::args::Verify;
use crate::failure::Failure;
use crate::output::{Output, bytes, count};
use crate::progress_bar;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: Verify, output: &Output) -> Result<(), Failure> {
    let options = VerifyOptions {
        snapshot: wanted(&args.snapshot)?,
        read_data: args.read_data,
        jobs: settings.jobs(args.jobs)?,
        memory: settings.memory(args.memory.as_deref())?,
    };
    let repository = settings.open_repository().await?;
    let work = look(settings, &repository, &options, output);
    if options.read_data.is_some() && repository.has_identities() {
        audited(settings, &repository, with_all(Action::Verify), Box::pin(work)).await
    } else {
        work.await.map(|_| ())
    }
}

async fn look(
    settings: &Settings,
    repository: &Repository,
    options: &VerifyOptions,
    output: &Output,
) -> Result<Facts, Failure> {
    let last_seen = settings.last_seen(repository);
    let progress = Progress::default();
    let flow = verify(repository, options, &last_seen, &progress);
    let report = progress_bar::show(output, &progress, flow).await?;
    say(&report, output);
    report.findings.iter().for_each(|finding| output.item("finding", finding));
    let code = report.exit_code();
    if code == ExitCode::Done {
        output.summary("verify", &report);
        let counts = [("chunks".to_owned(), report.chunks)];
        return Ok(Facts { counts: counts.into(), ..Facts::default() });
    }
    let failure = Failure { code, ..Failure::failed(format!("{} found", problems(report.findings.len()))) };
    Err(failure.hint(hint(code)).with_summary("verify", &report))
}

/// None means all of them.
fn wanted(text: &str) -> Result<Option<Wanted>, Failure> {
    match text {
        "all" => Ok(None),
        "latest" => Ok(Some(Wanted::Latest)),
        id => id.parse().map(|id| Some(Wanted::Id(id))).map_err(|_| {
            Failure::usage(format!("{id:?} is no snapshot"))
                .hint("write all, latest, or an id as lethe snapshots shows it")
        }),
    }
}

fn say(report: &VerifyReport, output: &Output) {
    let snapshots = report.snapshots.len();
    output.say(format!(
        "{} with {} chunks ({})",
        if snapshots == 1 {
            "1 snapshot".to_owned()
        } else {
            format!("{} snapshots", count(snapshots as u64))
        },
        count(report.chunks),
        bytes(report.stored_bytes)
    ));
    if let Some(head) = &report.ledger_head {
        output.say(format!("  ledger up to entry {}", head.seq));
    }
    match &report.read {
        Some(read) if read.plain_bytes > 0 => output.say(format!(
            "  read {} chunks ({}): {} rows, {}",
            count(read.chunks),
            bytes(read.stored_bytes),
            count(read.rows),
            bytes(read.plain_bytes)
        )),
        Some(read) => {
            output.say(format!("  read {} chunks ({})", count(read.chunks), bytes(read.stored_bytes)))
        }
        None => {}
    }
    if let Some(unnamed) = report.unnamed.filter(|unnamed| unnamed.chunks > 0) {
        output.say(format!(
            "  {} chunks ({}) belong to no snapshot: one was interrupted, or is being taken",
            count(unnamed.chunks),
            bytes(unnamed.bytes)
        ));
    }
    for finding in &report.findings {
        say_finding(finding, output);
    }
    report.not_checked.iter().for_each(|what| output.say(format!("  note: {what}")));
    output.say(format!("  {:.1} seconds", report.seconds));
    if report.findings.is_empty() {
        output.say("nothing is wrong with what was checked");
    }
}

fn say_finding(finding: &Finding, output: &Output) {
    let kind = match finding.kind {
        Kind::Ledger => "LEDGER",
        Kind::Missing => "MISSING",
        Kind::Damaged => "DAMAGED",
    };
    output.say(format!("  {kind} {}: {}", finding.object, finding.problem));
    for affected in &finding.affects {
        let tables = if affected.tables.is_empty() {
            String::new()
        } else {
            format!(": {}", affected.tables.join(", "))
        };
        output.say(format!("    affects snapshot {}{tables}", affected.snapshot));
    }
}

fn problems(number: usize) -> String {
    if number == 1 { "1 problem was".to_owned() } else { format!("{number} problems were") }
}

fn hint(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Ledger => {
            "nothing can be restored before the ledger verifies. Do not create a new one: it would forget who was erased"
        }
        _ => {
            "take a new snapshot now: what is still in the database is stored again. Then find out what happened to the store"
        }
    }
}
