//! What was typed: flags and nothing derived from them. The help texts are part of the documentation.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use lethe_engine::verify::Part;
use lethe_format::ids::{EventId, SnapshotId};
use lethe_rules::objection::Code;
use lethe_rules::target_label::TargetLabel;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage: a flag, a setting, an id or a subject
  3  refused: the objections are listed, nothing was written
  4  the ledger is missing, stale or does not verify, nothing was written
  5  residency: a store or a server is where data may not be, or does not say where it is
  6  stored data is damaged or missing
  7  a verification or a drill failed
  8  something older than 35 days remains; it is named, with what to do
  9  interrupted: run it again as the hint says";

/// Backups of PostgreSQL whose restores keep erased people erased.
///
/// Settings come from flags, then from LETHE_* variables, then from lethe.toml. Servers are named by URL or by libpq's
/// PG* variables; passwords by PGPASSWORD or ~/.pgpass, never on the command line.
#[derive(Debug, Parser)]
#[command(name = "lethe", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The repository: s3://bucket/prefix or file:///directory
    #[arg(long, global = true, env = "LETHE_STORE", value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Use the second store of lethe.toml as the repository: for the day on which the first one is gone
    #[arg(long, global = true, conflicts_with = "store")]
    pub(crate) second: bool,
    /// Who does this, for the audit log [default: the user on this machine]
    #[arg(long, global = true, env = "LETHE_OPERATOR", value_name = "WHO")]
    pub(crate) operator: Option<String>,
    /// The reference of the instruction to do this, such as a ticket: encrypted in the audit log, and as a keyed hash in the ledger
    #[arg(long, global = true, value_name = "REF")]
    pub(crate) request: Option<String>,
    /// The settings file
    #[arg(long, global = true, env = "LETHE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What is printed: text for people, or JSON lines of which the last has "type":"summary"
    #[arg(long, global = true, value_enum, default_value_t = OutputFormat::Human)]
    pub(crate) output: OutputFormat,
    /// Print nothing but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Serve the numbers of this run at /metrics while it lasts: a port on this machine, or address:port
    #[arg(long, global = true, env = "LETHE_METRICS_LISTEN", value_name = "ADDR", value_parser = crate::live::listen::address)]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Leave the numbers of this run in this file when it has ended, for the textfile collector of node_exporter
    #[arg(long, global = true, env = "LETHE_METRICS_TEXTFILE", value_name = "FILE")]
    pub(crate) metrics_textfile: Option<PathBuf>,
    /// Send spans by stage to this OpenTelemetry collector, as OTEL_EXPORTER_OTLP_ENDPOINT does
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) otlp: Option<String>,
    /// Do not show how far it is (a bar on a terminal, elsewhere a line every 30 seconds)
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum OutputFormat {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a repository in an empty store, its keys and lethe.toml
    ///
    /// Writes lethe.key (the identity that opens backups: keep a copy where the store's owner cannot reach it),
    /// lethe.naming-key (needed on hosts that take snapshots) and lethe.toml, all readable by you alone.
    #[command(after_help = EXIT_CODES)]
    Init(Init),
    /// Take a snapshot of a database
    #[command(after_help = EXIT_CODES)]
    Snapshot(Snapshot),
    /// List the snapshots: id, age, expiry, size, what keeps them, the last drill
    ///
    /// Ends with 1 if the newest is older than twice [schedule] snapshot_every of lethe.toml.
    #[command(after_help = EXIT_CODES)]
    Snapshots,
    /// The ledger of erased people: add, list, verify, revoke, heartbeat, capture
    #[command(subcommand, after_help = EXIT_CODES)]
    Tombstone(Tombstone),
    /// Restore a snapshot into an empty database, without the people on the ledger
    ///
    /// Nothing is written before the ledger has verified and every objection is cleared away. Until the end nobody else
    /// can connect to the database. An interrupted restore is continued by running it again.
    #[command(after_help = EXIT_CODES)]
    Restore(Restore),
    /// Check what is stored: ledger, manifests, and that every chunk is there; with --read-data every byte and row
    ///
    /// Without --read-data only documents are read, and one listing of the store says whether everything is there. With
    /// it each chunk is fetched once and goes through the stages of a restore: checksum, decryption, decompression, rows.
    /// --read-data=3/7 reads the third of seven parts of all chunks, so that seven nights read everything once.
    ///
    /// A host without an identity checks what it can, and says what it did not.
    ///
    /// Ends with 6 if stored data is damaged or missing, with 4 if it is the ledger; says which tables of which snapshots
    /// are affected.
    #[command(after_help = EXIT_CODES)]
    Verify(Verify),
    /// Restore into a server that is thrown away, check what came of it, and keep the result as evidence
    ///
    /// Starts a PostgreSQL of its own from the programs on this machine, in a folder and on a socket that nobody else can
    /// reach, and removes it afterwards, whatever happened. What a drill that was killed has left is removed by the next.
    ///
    /// Checks: rows of each table against the snapshot; every constraint; every index with amcheck; that no erased key is
    /// in any table; canaries of test people in the server's files; and the [[drill.check]] assertions of lethe.toml.
    ///
    /// Ends with 7 if anything speaks against it, also if it could not run. Writes reports/drill/<id>.json either way.
    ///
    /// Examples:
    ///   lethe drill                                  the newest snapshot
    ///   lethe drill --pick random                    any of those that are kept
    ///   lethe drill --into postgres://drill@db/postgres   in a new database there
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Drill(Drill),
    /// Bring the copy in the second store up to date: ledger, keys, snapshots, evidence
    ///
    /// A snapshot does so by itself, and a tombstone goes to both stores; this brings what one of them could not, and fills a second
    /// store that is new. Copies what is stored as it is: needs the naming key, and no identity. Removes nothing: lethe prune
    /// prunes both stores.
    ///
    /// Ends with 4 if the second store's ledger has entries that the first one lacks, with 6 if something of a snapshot is missing or
    /// damaged in the first store.
    #[command(after_help = EXIT_CODES)]
    Copy(CopyArgs),
    /// List the columns that may refer to a person, and what says what becomes of them
    ///
    /// Suspects columns for their names, types and some of their values (how many are keys or e-mail addresses of somebody; no value
    /// is shown). Covered is what has a foreign key or a [[reference]], what goes with the person's row, and what [[not_personal]] rules
    /// out with a reason. What is left is open: a warning at each snapshot, and an objection at a restore.
    ///
    /// Ends with 1 if anything is open. Needs the subjects in lethe.toml.
    #[command(after_help = EXIT_CODES)]
    Coverage(Coverage),
    /// Print how the backups are, for Prometheus: ages, counts, the last drill and prune
    ///
    /// Times are given as they are, so that an alarm can compare them with its own clock (deploy/prometheus/alerts.yml). Reads listings and
    /// the newest reports; needs the naming key.
    #[command(after_help = EXIT_CODES)]
    Metrics(Metrics),
    /// Who can open the backups: list, add, remove, rewrap
    #[command(subcommand, after_help = EXIT_CODES)]
    Keys(Keys),
    /// Let go of what has had its time: snapshots after 34 days, what unfinished ones left, ledger entries
    ///
    /// Shows what would go and why; carries it out with --confirm, in every version, then lists again and writes a receipt.
    /// To be run daily: 35 days are the most that anything may stay. The last snapshot is never deleted silently: from the
    /// 35th day on it is an alarm (exit code 8) that says what to do.
    ///
    /// Ledger entries that were written ahead of the deletion can only be judged where the identity is at hand.
    #[command(after_help = EXIT_CODES)]
    Prune(Prune),
    /// Keep a snapshot beyond its time, with a reason, somebody who answers for it and an end
    ///
    /// The people who were erased since stay in it for as long; each step is reported (reports/hold).
    #[command(subcommand, after_help = EXIT_CODES)]
    Hold(Hold),
    /// What was done to personal data, by whom and on whose instruction: list, verify, export, certificate, new-key
    ///
    /// Every snapshot, restore, drill, prune, erasure, hold and change of keys is written down before it begins and when it has ended.
    /// Entries are chained; checkpoints over them are signed with the key that [audit] key_file of lethe.toml names.
    #[command(subcommand, after_help = EXIT_CODES)]
    Audit(Audit),
    /// A page to look at, to print and to hand to somebody: restore, drill, retention, residency
    ///
    /// One HTML file that needs no network, or the same facts as JSON. It goes to standard output, or to --out FILE.
    /// Changes nothing.
    #[command(subcommand, after_help = EXIT_CODES)]
    Report(Report),
    /// Check everything that can be wrong before a restore is needed; one list of findings, each with advice
    ///
    /// Stores: region, replication, versioning, locks, where logs, inventories and events go, whom the policy lets in, the
    /// clock, and twenty writers that race for one object. Keys: their files, and whether they open the newest snapshot. The
    /// ledger and the audit log: do they verify, have they what this host has seen. How old the newest snapshot, good drill
    /// and prune are. Whether lethe.toml speaks of what is there. Whether a drill could run here. With --from the capture,
    /// with --into the target. What cannot be told here is said. Writes nothing that stays.
    ///
    /// Ends with 5 if something is where data may not be, with 1 if anything is wrong; warnings alone are 0.
    #[command(after_help = EXIT_CODES)]
    Doctor(Doctor),
    /// Print what lets a shell complete the commands and flags of lethe
    ///
    /// Needs neither settings nor a repository.
    ///
    /// Examples:
    ///   lethe completions bash >/usr/share/bash-completion/completions/lethe
    ///   lethe completions zsh >/usr/share/zsh/vendor-completions/_lethe
    ///   lethe completions fish >/usr/share/fish/vendor_completions.d/lethe.fish
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Completions(Completions),
    /// Write the manual: one page for each command
    ///
    /// Needs neither settings nor a repository. Pages of the same names are replaced.
    ///
    /// Example:
    ///   lethe man /usr/local/share/man/man1
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Man(Man),
}

impl Command {
    /// What it is called, for numbers and spans.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Snapshot(_) => "snapshot",
            Self::Snapshots => "snapshots",
            Self::Tombstone(Tombstone::Capture(_)) => "capture",
            Self::Tombstone(_) => "tombstone",
            Self::Restore(_) => "restore",
            Self::Verify(_) => "verify",
            Self::Drill(_) => "drill",
            Self::Copy(_) => "copy",
            Self::Coverage(_) => "coverage",
            Self::Metrics(_) => "metrics",
            Self::Keys(_) => "keys",
            Self::Prune(_) => "prune",
            Self::Hold(_) => "hold",
            Self::Audit(_) => "audit",
            Self::Report(_) => "report",
            Self::Doctor(_) => "doctor",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Where to write the pages; made if it is not there
    pub(crate) directory: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// Encrypt to these age recipients instead of a new key (age1…; may be repeated)
    #[arg(long, value_name = "AGE")]
    pub(crate) recipient: Vec<String>,
    /// Keep the ledger in another store than the data, such as a bucket that was never versioned
    #[arg(long, value_name = "URL")]
    pub(crate) ledger_url: Option<String>,
    /// Where data may be: de (Germany) or eu (the European Union) [default: de]
    #[arg(long, value_name = "PROFILE")]
    pub(crate) residency: Option<String>,
    /// Where to write keys and settings
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Snapshot {
    /// The database: postgres://user@host/database
    #[arg(long, env = "LETHE_FROM", value_name = "URL", hide_env_values = true)]
    pub(crate) from: Option<String>,
    /// Connections that copy at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tombstone {
    /// Put people on the ledger
    ///
    /// Do this before the deletion is confirmed to anybody: from then on no restore brings them back.
    ///
    /// Examples:
    ///   lethe tombstone add --subject public.users --id 4711
    ///   lethe tombstone add --subject user --ids-file deleted.txt --request TICKET-12
    ///   psql -Atc 'select id from deletions' | lethe tombstone add --subject user --ids-file -
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Add(TombstoneKeys),
    /// Take people off the ledger again who were put there by mistake
    #[command(after_help = EXIT_CODES)]
    Revoke(TombstoneKeys),
    /// Put columns on the ledger: what they held does not come back, whoever it is about
    ///
    /// For data that is no longer collected. A restore leaves them empty, or writes what the [[mask]] of lethe.toml says for them.
    ///
    /// Example:
    ///   lethe tombstone erase-columns "public.users(phone, birthday)" --request TICKET-13
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    EraseColumns(EraseColumns),
    /// Take columns off the ledger again
    #[command(after_help = EXIT_CODES)]
    RevokeColumns(RevokeColumns),
    /// Show the entries: numbers, kinds, subjects and counts, never ids
    #[command(after_help = EXIT_CODES)]
    List,
    /// Read and verify the whole ledger
    #[command(after_help = EXIT_CODES)]
    Verify,
    /// Say that the ledger is alive: an entry without people
    ///
    /// For a scheduler, where [ledger] max_age is set and lethe tombstone capture run, which does the same, is not used.
    #[command(after_help = EXIT_CODES)]
    Heartbeat,
    /// Let the database itself report who was deleted
    #[command(subcommand, after_help = EXIT_CODES)]
    Capture(Capture),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Capture {
    /// Put an outbox and triggers for the subjects of lethe.toml into the source database
    ///
    /// Every deleted row of a subject's table, whatever application deletes it and by whatever statement, is then noted
    /// in the same transaction. Shows the SQL; carries it out with --confirm. May be run again at any time, and must be
    /// when subjects, key columns or partitions were added. What no trigger sees: DROP TABLE, and partitions that are
    /// dropped or detached.
    #[command(after_help = EXIT_CODES)]
    Install(CaptureChange),
    /// Take the outbox and the triggers away again
    #[command(after_help = EXIT_CODES)]
    Remove(CaptureChange),
    /// Bring what waits in the outbox to the ledger
    ///
    /// Needs no key that opens backups. Safe to kill at any moment: nobody is forgotten, and nobody is noted twice.
    #[command(after_help = EXIT_CODES)]
    Run(CaptureRun),
    /// Show what is installed, how many deletions wait and for how long
    ///
    /// Ends with 1 if the capture is missing, out of date, or lags behind by more than [capture] max_lag.
    #[command(after_help = EXIT_CODES)]
    Status(CaptureSource),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CaptureSource {
    /// The source database: postgres://user@host/database
    #[arg(long, env = "LETHE_FROM", value_name = "URL", hide_env_values = true)]
    pub(crate) from: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CaptureChange {
    #[command(flatten)]
    pub(crate) source: CaptureSource,
    /// Carry it out instead of only showing the SQL
    #[arg(long)]
    pub(crate) confirm: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CaptureRun {
    #[command(flatten)]
    pub(crate) source: CaptureSource,
    /// Go on until interrupted, looking every few seconds
    #[arg(long)]
    pub(crate) follow: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "N", default_value_t = 5, requires = "follow")]
    pub(crate) every: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Which snapshot: all, latest, or an id
    #[arg(long, value_name = "WHICH", default_value = "all")]
    pub(crate) snapshot: String,
    /// Fetch the chunks and look at every row: all of them, or the n-th of t parts
    #[arg(long, value_name = "N/T", num_args = 0..=1, require_equals = true, default_missing_value = "1/1")]
    pub(crate) read_data: Option<Part>,
    /// Chunks fetched at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Memory for chunks on their way, such as 256M or 1G
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Coverage {
    /// The database: postgres://user@host/database
    #[arg(long, env = "LETHE_FROM", value_name = "URL", hide_env_values = true)]
    pub(crate) from: Option<String>,
    /// Print rules for the open columns, to be put into lethe.toml by somebody who knows
    #[arg(long)]
    pub(crate) suggest: bool,
    /// Print masks for the columns that a staging database may not hold as they are, to be put into lethe.toml by somebody who knows
    #[arg(long, conflicts_with = "suggest")]
    pub(crate) suggest_masks: bool,
    /// Judge by names and types alone
    #[arg(long)]
    pub(crate) no_values: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Look at the live database too: [[reference]] and the like, the capture of deletions. Alone, the one that lethe.toml names
    #[arg(long, env = "LETHE_FROM", value_name = "URL", hide_env_values = true, num_args = 0..=1, default_missing_value = "")]
    pub(crate) from: Option<String>,
    /// Look at a server to restore to: everything that a restore of the newest snapshot would object to
    #[arg(long, env = "LETHE_INTO", value_name = "URL", hide_env_values = true)]
    pub(crate) into: Option<String>,
    /// What that one is for, as for lethe restore
    #[arg(long, env = "LETHE_LABEL", value_name = "LABEL")]
    pub(crate) label: Option<TargetLabel>,
    /// Where drills make their servers [default: work_dir under [drill], else the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// The folder with PostgreSQL's programs, for drills
    #[arg(long, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
    /// Keep what was found as evidence (reports/residency); needs the naming key
    #[arg(long)]
    pub(crate) record: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Metrics {
    /// Write to this file in one step, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE")]
    pub(crate) textfile: Option<PathBuf>,
    /// Serve it at /metrics until interrupted, looking again at most once a minute: a port on this machine, or address:port
    #[arg(long, value_name = "ADDR", conflicts_with = "textfile", value_parser = crate::live::listen::address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where drills on this machine make their servers: what killed ones have left is counted [default: as for lethe drill]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// Ask the source database how far the capture of deletions is
    #[arg(long)]
    pub(crate) capture: bool,
    /// The source database, for --capture: postgres://user@host/database
    #[arg(long, env = "LETHE_FROM", value_name = "URL", hide_env_values = true)]
    pub(crate) from: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CopyArgs {
    /// Chunks on their way at once [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Bring the ledger entries that were written to the second store while the first was away back to the first, and do nothing
    /// else
    #[arg(long, conflicts_with_all = ["jobs", "check"])]
    pub(crate) back: bool,
    /// Look also at the snapshots that the second store has, and copy again what it lacks of them
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Show the recipients, and which snapshots are encrypted to the newest data key
    #[command(after_help = EXIT_CODES)]
    List,
    /// Let somebody open the backups: everything that is stored, at once, and everything that will be
    ///
    /// Needs an identity. Nothing is encrypted again: one small object is written. Shows what would change; carries it
    /// out with --confirm.
    #[command(after_help = EXIT_CODES)]
    Add(KeysChange),
    /// Keep somebody out of what is written from now on
    ///
    /// Needs an identity. Makes a new data key, so the next snapshot uploads everything. What the removed recipient has
    /// read or copied before cannot be taken back; the keys of what is stored are not given to them any more. Shows what
    /// would change; carries it out with --confirm.
    #[command(after_help = EXIT_CODES)]
    Remove(KeysChange),
    /// Make a new data key for the same recipients, when one may have come to light
    ///
    /// Also removes what a change that was interrupted has left. Shows what would change; carries it out with --confirm.
    #[command(after_help = EXIT_CODES)]
    Rewrap(KeysRewrap),
    /// Let AWS KMS seal the identity that is at hand: then only whoever may use the key can open the backups
    ///
    /// Writes a file to be named under identity_kms in lethe.toml. What was sealed for one repository does not open another.
    #[command(after_help = EXIT_CODES)]
    Seal(KeysSeal),
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeysSeal {
    /// The key, by its ARN: arn:aws:kms:eu-central-1:111122223333:key/…
    #[arg(long, value_name = "ARN")]
    pub(crate) kms_key: String,
    /// Where to write it; must not be there
    #[arg(long, value_name = "FILE", default_value = "lethe.key.kms")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeysChange {
    /// An age recipient (age1…; may be repeated)
    #[arg(long, value_name = "AGE", required = true)]
    pub(crate) recipient: Vec<String>,
    /// Carry it out instead of only showing what would change
    #[arg(long)]
    pub(crate) confirm: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeysRewrap {
    /// Carry it out instead of only showing what would change
    #[arg(long)]
    pub(crate) confirm: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Prune {
    /// Carry it out instead of only showing what would go
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Let this snapshot go as well: the last one that has expired, or one whose index cannot be read (may be repeated)
    #[arg(long, value_name = "ID")]
    pub(crate) discard: Vec<SnapshotId>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Hold {
    /// Hold a snapshot until a day
    ///
    /// Example:
    ///   lethe hold add --snapshot 20261123T114905Z-6f3a1c --until 2027-02-01 --reason "court order 12" --approved-by legal
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Add(HoldAdd),
    /// Show the holds, also those that have ended
    #[command(after_help = EXIT_CODES)]
    List,
    /// End a hold before its time: the next prune lets the snapshot go if it has expired
    #[command(after_help = EXIT_CODES)]
    Remove(HoldRemove),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the actions, newest last: when, what, how it ended, who, on whose instruction
    ///
    /// Without an identity only what is not secret: when, what, and how it ended.
    #[command(after_help = EXIT_CODES)]
    List(AuditList),
    /// Check that nothing was changed: the whole log, or one export by itself
    ///
    /// Ends with 7 if anything is missing, changed or not signed by the log's key. Whoever was given an export needs nothing but the file
    /// and the public key.
    ///
    /// Examples:
    ///   lethe audit verify
    ///   lethe audit verify export.jsonl --public-key lethe.audit/5f0c…+1a2b3c4d+Ab…
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Verify(AuditVerify),
    /// Write a customer's part of the log, which proves by itself that it is part of the whole
    ///
    /// Holds what concerns that customer's data alone: no other customer, no employee, no id of a person. Needs an identity and the
    /// signing key. Without --tenant, all that any customer may read.
    #[command(after_help = EXIT_CODES)]
    Export(AuditExport),
    /// What can be certified to somebody who asked to be erased, by the reference of their request
    ///
    /// When they were erased, until when a backup may still hold them, and how often a backup was restored since.
    #[command(after_help = EXIT_CODES)]
    Certificate(AuditCertificate),
    /// Make the key that signs the log, and print its public half
    ///
    /// lethe init makes one. The secret half is for the hosts that act (for an export at least), the public one for everybody who
    /// verifies. Prints the public half of a key that is there already.
    #[command(after_help = EXIT_CODES)]
    NewKey(AuditNewKey),
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditList {
    /// Only what began at this day or time, or later
    #[arg(long, value_name = "DAY")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditVerify {
    /// An export; the whole log in the store if there is none
    pub(crate) file: Option<PathBuf>,
    /// The log's public key, known from elsewhere [default: that of lethe.toml]
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditExport {
    /// The customer, as it was given with --tenant, or as the key of the subject that [audit] tenant names
    #[arg(long, value_name = "K")]
    pub(crate) tenant: Option<String>,
    /// Lines of JSON that can be verified, or a page for people
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// The page's language
    #[arg(long, value_enum, default_value_t = ReportLanguage::En)]
    pub(crate) lang: ReportLanguage,
    /// Write it to this file, over what is there
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    Jsonl,
    Html,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditCertificate {
    #[command(flatten)]
    pub(crate) page: ReportPage,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditNewKey {
    /// Where to write it [default: [audit] key_file of lethe.toml]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// What a restore brought back, what it left out, and how long each stage took
    ///
    /// A restore leaves its report when it has verified. Ends with 2 if there is none with this id, with 6 if it is
    /// damaged.
    #[command(after_help = EXIT_CODES)]
    Restore(ReportOf),
    /// What a drill has shown, check by check, and how the last drills went
    ///
    /// Ends with 0 also for a drill that failed: the page says so. With 2 if there is none with this id, with 6 if its
    /// report is damaged.
    #[command(after_help = EXIT_CODES)]
    Drill(ReportOf),
    /// How old each snapshot is, what keeps it, and what the last prunes have done
    ///
    /// Decides as lethe prune does, with the rights of prune, and removes nothing. Of one store: the second one's is
    /// made with --second.
    #[command(after_help = EXIT_CODES)]
    Retention(ReportPage),
    /// Where the stores and servers are, and what lethe doctor finds about that
    ///
    /// With the rights of doctor. Ends with 5 if a store is where data may not be: then nothing more is asked of it.
    #[command(after_help = EXIT_CODES)]
    Residency(ReportPage),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReportOf {
    /// Which one, as it is called below reports/ [default: the newest]
    #[arg(value_name = "ID")]
    pub(crate) id: Option<EventId>,
    #[command(flatten)]
    pub(crate) page: ReportPage,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReportPage {
    /// A page for people, or the same facts for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub(crate) format: ReportFormat,
    /// The page's language; JSON has none
    #[arg(long, value_enum, default_value_t = ReportLanguage::En)]
    pub(crate) lang: ReportLanguage,
    /// Write it to this file, over what is there
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ReportFormat {
    Html,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ReportLanguage {
    En,
    Da,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HoldAdd {
    /// Which snapshot, by its id
    #[arg(long, value_name = "ID")]
    pub(crate) snapshot: SnapshotId,
    /// Until when: a day (its end, UTC) or a time
    #[arg(long, value_name = "DAY")]
    pub(crate) until: String,
    /// Why; stored as it is, so a case number rather than a name
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Who answers for it
    #[arg(long, value_name = "WHO", env = "LETHE_APPROVED_BY")]
    pub(crate) approved_by: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HoldRemove {
    /// A hold's id, from lethe hold list
    pub(crate) id: EventId,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TombstoneKeys {
    /// Who: a subject of lethe.toml, or schema.table, or schema.table(column, …)
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: String,
    /// A key; may be repeated. Values of a composite key are separated by tabs
    #[arg(
        long,
        value_name = "K",
        required_unless_present = "ids_file",
        conflicts_with = "ids_file",
        allow_hyphen_values = true
    )]
    pub(crate) id: Vec<String>,
    /// A file with one key a line, or - for standard input
    #[arg(long, value_name = "F")]
    pub(crate) ids_file: Option<PathBuf>,
    /// What happened to them
    #[arg(long, value_enum, default_value_t = TombstoneKind::Erased)]
    pub(crate) kind: TombstoneKind,
    /// Whose people they are, if customers are kept apart: as the customer is called in lethe audit export
    #[arg(long, value_name = "K")]
    pub(crate) tenant: Option<String>,
    /// They are gone from the database already: a snapshot that is taken from now on and still has such an id holds
    /// somebody else, and is refused instead of filtered
    #[arg(long)]
    pub(crate) already_deleted: bool,
    /// These are keys, though they look like names or e-mail addresses; the key column must be text
    #[arg(long)]
    pub(crate) confirm_ids: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EraseColumns {
    /// schema.table(column, …)
    #[arg(value_name = "COLUMNS")]
    pub(crate) columns: String,
    /// They are empty in the database already, or gone: snapshots that are taken from now on come back as they are
    #[arg(long)]
    pub(crate) already_deleted: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeColumns {
    /// schema.table(column, …)
    #[arg(value_name = "COLUMNS")]
    pub(crate) columns: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TombstoneKind {
    Erased,
    Anonymised,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Drill {
    /// Which snapshot: latest, an id, or @TIME for the newest one of that time or before
    #[arg(long, value_name = "WHICH", default_value = "latest", conflicts_with = "pick")]
    pub(crate) snapshot: String,
    /// Take any of the kept snapshots
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) pick: Option<DrillPick>,
    /// Instead of starting a server, make a database on this one and drop it afterwards; names a database to connect to first
    #[arg(long, value_name = "URL")]
    pub(crate) into: Option<String>,
    /// The folder with PostgreSQL's programs [default: the oldest fitting ones on the PATH or in /usr/lib/postgresql]
    #[arg(long, value_name = "DIR", conflicts_with = "into")]
    pub(crate) pg_bin: Option<PathBuf>,
    /// Where the server's folder is made; must have room for the database [default: the system's temporary folder]
    #[arg(long, value_name = "DIR", conflicts_with = "into")]
    pub(crate) work_dir: Option<PathBuf>,
    /// The live database: its counts are shown beside the restored ones, and decide nothing
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// Connections that load at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Memory for rows on their way, such as 256M or 1G
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Answer for an objection that is a matter of judgement: capture_lag, unknown_reference, unclassified,
    /// large_objects or schema_text
    #[arg(long, value_name = "CODE")]
    pub(crate) acknowledge: Vec<Acknowledged>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DrillPick {
    Random,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The database to restore into: empty, and owned by the user
    #[arg(long, env = "LETHE_INTO", value_name = "URL", hide_env_values = true)]
    pub(crate) into: String,
    /// What the database is for: production, drill, staging, or another name. All but the first two get masked data alone
    /// [default: what [[target]] or the database itself says]
    #[arg(long, env = "LETHE_LABEL", value_name = "LABEL")]
    pub(crate) label: Option<TargetLabel>,
    /// Which snapshot: latest, an id, or @TIME for the newest one of that time or before
    #[arg(long, value_name = "WHICH", default_value = "latest")]
    pub(crate) snapshot: String,
    /// Restore nothing but what belongs to this subject, and what that refers to; may be repeated. SUBJECT and KEY as for
    /// tombstone add, the values of a composite key with tabs between them
    #[arg(long, value_name = "SUBJECT=KEY")]
    pub(crate) only: Vec<String>,
    /// Show the plan and stop before the first write
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Connections that load at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Memory for rows on their way, such as 256M or 1G
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Let everything belong to the restoring role
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Leave out grants
    #[arg(long, alias = "no-privileges")]
    pub(crate) no_acl: bool,
    /// Act as this role, which then owns everything
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// Answer for an objection that is a matter of judgement: capture_lag, unknown_reference, unclassified,
    /// large_objects or schema_text
    #[arg(long, value_name = "CODE")]
    pub(crate) acknowledge: Vec<Acknowledged>,
    /// Accept a ledger older than [ledger] max_age if it has exactly this entry, known from elsewhere (a number and a
    /// hash as lethe tombstone verify prints them)
    #[arg(long, value_name = "SEQ:HASH")]
    pub(crate) known_head: Option<String>,
    /// How long to wait for a target that has gone away in the middle, before ending with 9
    #[arg(long, value_name = "TIME", default_value = "5 minutes")]
    pub(crate) patience: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Acknowledged {
    /// Deletions may not be on the ledger
    CaptureLag,
    /// A [[reference]] of lethe.toml is about what this snapshot does not have
    UnknownReference,
    /// Columns may refer to people, and nothing says what becomes of them
    Unclassified,
    /// Large objects are stored, and nothing says whose they are
    LargeObjects,
    /// The schema itself (a comment, a view, a name) names somebody who is erased
    SchemaText,
}

impl Acknowledged {
    pub(crate) fn code(self) -> Code {
        match self {
            Self::CaptureLag => Code::CaptureLag,
            Self::UnknownReference => Code::UnknownReference,
            Self::Unclassified => Code::Unclassified,
            Self::LargeObjects => Code::LargeObjects,
            Self::SchemaText => Code::SchemaText,
        }
    }
}
