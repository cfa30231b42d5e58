//! The whole program against real servers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// People whose rows stay, and are overwritten.
mod anonymise;
/// The log of what was done: writers at once, failures, two stores.
mod audit;
/// Nothing of an erased person in any file of the target.
mod canary;
/// Deletions that the source database reports itself.
mod capture;
/// Columns that are erased as a whole.
mod columns;
/// Columns that may refer to a person.
mod coverage;
/// What tells of rows that are gone.
mod derived;
/// Keys within arrays, documents and texts.
mod embedded;
/// Random schemas against the oracle.
mod equality;
/// One of every kind of object and of every type.
mod everything;
/// One operation or round trip fails, each in its turn.
mod fail_at_n;
/// Stores that somebody has prepared.
mod hostile;
/// Ids that were given to somebody else, and ids that never will be.
mod id_reuse;
/// Who can open a repository.
mod keys;
/// Large objects, with the rows that they belong to.
mod large_objects;
/// Erasures that arrive while a restore is under way.
mod late;
/// Ledgers that cannot be trusted.
mod ledger;
/// Security labels that are read as masks.
mod mask_labels;
/// Masked values that hold keys of others.
mod masked_keys;
/// Masks of every type.
mod masks;
/// What cannot be decided exactly.
mod objections;
/// A few subjects restored alone.
mod only;
/// A real server, by `make test-s3`.
mod real_s3;
/// References that are no foreign keys.
mod references;
/// What was done, as evidence.
mod reports;
/// Stores that are where data may not be, and stores that do what real ones do.
mod residency;
/// Somebody who comes back by another way than the restore.
mod resurrection;
/// A year of snapshots, pruners and restores, with crashes.
mod retention;
/// Through S3, and databases that other programs made.
mod s3;
/// Erased people in the text of the schema.
mod schema_text;
/// A copy of everything in a second store.
mod second_store;
/// A database that nobody here made: a music shop with customers, employees and invoices.
mod shop;
/// Random interleavings of everything that writes to a repository, with crashes.
mod simulation;
mod staging;
/// A store that throttles, resets and loses answers.
mod store_faults;
/// A target that crashes, loses connections, is full or has none left.
mod target_faults;
/// Customers of a company that serves many.
mod tenants;
/// Servers that lack something, chunks that are missing, rows that broke their key before.
mod unfit;
/// Checking what is stored without restoring it.
mod verify;
