//! Values that are put together from others: ranges, intervals, strings of bits, rows of a composite type.

use std::fmt::Write as _;

use lethe_format::catalog::{Catalog, Column, CompositeField};
use lethe_format::ids::Oid;

use super::time::{MICROS_PER_DAY, clock, date, day, second};
use super::{RandomKind, decimal, numeric_binary, u64_of};

/// What the bounds of a range are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bounds {
    Int4,
    Int8,
    Numeric,
    Date,
    Timestamp,
}

/// The lower bound counts, the upper one does not (`RANGE_LB_INC` in `rangetypes.h`).
const LOWER_INCLUSIVE: u8 = 0x02;
/// Random whole numbers of a range are smaller.
const BOUND: u64 = 1 << 30;

impl Bounds {
    /// A range of one to a thousand steps, a multirange of one such range (`range_send`, `multirange_send`).
    pub(super) fn binary(self, multi: bool, random: &[u8; 32]) -> Vec<u8> {
        let (lower, upper) = bounds(self, random);
        let mut range = vec![LOWER_INCLUSIVE];
        for bound in [lower, upper] {
            put(&self.bound_binary(bound), &mut range);
        }
        if !multi {
            return range;
        }
        let mut ranges = 1_i32.to_be_bytes().to_vec();
        put(&range, &mut ranges);
        ranges
    }

    pub(super) fn text(self, multi: bool, random: &[u8; 32]) -> String {
        let (lower, upper) = bounds(self, random);
        let range = format!("[{},{})", self.bound_text(lower), self.bound_text(upper));
        if multi { format!("{{{range}}}") } else { range }
    }

    fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp)
    }

    fn bound_binary(self, bound: i64) -> Vec<u8> {
        match self {
            Self::Int4 | Self::Date => (bound as i32).to_be_bytes().to_vec(),
            Self::Int8 => bound.to_be_bytes().to_vec(),
            Self::Numeric => numeric_binary(bound.unsigned_abs(), 0),
            Self::Timestamp => (bound * MICROS_PER_DAY).to_be_bytes().to_vec(),
        }
    }

    fn bound_text(self, bound: i64) -> String {
        match self {
            Self::Int4 | Self::Int8 => bound.to_string(),
            Self::Numeric => decimal(bound.unsigned_abs(), 0),
            Self::Date | Self::Timestamp => date(bound as i32),
        }
    }
}

fn bounds(kind: Bounds, random: &[u8; 32]) -> (i64, i64) {
    let number = u64_of(random);
    let lower = if kind.is_day() { i64::from(day(number)) } else { (number % BOUND).cast_signed() };
    let steps = i64::from(random[31]) * 4 % 1000 + 1;
    (lower, lower + steps)
}

/// Microseconds, days and months (`interval_send`): up to a year, and a time of day.
pub(super) fn interval_binary(random: &[u8; 32]) -> Vec<u8> {
    let (days, second) = interval(random);
    [&(second * 1_000_000).to_be_bytes()[..], &days.to_be_bytes(), &0_i32.to_be_bytes()].concat()
}

pub(super) fn interval_text(random: &[u8; 32]) -> String {
    let (days, second) = interval(random);
    format!("{days} days {}", clock(second))
}

fn interval(random: &[u8; 32]) -> (i32, i64) {
    (i32::from(random[31]), second(u64_of(random)))
}

/// As many bits as there are asked for, in the order in which they are written.
fn bits(len: u32, random: &[u8; 32]) -> (Vec<u8>, u32) {
    let mut bytes = vec![0; (len as usize).div_ceil(8)];
    blake3::Hasher::new_keyed(random).finalize_xof().fill(&mut bytes);
    // What lies beyond the last bit is zero.
    if let Some(last) = bytes.last_mut() {
        *last &= u8::MAX << ((8 - len % 8) % 8);
    }
    (bytes, len)
}

/// Their number, then the bits (`bit_send`).
pub(super) fn bits_binary(len: u32, random: &[u8; 32]) -> Vec<u8> {
    let (bytes, len) = bits(len, random);
    [&len.to_be_bytes()[..], &bytes].concat()
}

pub(super) fn bits_text(len: u32, random: &[u8; 32]) -> String {
    let mut text = String::new();
    for byte in bits(len, random).0 {
        let _ = write!(text, "{byte:08b}");
    }
    text.truncate(len as usize);
    text
}

/// The fields of a composite type; none if one of them has a length that only the type knows, or no random value.
pub(super) fn fields(
    catalog: &Catalog,
    fields: &[CompositeField],
    of: &Column,
) -> Option<Vec<(Oid, RandomKind)>> {
    let field = |field: &CompositeField| {
        let column = Column { type_oid: field.type_oid, typmod: -1, ..of.clone() };
        let base = catalog.base_type(field.type_oid)?;
        let has_length = [1042, 1043, 1560, 1562, 1700].contains(&base.oid);
        let nested = matches!(base.kind, lethe_format::catalog::TypeKind::Composite { .. });
        let kind = RandomKind::of(catalog, &column).filter(|_| !has_length && !nested)?;
        Some((field.type_oid, kind))
    };
    fields.iter().map(field).collect()
}

/// The number of fields, then each with the OID of its type and its length (`record_send`).
pub(super) fn record_binary(fields: &[(Oid, RandomKind)], random: &[u8; 32]) -> Vec<u8> {
    let mut record = (fields.len() as u32).to_be_bytes().to_vec();
    for (place, (type_oid, kind)) in fields.iter().enumerate() {
        record.extend_from_slice(&type_oid.to_be_bytes());
        put(&kind.binary(&of_field(random, place)), &mut record);
    }
    record
}

/// As `record_in` reads it, each field in quotes.
pub(super) fn record_text(fields: &[(Oid, RandomKind)], random: &[u8; 32]) -> String {
    let field = |(place, (_, kind)): (usize, &(Oid, RandomKind))| {
        let text = kind.text(&of_field(random, place));
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
    };
    let fields: Vec<String> = fields.iter().enumerate().map(field).collect();
    format!("({})", fields.join(","))
}

fn of_field(random: &[u8; 32], place: usize) -> [u8; 32] {
    *blake3::keyed_hash(random, &(place as u64).to_be_bytes()).as_bytes()
}

/// Appends a value with its length. All of them are short.
fn put(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_never_empty_and_bits_have_their_number() {
        for byte in 0..=255_u8 {
            let random = *blake3::hash(&[byte]).as_bytes();
            for kind in [Bounds::Int4, Bounds::Int8, Bounds::Numeric, Bounds::Date, Bounds::Timestamp] {
                let (lower, upper) = bounds(kind, &random);
                assert!(lower < upper && upper < i64::from(i32::MAX), "{kind:?}");
            }
            let len = u32::from(byte) + 1;
            let text = bits_text(len, &random);
            assert_eq!(text.len() as u32, len);
            let binary = bits_binary(len, &random);
            let last = binary.last().expect("at least one byte").trailing_zeros();
            assert!(binary.len() == 4 + (len as usize).div_ceil(8) && last >= (8 - len % 8) % 8);
        }
        assert_eq!(Bounds::Int4.text(true, &[0; 32]), "{[0,1)}");
    }
}
