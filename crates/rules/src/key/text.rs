//! From the text form (each type's output function) to the canonical form.

use super::domain::{Domain, Source, push_float, push_integer, trim_blanks};
use super::{ValueError, date, malformed, numeric, record_text};

pub(super) fn canonical(
    source: &Source,
    domain: &Domain,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    match domain {
        Domain::Integer => push_integer(integer(source, value)?, out),
        Domain::Numeric => {
            if *source != Source::Numeric {
                integer(source, value)?;
            }
            numeric::from_text(value)?.push_canonical(out);
        }
        Domain::Float => push_float(float(source, value)?, out),
        Domain::Text => match source {
            Source::BlankPadded => out.extend_from_slice(trim_blanks(value)),
            _ => out.extend_from_slice(value),
        },
        Domain::BlankPadded => out.extend_from_slice(trim_blanks(value)),
        Domain::Timestamp => push_integer(
            match source {
                Source::Date => date::days_to_timestamp(date::date_from_text(value)?),
                _ => date::timestamp_from_text(value, false)?,
            },
            out,
        ),
        Domain::Exact(kind) => exact(kind, value, out)?,
        Domain::Record(domains) => record_text::canonical(source, domains, value, out)?,
        Domain::Interval => return Err(ValueError::NoTextForm { of: "interval" }),
        Domain::Network => return Err(ValueError::NoTextForm { of: "network address" }),
        Domain::Array(_) => return Err(ValueError::NoTextForm { of: "array" }),
        Domain::Range(_) => return Err(ValueError::NoTextForm { of: "range" }),
    }
    Ok(())
}

pub(super) fn integer(source: &Source, value: &[u8]) -> Result<i64, ValueError> {
    let number = few_digits(value)
        .or_else(|| std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok()));
    let (number, range, name) = match (number, source) {
        (Some(number), Source::Int2) => (number, i64::from(i16::MIN)..=i64::from(i16::MAX), "smallint"),
        (Some(number), Source::Int4) => (number, i64::from(i32::MIN)..=i64::from(i32::MAX), "integer"),
        (Some(number), Source::Int8) => (number, i64::MIN..=i64::MAX, "bigint"),
        _ => return malformed("integer"),
    };
    if range.contains(&number) { Ok(number) } else { malformed(name) }
}

/// What nearly every id is: at most 18 digits, which cannot overflow.
#[inline]
fn few_digits(value: &[u8]) -> Option<i64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value
        .iter()
        .try_fold(0_i64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn float(source: &Source, value: &[u8]) -> Result<f64, ValueError> {
    let text = std::str::from_utf8(value).map_err(|_| ValueError::Malformed { expected: "number" })?;
    Ok(match source {
        Source::Float4 => {
            f64::from(text.parse::<f32>().map_err(|_| ValueError::Malformed { expected: "real" })?)
        }
        Source::Float8 => text.parse().map_err(|_| ValueError::Malformed { expected: "double precision" })?,
        _ => integer(source, value)? as f64,
    })
}

fn exact(kind: &Source, value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    match kind {
        Source::Enum => out.extend_from_slice(value),
        Source::Uuid => out.extend_from_slice(&uuid(value)?),
        Source::Bytea => match value.strip_prefix(b"\\x") {
            Some(digits) => hex_bytes(digits, "bytea", out)?,
            None => return malformed("bytea in hexadecimal"),
        },
        Source::Bool => out.push(match value {
            b"t" | b"true" => 1,
            b"f" | b"false" => 0,
            _ => return malformed("boolean"),
        }),
        Source::Oid => {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
            out.extend_from_slice(&number.ok_or(ValueError::Malformed { expected: "oid" })?.to_be_bytes());
        }
        Source::Date => out.extend_from_slice(&date::date_from_text(value)?.to_be_bytes()),
        Source::TimestampTz => push_integer(date::timestamp_from_text(value, true)?, out),
        Source::Opaque(name) => return Err(ValueError::NoTextForm { of: name }),
        _ => return Err(ValueError::NoTextForm { of: "this type" }),
    }
    Ok(())
}

/// `uuid_in` takes either case, braces around it and a hyphen after any group of four digits.
fn uuid(value: &[u8]) -> Result<[u8; 16], ValueError> {
    let inner = match value {
        [b'{', inner @ .., b'}'] => inner,
        plain => plain,
    };
    let mut digits = Vec::with_capacity(32);
    for (index, byte) in inner.iter().enumerate() {
        match byte {
            b'-' if !digits.is_empty()
                && digits.len() % 4 == 0
                && inner.get(index + 1).is_some_and(|next| *next != b'-') => {}
            byte => digits.push(*byte),
        }
    }
    let mut bytes = Vec::with_capacity(16);
    hex_bytes(&digits, "uuid", &mut bytes)?;
    bytes.try_into().or_else(|_| malformed("uuid"))
}

fn hex_bytes(digits: &[u8], expected: &'static str, out: &mut Vec<u8>) -> Result<(), ValueError> {
    let value = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !digits.len().is_multiple_of(2) {
        return malformed(expected);
    }
    for pair in digits.chunks_exact(2) {
        match (value(pair[0]), value(pair[1])) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return malformed(expected),
        }
    }
    Ok(())
}
