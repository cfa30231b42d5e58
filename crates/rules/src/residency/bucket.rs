//! What a bucket says of itself. Sources: HeadBucket, GetBucketLocation, GetBucketReplication and GetBucketEncryption of
//! the Amazon S3 API Reference; "Supported actions" of Hetzner's Object Storage documentation.

use super::{Endpoint, Place, Profile, Provider, Refusal, place};

/// An answer, or that there was none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told<T> {
    Yes(T),
    /// The store refused to say.
    No {
        /// The HTTP status.
        status: u16,
        /// S3's code.
        code: Option<String>,
    },
}

impl<T> Told<T> {
    /// True if the store said that it does not know the question.
    pub(crate) fn is_unknown_question(&self) -> bool {
        match self {
            Self::Yes(_) => false,
            Self::No { status, code } => {
                matches!(status, 405 | 501)
                    || matches!(code.as_deref(), Some("NotImplemented" | "MethodNotAllowed"))
            }
        }
    }

    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Yes(_) => "it was told".to_owned(),
            Self::No { code: Some(code), .. } => code.clone(),
            Self::No { status, code: None } => format!("HTTP status {status}"),
        }
    }
}

/// Where an enabled replication rule sends objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// As the rule names it.
    pub bucket: String,
    /// What HeadBucket says of it; none if it says nothing.
    pub region: Option<String>,
}

/// Everything that a bucket's store says about where its objects are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The header `x-amz-bucket-region` of HeadBucket, which is there even if access is denied.
    pub region: Option<String>,
    /// The constraint of GetBucketLocation: nothing for `us-east-1`, `EU` for `eu-west-1`.
    pub location: Told<Option<String>>,
    pub replication: Told<Vec<Destination>>,
    /// The KMS key that objects are encrypted with unless a request says otherwise.
    pub kms_key: Told<Option<String>>,
}

/// The bucket may be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// None if it is on this machine.
    pub place: Option<&'static Place>,
    /// What could not be found out, or is not as good as it looks. Never silent.
    pub warnings: Vec<String>,
}

/// Decides whether data may be in a bucket whose endpoint is allowed.
///
/// # Errors
/// [`Refusal`] with the first thing that speaks against it.
pub fn judge(profile: Profile, endpoint: Endpoint, evidence: &Evidence) -> Result<Verdict, Refusal> {
    let place = match endpoint {
        Endpoint::At(at) => {
            match at.provider {
                Provider::Amazon => amazon(at, profile, evidence)?,
                Provider::Hetzner => hetzner(at, evidence)?,
            }
            Some(at)
        }
        Endpoint::Local => {
            local(profile, evidence)?;
            None
        }
    };
    let mut warnings = Vec::new();
    if endpoint == Endpoint::Local {
        warnings.push(
            "the store is on this machine: where its data really lies cannot be checked. This is for tests and for trying Lethe out"
                .to_owned(),
        );
    }
    replication(endpoint, profile, &evidence.replication)?;
    encryption(endpoint, &evidence.kms_key, &mut warnings)?;
    Ok(Verdict { place, warnings })
}

fn amazon(at: &'static Place, profile: Profile, evidence: &Evidence) -> Result<(), Refusal> {
    let Some(region) = &evidence.region else {
        return Err(Refusal::new(
            "the store does not say which region the bucket is in (no x-amz-bucket-region header)",
            "is something between this machine and Amazon that changes answers? Nothing was read or written",
        ));
    };
    let place = profile.admit(region)?;
    if let Told::Yes(constraint) = &evidence.location {
        agree(place.code, region_of(constraint.as_deref()))?;
    }
    if place.code != at.code {
        let problem = format!("the bucket is in {place}, and the endpoint is that of {at}");
        return Err(Refusal::new(
            problem,
            format!("set region = \"{}\" under [s3], and no endpoint", place.code),
        ));
    }
    Ok(())
}

/// The host is the evidence. What GetBucketLocation says is the name that the operator gave to the location.
fn hetzner(at: &'static Place, evidence: &Evidence) -> Result<(), Refusal> {
    if let Some(region) = &evidence.region {
        agree(at.code, region)?;
    }
    match &evidence.location {
        // "default" is what Ceph calls a location that was given no name.
        Told::Yes(Some(constraint)) if !matches!(constraint.as_str(), "" | "default") => {
            agree(at.code, constraint)
        }
        _ => Ok(()),
    }
}

/// Nothing is known for certain; what is said all the same must not speak against it.
fn local(profile: Profile, evidence: &Evidence) -> Result<(), Refusal> {
    if let Some(region) = &evidence.region {
        profile.admit(region)?;
        if let Told::Yes(constraint) = &evidence.location {
            agree(region, region_of(constraint.as_deref()))?;
        }
        return Ok(());
    }
    match &evidence.location {
        Told::Yes(Some(constraint)) if place(region_of(Some(constraint))).is_some() => {
            profile.admit(region_of(Some(constraint))).map(|_| ())
        }
        _ => Ok(()),
    }
}

fn region_of(constraint: Option<&str>) -> &str {
    match constraint {
        None | Some("") => "us-east-1",
        Some("EU") => "eu-west-1",
        Some(region) => region,
    }
}

fn agree(first: &str, second: &str) -> Result<(), Refusal> {
    if first == second {
        return Ok(());
    }
    Err(Refusal::new(
        format!("the store contradicts itself about where the bucket is: {first}, and {second}"),
        "nothing was read or written; find out which of them is right",
    ))
}

fn replication(
    endpoint: Endpoint,
    profile: Profile,
    replication: &Told<Vec<Destination>>,
) -> Result<(), Refusal> {
    let destinations = match (replication, endpoint) {
        (Told::Yes(destinations), _) => destinations,
        (Told::No { .. }, Endpoint::Local) => return Ok(()),
        (untold, Endpoint::At(Place { provider: Provider::Hetzner, .. })) if untold.is_unknown_question() => {
            return Ok(());
        }
        (untold, _) => {
            return Err(Refusal::new(
                format!(
                    "whether the bucket is replicated, and where to, cannot be read ({})",
                    untold.reason()
                ),
                "allow s3:GetReplicationConfiguration on the bucket; nothing was read or written",
            ));
        }
    };
    for Destination { bucket, region } in destinations {
        let Some(region) = region else {
            return Err(Refusal::new(
                format!("the bucket is replicated to {bucket}, and where that is cannot be found out"),
                "allow s3:ListBucket on the destination, or disable the rule; nothing was read or written",
            ));
        };
        profile.admit(region).map_err(|refusal| {
            Refusal::new(format!("the bucket is replicated to {bucket}: {refusal}"), refusal.hint)
        })?;
    }
    Ok(())
}

fn encryption(
    endpoint: Endpoint,
    kms_key: &Told<Option<String>>,
    warnings: &mut Vec<String>,
) -> Result<(), Refusal> {
    let Endpoint::At(at) = endpoint else { return Ok(()) };
    let key = match kms_key {
        Told::Yes(None) => return Ok(()),
        Told::Yes(Some(key)) => key,
        untold if at.provider == Provider::Hetzner && untold.is_unknown_question() => return Ok(()),
        untold => {
            warnings.push(format!(
                "where the store's own encryption key is could not be read ({}): allow s3:GetEncryptionConfiguration",
                untold.reason()
            ));
            return Ok(());
        }
    };
    let hint = "choose a key of the bucket's own region under the bucket's default encryption";
    // arn:partition:kms:region:account:key/id, or what comes after the last colon alone.
    let mut parts = key.split(':');
    if let (Some("arn"), Some(_), Some("kms"), Some(region)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && region != at.code
    {
        let problem = format!("the bucket's KMS key is in {region}, and the bucket in {at}");
        return Err(Refusal::new(problem, hint));
    }
    let id = key.rsplit([':', '/']).next().unwrap_or(key);
    if id.starts_with("mrk-") {
        let problem = "the bucket's KMS key is a multi-region key, whose copies may be anywhere";
        return Err(Refusal::new(problem, hint));
    }
    if key.contains("alias/") && !key.ends_with("alias/aws/s3") {
        warnings.push(format!(
            "the bucket's KMS key is named by an alias ({key}); whether it is a multi-region key was not checked"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(code: &str) -> Endpoint {
        Endpoint::At(place(code).expect("on the list"))
    }

    fn yes(text: &str) -> Told<Option<String>> {
        Told::Yes(Some(text.to_owned()))
    }

    fn no<T>(status: u16, code: &str) -> Told<T> {
        Told::No { status, code: Some(code.to_owned()) }
    }

    fn evidence(region: Option<&str>, location: Told<Option<String>>) -> Evidence {
        Evidence {
            region: region.map(str::to_owned),
            location,
            replication: Told::Yes(Vec::new()),
            kms_key: Told::Yes(None),
        }
    }

    #[test]
    fn amazon_must_say_where_a_bucket_is() {
        use Profile::{De, Eu};
        let denied = || no(403, "AccessDenied");
        for (profile, endpoint, region, location, allowed) in [
            (De, "eu-central-1", Some("eu-central-1"), yes("eu-central-1"), true),
            (De, "eu-central-1", Some("eu-central-1"), denied(), true),
            (De, "eu-central-1", None, yes("eu-central-1"), false),
            (De, "eu-central-1", Some("eu-west-2"), yes("eu-west-2"), false),
            (De, "eu-central-1", Some("us-east-1"), Told::Yes(None), false),
            (De, "eu-central-1", Some(""), denied(), false),
            // The second look: nothing is us-east-1, EU is Dublin.
            (De, "eu-central-1", Some("eu-central-1"), Told::Yes(None), false),
            (De, "eu-central-1", Some("eu-central-1"), yes("eu-north-1"), false),
            (Eu, "eu-west-1", Some("eu-west-1"), yes("EU"), true),
            (Eu, "eu-central-1", Some("eu-central-1"), yes("EU"), false),
            (De, "eu-west-1", Some("eu-west-1"), yes("EU"), false),
            // Both allowed, and not the same.
            (Eu, "eu-central-1", Some("eu-north-1"), yes("eu-north-1"), false),
            (Eu, "eusc-de-east-1", Some("eusc-de-east-1"), yes("eusc-de-east-1"), true),
        ] {
            let found = judge(profile, at(endpoint), &evidence(region, location.clone()));
            assert_eq!(found.is_ok(), allowed, "{profile} {endpoint} {region:?} {location:?}: {found:?}");
        }
    }

    #[test]
    fn at_hetzner_the_host_is_the_evidence() {
        for (location, allowed) in [
            (Told::Yes(None), true),
            (yes(""), true),
            (yes("default"), true),
            (yes("fsn1"), true),
            (no(501, "NotImplemented"), true),
            (no(403, "AccessDenied"), true),
            (yes("hel1"), false),
            (yes("us-east-1"), false),
            (yes("somewhere"), false),
        ] {
            let found = judge(Profile::De, at("fsn1"), &evidence(None, location.clone()));
            assert_eq!(found.is_ok(), allowed, "{location:?}: {found:?}");
        }
        assert!(judge(Profile::Eu, at("fsn1"), &evidence(Some("nbg1"), Told::Yes(None))).is_err());
    }

    #[test]
    fn this_machine_is_allowed_with_a_warning_unless_it_says_otherwise() {
        for (region, location, allowed) in [
            (None, Told::Yes(None), true),
            (None, yes("default"), true),
            (None, no(501, "NotImplemented"), true),
            (Some("eu-central-1"), yes("eu-central-1"), true),
            (Some("us-east-1"), Told::Yes(None), false),
            (Some("eu-west-2"), yes("eu-west-2"), false),
            (Some("eu-central-1"), yes("eu-west-2"), false),
            (None, yes("hel1"), false),
            (None, yes("EU"), false),
        ] {
            let found = judge(Profile::De, Endpoint::Local, &evidence(region, location.clone()));
            assert_eq!(found.is_ok(), allowed, "{region:?} {location:?}: {found:?}");
            if let Ok(verdict) = found {
                assert!(verdict.place.is_none() && verdict.warnings[0].contains("on this machine"));
            }
        }
    }

    #[test]
    fn every_destination_of_a_replication_must_be_allowed() {
        let to = |region: Option<&str>| {
            Told::Yes(vec![
                Destination { bucket: "near".to_owned(), region: Some("eu-central-1".to_owned()) },
                Destination { bucket: "far".to_owned(), region: region.map(str::to_owned) },
            ])
        };
        let not_implemented = || no(501, "NotImplemented");
        for (endpoint, replication, allowed) in [
            (at("eu-central-1"), Told::Yes(Vec::new()), true),
            (at("eu-central-1"), to(Some("eu-central-1")), true),
            (at("eu-central-1"), to(Some("us-east-1")), false),
            (at("eu-central-1"), to(Some("eu-west-1")), false),
            (at("eu-central-1"), to(None), false),
            (at("eu-central-1"), no(403, "AccessDenied"), false),
            (at("eu-central-1"), not_implemented(), false),
            (at("fsn1"), not_implemented(), true),
            (at("fsn1"), Told::No { status: 405, code: None }, true),
            (at("fsn1"), no(403, "AccessDenied"), false),
            (at("fsn1"), to(None), false),
            (Endpoint::Local, not_implemented(), true),
            (Endpoint::Local, to(Some("us-east-1")), false),
        ] {
            let region = matches!(endpoint, Endpoint::At(place) if place.provider == Provider::Amazon)
                .then_some("eu-central-1");
            let location = region.map_or(Told::Yes(None), yes);
            let evidence = Evidence { replication: replication.clone(), ..evidence(region, location) };
            let found = judge(Profile::De, endpoint, &evidence);
            assert_eq!(found.is_ok(), allowed, "{endpoint:?} {replication:?}: {found:?}");
        }
    }

    #[test]
    fn the_stores_own_key_must_be_in_the_buckets_region() {
        let key = |key: &str| {
            let kms_key = Told::Yes(Some(key.to_owned()));
            let evidence = Evidence { kms_key, ..evidence(Some("eu-central-1"), yes("eu-central-1")) };
            judge(Profile::Eu, at("eu-central-1"), &evidence)
        };
        for right in ["arn:aws:kms:eu-central-1:1:key/abc", "abc", "alias/aws/s3"] {
            assert_eq!(key(right).map(|verdict| verdict.warnings), Ok(Vec::new()), "{right}");
        }
        for wrong in [
            "arn:aws:kms:us-east-1:1:key/abc",
            "arn:aws:kms:eu-west-1:1:key/abc",
            "arn:aws:kms:eu-central-1:1:key/mrk-abc",
            "mrk-abc",
        ] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
        assert!(
            key("arn:aws:kms:eu-central-1:1:alias/mine").is_ok_and(|verdict| verdict.warnings.len() == 1)
        );
        let denied = Evidence {
            kms_key: no(403, "AccessDenied"),
            ..evidence(Some("eu-central-1"), yes("eu-central-1"))
        };
        let verdict = judge(Profile::De, at("eu-central-1"), &denied).expect("allowed");
        assert!(verdict.warnings[0].contains("AccessDenied"), "never as if it had been checked");
    }
}
