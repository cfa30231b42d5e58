use lethe_format::archive::{Archive, Entry, Error, Section};
use proptest::prelude::*;

use super::archive_bytes::{PRE_DATA, Written, bytes, header, int, string};

pub(crate) const EVERYTHING: [&[u8]; 3] = [
    include_bytes!("../fixtures/everything_15.dump"),
    include_bytes!("../fixtures/everything_16.dump"),
    include_bytes!("../fixtures/everything_18.dump"),
];

pub(crate) fn entry<'a>(archive: &'a Archive, desc: &str, tag: &str) -> &'a Entry {
    let mut found = archive.entries.iter().filter(|entry| entry.desc == desc && entry.tag == tag);
    found.next().unwrap_or_else(|| panic!("{desc} {tag} is in the archive"))
}

fn small(minor: u8) -> Vec<u8> {
    let table = Written::new(7, "TABLE", PRE_DATA, "CREATE TABLE app.t ();\n").tag("t");
    bytes(minor, &[table.clone(), table.needs(&["7", "12"])])
}

fn error(bytes: &[u8]) -> Error {
    Archive::read(bytes).unwrap_err()
}

#[test]
fn headers_of_every_version_are_read() {
    let read = EVERYTHING.map(|bytes| Archive::read(bytes).unwrap());
    let [old, middle, new] = &read;
    assert_eq!([old.version, middle.version, new.version], [(1, 14, 0), (1, 15, 0), (1, 16, 0)]);
    for archive in &read {
        assert_eq!(archive.database_name.as_deref(), Some("everything"));
    }
    assert_eq!(old.dump_version.as_deref(), Some("15.18 (Debian 15.18-0+deb12u1)"));
    assert_eq!(old.server_version.as_deref(), Some("15.18 (Debian 15.18-0+deb12u1)"));
    assert_eq!(middle.server_version.as_deref(), Some("16.14"));
    assert_eq!(new.dump_version.as_deref(), Some("18.4"));
    // "TOC Entries" of pg_restore -l.
    assert_eq!(read.each_ref().map(|archive| archive.entries.len()), [160, 160, 179]);
}

#[test]
fn entries_of_every_version_are_read() {
    for bytes in EVERYTHING {
        let archive = Archive::read(bytes).unwrap();
        let schema = entry(&archive, "SCHEMA", "Odd \"Schema");
        assert_eq!(schema.definition, "CREATE SCHEMA \"Odd \"\"Schema\";\n");
        assert_eq!(schema.drop_statement, "DROP SCHEMA \"Odd \"\"Schema\";\n");
        assert_eq!((schema.section, schema.catalog_oid), (Section::PreData, 2615));
        assert_eq!((&schema.namespace, &schema.tablespace), (&None, &None));
        assert_eq!((&schema.table_access_method, schema.relkind), (&None, None));

        let orders = entry(&archive, "TABLE", "orders");
        assert!(orders.definition.starts_with("CREATE TABLE app.orders (\n    id bigint NOT NULL,"));
        assert_eq!(orders.namespace.as_deref(), Some("app"));
        assert_eq!(orders.tablespace.as_deref(), Some("Odd space"));
        assert_eq!(orders.table_access_method.as_deref(), Some("heap"));
        assert_eq!(orders.owner.as_deref(), Some("postgres"));
        assert_eq!(entry(&archive, "TABLE", "other_heap").table_access_method.as_deref(), Some("heap2"));
        assert_eq!(entry(&archive, "TABLE", "users").tablespace.as_deref(), Some(""));

        let key = entry(&archive, "FK CONSTRAINT", "orders orders_user_id_fkey");
        assert_eq!(key.section, Section::PostData);
        assert!(key.dependencies.contains(&orders.dump_id));
        assert!(key.dependencies.contains(&entry(&archive, "TABLE", "users").dump_id));

        let comment = entry(&archive, "COMMENT", "COLUMN users.mail");
        assert_eq!(comment.section, Section::None);
        assert_eq!(comment.drop_statement, "");
        assert_eq!(comment.dependencies, [entry(&archive, "TABLE", "users").dump_id]);
    }
    let new = Archive::read(EVERYTHING[2]).unwrap();
    let kinds = ["users", "events"].map(|table| entry(&new, "TABLE", table).relkind);
    assert_eq!(kinds, [Some('r'), Some('p')]);
}

#[test]
fn what_the_test_writes_is_read() {
    for minor in 14..=16 {
        let archive = Archive::read(&small(minor)).unwrap();
        assert_eq!(archive.version, (1, minor, 0));
        assert_eq!(archive.database_name.as_deref(), Some("shop"));
        assert_eq!(archive.entries.len(), 2);
        assert_eq!(archive.entries[1].dependencies, [7, 12]);
        assert_eq!(archive.entries[1].oid, 16384);
        assert_eq!(archive.entries[1].relkind, (minor == 16).then_some('r'));
    }
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    for minor in 14..=16 {
        let whole = small(minor);
        for len in 0..whole.len() {
            let cut = Archive::read(&whole[..len]);
            assert!(cut.is_err(), "{len} of {} bytes of a 1.{minor} archive", whole.len());
        }
    }
    for whole in EVERYTHING {
        for len in (0..whole.len()).rev().step_by(499) {
            assert!(Archive::read(&whole[..len]).is_err(), "{len} of {} bytes", whole.len());
        }
    }
}

#[test]
fn what_is_no_known_archive_is_named() {
    let patched = |position: usize, byte: u8| {
        let mut bytes = small(16);
        bytes[position] = byte;
        error(&bytes)
    };
    assert_eq!(error(b""), Error::NoMagic { len: 0 });
    assert_eq!(error(b"-- plain SQL"), Error::NoMagic { len: 12 });
    assert_eq!(patched(5, 2), Error::UnknownVersion { major: 2, minor: 16 });
    assert_eq!(patched(6, 17), Error::UnknownVersion { major: 1, minor: 17 });
    assert_eq!(patched(6, 13), Error::UnknownVersion { major: 1, minor: 13 });
    assert_eq!(patched(8, 0), Error::Malformed { what: "size of numbers", position: 9 });
    assert_eq!(patched(8, 33), Error::Malformed { what: "size of numbers", position: 9 });
    assert_eq!(patched(9, 0), Error::Malformed { what: "size of numbers", position: 10 });
    // The directory format.
    assert_eq!(patched(10, 5), Error::NotCustom { format: 5 });
}

#[test]
fn a_huge_number_asks_for_no_memory() {
    let header_len = header(16, 0).len();
    for count in [1, 0x7fff_ffff] {
        let bytes = header(16, count);
        assert_eq!(error(&bytes), Error::Truncated { what: "an entry's number", position: header_len });
    }
    let bytes = [header(16, 1), int(7), int(0), int(0x7fff_ffff), b"1259".to_vec()].concat();
    assert_eq!(error(&bytes), Error::Truncated { what: "an entry's catalog", position: bytes.len() });
    // Eight bytes each, all bits set.
    let mut bytes = header(16, 1);
    bytes[8] = 8;
    bytes.truncate(12);
    bytes.extend([0xff; 9]);
    assert_eq!(error(&bytes), Error::Malformed { what: "its creation time", position: 21 });
}

#[test]
fn impossible_values_are_named() {
    assert!(matches!(error(&header(16, -1)), Error::Malformed { what: "the number of entries", .. }));
    let begun = [header(16, 1), int(7), int(0)].concat();
    let not_a_number = [begun.clone(), string(Some("x"))].concat();
    assert!(matches!(error(&not_a_number), Error::Malformed { what: "an entry's catalog", .. }));
    let too_large = [begun.clone(), string(Some("4294967296"))].concat();
    assert!(matches!(error(&too_large), Error::Malformed { what: "an entry's catalog", .. }));
    let not_utf8 = [begun.clone(), string(Some("1")), string(Some("2")), int(3), b"ab\xff".to_vec()].concat();
    let position = not_utf8.len() - 1;
    assert_eq!(error(&not_utf8), Error::NotUtf8 { what: "an entry's tag", position });
    let names = ["1", "2", "tag", "TABLE"].map(|text| string(Some(text))).concat();
    let no_section = [begun, names, int(5)].concat();
    assert!(matches!(error(&no_section), Error::Malformed { what: "an entry's section", .. }));
    let table = Written::new(7, "TABLE", PRE_DATA, "").needs(&["seven"]);
    assert!(matches!(error(&bytes(16, &[table])), Error::Malformed { what: "an entry's dependencies", .. }));
}

proptest! {
    #[test]
    fn damage_never_panics(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = small(16);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = Archive::read(&bytes);
    }

    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Archive::read(&garbage);
        let _ = Archive::read(&[b"PGDMP\x01\x10\x00\x04\x08\x01".to_vec(), garbage].concat());
    }
}
