//! What a column is overwritten with, for people whose rows stay.

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    Null,
    Random,
    Constant(Constant),
    Fake(Fake),
}

impl Replacement {
    /// A text that is the same for the same replacement, to notice that the settings have changed.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let value = match self {
            Self::Null | Self::Random | Self::Fake(_) => None,
            Self::Constant(constant) => Some(&constant.text),
        };
        format!("{self:?}\0{value:?}")
    }
}

/// A value as a server reads and writes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    pub text: String,
    /// The column type's binary form (`typsend`); none if nobody asked a server yet. Not stored: each restore asks its own.
    #[serde(skip)]
    pub binary: Option<Vec<u8>>,
}

/// What a made-up value looks like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fake {
    Name,
    FirstName,
    LastName,
    /// At `example.com`, which can never be anybody's (RFC 2606).
    Email,
    /// With the country code 999, which is nobody's.
    Phone,
    Street,
    City,
    Company,
    Sentence,
}

impl Fake {
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::Street,
        Self::City,
        Self::Company,
        Self::Sentence,
    ];

    /// As it is written in the settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Street => "street",
            Self::City => "city",
            Self::Company => "company",
            Self::Sentence => "sentence",
        }
    }
}

impl std::fmt::Debug for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Constant")
    }
}

impl std::fmt::Debug for Replacement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Random => "random",
            Self::Constant(_) => "a constant",
            Self::Fake(fake) => fake.word(),
        })
    }
}
