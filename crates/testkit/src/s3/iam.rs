//! Who may send which request: IAM's policies, evaluated as Amazon does. Sources: "Policy evaluation logic" and "IAM JSON
//! policy elements reference" of the IAM User Guide; "Actions, resources, and condition keys for Amazon S3" of the Service
//! Authorization Reference. No I/O.
//!
//! What is not known here (an element, an operator, a variable) ends the test: a policy whose meaning is guessed would
//! prove nothing.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One question: may this principal do that?
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// `s3:GetObject`
    pub action: String,
    /// `arn:aws:s3:::bucket/key`
    pub resource: String,
    /// Condition keys, in small letters, and their values.
    pub context: BTreeMap<String, String>,
}

impl Asked {
    #[must_use]
    pub fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.context.insert(key.to_ascii_lowercase(), value.to_string());
        self
    }
}

/// A policy in IAM's JSON: of a principal, or of a bucket.
#[derive(Clone, Debug)]
pub struct Policy(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    principals: Option<Vec<String>>,
    actions: Vec<String>,
    resources: Vec<String>,
    /// Operator, key in small letters, values.
    conditions: Vec<(String, String, Vec<String>)>,
}

/// True if one of the policies allows it and none denies it.
#[must_use]
pub fn is_allowed(policies: &[Policy], asked: &Asked) -> bool {
    let matching = || policies.iter().flat_map(|policy| &policy.0).filter(|one| one.matches(asked));
    matching().any(|one| one.allows) && matching().all(|one| one.allows)
}

impl Policy {
    /// The actions that its statements allow, as they are written.
    #[must_use]
    pub fn allowed_actions(&self) -> Vec<String> {
        let allowing = self.0.iter().filter(|statement| statement.allows);
        allowing.flat_map(|statement| statement.actions.clone()).collect()
    }

    /// # Panics
    /// If it is no policy, or has something in it whose meaning is not known here.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let policy: Map<String, Value> = serde_json::from_str(text).expect("a policy is JSON");
        assert_eq!(policy.get("Version"), Some(&Value::from("2012-10-17")), "the version of the language");
        known(&policy, &["Version", "Id", "Statement"]);
        let statements = match policy.get("Statement") {
            Some(Value::Array(statements)) => statements.clone(),
            Some(one) => vec![one.clone()],
            None => panic!("a policy has statements"),
        };
        Self(statements.iter().map(Statement::parse).collect())
    }
}

fn known(object: &Map<String, Value>, names: &[&str]) {
    for name in object.keys() {
        assert!(names.contains(&name.as_str()), "{name} is not known here");
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            assert!(!text.contains("${"), "variables are not known here: {text}");
            vec![text.clone()]
        }
        Value::Bool(value) => vec![value.to_string()],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        other => panic!("{other} is no text"),
    }
}

impl Statement {
    fn parse(value: &Value) -> Self {
        let statement = value.as_object().expect("a statement is an object");
        known(statement, &["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]);
        let principals = statement.get("Principal").map(|principal| match principal {
            Value::Object(kinds) => {
                known(kinds, &["AWS"]);
                kinds.values().flat_map(texts).collect()
            }
            other => texts(other),
        });
        let mut conditions = Vec::new();
        for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, values) in keys.as_object().expect("an operator has keys") {
                conditions.push((operator.clone(), key.to_ascii_lowercase(), texts(values)));
            }
        }
        let effect = statement.get("Effect").and_then(Value::as_str);
        assert!(matches!(effect, Some("Allow" | "Deny")), "{effect:?} is no effect");
        Self {
            allows: effect == Some("Allow"),
            principals,
            actions: texts(statement.get("Action").expect("a statement names actions")),
            resources: texts(statement.get("Resource").expect("a statement names resources")),
            conditions,
        }
    }

    fn matches(&self, asked: &Asked) -> bool {
        let action = asked.action.to_ascii_lowercase();
        let principal = asked.context.get("aws:principalarn");
        let is_meant = self
            .principals
            .as_ref()
            .is_none_or(|principals| principals.iter().any(|meant| meant == "*" || principal == Some(meant)));
        is_meant
            && self.actions.iter().any(|pattern| like(&pattern.to_ascii_lowercase(), &action))
            && self.resources.iter().any(|pattern| like(pattern, &asked.resource))
            && self.conditions.iter().all(|(operator, key, values)| {
                holds(operator, asked.context.get(key).map(String::as_str), values)
            })
    }
}

fn holds(operator: &str, found: Option<&str>, values: &[String]) -> bool {
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    if operator == "Null" {
        return values.iter().any(|value| (value == "true") == found.is_none());
    }
    // A key that is not there equals nothing, and so differs from everything.
    let Some(found) = found else { return if_exists || operator.contains("Not") };
    let any = |test: fn(&str, &str) -> bool| values.iter().any(|value| test(value, found));
    match operator {
        "StringEquals" | "ArnEquals" => any(|value, found| value == found),
        "StringNotEquals" | "ArnNotEquals" => !any(|value, found| value == found),
        "StringLike" | "ArnLike" => any(like),
        "StringNotLike" | "ArnNotLike" => !any(like),
        "Bool" => any(|value, found| value.eq_ignore_ascii_case(found)),
        other => panic!("the operator {other} is not known here"),
    }
}

/// `*` is any text, `?` any one character.
fn like(pattern: &str, text: &str) -> bool {
    match (pattern.split_at_checked(1), text.chars().next()) {
        (None, _) => text.is_empty(),
        (Some(("*", rest)), first) => {
            like(rest, text) || first.is_some_and(|first| like(pattern, &text[first.len_utf8()..]))
        }
        (Some((one, rest)), Some(first)) => {
            (one == "?" || pattern.starts_with(first)) && like(rest, &text[first.len_utf8()..])
        }
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &str) -> Policy {
        Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#))
    }

    #[test]
    fn what_no_statement_allows_is_denied_and_a_denial_counts_more() {
        let read = policy(r#"{"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::b/x/*"]}"#);
        let deny =
            policy(r#"{"Effect": "Deny", "Action": ["s3:getobject"], "Resource": "arn:aws:s3:::b/x/?"}"#);
        let get = |key: &str| Asked::new("s3:GetObject", &format!("arn:aws:s3:::b/{key}"));
        let one = std::slice::from_ref(&read);
        assert!(is_allowed(one, &get("x/1")) && !is_allowed(one, &get("y/1")));
        assert!(!is_allowed(one, &Asked::new("s3:PutObject", "arn:aws:s3:::b/x/1")));
        assert!(!is_allowed(&[], &get("x/1")));
        let both = [read.clone(), deny];
        assert!(!is_allowed(&both, &get("x/1")) && is_allowed(&both, &get("x/12")));
    }

    #[test]
    fn conditions_hold_as_in_iam() {
        for (operator, values, found, expected) in [
            ("StringEquals", "a", Some("a"), true),
            ("StringEquals", "a", Some("b"), false),
            ("StringEquals", "a", None, false),
            ("StringEqualsIfExists", "a", None, true),
            ("StringNotEquals", "a", Some("b"), true),
            ("StringNotEquals", "a", Some("a"), false),
            ("StringNotEquals", "a", None, true),
            ("StringNotEqualsIfExists", "a", None, true),
            ("StringLike", "led*", Some("ledger/"), true),
            ("StringNotLike", "led*", Some("ledger/"), false),
            ("ArnNotLike", "arn:aws:iam::1:role/x", Some("arn:aws:iam::1:role/y"), true),
            ("Bool", "false", Some("false"), true),
            ("Bool", "false", Some("true"), false),
            ("Bool", "false", None, false),
            ("Null", "true", None, true),
            ("Null", "true", Some("*"), false),
            ("Null", "false", Some("*"), true),
        ] {
            assert_eq!(
                holds(operator, found, &[values.to_owned()]),
                expected,
                "{operator} {values} {found:?}"
            );
        }
    }

    #[test]
    fn a_buckets_policy_means_the_principals_that_it_names() {
        let of_bucket = policy(
            r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:role/a"}, "Action": "s3:*", "Resource": "*"}"#,
        );
        let asked = |who: &str| Asked::new("s3:X", "arn:aws:s3:::b").with("aws:PrincipalArn", who);
        assert!(is_allowed(std::slice::from_ref(&of_bucket), &asked("arn:aws:iam::1:role/a")));
        assert!(!is_allowed(&[of_bucket], &asked("arn:aws:iam::1:role/b")));
    }

    #[test]
    #[should_panic(expected = "NotAction is not known here")]
    fn what_is_not_known_ends_the_test() {
        let _ = policy(r#"{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}"#);
    }
}
