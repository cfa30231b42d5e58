//! Objects in a bucket: one small trait, two places to keep them, one wrapper for bad days, one for
//! forbidden places.
//!
//! [`ObjectStore`] is what Lethe asks of a store: whole immutable objects, bounded-memory reads, listings in order, and
//! above all an atomic *put if absent*, on which the ledger and every "written last" promise rest. [`S3Store`] speaks
//! to Amazon S3 and everything like it, [`DirectoryStore`] to a local directory. [`ResilientStore`] wraps either, retries,
//! resumes and limits; [`GuardedStore`] wraps that, and refuses a store that is where it may not be. They implement the
//! same trait, which is why none of its methods has a default: a wrapper cannot forget one.
//!
//! [`KmsKey`] speaks to the key service of the same provider.
//!
//! A store knows nothing of snapshots, ledgers or keys; what it is given is already encrypted.

mod absent;
mod bucket_facts;
mod directory;
mod error;
mod guarded;
mod kms;
mod object_name;
mod object_store;
mod open;
mod pages;
mod probe;
mod resilient;
mod s3;

pub use absent::AbsentStore;
pub use bucket_facts::{
    Address, BucketFacts, Destination, EventTargets, LifecycleRule, Told, Versioning, WaysOut,
};
pub use directory::DirectoryStore;
pub use error::{Error, Operation};
pub use guarded::{Guard, GuardedStore};
pub use kms::{Context, KmsKey, KmsSettings};
pub use object_name::ObjectName;
pub use object_store::{
    BATCH, Doomed, NotDeleted, ObjectInfo, ObjectReader, ObjectStore, Page, UploadInfo, VersionInfo,
};
pub use open::{StoreUrl, open, open_with};
pub use pages::uploads;
pub use probe::{PROBE, probe};
pub use resilient::{ResilientStore, RetryPolicy, retries};
pub use s3::{Checksums, S3Settings, S3Store, StoreEncryption};
