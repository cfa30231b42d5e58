//! Names and texts inside SQL statements, the notation of subjects, and where one statement ends.

mod statements;

pub use statements::{Unterminated, Words, statements};

/// An identifier, always double-quoted; embedded quotes are doubled (PostgreSQL, "Identifiers and Key Words").
///
/// A NUL byte cannot stand in an identifier and ends it in the protocol, so it is dropped here rather than letting
/// what follows it be read as SQL.
#[must_use]
pub fn quote_ident(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars().filter(|c| *c != '\0') {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A string constant: quotes doubled, and in escape form (`E'…'`) if it holds a backslash, so that it means the same
/// whatever `standard_conforming_strings` is.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 3);
    if text.contains('\\') {
        quoted.push('E');
    }
    quoted.push('\'');
    for c in text.chars().filter(|c| *c != '\0') {
        if c == '\'' || c == '\\' {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// A table as a person names it: `table`, `schema.table` or `schema.table(column, …)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableRef {
    pub schema: Option<String>,
    pub table: String,
    pub columns: Option<Vec<String>>,
}

/// Why a text is no [`TableRef`]. The text is what the person typed, so it may be shown to them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is not a table's name: {problem} at character {position}")]
pub struct TableRefError {
    pub text: String,
    pub problem: &'static str,
    /// Counted from 1.
    pub position: usize,
}

/// Reads a [`TableRef`] with SQL's rules: names are folded to lower case unless they are double-quoted.
///
/// As in PostgreSQL's lexer (`scan.l`), every character beyond ASCII may stand in a plain name, and only ASCII letters
/// are folded.
///
/// # Errors
/// What is wrong, and where.
pub fn parse_table_ref(text: &str) -> Result<TableRef, TableRefError> {
    let mut names = NameReader::new(text);
    table_ref(&mut names).map_err(|problem| TableRefError {
        text: text.to_owned(),
        problem,
        position: text.chars().count() - names.rest.chars().count() + 1,
    })
}

fn table_ref(names: &mut NameReader<'_>) -> Result<TableRef, &'static str> {
    let (schema, table) = names.qualified_name()?;
    let mut columns = None;
    if names.eat('(') {
        let mut list = vec![names.name()?];
        while names.eat(',') {
            list.push(names.name()?);
        }
        if !names.eat(')') {
            return Err("a closing parenthesis is missing");
        }
        columns = Some(list);
    }
    if names.rest.is_empty() {
        Ok(TableRef { schema, table, columns })
    } else {
        Err("there is more than a name")
    }
}

/// Takes names and key words off the beginning of SQL text; what a method does not find, it leaves there.
pub(crate) struct NameReader<'a> {
    rest: &'a str,
}

impl<'a> NameReader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// `name` or `schema.name`.
    pub(crate) fn qualified_name(&mut self) -> Result<(Option<String>, String), &'static str> {
        let first = self.name()?;
        Ok(if self.eat('.') { (Some(first), self.name()?) } else { (None, first) })
    }

    /// A key word in capitals, as `pg_dump` writes them; true if it was there.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let found = self.rest.strip_prefix(word).filter(|rest| !rest.starts_with(|c| in_name(c, false)));
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    pub(crate) fn name(&mut self) -> Result<String, &'static str> {
        self.skip_blanks();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            self.rest = quoted;
            return self.quoted();
        }
        let plain = self.rest.starts_with(|c| in_name(c, true));
        let end = self.rest.find(|c| !in_name(c, false)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(if plain { end } else { 0 });
        self.rest = rest;
        if name.is_empty() { Err("a name is missing") } else { Ok(name.to_ascii_lowercase()) }
    }

    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut name = String::new();
        while let Some(c) = self.rest.chars().next() {
            if c == '\0' {
                return Err("a name cannot hold a zero byte");
            }
            self.rest = &self.rest[c.len_utf8()..];
            match (c, self.rest.strip_prefix('"')) {
                ('"', Some(rest)) => self.rest = rest,
                ('"', None) if name.is_empty() => return Err("a name is empty"),
                ('"', None) => return Ok(name),
                _ => {}
            }
            name.push(c);
        }
        Err("a closing quote is missing")
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(self.rest);
        self.skip_blanks();
        found.is_some()
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    }
}

fn in_name(c: char, first: bool) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii() || (!first && (c.is_ascii_digit() || c == '$'))
}
