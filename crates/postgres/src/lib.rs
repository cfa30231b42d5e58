//! One PostgreSQL server: connect, read the catalog, copy rows out under one snapshot, copy rows in.
//!
//! Nothing here knows of stores, chunks or erasures. Errors never carry what the server says about rows: see [`Error`].

pub mod capture;
pub mod catalog;
mod connect;
mod connection_string;
mod copy_in;
mod copy_out;
mod error;
mod exported_snapshot;
pub mod facts;
pub mod large_objects;
pub mod leads;
mod passfile;
pub mod pg_dump;
pub mod private_server;
mod programs;
pub mod sample;
mod server_info;
mod settings;
mod tls;
pub mod values;

pub use connect::{Purpose, Server};
pub use copy_in::CopyIn;
pub use copy_out::{BlockRange, CopyOut, blocks, copy_format};
pub use error::{Error, Recovery, ServerError};
pub use exported_snapshot::ExportedSnapshot;
pub use server_info::ServerInfo;
pub use settings::{ConnectionSettings, SettingsError, TlsMode};
pub use tokio_postgres;
