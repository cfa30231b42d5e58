use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lethe")).args(arguments).arg("--help").output().expect("run lethe");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn every_command_teaches() {
    let commands: [&[&str]; 32] = [
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
        &["copy"],
        &["coverage"],
        &["metrics"],
        &["prune"],
        &["hold", "add"],
        &["hold", "list"],
        &["hold", "remove"],
        &["completions"],
        &["man"],
        &["audit", "list"],
        &["audit", "verify"],
        &["audit", "export"],
        &["audit", "certificate"],
        &["audit", "new-key"],
        &["report", "restore"],
        &["report", "drill"],
        &["report", "retention"],
        &["report", "residency"],
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

/// Nobody should meet a word at three in the morning that the runbook does not explain.
#[test]
fn the_runbook_explains_every_exit_code_and_every_objection() {
    let runbook = include_str!("../../../../docs/RUNBOOK.md");
    for code in 0..=9 {
        assert!(runbook.contains(&format!("\n| {code} | ")), "exit code {code}");
    }
    let source = include_str!("../../../rules/src/objection.rs");
    let (_, after) = source.split_once("pub enum Code {").expect("the codes");
    let (codes, _) = after.split_once("\n}").expect("their end");
    let codes: Vec<&str> = codes
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|line| !line.starts_with("//"))
        .collect();
    assert!(codes.len() > 20, "{codes:?}");
    for code in codes {
        let mut name = String::new();
        for letter in code.chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        assert!(runbook.contains(&format!("`{name}`")), "{name}");
    }
}
