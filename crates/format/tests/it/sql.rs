use lethe_format::sql::{parse_table_ref, quote_ident, quote_literal};
use proptest::prelude::*;

#[test]
fn names_are_always_quoted() {
    assert_eq!(quote_ident("users"), "\"users\"");
    assert_eq!(quote_ident("a\"b; --\n"), "\"a\"\"b; --\n\"");
    assert_eq!(
        quote_ident("a\0\"; DROP TABLE x"),
        "\"a\"\"; DROP TABLE x\"",
        "a zero byte does not end the name"
    );
}

#[test]
fn literals_mean_the_same_whatever_standard_conforming_strings_is() {
    assert_eq!(quote_literal("it's"), "'it''s'");
    assert_eq!(quote_literal("a\\'"), "E'a\\\\'''");
    assert_eq!(quote_literal(""), "''");
}

#[test]
fn table_names_are_read_as_sql_reads_them() {
    let parsed = parse_table_ref("Public.\"Odd \"\"Name\" ( A , \"B c\" )").unwrap();
    assert_eq!(parsed.schema.as_deref(), Some("public"));
    assert_eq!(parsed.table, "Odd \"Name");
    assert_eq!(parsed.columns, Some(vec!["a".to_owned(), "B c".to_owned()]));
    let parsed = parse_table_ref(" users ").unwrap();
    assert_eq!((parsed.schema, parsed.table, parsed.columns), (None, "users".to_owned(), None));
    // Beyond ASCII nothing is folded, and nothing is a blank.
    assert_eq!(
        parse_table_ref("KUNDEN_\u{c4}\u{a0}\u{20ac}$1").unwrap().table,
        "kunden_\u{c4}\u{a0}\u{20ac}$1"
    );
}

#[test]
fn what_is_no_table_name_is_refused_with_its_position() {
    let position =
        |text: &str| parse_table_ref(text).map(|parsed| format!("{parsed:?}")).unwrap_err().position;
    for (text, expected) in [
        ("", 1),
        (".", 1),
        ("a.", 3),
        ("a..b", 3),
        ("a.b.c", 4),
        ("a(", 3),
        ("a()", 3),
        ("a(b", 4),
        ("a(b,", 5),
        ("a(b c)", 5),
        ("a(b) c", 6),
        ("\"a", 3),
        ("\"\"", 3),
        ("a b", 3),
        ("1a", 1),
        ("$a", 1),
        ("a;b", 2),
        ("\"a\0\"", 3),
    ] {
        assert_eq!(position(text), expected, "{text:?}");
    }
    let message = parse_table_ref("a b").unwrap_err().to_string();
    assert_eq!(message, "\"a b\" is not a table's name: there is more than a name at character 3");
}

proptest! {
    #[test]
    fn quoted_names_read_back_as_they_were(
        schema in "[^\0]{1,12}", table in "[^\0]{1,12}", columns in prop::collection::vec("[^\0]{1,12}", 1..4),
    ) {
        let list: Vec<String> = columns.iter().map(|column| quote_ident(column)).collect();
        let text = format!("{}.{}({})", quote_ident(&schema), quote_ident(&table), list.join(", "));
        let parsed = parse_table_ref(&text).unwrap();
        prop_assert_eq!(parsed.schema, Some(schema));
        prop_assert_eq!(parsed.table, table);
        prop_assert_eq!(parsed.columns, Some(columns));
    }

    #[test]
    fn garbage_never_panics(text in "[a-z\"(),. \0\u{e4}]{0,20}") {
        let _ = parse_table_ref(&text);
    }
}
