//! A document without some of its members and elements, every other byte as it was.

use super::walk::Item;

/// Cuts the items out, and the commas that separated them from their neighbours; none if nothing is left of the document.
///
/// The items are those of one document, found by [`super::items`] at any number of paths. Items within others, and the same
/// one twice, are fine.
#[must_use]
pub fn without(document: &[u8], mut items: Vec<Item>) -> Option<Vec<u8>> {
    // The whole document sorts first, and an item that holds others before those.
    items.sort_by(|one, other| match (one, other) {
        (Item::Part { start, end }, Item::Part { start: other_start, end: other_end }) => {
            start.cmp(other_start).then(other_end.cmp(end))
        }
        _ => one.cmp(other),
    });
    let mut left = Vec::with_capacity(document.len());
    let mut at = 0;
    for item in items {
        let Item::Part { start, end } = item else { return None };
        if start < at {
            continue;
        }
        left.extend_from_slice(document.get(at..start).unwrap_or_default());
        at = end;
        let rest = document.get(end..).unwrap_or_default();
        let comma = rest.iter().position(|byte| !is_blank(*byte)).filter(|place| rest[*place] == b',');
        match comma {
            // The one that follows takes its place.
            Some(comma) => {
                let after = &rest[comma + 1..];
                at += comma + 1 + after.iter().take_while(|byte| is_blank(**byte)).count();
            }
            // It was the last one: the comma before it separates nothing any more.
            None => {
                let kept = left.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
                if left.get(..kept).is_some_and(|kept| kept.ends_with(b",")) {
                    left.truncate(kept - 1);
                }
            }
        }
    }
    left.extend_from_slice(document.get(at..).unwrap_or_default());
    Some(left)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::super::{Path, Scalar, Take, any, items};
    use super::*;

    fn is_five(scalar: Scalar<'_>) -> bool {
        scalar == Scalar::Number(b"5") || scalar.text().is_some_and(|text| *text == *b"5")
    }

    fn taken(document: &str, path: &str, take: Take) -> Option<String> {
        let path = Path::parse(path).expect(path);
        let items = items(document.as_bytes(), &path, take, is_five).expect(document);
        assert_eq!(
            any(document.as_bytes(), &path, is_five).expect(document),
            !items.is_empty(),
            "{document}"
        );
        without(document.as_bytes(), items).map(|left| String::from_utf8(left).expect("UTF-8"))
    }

    #[test]
    fn members_and_elements_are_taken_out() {
        for (document, path, left) in [
            (r#"{"id": 5}"#, "$.id", "{}"),
            (r#"{"id": 5, "n": 1.50}"#, "$.id", r#"{"n": 1.50}"#),
            (r#"{"n": 1e400, "id": "5"}"#, "$.id", r#"{"n": 1e400}"#),
            (r#"{"a": 1, "id": 5, "b": 2}"#, "$.id", r#"{"a": 1, "b": 2}"#),
            (r#"{"a": {"id": 5}}"#, "$.a.id", r#"{"a": {}}"#),
            (r#"{"a": [{"id": 5}, {"id": 6}]}"#, "$.a.id", r#"{"a": [{}, {"id": 6}]}"#),
            (r#"{"a": [[{"id": 5}]]}"#, "$.a.id", r#"{"a": [[{"id": 5}]]}"#),
            (r#"{"a": [[{"id": 5}]]}"#, "$.a[*].id", r#"{"a": [[{}]]}"#),
            ("[5, 6, 5, 7, 5]", "$[*]", "[6, 7]"),
            ("[5, 5 , 6]", "$[*]", "[6]"),
            ("[6,5 , 5 ]", "$[*]", "[6 ]"),
            ("[5]", "$", "[]"),
            ("[6, 5]", "$[1]", "[6]"),
            ("[5, 5]", "$[0]", "[5]"),
            ("[5]", "$[1]", "[5]"),
            (r#"{"a": [5, [5]]}"#, "$.a", r#"{"a": [[5]]}"#),
            (r#"{"a": [5, [5]]}"#, "$.a[*]", r#"{"a": [[5]]}"#),
            (r#"{"a": 5}"#, "$.a[*]", "{}"),
            (r#"{"a": 5}"#, "$[0].a[0]", "{}"),
            (r#"{"a": 5}"#, "$[1].a", r#"{"a": 5}"#),
            (r#"{"id": 5, "id": 6, "id": 5}"#, "$.id", r#"{"id": 6}"#),
            ("{\"i\\u0064\" :\t5 ,\n\"x\":\"\\\"}\"}", "$.id", "{\"x\":\"\\\"}\"}"),
            (r#"{"id": {"id": 5}}"#, "$.id", r#"{"id": {"id": 5}}"#),
            (r#"{"id": null, "x": true}"#, "$.id", r#"{"id": null, "x": true}"#),
            ("\"x\"", "$.id", "\"x\""),
        ] {
            assert_eq!(taken(document, path, Take::Value).as_deref(), Some(left), "{document} {path}");
        }
        assert_eq!(taken(" 5 ", "$", Take::Value), None);
        assert_eq!(taken("\"5\"", "$[*]", Take::Value), None);
    }

    #[test]
    fn objects_are_taken_out() {
        for (document, path, left) in [
            (r#"[{"id": 5}, {"id": 6}]"#, "$.id", Some(r#"[{"id": 6}]"#)),
            (r#"{"a": {"id": 5, "x": 1}, "b": 2}"#, "$.a.id", Some(r#"{"b": 2}"#)),
            (
                r#"{"a": {"ids": [[4], [6, 5]]}, "b": 2}"#,
                "$.a.ids[*]",
                Some(r#"{"a": {"ids": [[4], [6, 5]]}, "b": 2}"#),
            ),
            (r#"{"a": {"ids": [[4], [6, 5]]}, "b": 2}"#, "$.a.ids[*][*]", Some(r#"{"b": 2}"#)),
            (r#"{"id": 5}"#, "$.id", None),
            (r#"{"ids": [6, 5]}"#, "$.ids", None),
            ("[6, 5]", "$[*]", Some("[6]")),
            ("[[6, 5], 5]", "$[*][*]", Some("[[6]]")),
            ("5", "$", None),
        ] {
            assert_eq!(taken(document, path, Take::Object).as_deref(), left, "{document} {path}");
        }
    }

    #[test]
    fn what_several_paths_find_goes_together() {
        let document = br#"{"a": {"id": 5, "by": 5}, "b": [5, {"id": 5}, 7], "c": 5}"#;
        let mut all = Vec::new();
        for (path, take) in [
            ("$.a.by", Take::Value),
            ("$.a.id", Take::Value),
            ("$.b[*]", Take::Value),
            ("$.b.id", Take::Object),
            ("$.b.id", Take::Value),
            ("$.c", Take::Value),
            ("$.c", Take::Value),
        ] {
            all.extend(items(document, &Path::parse(path).expect(path), take, is_five).expect("JSON"));
        }
        assert_eq!(without(document, all).as_deref(), Some(br#"{"a": {}, "b": [7]}"#.as_slice()));
    }

    #[test]
    fn a_deep_document_needs_no_deep_stack() {
        let depth = 2_000_000;
        let document = format!("{{\"x\": {}{}, \"id\": 5}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(taken(&document, "$.id", Take::Value).map(|left| left.len()), Some(document.len() - 9));
        assert!(taken(&document, "$.x.id", Take::Object).is_some());
        let objects = format!("{}5{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(taken(&objects, "$.a.a.b", Take::Value).map(|left| left.len()), Some(objects.len()));
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        let path = Path::parse("$.a").expect("a path");
        for wrong in [
            "",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\": 5",
            "{\"a\" 5}",
            "[",
            "[{\"a\":1}",
            "{\"a\": \"x}",
            "5 5",
            "}",
            "{a: 5}",
            "\"\\",
        ] {
            assert!(any(wrong.as_bytes(), &path, |_| false).is_err(), "{wrong}");
        }
    }
}
