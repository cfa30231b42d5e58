//! From the binary COPY form (each type's send function) to the canonical form.

use super::domain::{Domain, Source, push_float, push_integer, trim_blanks};
use super::{ValueError, date, malformed, numeric};

pub(super) fn canonical(
    source: &Source,
    domain: &Domain,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    match domain {
        Domain::Integer => push_integer(integer(source, value)?, out),
        Domain::Numeric => match source {
            Source::Numeric => numeric::from_binary(value)?.push_canonical(out),
            _ => numeric::Numeric::from_integer(integer(source, value)?).push_canonical(out),
        },
        Domain::Float => push_float(float(source, value)?, out),
        Domain::Text => match source {
            // The cast from character(n) to text drops the padding.
            Source::BlankPadded => out.extend_from_slice(trim_blanks(value)),
            _ => out.extend_from_slice(value),
        },
        Domain::BlankPadded => out.extend_from_slice(trim_blanks(value)),
        Domain::Timestamp => match source {
            Source::Date => {
                push_integer(date::days_to_timestamp(i32::from_be_bytes(fixed(value, "date")?)), out)
            }
            _ => out.extend_from_slice(&fixed::<8>(value, "timestamp")?),
        },
        Domain::Interval => {
            let bytes: [u8; 16] = fixed(value, "interval")?;
            let mut rest = bytes.as_slice();
            let time = i64::from_be_bytes(take(&mut rest)?);
            let days = i32::from_be_bytes(take(&mut rest)?);
            let months = i32::from_be_bytes(take(&mut rest)?);
            out.extend_from_slice(&date::interval_span(months, days, time).to_be_bytes());
        }
        Domain::Network => {
            if value.len() < 4 {
                return malformed("network address");
            }
            out.extend_from_slice(&value[..2]);
            out.extend_from_slice(&value[3..]);
        }
        Domain::Exact(kind) => {
            check_width(kind, value)?;
            out.extend_from_slice(value);
        }
        Domain::Record(fields) => record(source, fields, value, out)?,
        Domain::Array(element) => array(source, element, value, out)?,
        Domain::Range(bound) => range(source, bound, value, out)?,
    }
    Ok(())
}

/// The value of any integer type.
#[inline]
pub(super) fn integer(source: &Source, value: &[u8]) -> Result<i64, ValueError> {
    Ok(match source {
        Source::Int2 => i64::from(i16::from_be_bytes(fixed(value, "smallint")?)),
        Source::Int4 => i64::from(i32::from_be_bytes(fixed(value, "integer")?)),
        Source::Int8 => i64::from_be_bytes(fixed(value, "bigint")?),
        _ => return malformed("integer"),
    })
}

fn float(source: &Source, value: &[u8]) -> Result<f64, ValueError> {
    Ok(match source {
        Source::Float4 => f64::from(f32::from_be_bytes(fixed(value, "real")?)),
        Source::Float8 => f64::from_be_bytes(fixed(value, "double precision")?),
        // int8 → float8 rounds to the nearest, as `as` does.
        _ => integer(source, value)? as f64,
    })
}

fn check_width(kind: &Source, value: &[u8]) -> Result<(), ValueError> {
    let (width, name) = match kind {
        Source::Uuid => (16, "uuid"),
        Source::Bool => (1, "boolean"),
        Source::Oid => (4, "oid"),
        Source::Date => (4, "date"),
        Source::TimestampTz => (8, "timestamp with time zone"),
        _ => return Ok(()),
    };
    if value.len() == width { Ok(()) } else { malformed(name) }
}

/// `record_send`: field count, then for each field its type's OID and a length-prefixed value.
fn record(
    source: &Source,
    domains: &[Domain],
    mut value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    let Source::Record(sources) = source else { return malformed("composite value") };
    let count = i32::from_be_bytes(take(&mut value)?);
    if usize::try_from(count) != Ok(domains.len()) || sources.len() != domains.len() {
        return malformed("composite value");
    }
    for (source, domain) in sources.iter().zip(domains) {
        let _type_oid: [u8; 4] = take(&mut value)?;
        push_nested(source, domain, take_value(&mut value)?, out)?;
    }
    if value.is_empty() { Ok(()) } else { malformed("composite value") }
}

/// `array_send`: dimensions, a NULL flag, the element type's OID, size and lower bound of each dimension, elements.
fn array(source: &Source, domain: &Domain, mut value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let Source::Array(element) = source else { return malformed("array") };
    let dimensions: [u8; 4] = take(&mut value)?;
    let _has_null: [u8; 4] = take(&mut value)?;
    let _type_oid: [u8; 4] = take(&mut value)?;
    out.extend_from_slice(&dimensions);
    // MAXDIM in PostgreSQL is 6.
    let dimensions = i32::from_be_bytes(dimensions);
    if !(0..=6).contains(&dimensions) {
        return malformed("array");
    }
    for _ in 0..dimensions {
        let size_and_bound: [u8; 8] = take(&mut value)?;
        out.extend_from_slice(&size_and_bound);
    }
    while !value.is_empty() {
        push_nested(element, domain, take_value(&mut value)?, out)?;
    }
    Ok(())
}

/// `range_send`: flags, then the bounds that are there, length-prefixed.
fn range(source: &Source, domain: &Domain, mut value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    const EMPTY: u8 = 0x01;
    const INFINITE: [u8; 2] = [0x08, 0x10];
    let Source::Range(bound) = source else { return malformed("range") };
    let [flags]: [u8; 1] = take(&mut value)?;
    out.push(flags & 0x1f);
    for infinite in INFINITE {
        if flags & (EMPTY | infinite) == 0 {
            push_nested(bound, domain, take_value(&mut value)?, out)?;
        }
    }
    if value.is_empty() { Ok(()) } else { malformed("range") }
}

/// Appends a nested value so that no two different sequences of values look alike: NULL, or length and content.
pub(super) fn push_framed(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), ValueError>,
) -> Result<(), ValueError> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    write(out)?;
    let len = (out.len() - start - 8) as u64;
    out[start..start + 8].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// What [`push_framed`] has written, if it wrote but once.
pub(super) fn unframed(framed: &[u8]) -> &[u8] {
    framed.get(8..).unwrap_or_default()
}

pub(super) fn push_null(out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::MAX.to_be_bytes());
}

fn push_nested(
    source: &Source,
    domain: &Domain,
    value: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    match value {
        None => push_null(out),
        Some(value) => push_framed(out, |out| canonical(source, domain, value, out))?,
    }
    Ok(())
}

fn take_value<'a>(value: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ValueError> {
    let len = i32::from_be_bytes(take(value)?);
    if len == -1 {
        return Ok(None);
    }
    let len = usize::try_from(len).map_err(|_| ValueError::Malformed { expected: "length" })?;
    let (head, rest) = value.split_at_checked(len).ok_or(ValueError::Malformed { expected: "length" })?;
    *value = rest;
    Ok(Some(head))
}

fn take<const N: usize>(value: &mut &[u8]) -> Result<[u8; N], ValueError> {
    let (head, rest) =
        value.split_first_chunk::<N>().ok_or(ValueError::Malformed { expected: "nested value" })?;
    *value = rest;
    Ok(*head)
}

fn fixed<const N: usize>(value: &[u8], expected: &'static str) -> Result<[u8; N], ValueError> {
    value.try_into().map_err(|_| ValueError::Malformed { expected })
}
