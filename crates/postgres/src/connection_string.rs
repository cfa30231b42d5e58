//! The two ways to write where a server is, as names and values (PostgreSQL documentation, "Connection Strings").
//!
//! Both are read as libpq reads them. The driver reads them too, but it gives a URL without a port the default port
//! at once, so that `PGPORT` would be ignored, and it does not know all modes of `sslmode`.

use std::collections::BTreeMap;

use crate::SettingsError;

/// Parameters by libpq's names; of a name that is given twice the last value counts.
pub(crate) type Parameters = BTreeMap<String, String>;

/// # Errors
/// What is wrong, without quoting the text: any part of it may be a password.
pub(crate) fn parse(text: &str) -> Result<Parameters, SettingsError> {
    let url = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let parameters = match url {
        Some(rest) => parse_url(rest),
        None => parse_pairs(text),
    };
    parameters.map_err(|problem| SettingsError::Malformed { problem: problem.to_owned() })
}

fn parse_url(text: &str) -> Result<Parameters, &'static str> {
    let mut parameters = Parameters::new();
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            parameters.insert(name.to_owned(), decode(value)?);
        }
        Ok(())
    };
    // As in libpq, an `@` ends the credentials only if no `/` comes before it.
    let mut rest = text;
    if let Some((credentials, after)) = text.split_once('@').filter(|(before, _)| !before.contains('/')) {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        set("user", user)?;
        set("password", password)?;
        rest = after;
    }
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    if address.contains('@') {
        return Err("a character of the password or the database's name must be percent-encoded");
    }
    let (place, database) = address.split_once('/').unwrap_or((address, ""));
    let (host, port) = split_port(place)?;
    set("host", host)?;
    set("port", port)?;
    set("dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').ok_or("a parameter in the URL has no value")? {
            // What JDBC calls it.
            ("ssl", "true") => set("sslmode", "require")?,
            (name, value) => set(&decode(name)?, value)?,
        }
    }
    Ok(parameters)
}

fn split_port(place: &str) -> Result<(&str, &str), &'static str> {
    if let Some(address) = place.strip_prefix('[') {
        let (host, after) = address.split_once(']').ok_or("an IPv6 address lacks its closing bracket")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if after.is_empty() => Ok((host, "")),
            None => Err("something other than a port follows an IPv6 address"),
        };
    }
    Ok(place.split_once(':').unwrap_or((place, "")))
}

fn decode(text: &str) -> Result<String, &'static str> {
    const MALFORMED: &str = "a percent sign is not followed by two hexadecimal digits";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2).ok_or(MALFORMED)?;
            let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(MALFORMED);
            let code = digit(digits[0])? * 16 + digit(digits[1])?;
            bytes.push(u8::try_from(code).map_err(|_| MALFORMED)?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err("a percent-encoded part is not text"),
    }
}

/// `name = value` pairs between blanks; a value may stand in single quotes, and a backslash takes the next character
/// as it is.
fn parse_pairs(text: &str) -> Result<Parameters, &'static str> {
    let mut parameters = Parameters::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start().strip_prefix('=').ok_or("a name is not followed by = and a value")?;
        if name.is_empty() {
            return Err("a value has no name");
        }
        let (value, after) = take_value(after.trim_start())?;
        if !value.is_empty() {
            parameters.insert(name.to_owned(), value);
        }
        rest = after.trim_start();
    }
    Ok(parameters)
}

fn take_value(text: &str) -> Result<(String, &str), &'static str> {
    let (quoted, body) = text.strip_prefix('\'').map_or((false, text), |body| (true, body));
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if quoted { Err("a quoted value lacks its closing quote") } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
        Ok(parse(text)?.into_iter().collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn urls_are_taken_apart_as_libpq_does() {
        assert_eq!(
            parsed("postgres://bob:p%40ss@[::1]:6000/shop?sslmode=disable").expect("parses"),
            pairs(&[
                ("dbname", "shop"),
                ("host", "::1"),
                ("password", "p@ss"),
                ("port", "6000"),
                ("sslmode", "disable"),
                ("user", "bob")
            ])
        );
        assert_eq!(
            parsed("postgresql:///shop?host=%2Fvar%2Frun").expect("parses"),
            pairs(&[("dbname", "shop"), ("host", "/var/run")])
        );
        for text in [
            "postgres://bob:a/b@host/shop",
            "postgres://host/shop?x",
            "postgres://h/%zz",
            "postgres://[::1/x",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_may_be_quoted_and_spaced() {
        assert_eq!(
            parsed(r"host = db.example  password='it\'s a canary' dbname=a\ b").expect("parses"),
            pairs(&[("dbname", "a b"), ("host", "db.example"), ("password", "it's a canary")])
        );
        for text in ["host", "host=a =b", "password='open"] {
            let error = parsed(text).expect_err(text);
            assert!(!error.to_string().contains("open"), "{error}");
        }
    }
}
