use super::{Place, Profile, Refusal, place};
use crate::target_label::TargetLabel;

/// What the settings say of one server: `[[target]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// As it is written where the server is named; compared without regard to case.
    pub host: String,
    /// The code of a place.
    pub residency: String,
    /// What it is for.
    pub purpose: TargetLabel,
}

/// A server that a restore may write to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetPlace {
    /// None if it is on this machine and nothing more is said of it.
    pub place: Option<&'static Place>,
    /// None if nothing is said of it.
    pub purpose: Option<TargetLabel>,
}

/// Decides whether rows may be sent to a server. `is_local` tells whether it is reached by a Unix socket or loopback.
///
/// # Errors
/// [`Refusal`] if it has no label and is not on this machine, or if its label is no allowed place.
pub fn judge_target(
    profile: Profile,
    labels: &[Label],
    host: &str,
    is_local: bool,
) -> Result<TargetPlace, Refusal> {
    let mut found = labels.iter().filter(|label| is_same(&label.host, host));
    let label = found.next();
    if found.next().is_some() {
        return Err(Refusal::new(
            format!("{host} has more than one [[target]]"),
            "leave one of them in lethe.toml; nothing was sent to it",
        ));
    }
    match label {
        None if is_local => Ok(TargetPlace { place: None, purpose: None }),
        None => Err(Refusal::new(
            format!("nothing says where the server {host} is"),
            format!(
                "if it is in one of {}, say so in lethe.toml:\n    [[target]]\n    host = \"{host}\"\n    residency = \"…\"\n    label = \"production\"      # or staging, or drill",
                profile.allowed().collect::<Vec<_>>().join(", ")
            ),
        )),
        Some(label) => {
            let place = profile
                .admit(&label.residency)
                .map_err(|refusal| Refusal::new(format!("the server {host}: {refusal}"), refusal.hint))?;
            Ok(TargetPlace { place: Some(place), purpose: Some(label.purpose.clone()) })
        }
    }
}

/// For a server that is only read: what speaks against its label, if it has one.
#[must_use]
pub fn doubt_source(profile: Profile, labels: &[Label], host: &str) -> Option<String> {
    let label = labels.iter().find(|label| is_same(&label.host, host))?;
    let known = place(&label.residency).filter(|place| place.is_allowed(profile));
    match known {
        Some(_) => None,
        None => Some(format!(
            "the source {host} is labelled {:?}, which the residency profile {profile} does not allow",
            label.residency
        )),
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<Label> {
        [("db1.example.eu", "eu-central-1"), ("db2.example.eu", "hel1"), ("db3.example.eu", "eu-west-2")]
            .into_iter()
            .map(|(host, residency)| Label {
                host: host.to_owned(),
                residency: residency.to_owned(),
                purpose: TargetLabel::staging(),
            })
            .collect()
    }

    #[test]
    fn a_server_needs_a_label_that_the_profile_allows() {
        for (profile, host, is_local, allowed) in [
            (Profile::De, "db1.example.eu", false, true),
            (Profile::De, "DB1.Example.EU.", false, true),
            (Profile::De, "db2.example.eu", false, false),
            (Profile::Eu, "db2.example.eu", false, true),
            (Profile::Eu, "db3.example.eu", false, false),
            (Profile::Eu, "db4.example.eu", false, false),
            (Profile::Eu, "1.example.eu", false, false),
            (Profile::De, "/var/run/postgresql", true, true),
            (Profile::De, "127.0.0.1", true, true),
            // A tunnel to somewhere else, and the settings say so.
            (Profile::De, "db3.example.eu", true, false),
        ] {
            let found = judge_target(profile, &labels(), host, is_local);
            assert_eq!(found.is_ok(), allowed, "{profile} {host}: {found:?}");
        }
        let refusal = judge_target(Profile::De, &[], "db9", false).expect_err("no label");
        assert!(refusal.hint.contains("[[target]]") && refusal.hint.contains("fsn1"));
        let twice = [labels(), labels()].concat();
        assert!(judge_target(Profile::De, &twice, "db1.example.eu", false).is_err());
        let place = judge_target(Profile::De, &labels(), "db1.example.eu", false).expect("allowed");
        assert_eq!(place.purpose, Some(TargetLabel::staging()));
    }

    #[test]
    fn a_source_is_doubted_only_if_its_label_says_so() {
        let doubt = |host| doubt_source(Profile::De, &labels(), host);
        assert_eq!((doubt("db1.example.eu"), doubt("db9.example.eu")), (None, None));
        assert!(doubt("db2.example.eu").is_some_and(|text| text.contains("hel1")));
    }
}
