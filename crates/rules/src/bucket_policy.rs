//! Whether a bucket's policy guards the ledger against everybody, Lethe's own hosts included. Sources: "Policies and
//! permissions in Amazon S3" and "Enforce conditional writes on Amazon S3 buckets" of the Amazon S3 User Guide, "IAM JSON
//! policy elements reference".
//!
//! Only what is certain counts: a statement with a condition, an element or an operator that is not known here guards
//! nothing.

use serde_json::Value;

/// Where the ledger's entries are.
#[derive(Clone, Copy, Debug)]
pub struct LedgerPlace<'a> {
    pub bucket: &'a str,
    /// Empty, or without a slash at its end.
    pub prefix: &'a str,
}

/// Entries whose names every guarding statement must cover. The bodies beside them are written and removed freely.
const SAMPLES: [&str; 3] = ["00000000000000000000", "00000000000000000042", "98765432109876543210"];

impl LedgerPlace<'_> {
    fn key(&self, entry: &str) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}{slash}ledger/{entry}", self.prefix)
    }

    /// The statements that guard an entry: nobody may write it twice or delete it, and nobody may have it expire.
    #[must_use]
    pub fn recommended(&self) -> String {
        let entries = format!("arn:aws:s3:::{}/{}", self.bucket, self.key(&"?".repeat(20)));
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [
  {{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "{entries}",
    "Condition": {{"Null": {{"s3:if-none-match": "true"}}}}}},
  {{"Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": "{entries}"}},
  {{"Effect": "Deny", "Principal": "*", "Action": "s3:PutLifecycleConfiguration", "Resource": "arn:aws:s3:::{}"}}
]}}"#,
            self.bucket
        )
    }
}

/// What a policy leaves open, in words; nothing if the ledger is guarded. None is a bucket without a policy.
#[must_use]
pub fn gaps(policy: Option<&str>, ledger: LedgerPlace<'_>) -> Vec<String> {
    let statements = statements(policy);
    let mut gaps = Vec::new();
    let entries: Vec<String> =
        SAMPLES.iter().map(|entry| format!("arn:aws:s3:::{}/{}", ledger.bucket, ledger.key(entry))).collect();
    let bucket = [format!("arn:aws:s3:::{}", ledger.bucket)];
    let denies = |action: &str, resources: &[String], conditional_write: bool| {
        statements.iter().any(|statement| {
            is(statement, "Effect", "Deny")
                && is_everybody(statement)
                && names_all(statement, "Action", &[action.to_owned()])
                && names_all(statement, "Resource", resources)
                && condition_is_certain(statement, conditional_write)
        })
    };
    if !denies("s3:PutObject", &entries, true) {
        gaps.push("the bucket's policy does not keep a ledger entry from being overwritten".to_owned());
    }
    for action in ["s3:DeleteObject", "s3:DeleteObjectVersion"] {
        if !denies(action, &entries, false) {
            gaps.push(format!("the bucket's policy does not deny {action} on ledger entries"));
        }
    }
    if !denies("s3:PutLifecycleConfiguration", &bucket, false) {
        gaps.push("the bucket's policy lets lifecycle rules be added that delete ledger entries".to_owned());
    }
    gaps
}

/// True if nothing forbids to write data that KMS does not encrypt. `prefix` is empty or without a slash at its end.
#[must_use]
pub fn lets_in_what_kms_has_not_encrypted(policy: Option<&str>, bucket: &str, prefix: &str) -> bool {
    let slash = if prefix.is_empty() { "" } else { "/" };
    let object = |name: &str| format!("arn:aws:s3:::{bucket}/{prefix}{slash}{name}");
    let samples = ["chunks/00/0-0.zst.age", "snapshots/0/manifest.age", "snapshots/0/chunks"].map(object);
    !statements(policy).iter().any(|statement| {
        let condition = statement.get("Condition").and_then(Value::as_object);
        // A request without the header differs from everything.
        let by_kms = condition.is_some_and(|condition| {
            condition.len() == 1
                && condition.iter().all(|(operator, keys)| {
                    matches!(operator.as_str(), "StringNotEquals" | "StringNotEqualsIfExists")
                        && keys.as_object().is_some_and(|keys| {
                            keys.len() == 1
                                && keys.iter().all(|(key, value)| {
                                    key.eq_ignore_ascii_case("s3:x-amz-server-side-encryption")
                                        && texts(value) == ["aws:kms"]
                                })
                        })
                })
        });
        is(statement, "Effect", "Deny")
            && is_everybody(statement)
            && names_all(statement, "Action", &["s3:PutObject".to_owned()])
            && names_all(statement, "Resource", &samples)
            && by_kms
    })
}

pub(crate) fn statements(policy: Option<&str>) -> Vec<Value> {
    let policy: Value = policy.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

pub(crate) fn is(statement: &Value, element: &str, value: &str) -> bool {
    statement.get(element).and_then(Value::as_str) == Some(value)
}

fn is_everybody(statement: &Value) -> bool {
    let principal = statement.get("Principal");
    let star = |value: &Value| texts(value).contains(&"*");
    principal.is_some_and(|principal| star(principal) || principal.get("AWS").is_some_and(star))
}

/// A text, or the texts of a list.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn names_all(statement: &Value, element: &str, wanted: &[String]) -> bool {
    let patterns = statement.get(element).map(texts).unwrap_or_default();
    // Actions are the same in any case, and names of objects are not.
    let fold = |text: &str| if element == "Action" { text.to_ascii_lowercase() } else { text.to_owned() };
    wanted.iter().all(|wanted| {
        patterns.iter().any(|pattern| matches(fold(pattern).as_bytes(), fold(wanted).as_bytes()))
    })
}

/// `*` is any text, `?` any one character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut pos) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while pos < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, pos));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[pos] => {
                at += 1;
                pos += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    at = after;
                    pos = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// True if the condition holds for everybody but named principals and, if `conditional_write`, for every write without
/// `If-None-Match` and no other.
fn condition_is_certain(statement: &Value, conditional_write: bool) -> bool {
    let empty = serde_json::Map::new();
    let condition = match statement.get("Condition") {
        None => &empty,
        Some(Value::Object(condition)) => condition,
        Some(_) => return false,
    };
    let mut guards_writes = false;
    for (operator, keys) in condition {
        let Value::Object(keys) = keys else { return false };
        for (key, value) in keys {
            match (operator.as_str(), key.to_ascii_lowercase().as_str()) {
                ("Null", "s3:if-none-match") if conditional_write && texts_or_bool(value) == "true" => {
                    guards_writes = true;
                }
                (
                    "ArnNotEquals" | "ArnNotLike" | "StringNotEquals" | "StringNotLike",
                    "aws:principalarn" | "aws:userid",
                ) if !texts(value).iter().any(|text| text.trim_matches('*').is_empty()) => {}
                _ => return false,
            }
        }
    }
    guards_writes == conditional_write
}

fn texts_or_bool(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        other => texts(other).first().copied().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::outsiders::outsiders;

    const LEDGER: LedgerPlace<'static> = LedgerPlace { bucket: "backups", prefix: "production" };

    #[test]
    fn the_recommended_policy_leaves_no_gap() {
        assert_eq!(gaps(Some(&LEDGER.recommended()), LEDGER), Vec::<String>::new());
        let root = LedgerPlace { prefix: "", ..LEDGER };
        assert_eq!(gaps(Some(&root.recommended()), root), Vec::<String>::new());
        assert_eq!(gaps(None, LEDGER).len(), 4);
        assert_eq!(outsiders(Some(&LEDGER.recommended()), &[]), []);
    }

    /// Each change opens something.
    #[test]
    fn what_is_not_certain_guards_nothing() {
        let policy = LEDGER.recommended();
        for (from, to) in [
            ("\"Deny\"", "\"Allow\""),
            ("\"Principal\": \"*\"", "\"Principal\": {\"AWS\": \"arn:aws:iam::1:role/x\"}"),
            ("production/ledger", "staging/ledger"),
            ("ledger/????????????????????", "ledger/0000????????????????"),
            ("\"s3:if-none-match\": \"true\"", "\"s3:if-none-match\": \"false\""),
            ("\"Null\"", "\"NullIfExists\""),
            ("\"Action\"", "\"NotAction\""),
            ("s3:DeleteObjectVersion", "s3:GetObject"),
            ("s3:PutLifecycleConfiguration", "s3:PutBucketTagging"),
            ("\"Statement\"", "\"Statements\""),
            ("{\"Version\"", "{{\"Version\""),
        ] {
            let changed = policy.replace(from, to);
            assert_ne!(changed, policy, "{from}");
            assert!(!gaps(Some(&changed), LEDGER).is_empty(), "{from} -> {to}");
        }
        let put_only = policy.replace(
            "\"Condition\": {\"Null\"",
            "\"Condition\": {\"Bool\": {\"aws:SecureTransport\": \"true\"}, \"Null\"",
        );
        assert_eq!(gaps(Some(&put_only), LEDGER).len(), 1, "a condition that need not hold");
    }

    #[test]
    fn named_principals_may_be_left_out_and_everybody_may_not() {
        let with = |who: &str| {
            LEDGER.recommended().replace(
                "\"Action\": [\"s3:Del",
                &format!("\"Condition\": {{\"ArnNotLike\": {{\"aws:PrincipalArn\": \"{who}\"}}}}, \"Action\": [\"s3:Del"),
            )
        };
        assert!(gaps(Some(&with("arn:aws:iam::1:role/break-glass")), LEDGER).is_empty());
        assert_eq!(gaps(Some(&with("*")), LEDGER).len(), 2);
    }

    #[test]
    fn writing_without_kms_must_be_denied_to_everybody() {
        let policy = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}}"#;
        let open = |policy: &str| lets_in_what_kms_has_not_encrypted(Some(policy), "b", "p");
        assert!(!open(policy));
        for (from, to) in [
            ("Deny", "Allow"),
            ("\"*\"", "\"arn:aws:iam::1:role/x\""),
            ("b/p/*", "b/p/chunks/*"),
            ("b/p/*", "c/p/*"),
            ("aws:kms", "AES256"),
            ("StringNotEquals", "StringEquals"),
            ("s3:PutObject", "s3:GetObject"),
            ("\"aws:kms\"", "[\"aws:kms\", \"AES256\"]"),
        ] {
            assert!(open(&policy.replacen(from, to, 1)), "{from} {to}");
        }
        assert!(lets_in_what_kms_has_not_encrypted(None, "b", "p"));
    }

    #[test]
    fn wildcards_match_as_in_policies() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("s3:*", "s3:PutObject", true),
            ("s3:Put*Object", "s3:PutObject", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("?", "", false),
            ("ledger/?", "ledger/12", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
