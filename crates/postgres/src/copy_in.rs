use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use lethe_format::copy_binary;
use lethe_format::manifest::CopyFormat;
use lethe_format::sql::quote_ident;
use tokio_postgres::CopyInSink;

use crate::copy_out::format_name;
use crate::{Error, Server};

/// A COPY into one table under way.
///
/// The end of the data is an explicit message: if this is dropped before [`Self::finish`], the server rolls the COPY
/// back. Rows that were sent until then may still lie in its files, so only rows that may stay are ever sent.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    format: CopyFormat,
    table: String,
}

impl std::fmt::Debug for CopyIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CopyIn({})", self.table)
    }
}

impl CopyIn {
    /// `table` is in SQL form; `columns` are names as they are.
    pub async fn start<'a>(
        server: &Server,
        table: &str,
        columns: impl IntoIterator<Item = &'a str>,
        format: CopyFormat,
    ) -> Result<Self, Error> {
        let columns: Vec<String> = columns.into_iter().map(quote_ident).collect();
        let list = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let sql = format!("COPY {table}{list} FROM STDIN (FORMAT {})", format_name(format));
        let sink = server.client().copy_in(&sql).await.map_err(Error::server("copy rows into", table))?;
        let mut copy = Self { sink: Box::pin(sink), format, table: table.to_owned() };
        if format == CopyFormat::Binary {
            copy.send(Bytes::from_static(copy_binary::HEADER)).await?;
        }
        Ok(copy)
    }

    /// Sends rows, without header and trailer; a piece may end anywhere.
    pub async fn send(&mut self, rows: Bytes) -> Result<(), Error> {
        self.sink.feed(rows).await.map_err(Error::server("copy rows into", &self.table))
    }

    /// Ends the data and waits for the server's word: the number of rows that it has taken.
    pub async fn finish(mut self) -> Result<u64, Error> {
        if self.format == CopyFormat::Binary {
            self.send(Bytes::from_static(copy_binary::TRAILER)).await?;
        }
        self.sink.as_mut().finish().await.map_err(Error::server("copy rows into", &self.table))
    }
}
