//! Which settings of a bucket would break a promise: that a ledger entry is written once, and that after 35 days nothing
//! is left. Sources: "Retaining multiple versions of objects", "Locking objects" and "Configuring MFA delete" of the
//! Amazon S3 User Guide.

use crate::residency::{Provider, Refusal, Told};

/// What a store is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Chunks and manifests.
    Data,
    /// Ledger entries, and everything else of which there may be only one writer.
    Ledger,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Versioning {
    Never,
    Enabled,
    /// It was enabled once: there are versions, and new writes replace the one that has none.
    Suspended,
}

/// How a bucket keeps what is written into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keeping {
    pub versioning: Told<Versioning>,
    pub mfa_delete: bool,
    /// How many days Object Lock keeps every new object undeletable.
    pub default_retention: Told<Option<u32>>,
}

/// Nothing may be kept for longer.
pub const CEILING_DAYS: u32 = 35;

const ANOTHER_BUCKET: &str = "copy the objects below ledger/ into a bucket that was never versioned, and name it in lethe.toml: ledger_url. Versioning that was enabled once cannot be taken back";

/// Decides whether a bucket with these settings may be used; what could not be found out is returned as a warning.
/// `provider` is none for a store on this machine, whose abilities only trying it can tell.
///
/// # Errors
/// [`Refusal`] with the first setting that is in the way.
pub fn judge_keeping(
    purpose: Use,
    provider: Option<Provider>,
    keeping: &Keeping,
) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    match &keeping.versioning {
        Told::Yes(Versioning::Suspended) if purpose == Use::Ledger => {
            return Err(Refusal::new(
                "the versioning of the bucket is suspended, and with that some stores let several writers create the same ledger entry",
                ANOTHER_BUCKET,
            ));
        }
        // Ceph; the race at `lethe init` finds it, but versioning may have been enabled since.
        Told::Yes(Versioning::Enabled) if purpose == Use::Ledger && provider == Some(Provider::Hetzner) => {
            return Err(Refusal::new(
                "the bucket is versioned, and with that Hetzner's store lets several writers create the same ledger entry",
                ANOTHER_BUCKET,
            ));
        }
        Told::Yes(_) => {}
        Told::No { .. } if keeping.versioning.is_unknown_question() => {}
        untold => warnings.push(format!(
            "whether the bucket is versioned could not be read ({}): allow s3:GetBucketVersioning",
            untold.reason()
        )),
    }
    if keeping.mfa_delete {
        return Err(Refusal::new(
            "the bucket has MFA delete, so that nothing can be deleted in time without a person at hand",
            "disable MFA delete on the bucket (only its root account can)",
        ));
    }
    match &keeping.default_retention {
        Told::Yes(Some(days)) if *days > CEILING_DAYS => {
            return Err(Refusal::new(
                format!("Object Lock keeps every object of the bucket for {days} days, and {CEILING_DAYS} are the ceiling"),
                "set the default retention of the bucket to 35 days or fewer; 30 is recommended",
            ));
        }
        Told::Yes(_) => {}
        Told::No { .. } if keeping.default_retention.is_unknown_question() => {}
        untold => warnings.push(format!(
            "whether Object Lock keeps objects for too long could not be read ({}): allow s3:GetBucketObjectLockConfiguration",
            untold.reason()
        )),
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping(versioning: Versioning, mfa_delete: bool, days: Option<u32>) -> Keeping {
        Keeping { versioning: Told::Yes(versioning), mfa_delete, default_retention: Told::Yes(days) }
    }

    #[test]
    fn settings_that_break_a_promise_are_refused() {
        for (versioning, mfa_delete, days, data, ledger) in [
            (Versioning::Never, false, None, true, true),
            (Versioning::Enabled, false, None, true, true),
            (Versioning::Suspended, false, None, true, false),
            (Versioning::Enabled, true, None, false, false),
            (Versioning::Enabled, false, Some(35), true, true),
            (Versioning::Enabled, false, Some(36), false, false),
            (Versioning::Enabled, false, Some(40), false, false),
        ] {
            let keeping = keeping(versioning, mfa_delete, days);
            let found = (
                judge_keeping(Use::Data, None, &keeping).is_ok(),
                judge_keeping(Use::Ledger, None, &keeping).is_ok(),
            );
            assert_eq!(found, (data, ledger), "{keeping:?}");
        }
    }

    #[test]
    fn at_hetzner_a_versioned_bucket_keeps_data_alone() {
        let hetzner = Some(Provider::Hetzner);
        for (versioning, ledger) in [(Versioning::Never, true), (Versioning::Enabled, false)] {
            let keeping = keeping(versioning, false, None);
            assert!(judge_keeping(Use::Data, hetzner, &keeping).is_ok());
            assert_eq!(judge_keeping(Use::Ledger, hetzner, &keeping).is_ok(), ledger, "{versioning:?}");
            assert!(judge_keeping(Use::Ledger, Some(Provider::Amazon), &keeping).is_ok());
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let denied = || Told::No { status: 403, code: Some("AccessDenied".to_owned()) };
        let keeping = Keeping {
            versioning: denied(),
            mfa_delete: false,
            default_retention: Told::No { status: 501, code: None },
        };
        assert_eq!(judge_keeping(Use::Ledger, None, &keeping).map(|warnings| warnings.len()), Ok(1));
        let keeping = Keeping { default_retention: Told::No { status: 403, code: None }, ..keeping };
        let warnings = judge_keeping(Use::Data, None, &keeping).expect("allowed");
        assert!(warnings.len() == 2 && warnings[1].contains("HTTP status 403"), "{warnings:?}");
    }
}
