//! What speaks against a server as a target, besides what a restore objects to.

use super::Finding;
use crate::objection::Objection;

const CHECK: &str = "target";

/// One finding for each objection that a restore would have.
#[must_use]
pub fn objections(found: &[Objection], target: &str) -> Vec<Finding> {
    if found.is_empty() {
        return vec![Finding::ok(CHECK, format!("a restore into {target} would begin"))];
    }
    let finding = |objection: &Objection| {
        let hint = objection.hint.clone().unwrap_or_else(|| "docs/RUNBOOK.md".to_owned());
        Finding::wrong(CHECK, objection.to_string(), hint)
    };
    found.iter().map(finding).collect()
}

/// A setting of the server, or a count of something that carries rows away from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerSetting {
    pub name: String,
    pub value: String,
}

/// Through what rows, or statements about people, leave the server's tables. A restore keeps its own statements out of the log; these are
/// about what comes after it.
#[must_use]
pub fn settings_that_leak(settings: &[ServerSetting]) -> Vec<Finding> {
    const CHECK: &str = "target settings";
    let finding =
        |setting: &ServerSetting| leak(setting).map(|(what, advice)| Finding::warning(CHECK, what, advice));
    let found: Vec<Finding> = settings.iter().filter_map(finding).collect();
    if found.is_empty() {
        return vec![Finding::ok(CHECK, "nothing there carries rows elsewhere")];
    }
    found
}

fn leak(ServerSetting { name, value }: &ServerSetting) -> Option<(String, &'static str)> {
    let what = format!("{name} is {value}");
    match (name.as_str(), value.as_str()) {
        ("log_statement", "mod" | "all") => Some((
            format!("{what}: values that applications write stand in the server's log"),
            "log_statement = none or ddl, or keep the log no longer than the backups",
        )),
        ("log_min_duration_statement" | "log_min_duration_sample", value) if value != "-1" => Some((
            format!("{what}: values in slow statements stand in the server's log"),
            "-1, or log_parameter_max_length = 0 and prepared statements",
        )),
        ("archive_mode", "on" | "always") => Some((
            format!("{what}: the archive keeps rows of people who are erased later"),
            "its archive must be kept no longer than 35 days, and where data may be",
        )),
        ("publications" | "standbys" | "replication slots", count) if count != "0" => Some((
            format!("it has {count} {name}, which get every row that is restored"),
            "are they where data may be, and are people erased there as well?",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning, Wrong};
    use super::*;
    use crate::objection::Code;

    #[test]
    fn every_objection_is_a_finding() {
        assert_eq!(objections(&[], "x")[0].verdict, Ok);
        let one = Objection::new(Code::TargetNotEmpty, "database x", "it is not empty").hint("empty it");
        let found = objections(&[one.clone(), one], "x");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].verdict, found[0].advice.as_deref()), (Wrong, Some("empty it")));
    }

    #[test]
    fn settings_leak_or_do_not() {
        for (name, value, leaks) in [
            ("log_statement", "none", false),
            ("log_statement", "ddl", false),
            ("log_statement", "mod", true),
            ("log_statement", "all", true),
            ("log_min_duration_statement", "-1", false),
            ("log_min_duration_statement", "0", true),
            ("log_min_duration_statement", "250", true),
            ("archive_mode", "off", false),
            ("archive_mode", "always", true),
            ("publications", "0", false),
            ("publications", "2", true),
            ("standbys", "1", true),
            ("replication slots", "0", false),
            ("work_mem", "4MB", false),
        ] {
            let setting = ServerSetting { name: name.to_owned(), value: value.to_owned() };
            let found = settings_that_leak(&[setting]);
            assert_eq!(found[0].verdict, if leaks { Warning } else { Ok }, "{name} {value}");
        }
    }
}
