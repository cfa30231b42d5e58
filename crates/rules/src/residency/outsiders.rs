//! Whom a bucket's policy lets in besides our own accounts. Sources: "AWS JSON policy elements: Principal" of the IAM User
//! Guide, "Delegating access control to access points" of the Amazon S3 User Guide; for principals of Hetzner's projects,
//! `arn:aws:iam:::user/p<project>:<key>`, its Object Storage documentation.
//!
//! Only what is certainly ours is passed over. A condition counts if it names accounts; every other is one that is not
//! understood here.

use serde_json::Value;

use super::ways_out::WayOut;
use crate::bucket_policy::{is, statements, texts};

/// Condition keys by which a policy leaves the decision to access points.
const DELEGATING: [&str; 3] =
    ["s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:accesspointnetworkorigin"];

/// Everybody whom a policy lets in and who is not known to be ours. None is a bucket without a policy.
#[must_use]
pub fn outsiders(policy: Option<&str>, accounts: &[String]) -> Vec<WayOut> {
    let Some(text) = policy else { return Vec::new() };
    let mut found = Vec::new();
    match serde_json::from_str::<Value>(text) {
        Ok(policy) if policy.get("Statement").is_some() => {}
        _ => found.push(WayOut::Unknown("the bucket's policy is none that is understood here".to_owned())),
    }
    for statement in statements(policy).iter().filter(|statement| !is(statement, "Effect", "Deny")) {
        for way in let_in_by(statement, accounts) {
            if !found.contains(&way) {
                found.push(way);
            }
        }
    }
    found
}

fn let_in_by(statement: &Value, accounts: &[String]) -> Vec<WayOut> {
    let mut found = Vec::new();
    let conditions = conditions(statement);
    let delegates = conditions.iter().any(|(_, key, _)| DELEGATING.contains(&key.as_str()));
    if delegates {
        found.push(WayOut::Unknown(
            "the bucket's policy leaves it to access points whom to let in, and their own policies cannot be seen here"
                .to_owned(),
        ));
    }
    let kinds = match statement.get("Principal") {
        Some(Value::Object(kinds)) => kinds.clone(),
        Some(one) => serde_json::Map::from_iter([("AWS".to_owned(), one.clone())]),
        // NotPrincipal: everybody but somebody.
        None => serde_json::Map::from_iter([("AWS".to_owned(), Value::from("*"))]),
    };
    for (kind, named) in &kinds {
        for name in texts(named) {
            match kind.as_str() {
                "AWS" if name == "*" && delegates => {}
                "AWS" if name == "*" => found.extend(everybody(&conditions, accounts)),
                "AWS" | "Federated" => found.extend(somebody(name, accounts)),
                "Service" => {
                    let text = format!(
                        "the bucket's policy lets in {name}, a service: for whom cannot be seen here"
                    );
                    found.push(WayOut::Unknown(text));
                }
                _ => {
                    let text =
                        format!("the bucket's policy lets in {name} ({kind}), whose account it does not say");
                    found.push(WayOut::Unknown(text));
                }
            }
        }
    }
    found
}

fn somebody(name: &str, accounts: &[String]) -> Option<WayOut> {
    let Some(account) = account(name) else {
        let text = format!("the bucket's policy lets in {name}, whose account it does not say");
        return Some(WayOut::Unknown(text));
    };
    let of =
        if account == name { format!("account {account}") } else { format!("{name} of account {account}") };
    if accounts.is_empty() {
        return Some(WayOut::Unknown(format!(
            "the bucket's policy lets in {of}: is it yours? Put it under accounts in [residency]"
        )));
    }
    let is_ours = accounts.iter().any(|ours| ours == account);
    (!is_ours).then(|| {
        WayOut::Elsewhere(format!(
            "the bucket's policy lets in {of}, which is not one of accounts in [residency]"
        ))
    })
}

/// A statement that means everybody means those who fulfil its conditions; one of them may limit it to some accounts.
fn everybody(conditions: &[(String, String, Vec<String>)], accounts: &[String]) -> Vec<WayOut> {
    if conditions.is_empty() {
        return vec![WayOut::Elsewhere("the bucket's policy lets everybody in".to_owned())];
    }
    let limits = conditions.iter().find(|(operator, key, values)| {
        let is_named = match key.as_str() {
            "aws:principalaccount" => operator == "StringEquals",
            "aws:principalarn" => {
                matches!(operator.as_str(), "StringEquals" | "StringLike" | "ArnEquals" | "ArnLike")
            }
            _ => false,
        };
        is_named && !values.is_empty() && values.iter().all(|value| account(value).is_some())
    });
    match limits {
        Some((_, _, values)) => values.iter().filter_map(|value| somebody(value, accounts)).collect(),
        None => {
            let keys: Vec<&str> = conditions.iter().map(|(_, key, _)| key.as_str()).collect();
            vec![WayOut::Unknown(format!(
                "the bucket's policy lets in everybody who fulfils a condition ({}), and who that is cannot be seen here",
                keys.join(", ")
            ))]
        }
    }
}

/// Operator, key in small letters, and values.
fn conditions(statement: &Value) -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            let values = texts(values).into_iter().map(str::to_owned).collect();
            found.push((operator.clone(), key.to_ascii_lowercase(), values));
        }
    }
    found
}

/// The account of a principal; none if its name does not say.
fn account(name: &str) -> Option<&str> {
    let is_number = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(name) {
        return Some(name);
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", "", account, who] = parts[..] else { return None };
    match who.strip_prefix("user/").and_then(|who| who.split_once(':')) {
        Some((project, _)) if account.is_empty() && !project.is_empty() => Some(project),
        _ => is_number(account).then_some(account),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "111122223333";

    fn statement(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [
                {{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "*"}},
                {{"Effect": "Allow", {principal}, "Action": "s3:GetObject", "Resource": "*", "Condition": {condition}}}]}}"#
        )
    }

    /// `E` for elsewhere, `U` for unknown: without the setting, and with it.
    fn judged(policy: &str) -> (String, String) {
        let letters = |accounts: &[String]| {
            let found = outsiders(Some(policy), accounts);
            let letter = |way: &WayOut| if matches!(way, WayOut::Elsewhere(_)) { 'E' } else { 'U' };
            found.iter().map(letter).collect()
        };
        (letters(&[]), letters(&[OURS.to_owned(), "p1234567".to_owned()]))
    }

    #[test]
    fn whoever_is_not_ours_is_an_outsider() {
        for (principal, without, with) in [
            (r#""Principal": {"AWS": "111122223333"}"#, "U", ""),
            (r#""Principal": {"AWS": "arn:aws:iam::111122223333:root"}"#, "U", ""),
            (r#""Principal": {"AWS": "arn:aws-eusc:iam::111122223333:role/x"}"#, "U", ""),
            (r#""Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/x/y"}"#, "U", ""),
            (r#""Principal": {"AWS": "444455556666"}"#, "U", "E"),
            (r#""Principal": {"AWS": "arn:aws:iam::444455556666:root"}"#, "U", "E"),
            (r#""Principal": {"AWS": "arn:aws:iam::444455556666:role/111122223333"}"#, "U", "E"),
            (r#""Principal": {"AWS": ["111122223333", "444455556666", "777788889999"]}"#, "UUU", "EE"),
            (r#""Principal": {"AWS": "arn:aws:iam:::user/p1234567:KEY"}"#, "U", ""),
            (r#""Principal": {"AWS": "arn:aws:iam:::user/p7654321:KEY"}"#, "U", "E"),
            (r#""Principal": {"AWS": "arn:aws:iam:::user/somebody"}"#, "U", "U"),
            (r#""Principal": {"AWS": "arn:aws:iam::*:root"}"#, "U", "U"),
            (r#""Principal": {"AWS": "AROAEXAMPLE"}"#, "U", "U"),
            (r#""Principal": {"CanonicalUser": "79a59df900b949e5"}"#, "U", "U"),
            (r#""Principal": {"Service": "logging.s3.amazonaws.com"}"#, "U", "U"),
            (r#""Principal": {"Service": ["a.amazonaws.com", "b.amazonaws.com"]}"#, "UU", "UU"),
            (r#""Principal": {"Federated": "arn:aws:iam::444455556666:saml-provider/x"}"#, "U", "E"),
            (r#""Principal": {"Federated": "cognito-identity.amazonaws.com"}"#, "U", "U"),
            (r#""Principal": "*""#, "E", "E"),
            (r#""Principal": {"AWS": "*"}"#, "E", "E"),
            (r#""Principal": {"AWS": ["111122223333", "*"]}"#, "UE", "E"),
            (r#""NotPrincipal": {"AWS": "111122223333"}"#, "E", "E"),
        ] {
            let expected = (without.to_owned(), with.to_owned());
            assert_eq!(judged(&statement(principal, "{}")), expected, "{principal}");
            let denied = statement(principal, "{}").replace("Allow", "Deny");
            assert_eq!(judged(&denied), (String::new(), String::new()), "{principal}");
        }
        assert_eq!(outsiders(None, &[]), []);
        for (broken, expected) in
            [("", "U"), ("{", "U"), ("[]", "U"), ("{}", "U"), (r#"{"Statement": []}"#, "")]
        {
            assert_eq!(judged(broken).0, expected, "{broken}");
        }
    }

    #[test]
    fn a_condition_counts_if_it_names_accounts() {
        for (condition, without, with) in [
            (r#"{"StringEquals": {"aws:PrincipalAccount": "111122223333"}}"#, "U", ""),
            (r#"{"StringEquals": {"AWS:principalaccount": ["111122223333", "444455556666"]}}"#, "UU", "E"),
            (r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/lethe-*"}}"#, "U", ""),
            (r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/lethe-prune"}}"#, "U", "U"),
            (r#"{"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}"#, "U", "U"),
            (r#"{"StringEqualsIfExists": {"aws:PrincipalAccount": "111122223333"}}"#, "U", "U"),
            (r#"{"StringEquals": {"aws:PrincipalAccount": []}}"#, "U", "U"),
            (r#"{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}"#, "U", "U"),
            (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, "U", "U"),
        ] {
            let expected = (without.to_owned(), with.to_owned());
            assert_eq!(judged(&statement(r#""Principal": "*""#, condition)), expected, "{condition}");
            // Somebody who is named is let in, whatever the condition is.
            let named = statement(r#""Principal": {"AWS": "444455556666"}"#, condition);
            assert_eq!(judged(&named), ("U".to_owned(), "E".to_owned()), "{condition}");
        }
    }

    #[test]
    fn what_is_left_to_access_points_is_unknown() {
        for condition in [
            r#"{"StringEquals": {"s3:DataAccessPointAccount": "111122223333"}}"#,
            r#"{"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:eu-central-1:111122223333:accesspoint/*"}}"#,
            r#"{"StringEquals": {"s3:AccessPointNetworkOrigin": "VPC"}}"#,
        ] {
            for principal in [r#""Principal": "*""#, r#""Principal": {"AWS": "111122223333"}"#] {
                let policy = statement(principal, condition);
                let found = outsiders(Some(&policy), &[OURS.to_owned()]);
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].text().contains("access points"), "{found:?}");
            }
        }
    }
}
