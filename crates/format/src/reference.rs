//! References that are no foreign keys, and other answers than a foreign key's own: whose row it is, where only the
//! applications know.

mod inside;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalog::{QualifiedName, display_ident};
use crate::mask::Replacement;
pub use inside::{Inside, KeyPattern, PatternError};

/// Rows of one table belong to the rows of another that their columns name.
///
/// Where a foreign key joins the same columns, this says what an erasure does to its rows instead of the key's own action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    pub from: TableColumns,
    /// Where the key stands in the column of `from`, if it is not its value.
    #[serde(default, skip_serializing_if = "Inside::is_whole")]
    pub inside: Inside,
    pub to: TableColumns,
    /// The reference is there only in rows of which this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    pub on_erase: OnErase,
}

/// Columns of a table, in an order that matters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableColumns {
    pub table: QualifiedName,
    pub columns: Vec<String>,
}

/// A column with a value, as text: `owner_type = 'User'`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    pub column: String,
    pub equals: String,
}

/// What becomes of a row that refers to an erased one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnErase {
    /// It is erased as well, and so on from there.
    Drop,
    /// Its referring columns become NULL.
    Null,
    /// What names the erased one is taken out of its array or document.
    Remove(Removed),
    /// It stays, and these of its columns are overwritten. Where none of them is a referring one, all referring ones become NULL.
    Mask { set: Vec<(String, Replacement)> },
    /// It stays as it is, for this reason.
    Keep { because: String },
}

/// What is taken out of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removed {
    /// The element or member that is the key.
    Value,
    /// The innermost object that holds it.
    Object,
}

impl Reference {
    /// Why rows stay that refer to erased ones, if they do.
    #[must_use]
    pub fn keeps(&self) -> Option<&str> {
        match &self.on_erase {
            OnErase::Keep { because } => Some(because),
            OnErase::Drop | OnErase::Null | OnErase::Remove(_) | OnErase::Mask { .. } => None,
        }
    }

    /// The columns that are overwritten in a row that stays, besides or among the referring ones.
    #[must_use]
    pub fn overwritten(&self) -> &[(String, Replacement)] {
        match &self.on_erase {
            OnErase::Mask { set } => set,
            OnErase::Drop | OnErase::Null | OnErase::Remove(_) | OnErase::Keep { .. } => &[],
        }
    }

    /// The same, for whoever finds out what the constants are to a server.
    pub fn overwritten_mut(&mut self) -> &mut [(String, Replacement)] {
        match &mut self.on_erase {
            OnErase::Mask { set } => set,
            OnErase::Drop | OnErase::Null | OnErase::Remove(_) | OnErase::Keep { .. } => &mut [],
        }
    }

    /// A text that is the same for the same rule, to notice that the settings have changed.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = format!("{self:?}");
        for (column, replacement) in self.overwritten() {
            text.push_str(&format!("\0{column}\0{}", replacement.fingerprint()));
        }
        text
    }

    /// Whether this says about the same rows and columns what the other says, perhaps with another outcome.
    #[must_use]
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        self.from == other.from
            && self.inside == other.inside
            && self.to == other.to
            && self.when == other.when
    }
}

impl fmt::Display for TableColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<String> = self.columns.iter().map(|column| display_ident(column)).collect();
        write!(f, "{}({})", self.table, columns.join(", "))
    }
}

/// For messages. Holds no value.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} → {}", self.from, self.inside, self.to)?;
        match &self.when {
            Some(when) => write!(f, " by {}", display_ident(&when.column)),
            None => Ok(()),
        }
    }
}
