use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lethe")).args(arguments).arg("--help").output().expect("run lethe");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn every_command_teaches() {
    let commands: [&[&str]; 18] = [
        &[],
        &["init"],
        &["snapshot"],
        &["snapshots"],
        &["tombstone", "add"],
        &["tombstone", "revoke"],
        &["tombstone", "list"],
        &["tombstone", "verify"],
        &["tombstone", "heartbeat"],
        &["tombstone", "capture", "install"],
        &["tombstone", "capture", "remove"],
        &["tombstone", "capture", "run"],
        &["tombstone", "capture", "status"],
        &["restore"],
        &["prune"],
        &["hold", "add"],
        &["hold", "list"],
        &["hold", "remove"],
    ];
    for command in commands {
        let text = help(command);
        assert!(text.contains("Exit codes:") && text.contains("Usage:"), "{command:?}: {text}");
        for word in ["no-filter", "skip-ledger", "unfiltered", "ignore-ledger"] {
            assert!(!text.contains(word), "nothing turns the filter off: {text}");
        }
    }
    assert!(help(&["tombstone", "add"]).contains("lethe tombstone add --subject public.users --id 4711"));
}
