//! Random values of the common types.

use lethe_format::catalog::{Catalog, Column, FIRST_NORMAL_OID, TypeKind};
use lethe_format::copy_text;
use lethe_format::manifest::CopyFormat;

/// How to make a random value of one column's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RandomKind {
    /// Hexadecimal digits, at most this many.
    Text {
        len: usize,
    },
    Uuid,
    Int2,
    Int4,
    Int8,
    Bool,
    Float8,
    Date,
    Timestamp,
    Bytea,
    Json,
    Jsonb,
}

/// Days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// Random dates lie in the fifty years from 1970.
const DATE_RANGE_DAYS: u32 = 18_262;
const MICROS_PER_DAY: i64 = 86_400_000_000;

impl RandomKind {
    /// None if no random value of the type is known.
    pub(crate) fn of(catalog: &Catalog, column: &Column) -> Option<Self> {
        let base = catalog.base_type(column.type_oid)?;
        if base.oid >= FIRST_NORMAL_OID {
            // The extension's type, whose forms are those of text.
            return (base.kind == TypeKind::Base && base.name.name == "citext")
                .then_some(Self::Text { len: 32 });
        }
        // `varchar(n)` and `char(n)` have n + 4 as their typmod (`VARHDRSZ`).
        let limit = usize::try_from(column.typmod.saturating_sub(4)).ok().filter(|_| column.typmod >= 4);
        Some(match base.oid {
            16 => Self::Bool,
            17 => Self::Bytea,
            20 => Self::Int8,
            21 => Self::Int2,
            23 => Self::Int4,
            19 | 25 | 1042 | 1043 => Self::Text { len: limit.unwrap_or(32).min(32) },
            114 => Self::Json,
            701 => Self::Float8,
            1082 => Self::Date,
            1114 | 1184 => Self::Timestamp,
            2950 => Self::Uuid,
            3802 => Self::Jsonb,
            _ => return None,
        })
    }

    /// A value in the COPY format: a function of the seed, the row's number and the field alone.
    pub(crate) fn value(self, format: CopyFormat, seed: &[u8; 32], row: u64, field: usize) -> Vec<u8> {
        let mut place = row.to_be_bytes().to_vec();
        place.extend((field as u64).to_be_bytes());
        let random = *blake3::keyed_hash(seed, &place).as_bytes();
        match format {
            CopyFormat::Binary => self.binary(&random),
            CopyFormat::Text => {
                let mut escaped = Vec::new();
                copy_text::escape_into(self.text(&random).as_bytes(), &mut escaped);
                escaped
            }
        }
    }

    fn binary(self, random: &[u8; 32]) -> Vec<u8> {
        let number = u64_of(random);
        match self {
            Self::Text { .. } | Self::Json => self.text(random).into_bytes(),
            Self::Jsonb => [&[1], self.text(random).as_bytes()].concat(),
            Self::Uuid => uuid(random).to_vec(),
            Self::Int2 => ((number as u16) >> 1).to_be_bytes().to_vec(),
            Self::Int4 => ((number as u32) >> 1).to_be_bytes().to_vec(),
            Self::Int8 => (number >> 1).to_be_bytes().to_vec(),
            Self::Bool => vec![random[0] & 1],
            Self::Float8 => unit(number).to_be_bytes().to_vec(),
            Self::Date => day(number).to_be_bytes().to_vec(),
            Self::Timestamp => (i64::from(day(number)) * MICROS_PER_DAY).to_be_bytes().to_vec(),
            Self::Bytea => random[..16].to_vec(),
        }
    }

    fn text(self, random: &[u8; 32]) -> String {
        let number = u64_of(random);
        match self {
            Self::Text { len } => {
                let mut text = hex::encode(random);
                text.truncate(len);
                text
            }
            Self::Json | Self::Jsonb => format!("\"{}\"", hex::encode(&random[..16])),
            Self::Uuid => uuid_text(&uuid(random)),
            Self::Int2 => ((number as u16) >> 1).to_string(),
            Self::Int4 => ((number as u32) >> 1).to_string(),
            Self::Int8 => (number >> 1).to_string(),
            Self::Bool => if random[0] & 1 == 1 { "t" } else { "f" }.to_owned(),
            Self::Float8 => unit(number).to_string(),
            // `date` and `timestamp` both read a day alone.
            Self::Date | Self::Timestamp => {
                let (year, month, day) = civil(i64::from(day(number)) + i64::from(POSTGRES_EPOCH_DAYS));
                format!("{year:04}-{month:02}-{day:02}")
            }
            Self::Bytea => format!("\\x{}", hex::encode(&random[..16])),
        }
    }
}

fn u64_of(random: &[u8; 32]) -> u64 {
    random[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Between 0 and 1, with the 53 bits that a double holds.
fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// Days since PostgreSQL's epoch.
fn day(number: u64) -> i32 {
    (number % u64::from(DATE_RANGE_DAYS)) as i32 - POSTGRES_EPOCH_DAYS
}

/// As the server prints it.
pub(super) fn uuid_text(bytes: &[u8; 16]) -> String {
    let hex = hex::encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Version 4, variant 1 (RFC 9562, section 5.4).
fn uuid(random: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// Year, month and day of a day since 1970-01-01, in the years from 1970 to 2020.
fn civil(days: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut rest) = (1970, days);
    loop {
        let len = if leap(year) { 366 } else { 365 };
        if rest < len {
            break;
        }
        rest -= len;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    for (index, len) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
        if rest < len {
            return (year, index as i64 + 1, rest + 1);
        }
        rest -= len;
    }
    (year, 12, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(i64::from(POSTGRES_EPOCH_DAYS)), (2000, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(18_261), (2019, 12, 31));
    }

    #[test]
    fn values_hang_on_seed_row_and_field_alone() {
        let text = RandomKind::Text { len: 12 };
        let value = |seed: u8, row, field| text.value(CopyFormat::Text, &[seed; 32], row, field);
        assert_eq!(value(1, 2, 3), value(1, 2, 3));
        assert_eq!(value(1, 2, 3).len(), 12);
        for other in [value(2, 2, 3), value(1, 3, 3), value(1, 2, 4)] {
            assert_ne!(value(1, 2, 3), other);
        }
    }
}
