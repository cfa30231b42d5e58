use lethe_format::copy_binary::{Error, HEADER, StreamSplitter, TRAILER, next_row, rows, write_row};
use proptest::prelude::*;

type Row = Vec<Option<Vec<u8>>>;

/// The slow, obvious way: every number taken byte by byte off an iterator.
fn slow_rows(input: &[u8]) -> Option<Vec<Row>> {
    let mut bytes = input.iter().copied().peekable();
    let mut rows = Vec::new();
    while bytes.peek().is_some() {
        let count = i16::from_be_bytes([bytes.next()?, bytes.next()?]);
        if count < 0 {
            return None;
        }
        let mut row = Row::new();
        for _ in 0..count {
            let length = i32::from_be_bytes([bytes.next()?, bytes.next()?, bytes.next()?, bytes.next()?]);
            if length < -1 {
                return None;
            }
            if length == -1 {
                row.push(None);
                continue;
            }
            let mut value = Vec::new();
            for _ in 0..length {
                value.push(bytes.next()?);
            }
            row.push(Some(value));
        }
        rows.push(row);
    }
    Some(rows)
}

fn written(table: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in table {
        let fields: Vec<Option<&[u8]>> = row.iter().map(Option::as_deref).collect();
        write_row(&fields, &mut out).unwrap();
    }
    out
}

fn read(mut input: &[u8], field_count: usize) -> Result<Vec<Row>, Error> {
    let (mut found, mut fields) = (Vec::new(), Vec::new());
    while let Some((row, rest)) = next_row(input, field_count, &mut fields)? {
        assert_eq!(row.len() + rest.len(), input.len());
        found.push(fields.iter().map(|field| field.map(<[u8]>::to_vec)).collect());
        input = rest;
    }
    Ok(found)
}

/// `bytes` cut at the given places, which wrap around and may repeat: then a piece is empty.
pub(crate) fn sliced(bytes: &[u8], cuts: Vec<usize>) -> Vec<&[u8]> {
    let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

fn stream(rows: &[u8]) -> Vec<u8> {
    [HEADER, rows, TRAILER].concat()
}

/// All pieces through one splitter: the rows and their number.
fn split(pieces: Vec<&[u8]>) -> Result<(Vec<u8>, u64), Error> {
    let (mut out, mut count, mut splitter) = (Vec::new(), 0, StreamSplitter::default());
    for piece in pieces {
        count += splitter.push(piece, &mut out)?;
    }
    splitter.finish().map(|()| (out, count))
}

fn table() -> impl Strategy<Value = (usize, Vec<Row>)> {
    let field = prop::option::of(prop::collection::vec(any::<u8>(), 0..12));
    (0_usize..6).prop_flat_map(move |count| {
        let row = prop::collection::vec(field.clone(), count);
        (Just(count), prop::collection::vec(row, 0..8))
    })
}

/// Bytes that are nearly rows: small numbers where counts and lengths stand.
fn nearly_rows() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0_u8), 2 => 0_u8..6, 1 => Just(0xff_u8), 1 => any::<u8>()];
    prop::collection::vec(byte, 0..60)
}

#[test]
fn the_header_is_the_documented_one() {
    assert_eq!(HEADER.len(), 19);
    assert_eq!(&HEADER[..11], b"PGCOPY\n\xff\r\n\0");
    assert!(HEADER[11..].iter().all(|byte| *byte == 0));
}

#[test]
fn every_length_from_outside_is_checked() {
    let error = |bytes: &'static [u8], count| next_row(bytes, count, &mut Vec::new()).unwrap_err();
    assert_eq!(error(b"\0", 1), Error::Truncated { len: 1 });
    assert_eq!(error(b"\0\x02", 1), Error::FieldCount { found: 2, expected: 1 });
    assert_eq!(error(b"\xff\xff", 1), Error::FieldCount { found: -1, expected: 1 });
    assert_eq!(error(b"\0\x01\0\0", 1), Error::Truncated { len: 4 });
    assert_eq!(error(b"\0\x01\0\0\0\x02a", 1), Error::Truncated { len: 7 });
    assert_eq!(error(b"\0\x01\x7f\xff\xff\xffa", 1), Error::Truncated { len: 7 });
    assert_eq!(error(b"\0\x01\xff\xff\xff\xfe", 1), Error::FieldLength { field: 0, length: -2 });
    assert_eq!(error(b"\0\x01\x80\0\0\0", 1), Error::FieldLength { field: 0, length: i32::MIN });
    assert_eq!(rows(b"\xff\xff").next(), Some(Err(Error::NegativeFieldCount { found: -1 })));
    assert_eq!(rows(b"\0\0\0").collect::<Vec<_>>(), [Ok(&b"\0\0"[..]), Err(Error::Truncated { len: 1 })]);
}

#[test]
fn a_row_that_cannot_be_written_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    let many = vec![None; 32768];
    assert_eq!(write_row(&many, &mut out), Err(Error::TooManyFields { count: 32768 }));
    assert_eq!(out, b"before");
}

#[test]
fn a_stream_must_begin_and_end_as_documented() {
    let mut wrong = stream(b"");
    wrong[6] = b'\r';
    assert_eq!(split(vec![&wrong]), Err(Error::NoSignature { position: 6 }));
    assert_eq!(
        split(vec![b"PGCOPX"]),
        Err(Error::NoSignature { position: 5 }),
        "told before the header is whole"
    );
    let with_oids = [&HEADER[..11], b"\0\x01\0\0\0\0\0\0"].concat();
    assert_eq!(split(vec![&with_oids]), Err(Error::UnknownFlags { flags: 0x1_0000 }));
    let harmless_flag = [&HEADER[..11], b"\0\0\0\x01\0\0\0\0\xff\xff"].concat();
    assert_eq!(split(vec![&harmless_flag]), Ok((vec![], 0)));
    let extension = [&HEADER[..15], b"\0\0\0\x03abc\0\0\xff\xff"].concat();
    assert_eq!(split(vec![&extension]), Ok((vec![0, 0], 1)));
    let huge = [&HEADER[..15], b"\xff\xff\xff\xff"].concat();
    assert_eq!(split(vec![&huge]), Err(Error::HeaderExtension { length: u32::MAX }));
    assert_eq!(split(vec![]), Err(Error::NoTrailer { left_over: 0 }));
    assert_eq!(split(vec![HEADER, b"\0\0\0"]), Err(Error::NoTrailer { left_over: 1 }));
    assert_eq!(split(vec![HEADER, TRAILER, b"\0"]), Err(Error::AfterTrailer { len: 1 }));
    assert_eq!(split(vec![HEADER, b"\xff\xff\0\0"]), Err(Error::AfterTrailer { len: 2 }));
    assert_eq!(split(vec![HEADER, b"\xff\xfe"]), Err(Error::NegativeFieldCount { found: -2 }));
}

#[test]
fn what_is_pending_does_not_show() {
    let mut splitter = StreamSplitter::default();
    splitter.push(HEADER, &mut Vec::new()).unwrap();
    splitter.push(b"\0\x01\0\0\0\x20secret", &mut Vec::new()).unwrap();
    let shown = format!("{splitter:?}");
    assert_eq!(shown, "StreamSplitter { pending_bytes: 12, header_seen: true, trailer_seen: false }");
}

proptest! {
    #[test]
    fn rows_come_back((count, table) in table()) {
        let bytes = written(&table);
        prop_assert_eq!(read(&bytes, count), Ok(table.clone()));
        prop_assert_eq!(slow_rows(&bytes), Some(table.clone()));
        prop_assert_eq!(rows(&bytes).map(Result::unwrap).collect::<Vec<_>>().concat(), bytes);
    }

    #[test]
    fn slicing_does_not_matter((_, table) in table(), cuts in prop::collection::vec(0_usize..400, 0..40)) {
        let bytes = written(&table);
        let expected = Ok((bytes.clone(), table.len() as u64));
        prop_assert_eq!(split(sliced(&stream(&bytes), cuts)), expected.clone());
        prop_assert_eq!(split(stream(&bytes).chunks(1).collect()), expected);
    }

    #[test]
    fn garbage_is_read_or_refused_as_the_slow_way_does(bytes in nearly_rows(), count in 0_usize..4) {
        let all: Result<Vec<&[u8]>, Error> = rows(&bytes).collect();
        prop_assert_eq!(all.is_ok(), slow_rows(&bytes).is_some());
        if let Ok(found) = read(&bytes, count) {
            prop_assert_eq!(Some(found), slow_rows(&bytes));
        }
    }

    #[test]
    fn a_stream_of_garbage_is_judged_alike_however_it_is_sliced(
        bytes in nearly_rows(), cuts in prop::collection::vec(0_usize..80, 0..20),
    ) {
        let bytes = [HEADER, &bytes[..]].concat();
        let whole = split(vec![&bytes]);
        let pieces = split(sliced(&bytes, cuts));
        prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
            prop_assert_eq!(whole, pieces);
        }
    }
}
