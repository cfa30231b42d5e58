//! Large objects: read row by row from their chunks, and written through the server's functions.

use bytes::Bytes;
use lethe_format::copy_binary;
use lethe_postgres::large_objects;
use lethe_rules::row_filter::Counts;

use super::Prepared;
use super::plan::rows;
use super::target::{Loaded, Target, record_chunk};
use crate::Error;

/// Chunks of large objects are recorded under table 0.
pub(super) async fn load(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    const COLUMNS: usize = 3;
    let stored = &prepared.manifest.large_objects;
    let done = target.restored_chunks().await?;
    let keep_owner = !prepared.options.no_owner && prepared.options.role.is_none();
    let server = target.worker().await?;
    for (index, chunk) in
        stored.chunks.iter().enumerate().filter(|(index, _)| !done.contains_key(&(0, *index)))
    {
        let plain = Bytes::from(rows(&prepared.repository, chunk).await?);
        server.run("BEGIN", "begin", "large objects").await?;
        let mut fields = Vec::new();
        let mut rest: &[u8] = &plain;
        let unreadable =
            |problem: &str| Error::damaged(format!("chunk {index} of the large objects"), problem);
        while let Some((_, after)) =
            copy_binary::next_row(rest, COLUMNS, &mut fields).map_err(|e| unreadable(&e.to_string()))?
        {
            let [Some(oid), Some(offset), Some(data)] = fields.as_slice() else {
                return Err(unreadable("a NULL"));
            };
            let oid =
                u32::from_be_bytes((*oid).try_into().map_err(|_| unreadable("an oid of another width"))?);
            let offset = i64::from_be_bytes(
                (*offset).try_into().map_err(|_| unreadable("an offset of another width"))?,
            );
            let object = stored
                .objects
                .iter()
                .find(|object| object.oid == oid)
                .ok_or_else(|| unreadable("an unknown object"))?;
            if offset == 0 {
                let mut object = object.clone();
                if prepared.options.no_acl {
                    object.grants.clear();
                }
                large_objects::create(&server, &object, keep_owner.then_some(object.owner.as_str())).await?;
            }
            if !data.is_empty() {
                large_objects::write(&server, oid, offset, &plain.slice_ref(data)).await?;
            }
            rest = after;
        }
        let counts = Counts { read: chunk.rows, loaded: chunk.rows, ..Counts::default() };
        let record = record_chunk((0, index), &Loaded { counts, content: chunk.name.to_string() });
        server.run(&(record + "COMMIT"), "record a chunk of", "large objects").await?;
    }
    Ok(())
}
