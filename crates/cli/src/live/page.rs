//! A page in the text format of Prometheus ("Exposition formats" of its documentation).

use std::fmt::Write as _;

use jiff::Timestamp;

/// What a number means to Prometheus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Gauge,
    /// It only grows, until the process ends.
    Counter,
}

/// Names and values. Values are names of stages, commands and the like, never of rows.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Into<f64>) {
        self.family(name, Kind::Gauge, help, &[(&[], value.into())]);
    }

    /// Nothing for what never was: an alarm asks for `absent()`.
    pub(crate) fn time(&mut self, name: &str, help: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.gauge(&format!("{name}_timestamp_seconds"), help, at.as_millisecond() as f64 / 1000.0);
        }
    }

    /// One number for each set of labels; nothing if there are none.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str, samples: &[(Labels<'_>, f64)]) {
        if samples.is_empty() {
            return;
        }
        let word = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let _ = writeln!(self.text, "# HELP lethe_{name} {help}\n# TYPE lethe_{name} {word}");
        for (labels, value) in samples {
            let pairs: Vec<String> =
                labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            let _ = writeln!(self.text, "lethe_{name}{labels} {value}");
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// A backslash, a quote and the end of a line have a backslash before them.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_each_family_is_announced_once() {
        let mut page = Page::default();
        page.gauge("snapshots", "How many.", 3_u32);
        page.time("never", "Never.", None);
        page.family("none", Kind::Counter, "None.", &[]);
        let hostile = [("stage", "a\"b\\c\nd")];
        page.family("rows_total", Kind::Counter, "Rows.", &[(&hostile, 2.0), (&[("stage", "load")], 5.0)]);
        assert_eq!(
            page.into_text(),
            "# HELP lethe_snapshots How many.\n# TYPE lethe_snapshots gauge\nlethe_snapshots 3\n\
             # HELP lethe_rows_total Rows.\n# TYPE lethe_rows_total counter\n\
             lethe_rows_total{stage=\"a\\\"b\\\\c\\nd\"} 2\nlethe_rows_total{stage=\"load\"} 5\n"
        );
    }
}
