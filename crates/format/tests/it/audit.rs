//! Entries, their parts, and exports: what a customer can check, and what nobody else's data gets into.

use jiff::Timestamp;
use lethe_format::audit::checkpoint::SigningKey;
use lethe_format::audit::merkle::{Peaks, Tree};
use lethe_format::audit::{
    Action, Audience, Body, Entry, Facts, Header, Internal, Opened, Phase, Shared, VERSION, export,
    tenant_tag,
};
use lethe_format::ids::Digest;
use proptest::prelude::*;

const REPOSITORY: &str = "00112233445566778899aabbccddeeff";
const NAMING_KEY: [u8; 32] = [7; 32];

fn key() -> SigningKey {
    SigningKey::new(REPOSITORY, &[9; 32])
}

/// Whose an entry is: a customer by number, everybody's, or nobody's.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Tenant(u8),
    Everyone,
    Company,
}

fn name(tenant: u8) -> String {
    format!("customer-{tenant}")
}

/// Texts that are in no other entry.
fn secret(number: usize, what: &str) -> String {
    format!("{what}-of-entry-{number}-end")
}

fn log(whose: &[Whose]) -> Vec<(Entry, Opened)> {
    let (mut peaks, mut prev) = (Peaks::default(), None);
    let mut log = Vec::new();
    for (number, whose) in whose.iter().enumerate() {
        let (audience, tenant) = match whose {
            Whose::Tenant(tenant) => (Audience::Tenant, Some(tenant_tag(&name(*tenant), &NAMING_KEY))),
            Whose::Everyone => (Audience::Everyone, None),
            Whose::Company => (Audience::Company, None),
        };
        let facts = Facts { subject: Some(secret(number, "subject")), ..Facts::default() };
        let shared = Shared {
            salt: Digest::of(format!("salt {number}").as_bytes()),
            program: "1".to_owned(),
            tenant,
            request: Some(secret(number, "request")),
            facts,
        };
        let internal = Internal {
            salt: Digest::of(format!("other salt {number}").as_bytes()),
            operator: secret(number, "operator"),
            host: "host".to_owned(),
            request: None,
            facts: Facts::default(),
            exit_code: None,
            problem: None,
            loosened: Vec::new(),
        };
        let body = Body::new(&shared, &internal).expect("a body");
        let (shared_hash, internal_hash) = body.hashes();
        let header = Header {
            version: VERSION,
            repository: REPOSITORY.to_owned(),
            seq: number as u64,
            prev,
            at: Timestamp::UNIX_EPOCH,
            action: Action::TombstoneAdd,
            phase: Phase::Done,
            began: None,
            audience,
            shared: shared_hash,
            internal: internal_hash,
        };
        let opened = Body::open(&body.to_bytes().expect("bytes"), &header).expect("open");
        let entry = Entry::new(header, b"sealed".to_vec(), &peaks).expect("an entry");
        peaks = entry.peaks.clone();
        prev = Some(entry.leaf());
        log.push((entry, opened));
    }
    log
}

fn exported(log: &[(Entry, Opened)], tenant: Option<u8>) -> Vec<u8> {
    let tag = tenant.map(|tenant| tenant_tag(&name(tenant), &NAMING_KEY));
    export::write(REPOSITORY, log, tag.as_ref(), &key(), Timestamp::UNIX_EPOCH).expect("an export")
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![(0_u8..4).prop_map(Whose::Tenant), Just(Whose::Everyone), Just(Whose::Company)]
}

proptest! {
    /// REG-18: nothing about anybody else, down to the bytes, and everything that is the customer's.
    #[test]
    fn a_customers_export_holds_its_own_part_and_nothing_else(whose in prop::collection::vec(whose(), 1..40)) {
        let log = log(&whose);
        let bytes = exported(&log, Some(0));
        let verified = export::verify(&bytes, Some(&key().public())).expect("verify");
        let mut expected = 0;
        for (number, whose) in whose.iter().enumerate() {
            let is_for = matches!(whose, Whose::Everyone | Whose::Tenant(0));
            expected += usize::from(is_for);
            for what in ["subject", "request"] {
                prop_assert_eq!(holds(&bytes, &secret(number, what)), is_for, "{} of entry {}: {:?}", what, number, whose);
            }
            prop_assert!(!holds(&bytes, &secret(number, "operator")), "an employee's name");
            if let Whose::Tenant(other @ 1..) = whose {
                prop_assert!(!holds(&bytes, &tenant_tag(&name(*other), &NAMING_KEY).to_string()));
            }
        }
        prop_assert_eq!(verified.entries.len(), expected);
        prop_assert_eq!(verified.checkpoint.size, whose.len() as u64);
        let root = Tree::new(log.iter().map(|(entry, _)| entry.leaf()).collect()).root(whose.len());
        prop_assert_eq!(Some(verified.checkpoint.root), root);
    }

    #[test]
    fn an_export_that_was_changed_anywhere_does_not_verify(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let bytes = exported(&log(&[Whose::Everyone, Whose::Tenant(0), Whose::Tenant(1), Whose::Tenant(0)]), Some(0));
        let mut changed = bytes.clone();
        let place = place.index(bytes.len());
        changed[place] ^= 1 << bit;
        prop_assert!(export::verify(&changed, Some(&key().public())).is_err(), "byte {}", place);
    }
}

fn without_line(bytes: &[u8], line: usize) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    lines.filter(|(number, _)| *number != line).flat_map(|(_, line)| line.to_vec()).collect()
}

#[test]
fn an_export_that_lacks_anything_does_not_verify() {
    let bytes = exported(&log(&[Whose::Everyone, Whose::Tenant(0), Whose::Tenant(0)]), Some(0));
    assert_eq!(export::verify(&bytes, None).expect("verify").entries.len(), 3);
    for line in 0..6 {
        assert!(export::verify(&without_line(&bytes, line), None).is_err(), "line {line}");
    }
    for len in 0..bytes.len() {
        assert!(export::verify(&bytes[..len], None).is_err(), "{len}");
    }
    assert!(export::verify(&[bytes.as_slice(), b"{}\n"].concat(), None).is_err());
    let other = SigningKey::new(REPOSITORY, &[8; 32]);
    assert!(export::verify(&bytes, Some(&other.public())).is_err(), "another key");
}

/// Whoever has a key of their own can sign what they like, and only the public key that is known tells.
#[test]
fn an_export_of_somebody_elses_making_verifies_by_their_key_alone() {
    let forger = SigningKey::new(REPOSITORY, &[8; 32]);
    let bytes = export::write(REPOSITORY, &log(&[Whose::Everyone]), None, &forger, Timestamp::UNIX_EPOCH)
        .expect("an export");
    assert!(export::verify(&bytes, None).is_ok());
    assert!(export::verify(&bytes, Some(&key().public())).is_err());
}

#[test]
fn an_entry_is_read_as_it_was_written_and_no_other() {
    let (entry, _) = log(&[Whose::Everyone, Whose::Tenant(1)]).pop().expect("an entry");
    let bytes = entry.to_bytes(&NAMING_KEY).expect("bytes");
    assert_eq!(Entry::from_bytes(&bytes, &NAMING_KEY).expect("read"), entry);
    assert!(Entry::from_bytes(&bytes, &[8; 32]).is_err(), "another naming key");
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(Entry::from_bytes(&changed, &NAMING_KEY).is_err(), "byte {place}");
    }
}

/// Each part is what its header vouches for, or nothing.
#[test]
fn a_body_belongs_to_one_header() {
    let log = log(&[Whose::Everyone, Whose::Everyone]);
    let body = |opened: &Opened| Body::new(&opened.shared, &opened.internal).expect("a body");
    let first = body(&log[0].1).to_bytes().expect("bytes");
    assert!(Body::open(&first, &log[0].0.header).is_ok());
    assert!(Body::open(&first, &log[1].0.header).is_err());
    let mixed = Body { shared: body(&log[0].1).shared, internal: body(&log[1].1).internal };
    assert!(Body::open(&mixed.to_bytes().expect("bytes"), &log[0].0.header).is_err());
}
