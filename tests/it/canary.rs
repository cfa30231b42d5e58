//! Erased means erased: nothing of an erased person is in any file of the target, by any spelling, while the same
//! search finds the person where the rows were loaded without a filter.

use lethe_testkit::pg::{PgServer, Shutdown, bin_dirs};
use lethe_tests::search::{contains, hits};
use lethe_tests::world::World;

/// Settings that make a server write as much as it can about what it is told.
const TALKATIVE: [&str; 8] = [
    "log_statement=all",
    "log_min_duration_statement=0",
    "log_error_verbosity=verbose",
    "log_parameter_max_length=-1",
    "log_parameter_max_length_on_error=-1",
    "wal_compression=off",
    "wal_keep_size=4GB",
    "max_wal_size=4GB",
];

const CLINIC: &str = "
    CREATE TABLE patient (id bigint PRIMARY KEY, name text NOT NULL, letter text);
    ALTER TABLE patient ALTER letter SET STORAGE EXTERNAL;
    CREATE TABLE visit (id serial PRIMARY KEY, patient_id bigint REFERENCES patient ON DELETE CASCADE, note text, doc jsonb);
    CREATE TABLE remark (id int PRIMARY KEY, visit_id int REFERENCES visit ON DELETE CASCADE, words text[]);
    CREATE INDEX ON patient (name); CREATE INDEX ON visit (note);
    INSERT INTO patient SELECT 1000 + i, 'canary-name-' || md5('n' || i), repeat('canary-letter-' || md5('l' || i) || ' ', 300) FROM generate_series(1, 400) i;
    INSERT INTO visit (patient_id, note, doc) SELECT 1000 + i % 400 + 1, 'canary-note-' || md5((i % 400 + 1)::text), jsonb_build_object('k', 'canary-doc-' || md5((i % 400 + 1)::text)) FROM generate_series(1, 2000) i;
    INSERT INTO remark SELECT i, i, ARRAY['canary-word-' || md5((i % 400 + 1)::text), 'b'] FROM generate_series(1, 2000) i;";

/// The search strings of one person in several spellings.
fn canaries(server: &PgServer, person: u32) -> Vec<Vec<u8>> {
    let sql = format!(
        "SELECT 'canary-name-' || md5('n{person}'); SELECT 'canary-letter-' || md5('l{person}'); SELECT 'canary-note-' || md5('{person}');
         SELECT 'canary-doc-' || md5('{person}'); SELECT 'canary-word-' || md5('{person}')"
    );
    let plain = server.sql("postgres", &sql);
    plain
        .lines()
        .flat_map(|token| {
            let bytes = token.as_bytes().to_vec();
            let wide: Vec<u8> = token.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let hex: Vec<u8> = token.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
            [bytes, wide, hex, token.to_uppercase().into_bytes()]
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_target_holds_an_erased_person() {
    for bin in bin_dirs() {
        let world = World::on(PgServer::start_with(&bin, &["wal_compression=off"])).await;
        world.server.sql("source", CLINIC);
        world.snapshot().await.expect("snapshot");

        // The positive control: the same program, the same snapshot, nobody erased yet.
        let mut control = PgServer::start_with(&bin, &TALKATIVE);
        world.restore(&control, "restored").await.expect("restore");
        let canaries = [7_u32, 250].map(|person| canaries(&world.server, person)).concat();
        control.stop(Shutdown::Fast);
        let found = hits(&control.data_dir(), &canaries);
        for place in ["base/", "pg_wal/"] {
            assert!(
                found.iter().any(|(path, _)| path.contains(place)),
                "the search finds nothing in {place}: {found:?}"
            );
        }

        world.erase_integers("patient", [1007, 1250]).await;
        let mut target = PgServer::start_with(&bin, &TALKATIVE);
        let report = world.restore(&target, "restored").await.expect("restore");
        assert_eq!(report.rows.dropped, 2 + 10 + 10);
        let statistics = target.sql("restored", "SELECT string_agg(s::text, ' ') FROM pg_stats s");
        target.stop(Shutdown::Fast);
        assert_eq!(hits(&target.data_dir(), &canaries), [], "files of the target");
        let log = std::fs::read(target.log_path()).expect("read the log");
        for canary in &canaries {
            assert!(
                !contains(&log, canary) && !contains(statistics.as_bytes(), canary),
                "the log or the statistics"
            );
        }
    }
}
