//! After a restore for masked data alone: are the values of masked columns in the target as they are stored?
//!
//! Of each masked table the first chunk is fetched again, and the first blocks of the table are read back, which is where its first rows lie. A mask
//! that does not work fails for all rows of a column, so that a sample finds it; what it costs does not grow with the tables.

use lethe_postgres::{BlockRange, Server};
use lethe_rules::anonymise::LookedUp;
use serde::{Deserialize, Serialize};

use super::Prepared;
use super::plan::rows;
use super::target::Target;
use super::verify::read_back;
use crate::progress::Progress;
use crate::{Error, objects};

/// What was compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MaskCheck {
    /// Rows that were read back.
    pub rows: u64,
    /// Stored values that were looked for.
    pub originals: u64,
    /// Values of masked columns that were read back and are none of them.
    pub values: u64,
    /// Stored values that were masked once more, for those of which few are possible, and how many came out as they were: by chance.
    pub made: u64,
    pub same: u64,
}

/// Of 8 KiB each, and about as many rows as may lie in them.
const BLOCKS: u32 = 512;
const ROWS: u64 = 50_000;

pub(super) async fn check(
    prepared: &Prepared,
    target: &Target,
    server: &Server,
    progress: &Progress,
) -> Result<MaskCheck, Error> {
    let filters = &prepared.plan.filters;
    let tables: Vec<_> =
        prepared.manifest.tables.iter().filter(|data| filters.masks_everybody(data.table)).collect();
    let mut check = MaskCheck::default();
    if tables.is_empty() {
        return Ok(check);
    }
    progress.stage("look for what was masked", tables.len() as u64);
    for data in tables {
        progress.advance(1);
        let (oid, Some(chunk)) = (data.table, data.chunks.first()) else { continue };
        let stored = rows(&prepared.repository, chunk).await?;
        let (filters, seeds) = (filters.clone(), target.seeds((oid, 0)));
        let snapshot = prepared.manifest.snapshot.clone();
        let failed = move |cause| Error::Filter { snapshot: snapshot.clone(), cause };
        let refused = failed.clone();
        let originals = objects::off_runtime({
            let filters = filters.clone();
            move || filters.originals(oid, &stored, ROWS, &seeds).map_err(refused)
        })
        .await?;
        let mut found = LookedUp::default();
        let range = BlockRange { start: 0, end: Some(BLOCKS) };
        read_back(prepared, server, oid, range, |table, rows| {
            filters.look_for(oid, &originals, rows, &mut found).map_err(&failed)?;
            let Some(position) = found.found.first() else { return Ok(()) };
            let column = data.columns.get(*position).and_then(|attnum| table.column(*attnum));
            let column = column.map_or("?", |column| column.name.as_str());
            Err(Error::Verification {
                object: table.name.to_string(),
                problem: format!("the column {column} is masked, and holds values as they are stored"),
                hint: "keep everybody away from this database, drop it, and tell the makers of Lethe",
            })
        })
        .await?;
        check.rows += found.rows;
        check.values += found.values;
        check.originals += originals.len() as u64;
        check.made += originals.made;
        check.same += originals.same;
    }
    Ok(check)
}
