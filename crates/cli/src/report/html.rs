//! Text that becomes a page: whatever is put in is escaped, and whatever is opened is closed.
//!
//! Tags and the names of attributes are constants of this program; there is no way to put in markup as text.

/// Names and values.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn document() -> Self {
        Self("<!DOCTYPE html>\n".to_owned())
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn within(
        &mut self,
        tag: &'static str,
        attributes: Attributes<'_>,
        inner: impl FnOnce(&mut Self),
    ) {
        self.begin(tag, attributes);
        self.0.push('>');
        inner(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
        if BLOCKS.contains(&tag) {
            self.0.push('\n');
        }
    }

    /// An element that holds text alone.
    pub(super) fn put(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.within(tag, attributes, |html| html.text(text));
    }

    /// An element that holds nothing.
    pub(super) fn alone(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.begin(tag, attributes);
        self.0.push_str("/>");
        if tag == "meta" {
            self.0.push('\n');
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.0);
    }

    /// A name from a database or a store: what it does to the direction of writing ends with it.
    pub(super) fn name(&mut self, name: &str) {
        self.put("bdi", &[], name);
    }

    /// What this program, a server or a store said, word for word: it speaks English on every page.
    pub(super) fn quote(&mut self, text: &str) {
        self.put("q", &[("lang", "en")], text);
    }

    /// What was put together by another of these.
    pub(super) fn append(&mut self, other: Self) {
        self.0.push_str(&other.0);
    }

    /// A style sheet is a constant of this program, so nothing of it is escaped.
    pub(super) fn style(&mut self, sheet: &'static str) {
        self.0.push_str("<style>\n");
        self.0.push_str(sheet);
        self.0.push_str("</style>\n");
    }

    fn begin(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape(value, &mut self.0);
            self.0.push('"');
        }
    }
}

/// After these a line ends, so that a person can read the source.
const BLOCKS: [&str; 22] = [
    "html", "head", "body", "title", "header", "main", "footer", "section", "h1", "h2", "h3", "p", "ul",
    "li", "dl", "table", "caption", "thead", "tbody", "tr", "figure", "svg",
];

fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '&' => into.push_str("&amp;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            '\n' | '\t' => into.push(c),
            c if c.is_control() => into.push(char::REPLACEMENT_CHARACTER),
            c => into.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_put_in_is_markup() {
        let mut html = Html::default();
        html.within("p", &[("title", "\"><b>'")], |html| {
            html.name("<script>alert(1)</script>\"&\u{1b}\u{0}")
        });
        assert_eq!(
            html.into_text(),
            "<p title=\"&quot;&gt;&lt;b&gt;&#39;\"><bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;\u{fffd}\u{fffd}</bdi></p>\n"
        );
    }
}
