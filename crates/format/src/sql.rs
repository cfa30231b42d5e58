//! Names and texts inside SQL statements, and the notation of subjects.

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
    let mut parser = Parser { chars: text.chars().collect(), next: 0 };
    parser.table_ref().map_err(|problem| TableRefError {
        text: text.to_owned(),
        problem,
        position: parser.next + 1,
    })
}

struct Parser {
    chars: Vec<char>,
    next: usize,
}

impl Parser {
    fn table_ref(&mut self) -> Result<TableRef, &'static str> {
        let first = self.identifier()?;
        let (schema, table) = if self.eat('.') { (Some(first), self.identifier()?) } else { (None, first) };
        let mut columns = None;
        if self.eat('(') {
            let mut names = vec![self.identifier()?];
            while self.eat(',') {
                names.push(self.identifier()?);
            }
            if !self.eat(')') {
                return Err("a closing parenthesis is missing");
            }
            columns = Some(names);
        }
        if self.next < self.chars.len() {
            return Err("there is more than a name");
        }
        Ok(TableRef { schema, table, columns })
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.chars.get(self.next) == Some(&wanted);
        if found {
            self.next += 1;
        }
        self.skip_blanks();
        found
    }

    fn skip_blanks(&mut self) {
        while self.chars.get(self.next).is_some_and(|c| " \t\n\r\x0b\x0c".contains(*c)) {
            self.next += 1;
        }
    }

    fn identifier(&mut self) -> Result<String, &'static str> {
        self.skip_blanks();
        if self.chars.get(self.next) == Some(&'"') {
            return self.quoted();
        }
        let start = self.next;
        while let Some(c) = self.chars.get(self.next) {
            let first = c.is_ascii_alphabetic() || *c == '_' || !c.is_ascii();
            let allowed = first || (self.next > start && (c.is_ascii_digit() || *c == '$'));
            if !allowed {
                break;
            }
            self.next += 1;
        }
        if start == self.next {
            return Err("a name is missing");
        }
        Ok(self.chars[start..self.next].iter().map(|c| c.to_ascii_lowercase()).collect())
    }

    fn quoted(&mut self) -> Result<String, &'static str> {
        self.next += 1;
        let mut name = String::new();
        loop {
            match (self.chars.get(self.next), self.chars.get(self.next + 1)) {
                (Some('"'), Some('"')) => {
                    name.push('"');
                    self.next += 2;
                }
                (Some('"'), _) => {
                    self.next += 1;
                    return if name.is_empty() { Err("a name is empty") } else { Ok(name) };
                }
                (Some('\0'), _) => return Err("a name cannot hold a zero byte"),
                (Some(c), _) => {
                    name.push(*c);
                    self.next += 1;
                }
                (None, _) => return Err("a closing quote is missing"),
            }
        }
    }
}
