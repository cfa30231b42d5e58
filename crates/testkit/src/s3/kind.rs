//! Real products, by what they were seen doing.

use super::Misbehaviour;

/// A product whose misbehaviours the server takes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Amazon,
    /// 20.2: right in a bucket that was never versioned.
    Ceph,
    /// 16.2 and 18.2, which also store what does not fit its checksum.
    OlderCeph,
    /// Ceph, with less of the API.
    Hetzner,
    Garage,
    S3sFs,
    Moto,
    Rustack,
    SwiftS3Api,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Amazon,
        Self::Ceph,
        Self::OlderCeph,
        Self::Hetzner,
        Self::Garage,
        Self::S3sFs,
        Self::Moto,
        Self::Rustack,
        Self::SwiftS3Api,
    ];

    #[must_use]
    pub fn misbehaviours(self) -> &'static [Misbehaviour] {
        use Misbehaviour::{
            AcceptsWrongChecksums, CephListsInstead, CephVersionedEveryoneWins, GarageIgnoresConditions,
            HetznerRefusals, IgnoresConditionsOnDelete, IgnoresIfMatchOnGet, KeepsObjectsOfWrongChecksums,
            LooksBeforeItWrites, NoRegionHeader,
        };
        match self {
            Self::Amazon => &[],
            Self::Ceph => &[NoRegionHeader, CephVersionedEveryoneWins, CephListsInstead],
            Self::OlderCeph => &[
                NoRegionHeader,
                CephVersionedEveryoneWins,
                CephListsInstead,
                AcceptsWrongChecksums,
                IgnoresConditionsOnDelete,
            ],
            Self::Hetzner => &[
                NoRegionHeader,
                CephVersionedEveryoneWins,
                CephListsInstead,
                AcceptsWrongChecksums,
                HetznerRefusals,
            ],
            Self::Garage => &[NoRegionHeader, GarageIgnoresConditions, IgnoresConditionsOnDelete],
            Self::S3sFs => &[
                NoRegionHeader,
                LooksBeforeItWrites,
                IgnoresIfMatchOnGet,
                KeepsObjectsOfWrongChecksums,
                IgnoresConditionsOnDelete,
            ],
            Self::Moto => &[LooksBeforeItWrites, AcceptsWrongChecksums],
            Self::Rustack => &[GarageIgnoresConditions, IgnoresConditionsOnDelete],
            Self::SwiftS3Api => &[NoRegionHeader, LooksBeforeItWrites],
        }
    }

    /// Whether a ledger may live there: one writer wins, always.
    #[must_use]
    pub fn can_keep_a_ledger(self, versioned: bool) -> bool {
        match self {
            Self::Amazon => true,
            Self::Ceph | Self::OlderCeph | Self::Hetzner => !versioned,
            Self::Garage | Self::S3sFs | Self::Moto | Self::Rustack | Self::SwiftS3Api => false,
        }
    }
}
