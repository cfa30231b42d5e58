use std::fmt;

use super::Profile;

/// A place that data can be in, by the code that its provider uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub code: &'static str,
    pub name: &'static str,
    pub provider: Provider,
    /// The host of its S3 endpoint, without a bucket.
    pub host: &'static str,
    allowed: Allowed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provider {
    /// Says in a header of HeadBucket where a bucket is.
    Amazon,
    /// Ceph, which does not; each location has its own host.
    Hetzner,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Allowed {
    /// By every profile.
    Always,
    /// In the European Union, by the profile `eu` alone.
    Union,
    /// Outside the European Union; on the list so that the message can say what it is.
    Never,
}

impl Place {
    #[must_use]
    pub fn is_allowed(&self, profile: Profile) -> bool {
        match self.allowed {
            Allowed::Always => true,
            Allowed::Union => profile == Profile::Eu,
            Allowed::Never => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code, self.name)
    }
}

/// A place by its code, exactly as the provider writes it.
#[must_use]
pub fn place(code: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.code == code)
}

const fn amazon(code: &'static str, name: &'static str, host: &'static str, allowed: Allowed) -> Place {
    Place { code, name, provider: Provider::Amazon, host, allowed }
}

const fn hetzner(code: &'static str, name: &'static str, host: &'static str, allowed: Allowed) -> Place {
    Place { code, name, provider: Provider::Hetzner, host, allowed }
}

/// The list. Sources: "AWS service endpoints" of the AWS General Reference, the AWS European Sovereign Cloud's own
/// partition, "Overview" of Hetzner's Object Storage documentation.
pub const PLACES: &[Place] = &[
    amazon("eu-central-1", "Frankfurt, Germany", "s3.eu-central-1.amazonaws.com", Allowed::Always),
    amazon(
        "eusc-de-east-1",
        "AWS European Sovereign Cloud, Brandenburg, Germany",
        "s3.eusc-de-east-1.amazonaws.eu",
        Allowed::Union,
    ),
    amazon("eu-west-1", "Dublin, Ireland", "s3.eu-west-1.amazonaws.com", Allowed::Union),
    amazon("eu-west-3", "Paris, France", "s3.eu-west-3.amazonaws.com", Allowed::Union),
    amazon("eu-north-1", "Stockholm, Sweden", "s3.eu-north-1.amazonaws.com", Allowed::Union),
    amazon("eu-south-1", "Milan, Italy", "s3.eu-south-1.amazonaws.com", Allowed::Union),
    amazon("eu-south-2", "Aragón, Spain", "s3.eu-south-2.amazonaws.com", Allowed::Union),
    amazon("eu-west-2", "London, United Kingdom", "s3.eu-west-2.amazonaws.com", Allowed::Never),
    amazon("eu-central-2", "Zurich, Switzerland", "s3.eu-central-2.amazonaws.com", Allowed::Never),
    amazon(
        "eu-isoe-west-1",
        "a classified partition of AWS, United Kingdom",
        "s3.eu-isoe-west-1.cloud.adc-e.uk",
        Allowed::Never,
    ),
    amazon("us-east-1", "Northern Virginia, United States", "s3.us-east-1.amazonaws.com", Allowed::Never),
    hetzner("fsn1", "Falkenstein, Germany", "fsn1.your-objectstorage.com", Allowed::Always),
    hetzner("nbg1", "Nuremberg, Germany", "nbg1.your-objectstorage.com", Allowed::Always),
    hetzner("hel1", "Helsinki, Finland", "hel1.your-objectstorage.com", Allowed::Union),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Code, endpoint, `de`, `eu`.
    const EXPECTED: [(&str, &str, bool, bool); 13] = [
        ("eu-central-1", "s3.eu-central-1.amazonaws.com", true, true),
        ("eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu", false, true),
        ("eu-west-1", "s3.eu-west-1.amazonaws.com", false, true),
        ("eu-west-3", "s3.eu-west-3.amazonaws.com", false, true),
        ("eu-north-1", "s3.eu-north-1.amazonaws.com", false, true),
        ("eu-south-1", "s3.eu-south-1.amazonaws.com", false, true),
        ("eu-south-2", "s3.eu-south-2.amazonaws.com", false, true),
        ("eu-west-2", "s3.eu-west-2.amazonaws.com", false, false),
        ("eu-central-2", "s3.eu-central-2.amazonaws.com", false, false),
        ("eu-isoe-west-1", "s3.eu-isoe-west-1.cloud.adc-e.uk", false, false),
        ("fsn1", "fsn1.your-objectstorage.com", true, true),
        ("nbg1", "nbg1.your-objectstorage.com", true, true),
        ("hel1", "hel1.your-objectstorage.com", false, true),
    ];

    #[test]
    fn the_table_of_places_holds_for_both_profiles() {
        for (code, host, de, eu) in EXPECTED {
            assert_eq!(place(code).map(|place| place.host), Some(host));
            for (profile, allowed) in [(Profile::De, de), (Profile::Eu, eu)] {
                assert_eq!(profile.admit(code).is_ok(), allowed, "{code} by {profile}");
                let address = super::super::Address {
                    scheme: "https".to_owned(),
                    host: host.to_owned(),
                    port: None,
                    bucket: "backups".to_owned(),
                };
                let endpoint = super::super::judge_endpoint(profile, &address);
                assert_eq!(endpoint.is_ok(), allowed, "{host} by {profile}");
            }
        }
        assert_eq!(Profile::De.allowed().collect::<Vec<_>>(), ["eu-central-1", "fsn1", "nbg1"]);
    }

    #[test]
    fn the_beginning_of_a_name_says_nothing() {
        for unknown in [
            "",
            "EU",
            "eu",
            "eu-",
            "eu-central-3",
            "EU-CENTRAL-1",
            "eu-central-1 ",
            "eu-west-1a",
            "ap-south-1",
        ] {
            for profile in [Profile::De, Profile::Eu] {
                let refusal = profile.admit(unknown).expect_err(unknown);
                assert!(refusal.problem.contains("no list"), "{refusal}");
            }
        }
        let refusal = Profile::Eu.admit("eu-west-2").expect_err("London");
        assert_eq!(refusal.problem, "eu-west-2 (London, United Kingdom) is outside the European Union");
        let refusal = Profile::De.admit("hel1").expect_err("Helsinki");
        assert!(refusal.problem.contains("profile de") && refusal.hint.contains("profile = \"eu\""));
    }
}
