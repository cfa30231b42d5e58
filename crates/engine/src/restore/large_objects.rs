//! Large objects: their pages go to the server as rows of a `COPY`, like all other data, never as parameters of a statement,
//! which a server may write into its log.

use std::collections::BTreeSet;

use bytes::Bytes;
use lethe_format::copy_binary;
use lethe_format::manifest::LargeObject;
use lethe_postgres::large_objects;
use lethe_rules::row_filter::Counts;

use super::Prepared;
use super::plan::rows;
use super::target::{Loaded, Target, record_chunk};
use crate::Error;

/// Chunks of large objects are recorded under table 0.
pub(super) async fn load(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    let stored = &prepared.manifest.large_objects;
    let done = target.restored_chunks().await?;
    let keep_owner = !prepared.options.no_owner && prepared.options.role.is_none();
    for (index, chunk) in
        stored.chunks.iter().enumerate().filter(|(index, _)| !done.contains_key(&(0, *index)))
    {
        let pages = Bytes::from(rows(&prepared.repository, chunk).await?);
        let begun = begun(&pages, &stored.objects)
            .map_err(|problem| Error::damaged(format!("chunk {index} of the large objects"), problem))?;
        // With the role that was asked for: recording a chunk gives it up.
        let server = target.worker().await?;
        server.run("BEGIN", "begin", "large objects").await?;
        for object in begun {
            let mut object = object.clone();
            if prepared.options.no_acl {
                object.grants.clear();
            }
            large_objects::create(&server, &object, keep_owner.then_some(object.owner.as_str())).await?;
        }
        large_objects::write(&server, pages).await?;
        let counts = Counts { read: chunk.rows, loaded: chunk.rows, ..Counts::default() };
        let record = record_chunk((0, index), &Loaded { counts, content: chunk.name.to_string() });
        server.run(&(record + "COMMIT"), "record a chunk of", "large objects").await?;
    }
    Ok(())
}

/// The objects whose first page is among these.
fn begun<'a>(pages: &[u8], known: &'a [LargeObject]) -> Result<Vec<&'a LargeObject>, String> {
    const COLUMNS: usize = 3;
    let (mut rest, mut fields, mut begun) = (pages, Vec::new(), BTreeSet::new());
    while let Some((_, after)) =
        copy_binary::next_row(rest, COLUMNS, &mut fields).map_err(|error| error.to_string())?
    {
        let [Some(oid), Some(offset), Some(_)] = fields.as_slice() else { return Err("a NULL".to_owned()) };
        let oid = u32::from_be_bytes((*oid).try_into().map_err(|_| "an oid of another width")?);
        let offset = i64::from_be_bytes((*offset).try_into().map_err(|_| "an offset of another width")?);
        if offset == 0 {
            begun.insert(oid);
        }
        rest = after;
    }
    let object =
        |oid| known.iter().find(|object| object.oid == oid).ok_or_else(|| "an unknown object".to_owned());
    begun.into_iter().map(object).collect()
}
