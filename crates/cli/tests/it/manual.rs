use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A folder that has settings which nobody could read.
fn anywhere() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("lethe.toml"), "no settings").expect("a file");
    folder
}

fn lethe(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lethe"));
    command.args(arguments).current_dir(folder).env_clear();
    command
}

fn run(mut command: Command) -> String {
    let output = command.output().expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let errors = text(output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}");
    text(output.stdout)
}

/// What `--help` lists below a command.
fn listed_below(folder: &Path, command: &[&str]) -> Vec<String> {
    let help = run(lethe(folder, &[command, &["--help"]].concat()));
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        name.split_whitespace().next().map(str::to_owned)
    });
    names.filter(|name| name != "help").collect()
}

fn every_command(folder: &Path, above: &[&str], found: &mut Vec<Vec<String>>) {
    for name in listed_below(folder, above) {
        let command = [above, &[name.as_str()]].concat();
        found.push(command.iter().map(|&word| word.to_owned()).collect());
        every_command(folder, &command, found);
    }
}

fn commands(folder: &Path) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    every_command(folder, &[], &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn bash_completes_the_commands_at_every_depth() {
    let folder = anywhere();
    let script = folder.path().join("completions");
    std::fs::write(&script, run(lethe(folder.path(), &["completions", "bash"]))).expect("the script");
    let mut asked = commands(folder.path());
    asked.push(Vec::new());
    let mut below_something = 0;
    for command in asked {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let below = listed_below(folder.path(), &words);
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "-euc"]).env("SCRIPT", &script).arg(
            r#"
            source "$SCRIPT"
            function=$(complete -p lethe | sed -E 's/.* -F ([^ ]+) .*/\1/')
            COMP_WORDS=(lethe "$@" "")
            COMP_CWORD=$(($# + 1))
            set +eu
            "$function" lethe "" "${COMP_WORDS[$#]}"
            printf '%s\n' "${COMPREPLY[@]}"
            "#,
        );
        let offered: BTreeSet<String> = run_with(bash, &command)
            .lines()
            .filter(|word| !word.starts_with('-'))
            .map(str::to_owned)
            .collect();
        for name in &below {
            assert!(offered.contains(name), "{command:?} {name}: {offered:?}");
        }
        below_something += below.len();
    }
    assert!(below_something > 20);
}

fn run_with(mut bash: Command, words: &[String]) -> String {
    bash.arg("bash").args(words);
    run(bash)
}

#[test]
fn other_shells_are_told_every_command_and_the_flags() {
    let folder = anywhere();
    for (shell, begins) in [("zsh", "#compdef lethe"), ("fish", "#")] {
        let script = run(lethe(folder.path(), &["completions", shell]));
        assert!(script.starts_with(begins), "{shell}");
        for command in commands(folder.path()) {
            let name = command.last().expect("a name");
            assert!(script.contains(name), "{shell}: {command:?}");
        }
        for flag in ["read-data", "ids-file", "already-deleted"] {
            assert!(script.contains(flag), "{shell}: {flag}");
        }
    }
}

#[test]
fn there_is_a_page_for_each_command_and_none_besides() {
    let folder = anywhere();
    let pages = folder.path().join("share/man1");
    let said = run(lethe(folder.path(), &["man", "share/man1"]));
    assert!(said.contains(" pages in share/man1"), "{said}");
    let mut expected: BTreeSet<String> =
        commands(folder.path()).iter().map(|command| format!("lethe-{}.1", command.join("-"))).collect();
    expected.insert("lethe.1".to_owned());
    let entries = std::fs::read_dir(&pages).expect("the pages");
    let found: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_page_renders_without_a_warning_and_teaches() {
    let folder = anywhere();
    // What is in the environment must not get into a page that is given to others.
    let mut command = lethe(folder.path(), &["man", "pages"]);
    command
        .env("LETHE_INTO", "postgres://u:secret-of-this-host@h/d")
        .env("LETHE_STORE", "s3://secret-of-this-host");
    run(command);
    for entry in std::fs::read_dir(folder.path().join("pages")).expect("the pages") {
        let path = entry.expect("an entry").path();
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Kutf8", "-Tutf8", "-ww", "-P-cbou"]).arg(&path);
        let text = run(groff);
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS"] {
            assert!(text.lines().any(|line| line == section), "{}: {section}\n{text}", path.display());
        }
        assert!(text.contains("older than 35 days remains"), "{text}");
        assert!(text.contains("LETHE_STORE") && !text.contains("secret-of-this-host"), "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = anywhere();
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let output = lethe(folder.path(), &["man", "file"]).output().expect("run lethe");
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(errors.contains("file") && errors.contains("hint: name a folder"), "{errors}");
}
