use std::borrow::Cow;

use lethe_format::copy_text::{Error, StreamSplitter, escape_into, next_row, rows, unescape, write_row};
use proptest::prelude::*;

type Row = Vec<Option<Vec<u8>>>;

/// The slow, obvious way: one character at a time.
fn slow_rows(input: &[u8]) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut row, mut field) = (Row::new(), Vec::new());
    for byte in input {
        match byte {
            b'\t' => row.push(Some(std::mem::take(&mut field))),
            b'\n' => {
                row.push(Some(std::mem::take(&mut field)));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(*other),
        }
    }
    for row in &mut rows {
        for field in row {
            *field = match field.as_deref() {
                Some(b"\\N") => None,
                Some(raw) => Some(unescape(raw).unwrap().into_owned()),
                None => None,
            };
        }
    }
    rows
}

fn written(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        let escaped: Vec<Option<Vec<u8>>> = row
            .iter()
            .map(|field| {
                let mut raw = Vec::new();
                escape_into(field.as_deref()?, &mut raw);
                Some(raw)
            })
            .collect();
        let fields: Vec<Option<&[u8]>> = escaped.iter().map(Option::as_deref).collect();
        write_row(&fields, &mut out);
    }
    out
}

fn read(mut input: &[u8], field_count: usize) -> Vec<Row> {
    let (mut found, mut fields) = (Vec::new(), Vec::new());
    while let Some((_, rest)) = next_row(input, field_count, &mut fields).unwrap() {
        found.push(fields.iter().map(|field| field.map(|raw| unescape(raw).unwrap().into_owned())).collect());
        input = rest;
    }
    found
}

fn table() -> impl Strategy<Value = (usize, Vec<Row>)> {
    // Bytes that mean something come up often.
    let byte =
        prop_oneof![any::<u8>(), Just(b'\\'), Just(b'\t'), Just(b'\n'), Just(b'N'), Just(b'.'), Just(b'x')];
    let field = prop::option::of(prop::collection::vec(byte, 0..8));
    (1_usize..6).prop_flat_map(move |count| {
        let row = prop::collection::vec(field.clone(), count);
        (Just(count), prop::collection::vec(row, 0..8))
    })
}

#[test]
fn a_server_writes_what_escape_writes() {
    let mut out = Vec::new();
    escape_into(b"\\ \x08 \x0c \n \r \t \x0b \x7f \xc3\xa4 \\N \\.", &mut out);
    assert_eq!(out, b"\\\\ \\b \\f \\n \\r \\t \\v \x7f \xc3\xa4 \\\\N \\\\.");
}

#[test]
fn every_escape_that_copy_from_reads_is_read() {
    for (raw, value) in [
        (&b"\\b\\f\\n\\r\\t\\v\\\\"[..], &b"\x08\x0c\n\r\t\x0b\\"[..]),
        (b"\\0", b"\0"),
        (b"\\101", b"A"),
        (b"\\1012", b"A2"),
        (b"\\18", b"\x018"),
        (b"\\777", b"\xff"),
        (b"\\x41", b"A"),
        (b"\\x4", b"\x04"),
        (b"\\x4g", b"\x04g"),
        (b"\\x414", b"A4"),
        (b"\\xg", b"xg"),
        (b"\\x", b"x"),
        (b"\\q", b"q"),
        (b"\\.", b"."),
    ] {
        assert_eq!(unescape(raw).unwrap(), value, "{}", raw.escape_ascii());
    }
    assert_eq!(unescape(b"a\\"), Err(Error::LoneBackslash { len: 2 }));
    assert!(matches!(unescape(b"plain").unwrap(), Cow::Borrowed(b"plain")));
}

#[test]
fn a_table_without_columns_has_empty_lines() {
    let mut fields = Vec::new();
    assert_eq!(next_row(b"\n\n", 0, &mut fields), Ok(Some((&b"\n"[..], &b"\n"[..]))));
    assert!(fields.is_empty());
    assert_eq!(next_row(b"a\n", 0, &mut fields), Err(Error::FieldCount { found: 1, expected: 0 }));
    // One column with an empty text looks the same, but is one field.
    assert_eq!(next_row(b"\n", 1, &mut fields), Ok(Some((&b"\n"[..], &b""[..]))));
    assert_eq!(fields, [Some(&b""[..])]);
    let mut out = Vec::new();
    write_row(&[], &mut out);
    assert_eq!(out, b"\n");
}

#[test]
fn errors_tell_numbers_and_no_values() {
    let mut fields = Vec::new();
    let error = next_row(b"secret\tsecret\n", 3, &mut fields).unwrap_err();
    assert_eq!(error.to_string(), "a row has 2 fields where 3 were expected");
    let error = next_row(b"secret", 1, &mut fields).unwrap_err();
    assert_eq!(error.to_string(), "the rows end in the middle of one, after 6 bytes of it");
    let mut splitter = StreamSplitter::default();
    splitter.push(b"secret", &mut Vec::new());
    assert_eq!(format!("{splitter:?}"), "StreamSplitter { pending_bytes: 6 }");
    assert_eq!(splitter.finish(), Err(Error::Truncated { len: 6 }));
    assert_eq!(rows(b"a\nb").collect::<Vec<_>>(), [Ok(&b"a\n"[..]), Err(Error::Truncated { len: 1 })]);
}

proptest! {
    #[test]
    fn rows_come_back((count, table) in table()) {
        let bytes = written(&table);
        prop_assert_eq!(&read(&bytes, count), &table);
        prop_assert_eq!(&slow_rows(&bytes), &table);
        prop_assert_eq!(rows(&bytes).filter(Result::is_ok).count(), table.len());
    }

    #[test]
    fn slicing_does_not_matter((_, table) in table(), cuts in prop::collection::vec(0_usize..200, 0..20)) {
        let bytes = written(&table);
        let (mut out, mut count, mut splitter) = (Vec::new(), 0, StreamSplitter::default());
        for piece in super::copy_binary::sliced(&bytes, cuts) {
            count += splitter.push(piece, &mut out);
        }
        prop_assert_eq!(splitter.finish(), Ok(()));
        prop_assert_eq!(count, table.len() as u64);
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100), count in 0_usize..5) {
        let (mut fields, mut rest) = (Vec::new(), &bytes[..]);
        while let Ok(Some((_, after))) = next_row(rest, count, &mut fields) {
            for field in fields.iter().flatten() {
                let _ = unescape(field);
            }
            rest = after;
        }
    }
}
