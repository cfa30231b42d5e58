//! Where else a bucket's store sends what it knows: lists of names, logs of requests, messages about each object. Sources:
//! GetBucketLogging, ListBucketInventoryConfigurations, ListBucketAnalyticsConfigurations and
//! GetBucketNotificationConfiguration of the Amazon S3 API Reference; "Amazon Resource Names" of the IAM User Guide; "Bucket
//! Notifications" of Ceph's documentation.

use super::outsiders::outsiders;
use super::{Destination, Endpoint, Place, Profile, Provider, Told};

/// Everything that a bucket's store says about what leaves it, besides replication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaysOut {
    /// Where the log of requests is written.
    pub logging: Told<Vec<Destination>>,
    /// Where lists of all objects are written.
    pub inventories: Told<Vec<Destination>>,
    /// Where storage class analyses are written.
    pub analytics: Told<Vec<Destination>>,
    pub events: Told<EventTargets>,
    /// In IAM's JSON.
    pub policy: Told<Option<String>>,
}

/// Who is told when an object is written or deleted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventTargets {
    /// Of topics, queues and functions.
    pub arns: Vec<String>,
    pub event_bridge: bool,
}

/// A way on which something may leave, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WayOut {
    /// It leads to a place that the profile does not allow, or to people who are not ours.
    Elsewhere(String),
    /// Where it leads is not known, which is not the same as nowhere.
    Unknown(String),
}

impl WayOut {
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Elsewhere(text) | Self::Unknown(text) => text,
        }
    }

    /// The same with something in front.
    #[must_use]
    pub fn of(self, whose: &str) -> Self {
        match self {
            Self::Elsewhere(text) => Self::Elsewhere(format!("{whose}: {text}")),
            Self::Unknown(text) => Self::Unknown(format!("{whose}: {text}")),
        }
    }
}

/// Every way out that is not known to be all right. `accounts` are ours.
#[must_use]
pub fn judge_ways_out(
    profile: Profile,
    endpoint: Endpoint,
    accounts: &[String],
    ways_out: &WaysOut,
) -> Vec<WayOut> {
    let mut found = Vec::new();
    for (what, told, permission) in [
        ("the log of the bucket's requests", &ways_out.logging, "s3:GetBucketLogging"),
        ("an inventory of the bucket", &ways_out.inventories, "s3:GetInventoryConfiguration"),
        ("an analysis of the bucket", &ways_out.analytics, "s3:GetAnalyticsConfiguration"),
    ] {
        match told {
            Told::Yes(destinations) => {
                found.extend(destinations.iter().filter_map(|to| destination(profile, what, to)));
            }
            untold => found.extend(unread(endpoint, &format!("where {what} goes"), untold, permission)),
        }
    }
    match &ways_out.events {
        Told::Yes(targets) => {
            found.extend(targets.arns.iter().filter_map(|arn| event(profile, endpoint, arn)));
            if targets.event_bridge {
                found.push(WayOut::Unknown(
                    "the bucket's events go to EventBridge, and whereto its rules send them on cannot be seen here: turn it off"
                        .to_owned(),
                ));
            }
        }
        untold => {
            found.extend(unread(
                endpoint,
                "where the bucket's events go",
                untold,
                "s3:GetBucketNotification",
            ));
        }
    }
    match &ways_out.policy {
        Told::Yes(policy) => found.extend(outsiders(policy.as_deref(), accounts)),
        untold => {
            found.extend(unread(endpoint, "whom the bucket's policy lets in", untold, "s3:GetBucketPolicy"))
        }
    }
    found
}

/// Nothing where there is nothing of the kind: at Hetzner, and on this machine.
fn unread<T>(endpoint: Endpoint, what: &str, untold: &Told<T>, permission: &str) -> Option<WayOut> {
    let is_amazon = matches!(endpoint, Endpoint::At(Place { provider: Provider::Amazon, .. }));
    let text = || format!("{what} could not be read ({}): allow {permission}", untold.reason());
    (is_amazon || !untold.is_unknown_question()).then(|| WayOut::Unknown(text()))
}

fn destination(profile: Profile, what: &str, to: &Destination) -> Option<WayOut> {
    let Destination { bucket, region } = to;
    let Some(region) = region else {
        return Some(WayOut::Unknown(format!(
            "{what} goes to {bucket}, and where that is cannot be found out: allow s3:ListBucket on it, or end it"
        )));
    };
    let refusal = profile.admit(region).err()?;
    Some(WayOut::Elsewhere(format!("{what} goes to {bucket}: {refusal}")))
}

/// `arn:aws:sns:eu-central-1:111122223333:topic`
fn event(profile: Profile, endpoint: Endpoint, arn: &str) -> Option<WayOut> {
    let what = format!("the bucket's events go to {arn}");
    if matches!(endpoint, Endpoint::At(Place { provider: Provider::Hetzner, .. })) {
        return Some(WayOut::Unknown(format!(
            "{what}, and whereto that sends them on cannot be seen here: remove it"
        )));
    }
    let region = match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "sns" | "sqs" | "lambda", region, _, _, ..] if !region.is_empty() => region,
        _ => {
            return Some(WayOut::Unknown(format!("{what}, which does not say where that is: remove it")));
        }
    };
    let refusal = profile.admit(region).err()?;
    Some(WayOut::Elsewhere(format!("{what}: {refusal}")))
}

#[cfg(test)]
mod tests {
    use super::super::place;
    use super::*;

    const AMAZON: &str = "eu-central-1";
    const HETZNER: &str = "fsn1";

    fn at(code: &str) -> Endpoint {
        Endpoint::At(place(code).expect("on the list"))
    }

    fn none() -> WaysOut {
        WaysOut {
            logging: Told::Yes(Vec::new()),
            inventories: Told::Yes(Vec::new()),
            analytics: Told::Yes(Vec::new()),
            events: Told::Yes(EventTargets::default()),
            policy: Told::Yes(None),
        }
    }

    fn no<T>(status: u16, code: &str) -> Told<T> {
        Told::No { status, code: Some(code.to_owned()) }
    }

    /// `E` for elsewhere, `U` for unknown.
    fn letters(found: &[WayOut]) -> String {
        let letter = |way: &WayOut| if matches!(way, WayOut::Elsewhere(_)) { 'E' } else { 'U' };
        found.iter().map(letter).collect()
    }

    #[test]
    fn every_destination_of_a_report_must_be_allowed() {
        for (region, de, eu) in [
            (Some("eu-central-1"), "", ""),
            (Some("eu-west-1"), "E", ""),
            (Some("eu-west-2"), "E", "E"),
            (Some("us-east-1"), "E", "E"),
            (Some("ap-south-1"), "E", "E"),
            (Some(""), "E", "E"),
            (None, "U", "U"),
        ] {
            let to = Destination { bucket: "reports".to_owned(), region: region.map(str::to_owned) };
            let to = || Told::Yes(vec![to.clone()]);
            for ways_out in [
                WaysOut { logging: to(), ..none() },
                WaysOut { inventories: to(), ..none() },
                WaysOut { analytics: to(), ..none() },
            ] {
                for (profile, expected) in [(Profile::De, de), (Profile::Eu, eu)] {
                    let found = judge_ways_out(profile, at(AMAZON), &[], &ways_out);
                    assert_eq!(letters(&found), expected, "{profile} {region:?}: {found:?}");
                    assert!(found.iter().all(|way| way.text().contains("goes to reports")), "{found:?}");
                }
            }
        }
    }

    #[test]
    fn every_target_of_events_must_be_allowed() {
        for (arn, amazon, hetzner) in [
            ("arn:aws:sns:eu-central-1:111122223333:topic", "", "U"),
            ("arn:aws:sqs:eu-central-1:111122223333:queue", "", "U"),
            ("arn:aws:lambda:eu-central-1:111122223333:function:f", "", "U"),
            ("arn:aws:sns:us-east-1:111122223333:topic", "E", "U"),
            ("arn:aws:sqs:eu-west-2:111122223333:queue", "E", "U"),
            ("arn:aws:lambda:us-east-1:111122223333:function:f", "E", "U"),
            ("arn:aws:sns:default::topic", "E", "U"),
            ("arn:aws:sns::111122223333:topic", "U", "U"),
            ("arn:aws:s3:eu-central-1:111122223333:x", "U", "U"),
            ("eu-central-1", "U", "U"),
            ("", "U", "U"),
        ] {
            let targets = EventTargets { arns: vec![arn.to_owned()], event_bridge: false };
            let ways_out = WaysOut { events: Told::Yes(targets), ..none() };
            for (endpoint, expected) in [(at(AMAZON), amazon), (at(HETZNER), hetzner)] {
                let found = judge_ways_out(Profile::De, endpoint, &[], &ways_out);
                assert_eq!(letters(&found), expected, "{endpoint:?} {arn}: {found:?}");
            }
        }
        let bridge = Told::Yes(EventTargets { arns: Vec::new(), event_bridge: true });
        let found = judge_ways_out(Profile::De, at(AMAZON), &[], &WaysOut { events: bridge, ..none() });
        assert_eq!(letters(&found), "U");
        assert!(found[0].text().contains("EventBridge"));
    }

    #[test]
    fn what_cannot_be_read_is_never_fine() {
        let all = |status: u16, code: &str| WaysOut {
            logging: no(status, code),
            inventories: no(status, code),
            analytics: no(status, code),
            events: no(status, code),
            policy: no(status, code),
        };
        for (endpoint, ways_out, expected) in [
            (at(AMAZON), none(), ""),
            (at(HETZNER), none(), ""),
            (Endpoint::Local, none(), ""),
            (at(AMAZON), all(403, "AccessDenied"), "UUUUU"),
            (at(HETZNER), all(403, "AccessDenied"), "UUUUU"),
            (Endpoint::Local, all(403, "AccessDenied"), "UUUUU"),
            (at(AMAZON), all(501, "NotImplemented"), "UUUUU"),
            (at(HETZNER), all(501, "NotImplemented"), ""),
            (at(HETZNER), all(405, "MethodNotAllowed"), ""),
            (Endpoint::Local, all(501, "NotImplemented"), ""),
            (at(HETZNER), all(200, "NoXml"), "UUUUU"),
        ] {
            let found = judge_ways_out(Profile::Eu, endpoint, &[], &ways_out);
            assert_eq!(letters(&found), expected, "{endpoint:?}: {found:?}");
        }
        let texts: Vec<WayOut> = judge_ways_out(Profile::De, at(AMAZON), &[], &all(403, "AccessDenied"));
        for (way, permission) in texts.iter().zip([
            "s3:GetBucketLogging",
            "s3:GetInventoryConfiguration",
            "s3:GetAnalyticsConfiguration",
            "s3:GetBucketNotification",
            "s3:GetBucketPolicy",
        ]) {
            let text = way.text();
            assert!(text.ends_with(&format!("(AccessDenied): allow {permission}")), "{text}");
        }
    }

    #[test]
    fn who_is_let_in_is_a_way_out_too() {
        let policy = r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "s3:*", "Resource": "*"}}"#;
        let ways_out = WaysOut { policy: Told::Yes(Some(policy.to_owned())), ..none() };
        for (accounts, expected) in [(&[][..], "U"), (&["111122223333"], "E"), (&["444455556666"], "")] {
            let accounts: Vec<String> = accounts.iter().map(|&account| account.to_owned()).collect();
            let found = judge_ways_out(Profile::De, at(AMAZON), &accounts, &ways_out);
            assert_eq!(letters(&found), expected, "{accounts:?}: {found:?}");
        }
        let found = judge_ways_out(Profile::De, at(AMAZON), &[], &ways_out).remove(0);
        assert!(found.of("s3://x").text().starts_with("s3://x: "));
    }
}
