use super::{ValueError, binary, text};

/// A set of values with an equality: what one key column is compared as.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Domain {
    /// `smallint`, `integer`, `bigint` in any mixture (`integer_ops`). Canonical: 8 bytes, big-endian.
    Integer,
    /// `numeric`, where `1.0` equals `1.00`. Canonical: sign, weight and digits without outer zeros.
    Numeric,
    /// `real` and `double precision`, where `-0` equals `0` and `NaN` equals `NaN`. Canonical: the bits of a 64-bit float.
    Float,
    /// Character types under a deterministic collation. Canonical: the UTF-8 bytes.
    Text,
    /// `character(n)`: trailing blanks do not count. Canonical: the bytes before them.
    BlankPadded,
    /// `timestamp`, and `date` compared with it. Canonical: microseconds since 2000-01-01, 8 bytes.
    Timestamp,
    /// `interval`, where one day equals 24 hours and one month 30 days. Canonical: microseconds, 16 bytes.
    Interval,
    /// `inet` and `cidr`. Canonical: the binary form without the flag that tells the two apart.
    Network,
    /// One type whose values are equal exactly if their binary forms are.
    Exact(Source),
    /// A composite type, field by field; two NULL fields are equal (`record_eq`).
    Record(Vec<Domain>),
    /// An array: dimensions, lower bounds and elements (`array_eq`).
    Array(Box<Domain>),
    /// A range: flags and bounds (`range_eq`).
    Range(Box<Domain>),
}

/// How a stored value is laid out: the type behind all domains of the column.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    Int2,
    Int4,
    Int8,
    Oid,
    Bool,
    Float4,
    Float8,
    Numeric,
    Text,
    BlankPadded,
    Uuid,
    Bytea,
    Date,
    Timestamp,
    TimestampTz,
    Interval,
    Enum,
    Network,
    /// A fixed-width or plain type that is only ever compared with itself: `time`, `money`, `bit`, `macaddr` …
    Opaque(&'static str),
    Record(Vec<Source>),
    Array(Box<Source>),
    Range(Box<Source>),
}

/// Reads values of one type into the canonical form of one domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    pub source: Source,
    pub domain: Domain,
}

impl Reader {
    /// Appends the canonical form of a value in its binary COPY form (`typsend`).
    ///
    /// # Errors
    /// [`ValueError::Malformed`] if the bytes are no value of the type.
    pub fn binary(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        binary::canonical(&self.source, &self.domain, value, out)
    }

    /// Appends the canonical form of a value in its text form (`typoutput`, with `DateStyle = ISO`, `TimeZone = UTC`,
    /// `bytea_output = hex`), unescaped.
    ///
    /// # Errors
    /// [`ValueError::Malformed`] if the text is no value of the type as the server prints it,
    /// [`ValueError::NoTextForm`] if this type's text form is not understood.
    pub fn text(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        text::canonical(&self.source, &self.domain, value, out)
    }

    /// False if [`Self::text`] always fails.
    #[must_use]
    pub fn has_text_form(&self) -> bool {
        has_text_form(&self.domain)
    }
}

fn has_text_form(domain: &Domain) -> bool {
    match domain {
        Domain::Interval
        | Domain::Network
        | Domain::Array(_)
        | Domain::Range(_)
        | Domain::Exact(Source::Opaque(_)) => false,
        Domain::Record(fields) => fields.iter().all(has_text_form),
        _ => true,
    }
}

/// Orders 64-bit two's complement integers as bytes and back; only identity matters, so big-endian is enough.
pub(super) fn push_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// `float8_cmp_internal`: all NaNs are equal, and so are both zeros.
pub(super) fn push_float(value: f64, out: &mut Vec<u8>) {
    let canonical = if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    };
    out.extend_from_slice(&canonical.to_bits().to_be_bytes());
}

pub(super) fn trim_blanks(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &value[..end]
}
