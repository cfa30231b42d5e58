//! Random values of the common types.

use lethe_format::catalog::{Catalog, Column, FIRST_NORMAL_OID, TypeKind};

use super::fake::{LONGEST, letters};

/// How to make a random value of one column's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RandomKind {
    /// Letters and digits, this many.
    Text {
        len: usize,
    },
    Uuid,
    Int2,
    Int4,
    Int8,
    Bool,
    Float4,
    Float8,
    /// Not negative, below 10^digits units of the last place of the scale.
    Numeric {
        digits: u32,
        scale: u16,
    },
    Date,
    Time,
    Timestamp,
    /// In 10.0.0.0/8, which is nobody's in public.
    Inet,
    Bytea,
    Json,
    Jsonb,
}

/// Days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// As many letters as half a hash gives.
const LETTERS: usize = 25;
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
                .then_some(Self::Text { len: LETTERS });
        }
        Some(match base.oid {
            16 => Self::Bool,
            17 => Self::Bytea,
            20 => Self::Int8,
            21 => Self::Int2,
            23 => Self::Int4,
            19 | 25 | 1042 | 1043 => Self::Text { len: text_limit(catalog, column)?.min(LETTERS) },
            114 => Self::Json,
            700 => Self::Float4,
            701 => Self::Float8,
            869 => Self::Inet,
            1083 => Self::Time,
            1700 => numeric(column.typmod)?,
            1082 => Self::Date,
            1114 | 1184 => Self::Timestamp,
            2950 => Self::Uuid,
            3802 => Self::Jsonb,
            _ => return None,
        })
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    /// True if it has so few values that one for each old value would only rename them.
    pub(crate) fn is_tiny(self) -> bool {
        self == Self::Bool
    }

    /// Which values are of one kind, so that columns of them can be masked alike.
    pub(crate) fn family(self) -> String {
        match self {
            Self::Text { .. } => "text".to_owned(),
            Self::Int2 | Self::Int4 | Self::Int8 => "integer".to_owned(),
            Self::Json | Self::Jsonb => "document".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    /// Random bits in a value: how many different ones there can be.
    pub(crate) fn bits(self) -> usize {
        match self {
            Self::Text { len } => 5 * len.min(LETTERS),
            Self::Uuid => 122,
            Self::Int2 => 15,
            Self::Int4 => 31,
            Self::Int8 => 63,
            Self::Bool => 1,
            Self::Float4 | Self::Inet => 24,
            Self::Float8 => 53,
            Self::Numeric { digits, .. } => digits as usize * 33 / 10,
            Self::Date | Self::Timestamp => 14,
            Self::Time => 16,
            Self::Bytea | Self::Json | Self::Jsonb => 128,
        }
    }

    /// A whole number in its binary form (`int2send` and its like); as wide as the type where it fits there.
    pub(crate) fn integer(self, number: i64) -> Vec<u8> {
        match self {
            Self::Int2 => (number as i16).to_be_bytes().to_vec(),
            Self::Int4 => (number as i32).to_be_bytes().to_vec(),
            _ => number.to_be_bytes().to_vec(),
        }
    }

    pub(crate) fn binary(self, random: &[u8; 32]) -> Vec<u8> {
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
            Self::Float4 => (unit(number) as f32).to_be_bytes().to_vec(),
            Self::Numeric { digits, scale } => numeric_binary(number % 10_u64.pow(digits), scale),
            Self::Date => day(number).to_be_bytes().to_vec(),
            Self::Time => (second(number) * 1_000_000).to_be_bytes().to_vec(),
            // Family, bits of the netmask, whether it is a network, length, address (`network_send`).
            Self::Inet => [&[2, 32, 0, 4, 10][..], &random[..3]].concat(),
            Self::Timestamp => (i64::from(day(number)) * MICROS_PER_DAY).to_be_bytes().to_vec(),
            Self::Bytea => random[..16].to_vec(),
        }
    }

    pub(crate) fn text(self, random: &[u8; 32]) -> String {
        let number = u64_of(random);
        match self {
            Self::Text { len } => letters(random, len),
            Self::Json | Self::Jsonb => format!("\"{}\"", hex::encode(&random[..16])),
            Self::Uuid => uuid_text(&uuid(random)),
            Self::Int2 => ((number as u16) >> 1).to_string(),
            Self::Int4 => ((number as u32) >> 1).to_string(),
            Self::Int8 => (number >> 1).to_string(),
            Self::Bool => if random[0] & 1 == 1 { "t" } else { "f" }.to_owned(),
            Self::Float8 => unit(number).to_string(),
            Self::Float4 => (unit(number) as f32).to_string(),
            Self::Numeric { digits, scale } => decimal(number % 10_u64.pow(digits), scale),
            Self::Time => {
                let second = second(number);
                format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
            }
            Self::Inet => format!("10.{}.{}.{}", random[0], random[1], random[2]),
            // `date` and `timestamp` both read a day alone.
            Self::Date | Self::Timestamp => {
                let (year, month, day) = civil(i64::from(day(number)) + i64::from(POSTGRES_EPOCH_DAYS));
                format!("{year:04}-{month:02}-{day:02}")
            }
            Self::Bytea => format!("\\x{}", hex::encode(&random[..16])),
        }
    }
}

/// The most characters that a column of text takes; none if it is no text, or if only its domain knows.
pub(super) fn text_limit(catalog: &Catalog, column: &Column) -> Option<usize> {
    let base = catalog.base_type(column.type_oid)?;
    if base.oid >= FIRST_NORMAL_OID {
        return (base.kind == TypeKind::Base && base.name.name == "citext").then_some(LONGEST);
    }
    match base.oid {
        // `name` holds 63 bytes.
        19 => Some(63),
        25 => Some(LONGEST),
        1042 | 1043 if base.oid == column.type_oid => {
            // `varchar(n)` and `char(n)` have n + 4 as their typmod (`VARHDRSZ`).
            let limit = usize::try_from(column.typmod.saturating_sub(4)).ok();
            Some(limit.filter(|_| column.typmod > 4).unwrap_or(LONGEST).min(LONGEST))
        }
        _ => None,
    }
}

/// `numeric(p, s)` has p and s in the halves of its typmod (`make_numeric_typmod`); none for a negative scale.
fn numeric(typmod: i32) -> Option<RandomKind> {
    let Some(packed) = typmod.checked_sub(4).filter(|packed| *packed >= 0) else {
        return Some(RandomKind::Numeric { digits: 9, scale: 2 });
    };
    let (precision, scale) = ((packed >> 16) & 0xffff, packed & 0x7ff);
    let digits = u32::try_from(precision).ok()?.min(18);
    // Bit 10 is the sign of the scale.
    (scale < 0x400 && digits > 0).then_some(RandomKind::Numeric { digits, scale: scale as u16 })
}

fn decimal(number: u64, scale: u16) -> String {
    if scale == 0 {
        return number.to_string();
    }
    let width = usize::from(scale) + 1;
    let digits = format!("{number:0width$}");
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    format!("{whole}.{part}")
}

/// `numeric_send`: count, weight, sign and display scale, then digits of base 10000.
fn numeric_binary(number: u64, scale: u16) -> Vec<u8> {
    // The part behind the point fills whole digits of base 10000.
    let behind = usize::from(scale.div_ceil(4));
    let padding = behind * 4 - usize::from(scale);
    let mut text = number.to_string() + &"0".repeat(padding);
    text.insert_str(0, &"0".repeat((4 - text.len() % 4) % 4));
    let digits: Vec<u16> = text.as_bytes().chunks(4).map(base_10000).collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    let kept = digits.get(leading..).unwrap_or_default();
    let weight = digits.len() as i64 - leading as i64 - behind as i64 - 1;
    let weight = if kept.is_empty() { 0 } else { weight as i16 };
    let mut bytes = Vec::new();
    for word in [kept.len() as u16, weight.cast_unsigned(), 0, scale] {
        bytes.extend(word.to_be_bytes());
    }
    kept.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
    bytes
}

fn base_10000(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
}

fn second(number: u64) -> i64 {
    (number % 86_400).cast_signed()
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
    fn numbers_with_a_scale_have_both_forms() {
        assert_eq!(decimal(12_345, 2), "123.45");
        assert_eq!((decimal(5, 3), decimal(7, 0)), ("0.005".to_owned(), "7".to_owned()));
        let words = |number, scale| {
            let bytes = numeric_binary(number, scale);
            bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
        };
        assert_eq!(words(12_345, 2), [2, 0, 0, 2, 123, 4500]);
        assert_eq!(words(0, 2), [0, 0, 0, 2]);
        assert_eq!(words(5, 3), [1, 0xffff, 0, 3, 50]);
        assert_eq!(words(123_456_789, 0), [3, 2, 0, 0, 1, 2345, 6789]);
        assert_eq!(numeric(((6 << 16) | 2) + 4), Some(RandomKind::Numeric { digits: 6, scale: 2 }));
        assert_eq!(numeric(((6 << 16) | 0x7fe) + 4), None, "a negative scale");
    }
}
