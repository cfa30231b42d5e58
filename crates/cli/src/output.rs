//! What is printed: text for people on standard output, errors on standard error, or JSON lines for programs.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the module through which everything is printed"
)]

use std::io::Write as _;
use std::process::ExitCode;

pub(crate) use lethe_rules::doctor::age;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{Common, OutputFormat};
use crate::failure::Failure;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: OutputFormat,
    quiet: bool,
    progress: bool,
}

impl Output {
    pub(crate) fn new(common: &Common) -> Self {
        let progress = !common.no_progress && !common.quiet && common.output == OutputFormat::Human;
        Self { format: common.output, quiet: common.quiet, progress }
    }

    /// Whether it may be shown how far something is.
    pub(crate) fn shows_progress(&self) -> bool {
        self.progress
    }

    pub(crate) fn is_for_programs(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// A line for people.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if self.format == OutputFormat::Human && !self.quiet {
            println!("{}", harmless(text.as_ref()));
        }
    }

    /// One item of a list, for programs.
    pub(crate) fn item(&self, kind: &str, item: &impl Serialize) {
        if self.format == OutputFormat::Json {
            println!("{}", tagged(kind, None, item));
        }
    }

    /// The last line, for programs.
    pub(crate) fn summary(&self, command: &str, summary: &impl Serialize) {
        if self.format == OutputFormat::Json {
            println!("{}", tagged("summary", Some(command), summary));
        }
    }

    /// What the command is there to print, as it is, for people and programs alike.
    pub(crate) fn document(&self, text: &[u8]) -> std::io::Result<()> {
        let mut output = std::io::stdout().lock();
        output.write_all(text)?;
        output.flush()
    }

    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        let code = failure.code as u8;
        if self.format == OutputFormat::Json {
            let Failure { message, causes, hint, objections, .. } = failure;
            let mut line = json!({"type": "summary", "error": message, "causes": causes, "hint": hint, "objections": objections, "exit_code": code});
            if let (Some(fields), Some(Value::Object(more))) =
                (line.as_object_mut(), failure.summary.as_deref().cloned())
            {
                fields.extend(more);
            }
            println!("{line}");
        }
        eprintln!("error: {}", harmless(&failure.message));
        for cause in &failure.causes {
            eprintln!("  caused by: {}", harmless(cause));
        }
        for objection in &failure.objections {
            eprintln!("  - {}", harmless(&objection.to_string()));
            if let Some(hint) = &objection.hint {
                eprintln!("    hint: {}", harmless(hint));
            }
        }
        if let Some(hint) = &failure.hint {
            eprintln!("hint: {}", harmless(hint));
        }
        ExitCode::from(code)
    }
}

/// Names come from databases and stores: none of them may command the terminal.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// How far something is, where no bar can be drawn.
pub(crate) fn note(text: impl AsRef<str>) {
    eprintln!("{}", harmless(text.as_ref()));
}

/// Something that does not stop a command and must be seen all the same.
pub(crate) fn warn(text: impl AsRef<str>) {
    eprintln!("warning: {}", text.as_ref());
}

pub(crate) fn tagged(kind: &str, command: Option<&str>, item: &impl Serialize) -> Value {
    let mut line = json!({"type": kind});
    if let (Some(fields), Some(command)) = (line.as_object_mut(), command) {
        fields.insert("command".to_owned(), command.into());
    }
    if let (Some(fields), Ok(Value::Object(more))) = (line.as_object_mut(), serde_json::to_value(item)) {
        fields.extend(more);
    }
    line
}

/// Bytes for people: `1.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Counts for people: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_command_the_terminal() {
        let name = harmless("a\u{1b}]0;title\u{7}b\rc\u{9b}2J\n\td");
        assert_eq!(name, "a\u{fffd}]0;title\u{fffd}b\u{fffd}c\u{fffd}2J\n\td");
    }
}
