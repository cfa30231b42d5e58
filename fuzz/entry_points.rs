//! What is fuzzed: every parser of `lethe-format`, each as a function over bytes that panics if an invariant breaks.
//!
//! The same bodies run under cargo-fuzz (`fuzz_targets/`) and, on every test run, under a mutator of our own
//! (`crates/format/tests/it/mutated.rs`). Besides "no panic" and "no memory out of proportion to the input", which both
//! watch over, a function checks that what was understood is written and read back as the same.

use lethe_format::archive::{Archive, ddl};
use lethe_format::array::{self, Array, TextArray};
use lethe_format::audit;
use lethe_format::ids::{Digest, SnapshotId, UploadId};
use lethe_format::json::{self, Needle, Path, Scalar, Take, Token};
use lethe_format::keys::KeyRing;
use lethe_format::lease::{Hold, Lease};
use lethe_format::ledger::{Body, BodyId, Header};
use lethe_format::manifest::{ChunkIndex, Manifest};
use lethe_format::report::Report;
use lethe_format::repository::Repository;
use lethe_format::{copy_binary, copy_text, layout, sql};

/// One parser, by the name of its corpus.
pub(crate) struct EntryPoint {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&[u8]),
}

/// All of them.
pub(crate) const ALL: [EntryPoint; 18] = [
    EntryPoint { name: "copy_binary", run: binary_rows },
    EntryPoint { name: "copy_text", run: text_rows },
    EntryPoint { name: "archive", run: archive },
    EntryPoint { name: "manifest", run: manifest },
    EntryPoint { name: "chunk_index", run: chunk_index },
    EntryPoint { name: "ledger_header", run: ledger_header },
    EntryPoint { name: "ledger_body", run: ledger_body },
    EntryPoint { name: "repository", run: repository },
    EntryPoint { name: "keys", run: keys },
    EntryPoint { name: "report", run: report },
    EntryPoint { name: "lease", run: lease },
    EntryPoint { name: "hold", run: hold },
    EntryPoint { name: "audit_entry", run: audit_entry },
    EntryPoint { name: "audit_export", run: audit_export },
    EntryPoint { name: "ids", run: ids },
    EntryPoint { name: "sql", run: sql_text },
    EntryPoint { name: "array", run: arrays },
    EntryPoint { name: "json", run: documents },
];

/// The key that the corpus's chunk indexes are made with.
pub(crate) const NAMING_KEY: [u8; 32] = [7; 32];

/// The first byte is the number of fields, and where the stream is cut.
pub(crate) fn binary_rows(input: &[u8]) {
    let Some((first, input)) = input.split_first() else { return };
    let (fields_wanted, mut fields) = (usize::from(first % 8), Vec::new());
    let (mut rest, mut written) = (input, Vec::new());
    while let Ok(Some((row, after))) = copy_binary::next_row(rest, fields_wanted, &mut fields) {
        assert!(after.len() < rest.len(), "a row takes something");
        written.clear();
        copy_binary::write_row(&fields, &mut written).expect("what was read can be written");
        assert_eq!(written, row);
        rest = after;
    }
    let mut whole = 0;
    for row in copy_binary::rows(input) {
        whole += row.map_or(0, <[u8]>::len);
    }
    assert!(whole <= input.len());
    // Any cut of the stream gives the same rows.
    let stream = |cut: usize| {
        let (mut splitter, mut rows) = (copy_binary::StreamSplitter::default(), Vec::new());
        let (one, two) = input.split_at(cut.min(input.len()));
        let pushed = splitter.push(one, &mut rows).and_then(|a| Ok(a + splitter.push(two, &mut rows)?));
        pushed.and_then(|count| splitter.finish().map(|()| (count, rows)))
    };
    if let Ok(at_once) = stream(0) {
        assert_eq!(stream(usize::from(*first)).as_ref(), Ok(&at_once));
        assert_eq!(copy_binary::rows(&at_once.1).count() as u64, at_once.0);
    }
}

pub(crate) fn text_rows(input: &[u8]) {
    let Some((first, input)) = input.split_first() else { return };
    let (fields_wanted, mut fields) = (usize::from(first % 8), Vec::new());
    let (mut rest, mut written) = (input, Vec::new());
    while let Ok(Some((row, after))) = copy_text::next_row(rest, fields_wanted, &mut fields) {
        assert!(after.len() < rest.len(), "a row takes something");
        written.clear();
        copy_text::write_row(&fields, &mut written);
        assert_eq!(written, row);
        for field in fields.iter().flatten() {
            if let Ok(value) = copy_text::unescape(field) {
                assert!(value.len() <= field.len());
                written.clear();
                copy_text::escape_into(&value, &mut written);
                assert_eq!(copy_text::unescape(&written).as_deref(), Ok(&*value));
            }
        }
        rest = after;
    }
    for row in copy_text::rows(input) {
        let _ = row;
    }
    let stream = |cut: usize| {
        let (mut splitter, mut rows) = (copy_text::StreamSplitter::default(), Vec::new());
        let (one, two) = input.split_at(cut.min(input.len()));
        let count = splitter.push(one, &mut rows) + splitter.push(two, &mut rows);
        splitter.finish().map(|()| (count, rows))
    };
    assert_eq!(stream(0), stream(usize::from(*first)));
}

pub(crate) fn archive(input: &[u8]) {
    let Ok(archive) = Archive::read(input) else { return };
    assert!(archive.entries.len() <= input.len());
    let statements = ddl::statements(&archive);
    assert!(statements.len() <= archive.entries.len());
    let _ = ddl::check(&statements);
}

pub(crate) fn manifest(input: &[u8]) {
    let Ok(manifest) = Manifest::from_json(input) else { return };
    let written = manifest.to_json().expect("what was read can be written");
    let again = Manifest::from_json(&written).expect("what was written can be read");
    assert_eq!(written, again.to_json().expect("it can be written again"));
    // Sums that everybody makes.
    let _ = manifest.tables.iter().map(|data| data.rows() + data.plain_len()).sum::<u64>();
    for chunk in manifest.all_chunks() {
        let name = layout::chunk(&chunk.name, &chunk.upload);
        assert_eq!(layout::chunk_of_name(&name), Some((chunk.name, chunk.upload)));
    }
    for column in manifest.catalog.tables.iter().flat_map(|table| &table.columns) {
        let _ = manifest.catalog.base_type(column.type_oid);
    }
}

/// With any first line, and with the right one.
pub(crate) fn chunk_index(input: &[u8]) {
    let _ = ChunkIndex::from_bytes(input, &NAMING_KEY);
    let vouched = vouched_for(input, "lethe 2026 chunk index");
    let Ok(index) = ChunkIndex::from_bytes(&vouched, &NAMING_KEY) else { return };
    let written = index.to_bytes(&NAMING_KEY).expect("what was read can be written");
    let again = ChunkIndex::from_bytes(&written, &NAMING_KEY).expect("what was written can be read");
    assert_eq!(again.chunks, index.chunks);
}

pub(crate) fn ledger_header(input: &[u8]) {
    let Ok(header) = Header::from_json(input) else { return };
    let written = header.to_json().expect("what was read can be written");
    assert_eq!(Header::from_json(&written).expect("what was written can be read"), header);
}

pub(crate) fn ledger_body(input: &[u8]) {
    let Ok(body) = Body::from_bytes(input) else { return };
    let written = body.to_bytes().expect("what was read can be written");
    assert!(Body::from_bytes(&written).expect("what was written can be read") == body);
}

pub(crate) fn repository(input: &[u8]) {
    let Ok(document) = Repository::from_json(input) else { return };
    let written = document.to_json().expect("what was read can be written");
    let again = Repository::from_json(&written).expect("what was written can be read");
    assert_eq!(written, again.to_json().expect("it can be written again"));
}

pub(crate) fn keys(input: &[u8]) {
    let _ = KeyRing::read(input);
    let Ok(unchecked) = KeyRing::read(&vouched_for(input, "lethe 2026 key ring")) else { return };
    let ring = unchecked.check(&NAMING_KEY).expect("it is vouched for");
    let written = ring.to_bytes(&NAMING_KEY).expect("what was read can be written");
    let again = KeyRing::read(&written).expect("what was written can be read");
    assert_eq!(again.check(&NAMING_KEY).expect("what was written is vouched for"), ring);
}

pub(crate) fn report(input: &[u8]) {
    let _ = Report::<String>::from_bytes(input, &NAMING_KEY);
    let vouched = vouched_for(input, "lethe 2026 report");
    let Ok(report) = Report::<String>::from_bytes(&vouched, &NAMING_KEY) else { return };
    let written = report.to_bytes(&NAMING_KEY).expect("what was read can be written");
    assert_eq!(Report::from_bytes(&written, &NAMING_KEY).expect("what was written can be read"), report);
}

pub(crate) fn lease(input: &[u8]) {
    let _ = Lease::from_bytes(input, &NAMING_KEY);
    let Ok(lease) = Lease::from_bytes(&vouched_for(input, "lethe 2026 lease"), &NAMING_KEY) else { return };
    let written = lease.to_bytes(&NAMING_KEY).expect("what was read can be written");
    assert_eq!(Lease::from_bytes(&written, &NAMING_KEY).expect("what was written can be read"), lease);
}

pub(crate) fn hold(input: &[u8]) {
    let _ = Hold::from_bytes(input, &NAMING_KEY);
    let Ok(hold) = Hold::from_bytes(&vouched_for(input, "lethe 2026 hold"), &NAMING_KEY) else { return };
    let written = hold.to_bytes(&NAMING_KEY).expect("what was read can be written");
    assert_eq!(Hold::from_bytes(&written, &NAMING_KEY).expect("what was written can be read"), hold);
}

pub(crate) fn audit_entry(input: &[u8]) {
    let _ = audit::Entry::from_bytes(input, &NAMING_KEY);
    let vouched = vouched_for(input, "lethe 2026 audit entry");
    let Ok(entry) = audit::Entry::from_bytes(&vouched, &NAMING_KEY) else { return };
    let written = entry.to_bytes(&NAMING_KEY).expect("what was read can be written");
    assert_eq!(audit::Entry::from_bytes(&written, &NAMING_KEY).expect("what was written can be read"), entry);
    let _ = audit::Body::open(&entry.sealed, &entry.header);
}

/// What a stranger hands over: only a signature makes it believed, so hardly anything else does.
pub(crate) fn audit_export(input: &[u8]) {
    let Ok(verified) = audit::export::verify(input, None) else { return };
    assert!(audit::export::verify(input, Some(&verified.key)).is_ok());
    assert!(verified.entries.len() as u64 <= verified.checkpoint.size);
}

/// The same text with the first line that it must have.
fn vouched_for(input: &[u8], context: &str) -> Vec<u8> {
    let text = input.get(65..).unwrap_or_default();
    let key = blake3::derive_key(context, &NAMING_KEY);
    let mut bytes = blake3::keyed_hash(&key, text).to_hex().as_bytes().to_vec();
    bytes.push(b'\n');
    bytes.extend(text);
    bytes
}

/// Ids of all kinds, and the names of objects.
pub(crate) fn ids(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let text = text.trim_end_matches('\n');
    if let Ok(id) = text.parse::<Digest>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<SnapshotId>() {
        assert_eq!(id.to_string(), text);
        assert_eq!(layout::snapshot_of_manifest(&layout::manifest(&id)), Some(id));
    }
    if let Ok(id) = UploadId::try_from(text.to_owned()) {
        assert_eq!(id.to_string(), text.to_lowercase());
    }
    if let Ok(id) = text.parse::<BodyId>() {
        assert_eq!(id.to_string(), text.to_lowercase());
    }
    let _ = layout::ledger_object(text);
    if let Some(id) = layout::snapshot_of_manifest(text) {
        assert_eq!(layout::manifest(&id), text);
    }
    if let Some((name, upload)) = layout::chunk_of_name(text) {
        assert_eq!(layout::chunk(&name, &upload), text);
    }
}

/// In both forms; elements that begin with a 5 go.
pub(crate) fn arrays(input: &[u8]) {
    let goes = |element: &[u8]| element.first() == Some(&b'5');
    if let Ok(array) = Array::read(input)
        && let Ok(elements) = array.elements().collect::<Result<Vec<_>, _>>()
    {
        let left = array.without(goes).expect("what was read can be written");
        assert!(left.len() <= input.len());
        let left = Array::read(&left).expect("what was written can be read");
        let kept: Vec<_> = left.elements().map(|element| element.expect("whole")).collect();
        assert!(kept.iter().flatten().all(|element| !goes(element)) && kept.len() <= elements.len());
        let same = array
            .map(|_, element| Ok::<_, array::Error>(element.to_vec()))
            .expect("what was read can be written");
        let same = Array::read(&same).expect("what was written can be read");
        assert_eq!(same.elements().collect::<Result<Vec<_>, _>>().expect("whole"), elements);
    }
    if let Ok(array) = TextArray::read(input)
        && let Ok(elements) = array.elements().collect::<Result<Vec<_>, _>>()
        && let Ok(left) = array.without(goes)
    {
        let same = array
            .map(|_, element| Ok::<_, array::Error>(element.to_vec()))
            .expect("what was read can be written");
        let same = TextArray::read(&same).expect("what was written can be read");
        assert_eq!(same.elements().collect::<Result<Vec<_>, _>>().expect("whole"), elements);
        let left = TextArray::read(&left).expect("what was written can be read");
        let kept: Vec<_> = left.elements().map(|element| element.expect("whole")).collect();
        assert!(kept.iter().flatten().all(|element| !goes(element)) && kept.len() <= elements.len());
    }
}

/// A path and a document, with a line between them; what holds a 5 goes.
pub(crate) fn documents(input: &[u8]) {
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (path, document) = (&input[..line], input.get(line + 1..).unwrap_or_default());
    let Some(Ok(path)) = str::from_utf8(path).ok().map(Path::parse) else { return };
    assert_eq!(Path::parse(&path.to_string()).as_ref(), Ok(&path));
    let goes = |scalar: Scalar<'_>| match scalar {
        Scalar::Number(number) => number.contains(&b'5'),
        Scalar::String(_) => scalar.text().is_some_and(|text| text.contains(&b'5')),
    };
    let found = json::any(document, &path, goes);
    if found == Ok(true) {
        assert!(Needle::new(&path, false).is_none_or(|needle| needle.may_be_in(document)));
    }
    let is_document = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
    let remade = json::remake(document, |_, token, out| match token {
        Token::Name(name) => out.extend_from_slice(name),
        Token::String(_) => json::quote_into("x", out),
        Token::Number(_) => out.push(b'1'),
        Token::Flag(_) => out.extend_from_slice(b"true"),
    });
    assert!(
        !is_document(document) || remade.is_ok_and(|remade| is_document(&remade)),
        "a document stays one"
    );
    let spans = json::spans(document, &path, goes);
    assert_eq!(spans.is_ok(), json::items(document, &path, Take::Value, goes).is_ok());
    assert!(spans.into_iter().flatten().all(|span| span.end <= document.len()));
    for take in [Take::Value, Take::Object] {
        let Ok(items) = json::items(document, &path, take, goes) else {
            assert!(!is_document(document), "a document is understood");
            continue;
        };
        assert_eq!(found, Ok(!items.is_empty()));
        let Some(left) = json::without(document, items) else { continue };
        assert!(left.len() <= document.len());
        if is_document(document) {
            assert!(is_document(&left), "a document stays one");
        }
    }
}

/// Statements, names and quoted texts.
pub(crate) fn sql_text(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(found) = sql::statements(text) {
        assert!(found.iter().map(|statement| statement.text.len()).sum::<usize>() <= text.len());
    }
    // Whatever is quoted is one name, or one text, and hides nothing.
    let name = sql::quote_ident(text);
    let wanted: String = text.chars().filter(|c| *c != '\0').collect();
    if !wanted.is_empty() {
        let parsed = sql::parse_table_ref(&name).expect("a quoted name is a name");
        assert_eq!((parsed.schema, parsed.table, parsed.columns), (None, wanted, None));
    }
    for quoted in [name, sql::quote_literal(text)] {
        let statement = format!("COMMENT {quoted}");
        let found = sql::statements(&statement).expect("it ends");
        assert_eq!(found.len(), 1, "{quoted}");
        assert_eq!(found[0].words, ["COMMENT", ""], "{quoted}");
    }
    if let Ok(parsed) = sql::parse_table_ref(text) {
        assert!(!parsed.table.is_empty());
    }
}
