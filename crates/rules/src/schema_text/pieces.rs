//! A text of the schema in pieces: names, numbers, quoted texts.

use std::ops::Range;

use crate::coverage::names;

/// Names and numbers: runs of letters, digits and underscores.
pub(super) fn runs(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(inside)?;
        let rest = text.get(start..)?;
        let end = start + rest.find(|c| !inside(c)).unwrap_or(rest.len());
        at = end;
        Some((start..end, text.get(start..end)?))
    })
}

/// What stands between single quotes, each as it is written there. In a function's body as well, where quotes are the same.
pub(super) fn literals(text: &str) -> impl Iterator<Item = String> {
    // Two quotes within a literal are one; to split there and join again is the same as to read them.
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once('\'')?;
        let mut literal = String::new();
        rest = after;
        loop {
            let Some((part, after)) = rest.split_once('\'') else {
                literal.push_str(rest);
                rest = "";
                return Some(literal);
            };
            literal.push_str(part);
            match after.strip_prefix('\'') {
                Some(more) => {
                    literal.push('\'');
                    rest = more;
                }
                None => {
                    rest = after;
                    return Some(literal);
                }
            }
        }
    })
}

/// A name in its words and numbers, in lower case: `ordersOfUser42` and `orders_of_user_42` are the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let parts = |word: String| {
        let letters: Vec<char> = word.chars().collect();
        let parts = letters.chunk_by(|one, next| one.is_numeric() == next.is_numeric());
        parts.map(String::from_iter).collect::<Vec<String>>()
    };
    names::words(name).into_iter().flat_map(parts).collect()
}

/// What stands between blanks and punctuation; what may be within an address or a key is none.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '.' | '+' | '%')))
}

/// A text without a key, whatever the case.
pub(super) fn hide(text: &str, key: &str) -> String {
    let (lower, wanted) = (text.to_lowercase(), key.to_lowercase());
    // Lower case may be longer or shorter than upper case; then nothing of the text is shown.
    if wanted.is_empty() || lower.len() != text.len() {
        return "…".to_owned();
    }
    let mut hidden = String::new();
    let mut at = 0;
    for (found, _) in lower.match_indices(&wanted) {
        hidden.push_str(text.get(at..found).unwrap_or_default());
        hidden.push('…');
        at = found + wanted.len();
    }
    hidden.push_str(text.get(at..).unwrap_or_default());
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fall_into_pieces() {
        let text = "a_1 = 'it''s 5' AND größe<>42";
        let names: Vec<&str> = runs(text).map(|(_, run)| run).collect();
        assert_eq!(names, ["a_1", "it", "s", "5", "AND", "größe", "42"]);
        assert_eq!(literals(text).collect::<Vec<_>>(), ["it's 5"]);
        assert_eq!(literals("'a' || '' || 'b").collect::<Vec<_>>(), ["a", "", "b"]);
        assert_eq!(words("ordersOfUser42_x"), ["orders", "of", "user", "42", "x"]);
        assert_eq!(hide("orders_of_Bob_bob", "BOB"), "orders_of_…_…");
        assert_eq!(hide("İx", "x"), "…");
    }
}
