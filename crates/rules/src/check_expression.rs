//! Whether a `CHECK` constraint still holds when one of its columns becomes NULL.

use lethe_format::catalog::display_ident;
use lethe_format::sql::quote_ident;

/// True if the condition cannot turn false when a column that it names becomes NULL.
///
/// PostgreSQL's comparison operators are strict, and `AND`, `OR` and `NOT` are monotone in Kleene's three-valued
/// logic: with an unknown operand their result is the same as before or unknown, and an unknown check holds. So an
/// expression made of nothing else is safe. Anything that looks at NULL itself, and any function (it need not be
/// strict), is not provably safe, and the answer is `false`. The text is `pg_get_expr`'s.
pub(crate) fn holds_for_null(expression: &str) -> bool {
    const NOT_MONOTONE: [&str; 12] = [
        "is",
        "isnull",
        "notnull",
        "distinct",
        "coalesce",
        "case",
        "nullif",
        "greatest",
        "least",
        "row",
        "select",
        "xmlserialize",
    ];
    const MAY_PRECEDE_PARENTHESIS: [&str; 7] = ["and", "or", "not", "any", "all", "in", "check"];
    let mut rest = expression;
    let mut word_before = false;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = skip_quoted(rest, '\'');
            word_before = false;
        } else if first == '"' {
            rest = skip_quoted(rest, '"');
            word_before = true;
        } else if first.is_alphabetic() || first == '_' {
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            let word = rest[..end].to_ascii_lowercase();
            if NOT_MONOTONE.contains(&word.as_str()) {
                return false;
            }
            word_before = !MAY_PRECEDE_PARENTHESIS.contains(&word.as_str());
            rest = &rest[end..];
        } else {
            // A name before a parenthesis is a function, or a type with a modifier, which is as rare.
            if first == '(' && word_before {
                return false;
            }
            if !first.is_whitespace() {
                word_before = false;
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    true
}

/// True if every mention of the column asks whether it is NULL, and nothing else.
pub(crate) fn only_tests_null(expression: &str, column: &str) -> bool {
    let quoted = quote_ident(column);
    let plain = display_ident(column);
    let mut rest = expression;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' => rest.len() - skip_quoted(rest, '\'').len(),
            '"' => rest.len() - skip_quoted(rest, '"').len(),
            first if first.is_alphanumeric() || first == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        if token == quoted || token == plain {
            let tests = after.starts_with(" IS NULL)") || after.starts_with(" IS NOT NULL)");
            if before != Some('(') || !tests {
                return false;
            }
        }
        before = Some(first);
        rest = after;
    }
    true
}

fn skip_quoted(text: &str, quote: char) -> &str {
    let mut rest = &text[1..];
    loop {
        match rest.find(quote) {
            None => return "",
            Some(end) if rest[end + 1..].starts_with(quote) => rest = &rest[end + 2..],
            Some(end) => return &rest[end + 1..],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{holds_for_null, only_tests_null};

    #[test]
    fn tests_for_null_are_told_from_other_mentions() {
        for (expression, column, only) in [
            ("((kind = 'a'::text) OR (email IS NOT NULL))", "email", true),
            ("((email IS NULL) AND (phone IS NULL))", "phone", true),
            ("(email ~~ '%@%'::text)", "email", false),
            ("((email IS NOT NULL) AND (email <> ''::text))", "email", false),
            ("(\"E Mail\" IS NULL)", "E Mail", true),
            ("(lower(email) IS NULL)", "email", false),
            ("((other = 'email'::text))", "email", true),
            ("(NOT (email IS DISTINCT FROM phone))", "email", false),
        ] {
            assert_eq!(only_tests_null(expression, column), only, "{expression}");
        }
    }

    #[test]
    fn only_strict_comparisons_are_safe() {
        for safe in [
            "(a > 0)",
            "((a > 0) OR (b < 'it''s is null'::text))",
            "((state)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
            "(NOT (a = b))",
            "(\"is\" > 3)",
        ] {
            assert!(holds_for_null(safe), "{safe}");
        }
        for unsafe_ in [
            "(a IS NOT NULL)",
            "((a > 0) OR (b IS NULL))",
            "(num_nonnulls(a, b) = 1)",
            "(COALESCE(a, 0) = 0)",
            "(a IS DISTINCT FROM b)",
            "CASE WHEN (a > 0) THEN true ELSE false END",
            "(\"odd function\"(a) = 1)",
        ] {
            assert!(!holds_for_null(unsafe_), "{unsafe_}");
        }
    }
}
