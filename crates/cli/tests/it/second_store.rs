use crate::shell::{Shell, files};

/// A company whose `lethe.toml` names a second folder.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
    );
    add(&shell, &format!("[second_store]\nurl = \"file://{}\"\n", second(&shell).display()));
    shell
}

fn add(shell: &Shell, section: &str) {
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    std::fs::write(path, format!("{settings}\n{section}")).expect("write");
}

fn second(shell: &Shell) -> std::path::PathBuf {
    shell.folder.path().join("second")
}

#[test]
fn the_loss_of_a_store_loses_nothing() {
    let shell = shell();
    shell.run(&["doctor"]).expect_code(0).says("1 of 1 ledger entries are not in the second store");
    shell.snapshot().expect_code(0).says("copied to file://");
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "7"]).expect_code(0);
    shell.run(&["copy"]).expect_code(0).says("0 ledger entries, 0 snapshots").says("1 snapshots are in both");
    shell.run(&["prune", "--confirm"]).expect_code(0).says("file://");
    shell.run(&["--second", "verify", "--read-data"]).expect_code(0);
    std::fs::rename(shell.store(), shell.folder.path().join("burnt")).expect("burn");
    shell.server.create_database("restored");
    let restore = ["--second", "restore", "--into", &shell.server.url("restored")];
    shell.run(&restore).expect_code(0);
    assert_eq!(
        shell.server.sql("restored", "SELECT count(*), count(*) FILTER (WHERE id = 7) FROM users"),
        "99|0"
    );
    // The first store is back, and lacks the restore's entry: that is said, and not mended silently.
    std::fs::rename(shell.folder.path().join("burnt"), shell.store()).expect("find a copy");
    shell.run(&["tombstone", "verify"]).expect_code(4);
    shell.run(&["copy", "--back"]).expect_code(0).says("1 ledger entries brought back");
    shell.run(&["tombstone", "verify"]).expect_code(0);
}

#[test]
fn a_snapshot_that_is_in_one_store_alone_is_an_alarm() {
    let shell = shell();
    shell.run(&["copy"]).expect_code(0);
    // Something is in the way there.
    std::fs::write(second(&shell).join("snapshots"), "").expect("write");
    shell
        .snapshot()
        .expect_code(1)
        .says("is complete, and in the first store alone")
        .says("lethe copy brings it");
    shell.run(&["snapshots"]).expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "7"]).expect_code(0);
    std::fs::remove_file(second(&shell).join("snapshots")).expect("remove");
    shell.run(&["snapshots"]).expect_code(0).says("in the first store alone");
    shell.run(&["doctor"]).expect_code(0).says("1 of 1 snapshots are in the first store alone");
    shell.run(&["copy"]).expect_code(0).says("1 snapshots");
    assert!(!shell.run(&["snapshots"]).out.contains("first store alone"));
    // A chunk is lost there, and copied again.
    let chunk = files(&second(&shell).join("chunks")).pop().expect("a chunk");
    std::fs::remove_file(&chunk).expect("lose");
    shell.run(&["--second", "verify"]).expect_code(6);
    shell.run(&["copy"]).expect_code(0);
    assert!(!chunk.exists(), "nobody looks at what is there already");
    shell.run(&["copy", "--check"]).expect_code(0).says("1 chunks");
    shell.run(&["--second", "verify"]).expect_code(0);
}

/// A disk that is not mounted: nothing stops that can do without it, and nobody is forgotten whom it may hold.
#[test]
fn a_second_store_that_is_away_stops_nothing_and_lets_nobody_be_forgotten() {
    let shell = shell();
    shell.snapshot().expect_code(0);
    let add = ["tombstone", "add", "--subject", "public.users", "--already-deleted", "--id"];
    shell.server.sql("source", "DELETE FROM users WHERE id IN (7, 8)");
    shell.run(&[&add[..], &["7"]].concat()).expect_code(0);
    let away = shell.folder.path().join("away");
    std::fs::rename(second(&shell), &away).expect("unmount");
    std::fs::write(second(&shell), "").expect("write");
    shell.run(&[&add[..], &["8"]].concat()).expect_code(0).says("not yet on its copy in the second store");
    shell.snapshot().expect_code(1).says("in the first store alone");
    // The first store has no older snapshot any more; the second may have.
    let mut ids: Vec<_> =
        std::fs::read_dir(shell.store().join("snapshots")).expect("list").flatten().collect();
    ids.sort_by_key(std::fs::DirEntry::path);
    std::fs::remove_dir_all(ids[0].path()).expect("remove");
    shell
        .run(&["prune"])
        .expect_code(1)
        .says("no ledger entry can go")
        .says("which snapshots are there cannot be told");
    // An empty folder in its place says no more than that.
    std::fs::remove_file(second(&shell)).expect("remove");
    shell.run(&["prune"]).says("no ledger entry can go").says("which snapshots are there cannot be told");
    std::fs::remove_dir_all(second(&shell)).expect("remove");
    std::fs::rename(&away, second(&shell)).expect("mount");
    shell.run(&["copy"]).expect_code(0).says("1 ledger entries, 1 snapshots");
    shell.run(&["prune"]).expect_code(0).says("no ledger entry can go");
    // Once the second store has let it go as well, they may be forgotten.
    std::fs::remove_dir_all(second(&shell).join("snapshots").join(ids[0].file_name())).expect("remove");
    shell.run(&["prune"]).expect_code(0).says("ledger entries that no stored snapshot needs any more: 1");
}

#[test]
fn a_chunk_that_is_damaged_is_not_copied() {
    let shell = shell();
    shell.run(&["copy"]).expect_code(0);
    std::fs::write(second(&shell).join("snapshots"), "").expect("write");
    shell.snapshot().expect_code(1);
    std::fs::remove_file(second(&shell).join("snapshots")).expect("remove");
    let chunk = files(&shell.store().join("chunks")).pop().expect("a chunk");
    let mut bytes = std::fs::read(&chunk).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&chunk, bytes).expect("write");
    shell.run(&["copy"]).expect_code(6).says("could not be copied").says("its bytes are not the ones");
    assert!(files(&second(&shell).join("snapshots")).iter().all(|path| !path.ends_with("manifest.age")));
}

#[test]
fn a_second_store_is_no_way_out_of_the_country() {
    let shell = Shell::new();
    shell.run(&["--second", "snapshots"]).expect_code(2).says("there is no second store");
    shell.run(&["copy"]).expect_code(2).says("no second store is named");
    add(
        &shell,
        "[second_store]\nurl = \"s3://backups/production\"\nregion = \"hel1\"\nendpoint = \"https://hel1.your-objectstorage.com\"\n",
    );
    for command in [&["copy"][..], &["snapshots"], &["doctor"], &["--second", "snapshots"]] {
        shell.run(command).expect_code(5).says("hel1");
    }
}
