//! What a column becomes in a row that stays, in the form in which the row is stored.

use std::sync::Arc;

use lethe_format::catalog::{AttNum, DefaultValue, Table};
use lethe_format::copy_text;
use lethe_format::manifest::CopyFormat;
use lethe_format::mask::{Constant, Replacement};

use super::edges::Becomes;
use super::layouts::Layouts;
use super::table_rules::NewField;
use crate::anonymise::{self, Fill};

/// Or why it cannot be made.
pub(super) fn new_field(
    layouts: Layouts<'_>,
    (table, attnum): (&Table, AttNum),
    becomes: Becomes<'_>,
) -> Result<NewField, String> {
    let format = layouts.of(table.oid).map_or(CopyFormat::Text, |data| data.format);
    let column = table.column(attnum).ok_or("a column is not in the snapshot")?;
    let how = match becomes {
        Becomes::Null => return Ok(NewField::Null),
        Becomes::Default => return default(format, column.default.as_ref()),
        Becomes::Overwritten(how) => how,
    };
    let named = |problem: String| format!("{}.{}: {problem}", table.name, column.name);
    match how {
        Replacement::Null => Ok(NewField::Null),
        Replacement::Constant(Constant { text, binary }) => match format {
            CopyFormat::Text => Ok(text_constant(text)),
            CopyFormat::Binary => binary
                .as_ref()
                .map(|bytes| constant(bytes.clone()))
                .ok_or_else(|| named("no server has been asked what its constant is".to_owned())),
        },
        Replacement::Random | Replacement::Fake(_) => {
            let layout = layouts.of(table.oid).ok_or("its rows are not in the snapshot")?;
            match anonymise::fill(layouts.catalog, table, layout, column, how).map_err(named)? {
                Fill::Made(made) => Ok(NewField::Made(made)),
                Fill::Null | Fill::Constant(_) => Err(named("it is not made up".to_owned())),
            }
        }
    }
}

fn default(format: CopyFormat, default: Option<&DefaultValue>) -> Result<NewField, String> {
    let (text, binary) = match default {
        None => return Ok(NewField::Null),
        Some(DefaultValue::Computed) => {
            return Err("SET DEFAULT needs a default that is a constant".to_owned());
        }
        Some(DefaultValue::Constant { text, binary }) => (text, binary),
    };
    match (format, text, binary) {
        (CopyFormat::Text, Some(text), _) => Ok(text_constant(text)),
        (CopyFormat::Binary, _, Some(digits)) => {
            Ok(constant(hex::decode(digits).map_err(|_| "its default cannot be read")?))
        }
        (CopyFormat::Binary, Some(_), None) => Err("its default has no binary form".to_owned()),
        (CopyFormat::Text, None, _) | (CopyFormat::Binary, None, None) => Ok(NewField::Null),
    }
}

fn constant(bytes: Vec<u8>) -> NewField {
    let bytes: Arc<[u8]> = bytes.into();
    NewField::Constant { copied: bytes.clone(), plain: bytes }
}

fn text_constant(text: &str) -> NewField {
    let mut escaped = Vec::new();
    copy_text::escape_into(text.as_bytes(), &mut escaped);
    NewField::Constant { copied: escaped.into(), plain: text.as_bytes().into() }
}
