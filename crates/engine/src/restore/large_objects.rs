//! Large objects: their pages go to the server as rows of a `COPY`, like all other data, never as parameters of a statement,
//! which a server may write into its log.

use std::collections::BTreeSet;

use bytes::Bytes;
use lethe_format::copy_binary;
use lethe_format::ids::Oid;
use lethe_format::manifest::{Chunk, LargeObject, Manifest};
use lethe_format::reference::TableColumns;
use lethe_postgres::large_objects;
use lethe_rules::large_objects::{
    self as large_objects_rules, Owners, Referred, by_type, decide, known, nobodys,
};
use lethe_rules::objection::Objection;
use lethe_rules::row_filter::{Counts, Filters};
use lethe_rules::target_label::TargetLabel;

use super::Prepared;
use super::plan::{Scanned, rows};
use super::target::{Loaded, Target, forget_table, record_chunk};
use crate::Error;

/// Chunks of large objects are recorded under table 0.
pub(super) async fn load(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    let stored = &prepared.manifest.large_objects;
    let done = target.restored_chunks().await?;
    let restored = &prepared.plan.restored_objects;
    let keep_owner = !prepared.options.no_owner && prepared.options.role.is_none();
    for (index, chunk) in
        stored.chunks.iter().enumerate().filter(|(index, _)| !done.contains_key(&(0, *index)))
    {
        let pages = rows(&prepared.repository, chunk).await?;
        let damaged = |problem| Error::damaged(format!("chunk {index} of the large objects"), problem);
        let (pages, loaded) = kept(pages, &restored.objects).map_err(damaged)?;
        let begun = begun(&pages, &stored.objects).map_err(damaged)?;
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
        if loaded > 0 {
            large_objects::write(&server, pages).await?;
        }
        let dropped = chunk.rows.saturating_sub(loaded);
        let counts = Counts { read: chunk.rows, loaded, dropped, changed: 0 };
        let record = record_chunk((0, index), &Loaded { counts, content: restored.fingerprint(chunk) });
        server.run(&(record + "COMMIT"), "record a chunk of", "large objects").await?;
    }
    Ok(())
}

/// Takes back all large objects if others would be restored now than were.
///
/// Unlinking leaves rows behind that nobody can see and everybody can find in the file, so the file is written anew. That is
/// done whenever the rules have changed: a crash in between leaves no trace of whether anything was taken back.
pub(super) async fn take_back(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    let stored = &prepared.manifest.large_objects;
    if stored.chunks.is_empty() {
        return Ok(());
    }
    let restored = &prepared.plan.restored_objects;
    let done = target.restored_chunks().await?;
    let mut recorded = stored.chunks.iter().enumerate().filter_map(|(index, chunk)| {
        done.get(&(0, index)).map(|loaded| loaded.content != restored.fingerprint(chunk))
    });
    if recorded.any(|differs| differs) {
        let unlink =
            "DO $$ BEGIN PERFORM pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata; END $$;";
        target.undo(&[], &format!("{unlink} {}", forget_table(0, 0))).await?;
    }
    let compact = "VACUUM (FULL) pg_catalog.pg_largeobject";
    Ok(target.main().run(compact, "write anew", "large objects").await?)
}

/// Which large objects come back; finds the rows that refer to them.
pub(super) async fn plan(
    scanned: &Scanned<'_>,
    filters: &Filters,
    label: &TargetLabel,
) -> Result<(RestoredObjects, large_objects_rules::Counts), Error> {
    let Scanned { manifest, options, .. } = scanned;
    if !label.holds_real_people() {
        // Nothing could mask what is in them.
        let stored = manifest.large_objects.objects.len() as u64;
        let counts = large_objects_rules::Counts { stored, ..large_objects_rules::Counts::default() };
        return Ok((RestoredObjects::default(), counts));
    }
    let stored = manifest.large_objects.objects.iter().map(|object| object.oid);
    let columns = columns(manifest, &options.large_object_columns).0;
    let alone = !options.only.is_empty();
    if manifest.large_objects.objects.is_empty() || columns.is_empty() {
        // Somebody has answered for it that nothing says whose they are.
        let (objects, counts) = decide(stored, &Referred::default(), !alone);
        return Ok((RestoredObjects { objects }, counts));
    }
    let owners = Owners::new(&manifest.catalog, &manifest.tables, &columns, filters);
    let mut owners = owners.map_err(|objection| Error::Refused(vec![objection]))?;
    scanned.show(&mut owners).await?;
    let keep = options.unreferenced_large_objects && !alone;
    let (objects, counts) = decide(stored, &owners.finish(), keep);
    Ok((RestoredObjects { objects }, counts))
}

/// The columns that refer to large objects: by their type, by what was stored with the snapshot, and by the settings.
pub(super) fn columns(manifest: &Manifest, settings: &[TableColumns]) -> (Vec<TableColumns>, Vec<Objection>) {
    let (mut columns, objections) = known(&manifest.catalog, settings);
    for column in by_type(&manifest.catalog).into_iter().chain(manifest.large_objects.columns.iter().cloned())
    {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    (columns, objections)
}

/// What speaks against a restore before any row is looked at.
pub(super) fn objections(manifest: &Manifest, settings: &[TableColumns]) -> Vec<Objection> {
    let stored = manifest.large_objects.objects.len();
    let (columns, mut objections) = columns(manifest, settings);
    if stored > 0 && columns.is_empty() {
        objections.push(nobodys(stored));
    }
    objections
}

/// The large objects that come back.
#[derive(Clone, Debug, Default)]
pub(super) struct RestoredObjects {
    objects: BTreeSet<Oid>,
}

impl RestoredObjects {
    /// Names what is loaded of a chunk: its content, and whose pages of it.
    fn fingerprint(&self, chunk: &Chunk) -> String {
        format!("{}:{}", chunk.name, self.hash())
    }

    /// Names exactly these objects.
    pub(super) fn hash(&self) -> blake3::Hash {
        let mut hash = blake3::Hasher::new();
        for object in &self.objects {
            hash.update(&object.to_be_bytes());
        }
        hash.finalize()
    }
}

const COLUMNS: usize = 3;

/// The pages of these objects, and their number: no other page is sent.
fn kept(pages: Vec<u8>, objects: &BTreeSet<Oid>) -> Result<(Bytes, u64), String> {
    let (mut rest, mut fields) = (pages.as_slice(), Vec::new());
    let (mut kept, mut count, mut all) = (Vec::new(), 0, true);
    while let Some((row, after)) =
        copy_binary::next_row(rest, COLUMNS, &mut fields).map_err(|error| error.to_string())?
    {
        let [Some(oid), ..] = fields.as_slice() else { return Err("a NULL".to_owned()) };
        let oid = u32::from_be_bytes((*oid).try_into().map_err(|_| "an oid of another width")?);
        if objects.contains(&oid) {
            kept.extend_from_slice(row);
            count += 1;
        } else {
            all = false;
        }
        rest = after;
    }
    Ok((Bytes::from(if all { pages } else { kept }), count))
}

/// The objects whose first page is among these.
fn begun<'a>(pages: &[u8], known: &'a [LargeObject]) -> Result<Vec<&'a LargeObject>, String> {
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
