//! Random values of the common types.

mod compound;
mod number;
mod time;

use std::sync::Arc;

use lethe_format::catalog::{Catalog, Column, FIRST_NORMAL_OID, TypeKind};
use lethe_format::ids::Oid;

use super::fake::{LONGEST, letters};
use super::lengths::text_limit;
use compound::Bounds;
use number::{decimal, numeric, numeric_binary};
use time::{MICROS_PER_DAY, clock, date, day, second};

/// How to make a random value of one column's type.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// One address.
    Cidr,
    /// Administered locally, so that no maker has given it out.
    MacAddress,
    Money,
    TimeTz,
    Interval,
    Bits {
        len: u32,
    },
    Range {
        bounds: Bounds,
        multi: bool,
    },
    /// One of these labels.
    Enum(Arc<[String]>),
    /// The types of the fields, and what each is made of.
    Record(Arc<[(Oid, RandomKind)]>),
    Bytea,
    Json,
    Jsonb,
}

/// As many letters as half a hash gives.
const LETTERS: usize = 25;
/// Bits of a `varbit` without a limit, and at most.
const BITS: u32 = 64;

impl RandomKind {
    /// None if no random value of the type is known.
    pub(crate) fn of(catalog: &Catalog, column: &Column) -> Option<Self> {
        let base = catalog.base_type(column.type_oid)?;
        match &base.kind {
            TypeKind::Enum if !base.labels.is_empty() => return Some(Self::Enum(base.labels.clone().into())),
            TypeKind::Composite { fields } => {
                return Some(Self::Record(compound::fields(catalog, fields, column)?.into()));
            }
            // The extension's type, whose forms are those of text.
            TypeKind::Base if base.oid >= FIRST_NORMAL_OID => {
                return (base.name.name == "citext").then_some(Self::Text { len: LETTERS });
            }
            _ if base.oid >= FIRST_NORMAL_OID => return None,
            _ => {}
        }
        let range = |bounds, multi| Self::Range { bounds, multi };
        Some(match base.oid {
            16 => Self::Bool,
            17 => Self::Bytea,
            20 => Self::Int8,
            21 => Self::Int2,
            23 => Self::Int4,
            19 | 25 | 1042 | 1043 => Self::Text { len: text_limit(catalog, column)?.min(LETTERS) },
            114 => Self::Json,
            650 => Self::Cidr,
            700 => Self::Float4,
            701 => Self::Float8,
            790 => Self::Money,
            829 => Self::MacAddress,
            869 => Self::Inet,
            1083 => Self::Time,
            1266 => Self::TimeTz,
            1186 => Self::Interval,
            // A domain over these knows their length, the column does not.
            1560 | 1562 if base.oid != column.type_oid && column.typmod < 0 => return None,
            1560 => Self::Bits { len: u32::try_from(column.typmod).unwrap_or(1).max(1) },
            1562 => {
                Self::Bits { len: u32::try_from(column.typmod).map_or(BITS, |limit| limit.clamp(1, BITS)) }
            }
            1700 => numeric(column.typmod)?,
            1082 => Self::Date,
            1114 | 1184 => Self::Timestamp,
            2950 => Self::Uuid,
            3802 => Self::Jsonb,
            3904 => range(Bounds::Int4, false),
            3906 => range(Bounds::Numeric, false),
            3908 | 3910 => range(Bounds::Timestamp, false),
            3912 => range(Bounds::Date, false),
            3926 => range(Bounds::Int8, false),
            4451 => range(Bounds::Int4, true),
            4532 => range(Bounds::Numeric, true),
            4533 | 4534 => range(Bounds::Timestamp, true),
            4535 => range(Bounds::Date, true),
            4536 => range(Bounds::Int8, true),
            _ => return None,
        })
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    /// True if it has so few values that one for each old value would only rename them.
    pub(crate) fn is_tiny(&self) -> bool {
        matches!(self, Self::Bool | Self::Enum(_))
    }

    /// Which values are of one kind, so that columns of them can be masked alike.
    pub(crate) fn family(&self) -> String {
        match self {
            Self::Text { .. } => "text".to_owned(),
            Self::Int2 | Self::Int4 | Self::Int8 => "integer".to_owned(),
            Self::Json | Self::Jsonb => "document".to_owned(),
            Self::Enum(labels) => format!("one of {labels:?}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    /// Random bits in a value: how many different ones there can be.
    pub(crate) fn bits(&self) -> usize {
        match self {
            Self::Text { len } => 5 * (*len).min(LETTERS),
            Self::Uuid => 122,
            Self::Int2 => 15,
            Self::Int4 => 31,
            Self::Int8 => 63,
            Self::Bool => 1,
            Self::Float4 | Self::Inet | Self::Cidr => 24,
            Self::Float8 => 53,
            Self::Numeric { digits, .. } => *digits as usize * 33 / 10,
            Self::Date | Self::Timestamp => 14,
            Self::Time | Self::TimeTz | Self::Interval => 16,
            Self::MacAddress => 40,
            Self::Money => 31,
            Self::Bits { len } => (*len as usize).min(128),
            Self::Range { bounds: Bounds::Date | Bounds::Timestamp, .. } => 14,
            Self::Range { .. } => 30,
            Self::Enum(labels) => labels.len().max(1).ilog2() as usize,
            Self::Record(fields) => fields.iter().map(|(_, kind)| kind.bits()).sum::<usize>().min(128),
            Self::Bytea | Self::Json | Self::Jsonb => 128,
        }
    }

    /// The most characters of a value's text.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::Text { len } => *len,
            Self::Int2 => 6,
            Self::Int4 => 11,
            Self::Int8 => 20,
            Self::Uuid => 36,
            Self::Numeric { digits, .. } => *digits as usize + 2,
            _ => LONGEST,
        }
    }

    /// A whole number in its binary form (`int2send` and its like); as wide as the type where it fits there.
    pub(crate) fn integer(&self, number: i64) -> Vec<u8> {
        match self {
            Self::Int2 => (number as i16).to_be_bytes().to_vec(),
            Self::Int4 => (number as i32).to_be_bytes().to_vec(),
            _ => number.to_be_bytes().to_vec(),
        }
    }

    pub(crate) fn binary(&self, random: &[u8; 32]) -> Vec<u8> {
        let number = u64_of(random);
        match self {
            Self::Text { .. } | Self::Json | Self::Enum(_) => self.text(random).into_bytes(),
            Self::Jsonb => [&[1], self.text(random).as_bytes()].concat(),
            Self::Uuid => uuid(random).to_vec(),
            Self::Int2 => ((number as u16) >> 1).to_be_bytes().to_vec(),
            Self::Int4 => ((number as u32) >> 1).to_be_bytes().to_vec(),
            Self::Int8 => (number >> 1).to_be_bytes().to_vec(),
            Self::Bool => vec![random[0] & 1],
            Self::Float8 => unit(number).to_be_bytes().to_vec(),
            Self::Float4 => (unit(number) as f32).to_be_bytes().to_vec(),
            Self::Numeric { digits, scale } => numeric_binary(number % 10_u64.pow(*digits), *scale),
            Self::Date => day(number).to_be_bytes().to_vec(),
            Self::Time => (second(number) * 1_000_000).to_be_bytes().to_vec(),
            // Family, bits of the netmask, whether it is a network, length, address (`network_send`).
            Self::Inet => [&[2, 32, 0, 4, 10][..], &random[..3]].concat(),
            Self::Cidr => [&[2, 32, 1, 4, 10][..], &random[..3]].concat(),
            Self::MacAddress => [&[2][..], &random[..5]].concat(),
            Self::Money => i64::from((number as u32) >> 1).to_be_bytes().to_vec(),
            // The zone is UTC.
            Self::TimeTz => [&(second(number) * 1_000_000).to_be_bytes()[..], &[0; 4]].concat(),
            Self::Interval => compound::interval_binary(random),
            Self::Bits { len } => compound::bits_binary(*len, random),
            Self::Range { bounds, multi } => bounds.binary(*multi, random),
            Self::Record(fields) => compound::record_binary(fields, random),
            Self::Timestamp => (i64::from(day(number)) * MICROS_PER_DAY).to_be_bytes().to_vec(),
            Self::Bytea => random[..16].to_vec(),
        }
    }

    pub(crate) fn text(&self, random: &[u8; 32]) -> String {
        let number = u64_of(random);
        match self {
            Self::Text { len } => letters(random, *len),
            Self::Json | Self::Jsonb => format!("\"{}\"", hex::encode(&random[..16])),
            Self::Uuid => uuid_text(&uuid(random)),
            Self::Int2 => ((number as u16) >> 1).to_string(),
            Self::Int4 => ((number as u32) >> 1).to_string(),
            Self::Int8 => (number >> 1).to_string(),
            Self::Bool => if random[0] & 1 == 1 { "t" } else { "f" }.to_owned(),
            Self::Float8 => unit(number).to_string(),
            Self::Float4 => (unit(number) as f32).to_string(),
            Self::Numeric { digits, scale } => decimal(number % 10_u64.pow(*digits), *scale),
            Self::Time => clock(second(number)),
            Self::TimeTz => clock(second(number)) + "+00",
            Self::Interval => compound::interval_text(random),
            Self::Bits { len } => compound::bits_text(*len, random),
            Self::Range { bounds, multi } => bounds.text(*multi, random),
            Self::Enum(labels) => {
                let place = number.checked_rem(labels.len() as u64).unwrap_or_default();
                labels.get(place as usize).cloned().unwrap_or_default()
            }
            Self::Record(fields) => compound::record_text(fields, random),
            Self::MacAddress => {
                let [a, b, c, d, e, ..] = random;
                format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
            }
            // Without the sign of any currency.
            Self::Money => decimal(u64::from((number as u32) >> 1), 2),
            Self::Inet | Self::Cidr => format!("10.{}.{}.{}", random[0], random[1], random[2]),
            // `date` and `timestamp` both read a day alone.
            Self::Date | Self::Timestamp => date(day(number)),
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
