//! The flows: what a command does, stage by stage, one file a stage.
//!
//! ```text
//! snapshot:  snapshot/  extract → encode → upload → commit                       (manifest last)
//! restore:   restore/   preflight → plan → fetch → decode → filter → load → finish → cut_over → verify
//!                       (late: what a late erasure takes back, and once more from load)
//! capture:   capture/   install, run
//! drill:     drill/     place → restore → check → canaries → place (removed), and the evidence
//! prune:     prune/     survey → manifests → documents → chunks → leftovers → ledger → proof
//! copy:      copy/      place → ledger → documents → snapshots                   (into a second store)
//! audit:     audit/     log (begin, end) → checkpoint; read → export
//! verify:    verify/    ledger → documents → listing → data → affected
//! ```
//!
//! What is decided lies in `lethe-rules`, what is written down in `lethe-format`; this crate moves bytes between a
//! store and a server, in an order that survives a crash at any point.

mod age_file;
pub mod audit;
pub mod capture;
mod clock;
pub mod copy;
pub mod coverage;
pub mod doctor;
pub mod drill;
mod error;
pub mod health;
pub mod holds;
pub mod key_ring;
mod keys;
pub mod leases;
pub mod ledger;
mod local_file;
mod objects;
pub mod progress;
pub mod prune;
pub mod reports;
pub mod repository;
pub mod residency;
pub mod restore;
pub mod sealed_identity;
pub mod snapshot;
pub mod verify;

pub use age::x25519::Recipient;
pub use error::{Error, ExitCode};
pub use keys::{Identities, Keys, NamingKey, write_new, write_secret};
pub use local_file::replace_file;
pub use repository::{Repository, Stores};
