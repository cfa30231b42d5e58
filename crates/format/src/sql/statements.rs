//! A text of several statements, cut into them as the server's lexer does (`scan.l`, with `standard_conforming_strings`
//! on), each with the words that stand outside of quotes and parentheses.

/// One statement of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words<'a> {
    /// Plain words outside of quotes, comments and parentheses, in upper case, the first [`MOST`] of them. Whatever else
    /// stands between two words (a quoted name, an operator, a parenthesis) is one empty word.
    pub words: Vec<String>,
    /// From its first word to its semicolon, which is left out.
    pub text: &'a str,
    /// True if `BEGIN ATOMIC` stands in it and the body goes on after this statement.
    pub opens_body: bool,
}

/// Words that are kept of a statement.
const MOST: usize = 8;

/// A quote, a comment or a parenthesis that does not end: nothing can be said about what follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("what begins at byte {position} does not end")]
pub struct Unterminated {
    pub position: usize,
}

/// The statements of a text; empty ones are left out.
///
/// # Errors
/// [`Unterminated`], so that nothing is hidden from whoever looks at the statements.
pub fn statements(text: &str) -> Result<Vec<Words<'_>>, Unterminated> {
    let mut found = Vec::new();
    let mut lexer = Lexer { text, at: 0 };
    let mut current: Option<Current> = None;
    let mut parentheses: Vec<usize> = Vec::new();
    loop {
        let start = lexer.at;
        let Some(token) = lexer.next()? else { break };
        match token {
            Token::Blank => continue,
            Token::Semicolon if parentheses.is_empty() => {
                found.extend(current.take().map(|current| current.end(text, start)));
                continue;
            }
            Token::Open => parentheses.push(start),
            Token::Close => {
                parentheses.pop();
            }
            _ => {}
        }
        let current = current.get_or_insert_with(|| Current::at(start));
        match token {
            Token::Word if parentheses.is_empty() => {
                current.word(text.get(start..lexer.at).unwrap_or_default())
            }
            _ => current.other(),
        }
    }
    if let Some(position) = parentheses.first() {
        return Err(Unterminated { position: *position });
    }
    found.extend(current.take().map(|current| current.end(text, text.len())));
    Ok(found)
}

struct Current {
    start: usize,
    words: Vec<String>,
    /// The two words before, across anything that is none.
    last: [String; 2],
    /// The words after `BEGIN ATOMIC`, as far as they matter: none yet, or the first.
    body: Option<Option<String>>,
}

impl Current {
    fn at(start: usize) -> Self {
        Self { start, words: Vec::new(), last: Default::default(), body: None }
    }

    fn word(&mut self, word: &str) {
        let word = word.to_ascii_uppercase();
        match &mut self.body {
            Some(first) => {
                first.get_or_insert_with(|| word.clone());
            }
            None if self.last[1] == "BEGIN" && word == "ATOMIC" => self.body = Some(None),
            None => {}
        }
        self.push(word);
    }

    fn other(&mut self) {
        if let Some(first) = &mut self.body {
            first.get_or_insert_default();
        }
        if self.last[1].is_empty() && !self.words.is_empty() {
            return;
        }
        self.push(String::new());
    }

    fn push(&mut self, word: String) {
        if self.words.len() < MOST {
            self.words.push(word.clone());
        }
        self.last.rotate_left(1);
        self.last[1] = word;
    }

    fn end(self, text: &str, end: usize) -> Words<'_> {
        let opens_body = self.body.is_some_and(|first| first.is_some_and(|first| first != "END"));
        Words { words: self.words, text: text.get(self.start..end).unwrap_or_default(), opens_body }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// White space or a comment.
    Blank,
    Word,
    Semicolon,
    Open,
    Close,
    /// A quoted text or name, a number, an operator.
    Other,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Token>, Unterminated> {
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let token = match first {
            c if c.is_ascii_whitespace() || c == '\x0b' => {
                self.at +=
                    rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']).len();
                Token::Blank
            }
            '-' if rest.starts_with("--") => {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
                Token::Blank
            }
            '/' if rest.starts_with("/*") => {
                self.comment(start)?;
                Token::Blank
            }
            '\'' => {
                self.quoted(start, 1, '\'', false)?;
                Token::Other
            }
            '"' => {
                self.quoted(start, 1, '"', false)?;
                Token::Other
            }
            // `E'…'` reads backslashes; `B'…'`, `X'…'`, `N'…'` and `U&'…'` do not, so their letter may pass as a word.
            'e' | 'E' if rest.as_bytes().get(1) == Some(&b'\'') => {
                self.quoted(start, 2, '\'', true)?;
                Token::Other
            }
            '$' => {
                self.dollar(start)?;
                Token::Other
            }
            ';' => self.one(Token::Semicolon),
            '(' | '[' => self.one(Token::Open),
            ')' | ']' => self.one(Token::Close),
            c if in_word(c, true) => {
                self.at += rest.find(|c| !in_word(c, false)).unwrap_or(rest.len());
                Token::Word
            }
            c => {
                self.at += c.len_utf8();
                // A number with what sticks to it, so that the end of it is not taken for a word.
                if c.is_ascii_digit() {
                    let rest = self.rest();
                    self.at += rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                }
                Token::Other
            }
        };
        Ok(Some(token))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn one(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    /// A quote within is doubled, which reads like one text after another.
    fn quoted(&mut self, start: usize, skip: usize, quote: char, escapes: bool) -> Result<(), Unterminated> {
        self.at += skip;
        let mut chars = self.rest().char_indices();
        while let Some((place, c)) = chars.next() {
            if c == '\\' && escapes {
                chars.next();
            } else if c == quote {
                // Only in an escape text does it matter that what follows a doubled quote still is one.
                if escapes && chars.clone().next().is_some_and(|(_, next)| next == quote) {
                    chars.next();
                    continue;
                }
                self.at += place + 1;
                return if escapes { self.no_continuation(start) } else { Ok(()) };
            }
        }
        Err(Unterminated { position: start })
    }

    /// A text that follows an escape text on another line is a part of it, and reads backslashes as well. `pg_dump` writes
    /// no such thing, so it is not followed but refused.
    fn no_continuation(&self, start: usize) -> Result<(), Unterminated> {
        let mut after = Lexer { text: self.text, at: self.at };
        while matches!(
            after.rest().as_bytes(),
            [b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c', ..] | [b'-', b'-', ..]
        ) {
            after.next()?;
        }
        if after.rest().starts_with('\'') { Err(Unterminated { position: start }) } else { Ok(()) }
    }

    /// `$tag$ … $tag$`, or a parameter's `$`, which is a character like others.
    fn dollar(&mut self, start: usize) -> Result<(), Unterminated> {
        let rest = self.rest();
        let inner = rest.get(1..).unwrap_or_default();
        let end = inner.find(|c| !in_word(c, false) || c == '$').unwrap_or(inner.len());
        let (tag, after) = inner.split_at(end);
        if !after.starts_with('$') || tag.starts_with(|c: char| c.is_ascii_digit()) {
            self.at += 1;
            return Ok(());
        }
        let delimiter = rest.get(..end + 2).unwrap_or_default();
        let body = rest.get(end + 2..).unwrap_or_default();
        match body.find(delimiter) {
            Some(place) => {
                self.at += 2 * delimiter.len() + place;
                Ok(())
            }
            None => Err(Unterminated { position: start }),
        }
    }

    /// Comments may stand in comments.
    fn comment(&mut self, start: usize) -> Result<(), Unterminated> {
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                (depth, self.at) = (depth + 1, self.at + 2);
            } else if rest.starts_with("*/") {
                (depth, self.at) = (depth.saturating_sub(1), self.at + 2);
                if depth == 0 {
                    return Ok(());
                }
            } else {
                match rest.chars().next() {
                    Some(c) => self.at += c.len_utf8(),
                    None => return Err(Unterminated { position: start }),
                }
            }
        }
    }
}

fn in_word(c: char, first: bool) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii() || (!first && (c.is_ascii_digit() || c == '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        statements(text).expect("it ends").into_iter().map(|statement| statement.text.trim()).collect()
    }

    #[test]
    fn semicolons_count_only_where_the_server_sees_them() {
        assert_eq!(split("a; b ;; -- c; d\n e"), ["a", "b", "e"]);
        assert_eq!(
            split("a ';' \";\" E'\\';' $$;$$ $x$;$$;$x$ /* ; /* ; */ ; */ (b; c)"),
            ["a ';' \";\" E'\\';' $$;$$ $x$;$$;$x$ /* ; /* ; */ ; */ (b; c)"]
        );
        assert_eq!(split("a 'it''s'; b E'\\\\'; c E'it''s;'"), ["a 'it''s'", "b E'\\\\'", "c E'it''s;'"]);
        // A backslash is nothing in a plain text, and a dollar sign may be a part of a name.
        assert_eq!(split("a '\\'; b$x$; c$x$"), ["a '\\'", "b$x$", "c$x$"]);
        assert!(statements("E'a'\n -- b\n '\\'' ; COPY '").is_err(), "a continued escape text");
        for open in ["'a", "\"a", "E'\\'", "$a$ $b$", "/* /* */", "(a", "a [b"] {
            assert!(statements(open).is_err(), "{open}");
        }
    }

    #[test]
    fn words_are_those_outside_of_quotes_and_parentheses() {
        let found = statements("create or Replace function \"a b\"(c d) returns x").expect("it ends");
        assert_eq!(found[0].words, ["CREATE", "OR", "REPLACE", "FUNCTION", "", "RETURNS", "X"]);
        assert!(!found[0].opens_body);
    }

    #[test]
    fn bodies_are_noticed() {
        let opens = |text| statements(text).expect("it ends")[0].opens_body;
        assert!(opens("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END"));
        assert!(!opens("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END; SELECT 1"));
        for text in [
            "CREATE FUNCTION begin() RETURNS atomic; SELECT 1",
            "CREATE FUNCTION f(begin atomic) RETURNS int; SELECT 1",
            "CREATE FUNCTION f() AS 'BEGIN ATOMIC'; SELECT 1",
            "CREATE FUNCTION \"BEGIN\" ATOMIC; SELECT 1",
        ] {
            assert!(!opens(text), "{text}");
        }
    }
}
