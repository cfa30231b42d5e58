//! Writes the corpus of the fuzz targets from a real snapshot: `cargo run -p lethe-tests --example corpus`
#![allow(clippy::expect_used, reason = "a helper that cannot do its work must end with a message")]

use std::path::Path;

use jiff::SignedDuration;
use lethe_engine::audit::{AuditLog, Intent, export};
use lethe_engine::ledger::LastSeen;
use lethe_format::audit::checkpoint::SigningKey;
use lethe_format::audit::{Action, Entry, Facts};
use lethe_format::ids::EventId;
use lethe_format::lease::{Hold, Lease};
use lethe_format::ledger::Keys;
use lethe_format::manifest::ChunkIndex;
use lethe_format::report::{Report, ReportKind};
use lethe_format::{keys::KeyRing, layout};
use lethe_store::ObjectName;
use lethe_tests::forge::Forge;
use lethe_tests::world::World;

const SOURCE: &str = "
    CREATE DOMAIN mail AS text CHECK (value LIKE '%@%');
    CREATE TABLE users (id int PRIMARY KEY, email mail UNIQUE, tags text[] DEFAULT '{}');
    CREATE TABLE orders (id bigserial PRIMARY KEY, buyer int REFERENCES users ON DELETE SET NULL, total numeric, what regclass);
    CREATE INDEX ON orders (buyer);
    CREATE FUNCTION late() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM users; END;
    COMMENT ON TABLE users IS 'it''s people';
    INSERT INTO users VALUES (1, 'a@b', '{x,NULL}'), (2, NULL, NULL);
    INSERT INTO orders (buyer, total, what) VALUES (1, 1.50, 'users'), (NULL, 'NaN', 'orders');
    SELECT lo_from_bytea(0, 'bytes');";

/// As in `fuzz/entry_points.rs`.
const NAMING_KEY: [u8; 32] = [7; 32];

#[tokio::main]
async fn main() {
    let world = World::new().await;
    world.server.sql("source", SOURCE);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [1, 70_000, -5]).await;
    let (forge, id) = (Forge::new(&world).await, world.newest_snapshot().await);
    let store = world.repository.store();
    let get = async |name: String| {
        let object = ObjectName::new(name).expect("a name");
        store.get(&object).await.expect("get").read_to_bytes(1 << 20).await.expect("read").to_vec()
    };
    write("manifest", "shop", forge.manifest().to_string().as_bytes());
    write("archive", "shop", &forge.schema());
    write("repository", "shop", &get(layout::REPOSITORY.to_owned()).await);
    write("ledger_header", "erased", &get(layout::ledger_header(1)).await);
    write("ledger_header", "genesis", &get(layout::ledger_header(0)).await);
    let naming_key = world.repository.naming_key().expect("a naming key").as_bytes();
    let index = ChunkIndex::from_bytes(&get(layout::chunk_index(&id)).await, naming_key).expect("an index");
    write("chunk_index", "shop", &index.to_bytes(&NAMING_KEY).expect("an index"));
    let ring = KeyRing::read(&get(layout::key_ring(0)).await)
        .and_then(|ring| ring.check(naming_key))
        .expect("a ring");
    write("keys", "first", &ring.to_bytes(&NAMING_KEY).expect("a ring"));
    let event: EventId = "20261123T114905Z-6f3a1c".parse().expect("an id");
    let (at, until) = (index.started_at, index.started_at + SignedDuration::from_hours(3));
    let repository = world.repository.id().to_owned();
    let report = Report {
        version: 1,
        repository: repository.clone(),
        kind: ReportKind::Prune,
        id: event.clone(),
        at,
        content: "nothing",
    };
    write("report", "prune", &report.to_bytes(&NAMING_KEY).expect("a report"));
    let lease =
        Lease { version: 1, repository: repository.clone(), snapshot: id.clone(), id: event.clone(), until };
    write("lease", "restore", &lease.to_bytes(&NAMING_KEY).expect("a lease"));
    let (reason, approved_by) = ("court order 12".to_owned(), "legal".to_owned());
    let hold =
        Hold { version: 1, repository, id: event, snapshot: id.clone(), at, until, reason, approved_by };
    write("hold", "court", &hold.to_bytes(&NAMING_KEY).expect("a hold"));
    let repository = &world.repository;
    let seen = || LastSeen::of_audit_log(world.folder.path(), repository.id());
    let key = || SigningKey::new(repository.id(), &[9; 32]);
    let log = AuditLog::new(repository.clone(), seen(), Some(key()), "ada".to_owned(), "host".to_owned());
    for tenant in ["acme", "other"] {
        let intent = Intent { tenants: vec![tenant.to_owned()], ..Intent::of(Action::TombstoneAdd, false) };
        log.begin(intent, at).await.expect("begin").done(Facts::default(), at).await.expect("end");
    }
    let made = export(repository, &seen(), Some("acme"), &key(), at).await.expect("an export");
    write("audit_export", "acme", &made.bytes);
    let entry = Entry::from_bytes(&get(layout::audit_entry(1)).await, naming_key).expect("an entry");
    write("audit_entry", "done", &entry.to_bytes(&NAMING_KEY).expect("an entry"));
    for (name, keys) in [
        ("integers", Keys::Integers([1, 70_000, u64::MAX - 4, 1 << 40].into_iter().collect())),
        ("tuples", Keys::Tuples(vec![vec!["a".to_owned(), "b\tc".to_owned()]])),
    ] {
        let body = lethe_format::ledger::Body { salt: lethe_format::ids::Digest::of(b"salt"), keys };
        write("ledger_body", name, &body.to_bytes().expect("a body"));
    }
    let mut stream = lethe_format::copy_binary::HEADER.to_vec();
    let mut rows = vec![3];
    for out in [&mut stream, &mut rows] {
        for row in [[Some(&b"\0\0\0\x01"[..]), Some(b"a@b"), None], [Some(b"\0\0\0\x02"), None, Some(b"")]] {
            lethe_format::copy_binary::write_row(&row, out).expect("a row");
        }
    }
    stream.extend(lethe_format::copy_binary::TRAILER);
    stream.insert(0, 9);
    write("copy_binary", "rows", &rows);
    write("copy_binary", "stream", &stream);
    write("copy_text", "rows", b"\x031\ta@b\t\\N\n2\t\\N\tt\\tab\\x41\\101\\\\\n");
    write("ids", "digest", lethe_format::ids::Digest::of(b"a").to_string().as_bytes());
    write("ids", "manifest", layout::manifest(&id).as_bytes());
    write("ids", "chunk", layout::chunk(&index.chunks[0].name, &index.chunks[0].upload).as_bytes());
    write("ids", "snapshot", id.as_str().as_bytes());
    write("ids", "body", b"00112233445566778899aabbccddeeff");
    write("sql", "names", b"app.\"a \"\" b\"(id, \"Second\")");
    write("sql", "statements", b"CREATE FUNCTION f() RETURNS int AS $x$ BEGIN; END $x$; -- a\nCOMMENT ON TABLE t IS E'it\\'s' /* b; */;\nCREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; END;");
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), bytes).expect("write");
}
