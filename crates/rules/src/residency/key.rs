//! Where a key of AWS KMS is. Sources: "ARNs for AWS KMS keys", "Multi-Region keys" and DescribeKey of the AWS Key Management
//! Service Developer Guide and API Reference.

use super::endpoint::is_loopback;
use super::{Place, Profile, Provider, Refusal, Told};

/// `arn:aws:kms:eu-central-1:111122223333:key/…`: the only way to name a key that says where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyArn {
    text: String,
    region: String,
    id: String,
}

impl KeyArn {
    /// None for an alias, an id alone, and anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", "aws" | "aws-eusc", "kms", region, account, resource] = parts[..] else { return None };
        let id = resource.strip_prefix("key/")?;
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (is_id && !region.is_empty() && !account.is_empty()).then(|| Self {
            text: text.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    #[must_use]
    pub fn is_multi_region(&self) -> bool {
        self.id.starts_with("mrk-")
    }
}

/// A key by its ARN, in a place that the profile allows; nothing has been asked.
///
/// # Errors
/// [`Refusal`] if it does not say where it is, or is elsewhere.
pub fn judge_key(profile: Profile, key: &str) -> Result<(KeyArn, &'static Place), Refusal> {
    let arn = KeyArn::parse(key).ok_or_else(|| {
        Refusal::new(
            format!("{key:?} does not say where the key is"),
            "name it by its ARN, arn:aws:kms:<region>:<account>:key/<id>; aws kms describe-key shows it, also for an alias",
        )
    })?;
    let place = profile.admit(arn.region()).map_err(|refusal| elsewhere(key, refusal))?;
    if place.provider != Provider::Amazon {
        return Err(Refusal::new(format!("there is no KMS in {place}"), "name a key of AWS KMS by its ARN"));
    }
    Ok((arn, place))
}

/// Which server may be asked for what the key opens: that of the key's own place, or one on this machine.
///
/// # Errors
/// [`Refusal`] for every other.
pub fn judge_key_service(place: &Place, scheme: &str, host: &str, port: Option<u16>) -> Result<(), Refusal> {
    if is_loopback(host) {
        return Ok(());
    }
    // s3.eu-central-1.amazonaws.com and kms.eu-central-1.amazonaws.com
    let expected = place.host.replacen("s3.", "kms.", 1);
    if scheme == "https" && port.is_none_or(|port| port == 443) && host == expected {
        return Ok(());
    }
    Err(Refusal::new(
        format!("the key is in {place}, and {scheme}://{host} would be asked to use it"),
        "nothing was sent; endpoints are taken from AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL and the AWS profile",
    ))
}

/// What a store is asked to encrypt objects with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreKey<'a> {
    ByBucket,
    OfStore,
    Kms(&'a str),
}

/// Whether a bucket may be asked for that: its key must be where it is, and have no copies.
///
/// # Errors
/// [`Refusal`] for a key that is elsewhere, and for what the store does not have.
pub fn judge_store_key(
    profile: Profile,
    at: Option<&'static Place>,
    key: StoreKey<'_>,
) -> Result<(), Refusal> {
    let hint = "sse = \"kms\" and sse_kms_key under [s3]";
    if key != StoreKey::ByBucket && at.is_some_and(|at| at.provider == Provider::Hetzner) {
        return Err(Refusal::new(
            "Hetzner's store encrypts with no key of its own",
            format!("leave out {hint}: everything is encrypted before it gets there"),
        ));
    }
    let StoreKey::Kms(key) = key else { return Ok(()) };
    let (arn, place) = judge_key(profile, key)?;
    if at.is_some_and(|at| at.code != place.code) {
        return Err(Refusal::new(format!("the key {key} is in {place}, and the bucket is not"), hint));
    }
    if arn.is_multi_region() {
        return Err(Refusal::new(format!("{key} is a multi-region key, whose copies may be anywhere"), hint));
    }
    Ok(())
}

/// A key may have copies in other regions; `copies` are those of all of them, as DescribeKey tells.
///
/// # Errors
/// [`Refusal`] if one is elsewhere, or if nobody says where they are.
pub fn judge_copies(profile: Profile, key: &KeyArn, copies: &Told<Vec<String>>) -> Result<(), Refusal> {
    let copies = match copies {
        Told::Yes(copies) => copies,
        untold => {
            return Err(Refusal::new(
                format!("where {} has copies cannot be read ({})", key.as_str(), untold.reason()),
                "allow kms:DescribeKey on it",
            ));
        }
    };
    if key.is_multi_region() && copies.is_empty() {
        return Err(Refusal::new(
            format!("{} is a multi-region key, and does not say where its copies are", key.as_str()),
            "use a key of one region",
        ));
    }
    match copies.iter().find_map(|region| profile.admit(region).err()) {
        None => Ok(()),
        Some(refusal) => Err(elsewhere(key.as_str(), refusal)),
    }
}

fn elsewhere(key: &str, refusal: Refusal) -> Refusal {
    Refusal::new(format!("the key {key}: {refusal}"), refusal.hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn a_key_must_say_where_it_is_and_be_there() {
        use Profile::{De, Eu};
        for (key, de, eu) in [
            (KEY, true, true),
            ("arn:aws:kms:eu-west-1:111122223333:key/abc", false, true),
            ("arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/abc", false, true),
            ("arn:aws:kms:us-east-1:111122223333:key/abc", false, false),
            ("arn:aws:kms:eu-west-2:111122223333:key/abc", false, false),
            ("arn:aws:kms:fsn1:111122223333:key/abc", false, false),
            ("arn:aws:kms:eu-central-1:111122223333:alias/mine", false, false),
            ("arn:aws:s3:eu-central-1:111122223333:key/abc", false, false),
            ("arn:aws:kms:eu-central-1:111122223333:key/", false, false),
            ("alias/mine", false, false),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", false, false),
            ("", false, false),
        ] {
            assert_eq!((judge_key(De, key).is_ok(), judge_key(Eu, key).is_ok()), (de, eu), "{key}");
        }
    }

    #[test]
    fn only_the_keys_own_place_is_asked() {
        let (_, place) = judge_key(Profile::De, KEY).expect("allowed");
        for (scheme, host, port, allowed) in [
            ("https", "kms.eu-central-1.amazonaws.com", None, true),
            ("https", "kms.eu-central-1.amazonaws.com", Some(443), true),
            ("http", "127.0.0.1", Some(8080), true),
            ("http", "kms.eu-central-1.amazonaws.com", None, false),
            ("https", "kms.eu-central-1.amazonaws.com", Some(8443), false),
            ("https", "kms-fips.eu-central-1.amazonaws.com", None, false),
            ("https", "kms.eu-west-1.amazonaws.com", None, false),
            ("https", "kms.eu-central-1.api.aws", None, false),
            ("https", "kms.eu-central-1.amazonaws.com.example.org", None, false),
        ] {
            let found = judge_key_service(place, scheme, host, port);
            assert_eq!(found.is_ok(), allowed, "{scheme} {host} {port:?}: {found:?}");
        }
    }

    #[test]
    fn a_store_uses_keys_of_its_own_place() {
        let place = |code: &str| super::super::place(code);
        let dublin = KEY.replace("eu-central-1", "eu-west-1");
        let many = KEY.replace("key/", "key/mrk-");
        for (at, key, allowed) in [
            (place("eu-central-1"), StoreKey::ByBucket, true),
            (place("eu-central-1"), StoreKey::OfStore, true),
            (place("eu-central-1"), StoreKey::Kms(KEY), true),
            (place("eu-central-1"), StoreKey::Kms(&dublin), false),
            (place("eu-central-1"), StoreKey::Kms(&many), false),
            (place("eu-central-1"), StoreKey::Kms("alias/mine"), false),
            (place("eu-west-1"), StoreKey::Kms(KEY), false),
            (place("fsn1"), StoreKey::ByBucket, true),
            (place("fsn1"), StoreKey::OfStore, false),
            (place("fsn1"), StoreKey::Kms(KEY), false),
            (None, StoreKey::Kms(KEY), true),
            (None, StoreKey::Kms("alias/mine"), false),
        ] {
            let found = judge_store_key(Profile::Eu, at, key);
            assert_eq!(found.is_ok(), allowed, "{at:?} {key:?}: {found:?}");
        }
    }

    #[test]
    fn copies_must_be_where_data_may_be() {
        let yes = |regions: &[&str]| Told::Yes(regions.iter().map(|region| (*region).to_owned()).collect());
        let denied = Told::No { status: 400, code: Some("AccessDeniedException".to_owned()) };
        let one = KeyArn::parse(KEY).expect("an ARN");
        let many = KeyArn::parse(&KEY.replace("key/", "key/mrk-")).expect("an ARN");
        for (key, copies, de, eu) in [
            (&one, yes(&[]), true, true),
            (&one, yes(&["eu-central-1", "us-east-1"]), false, false),
            (&one, denied.clone(), false, false),
            (&many, yes(&["eu-central-1"]), true, true),
            (&many, yes(&["eu-central-1", "eu-west-1"]), false, true),
            (&many, yes(&["eu-central-1", "eu-west-2"]), false, false),
            (&many, yes(&[]), false, false),
            (&many, denied, false, false),
        ] {
            let found = (Profile::De, Profile::Eu);
            let found =
                (judge_copies(found.0, key, &copies).is_ok(), judge_copies(found.1, key, &copies).is_ok());
            assert_eq!(found, (de, eu), "{key:?} {copies:?}");
        }
    }
}
