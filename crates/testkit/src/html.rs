//! A page as a tree, read strictly: whatever a browser would forgive is an error here.

use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub struct Element {
    pub tag: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Child>,
}

#[derive(Clone, Debug)]
pub enum Child {
    Element(Element),
    Text(String),
}

impl Element {
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// This one and everything inside, in the order of the page.
    #[must_use]
    pub fn all(&self) -> Vec<&Self> {
        let mut found = vec![self];
        for child in &self.children {
            if let Child::Element(element) = child {
                found.extend(element.all());
            }
        }
        found
    }

    #[must_use]
    pub fn named(&self, tag: &str) -> Vec<&Self> {
        self.all().into_iter().filter(|element| element.tag == tag).collect()
    }

    /// What a person reads of it, without what `leave_out` says.
    #[must_use]
    pub fn text(&self, leave_out: &dyn Fn(&Self) -> bool) -> String {
        let mut text = String::new();
        for child in &self.children {
            match child {
                Child::Text(part) => text.push_str(part),
                Child::Element(element) if element.tag == "style" || leave_out(element) => {}
                Child::Element(element) => {
                    text.push(' ');
                    text.push_str(&element.text(leave_out));
                    text.push(' ');
                }
            }
        }
        text
    }
}

/// # Panics
/// If the page is not well formed, or not what every page must be: one language, headings in order, tables with captions
/// and scopes, pictures with titles and descriptions, and nothing that is fetched or run.
pub fn check_page(page: &str, language: &str) -> Element {
    let html = parse(page);
    assert_eq!((html.tag.as_str(), html.attribute("lang")), ("html", Some(language)));
    for forbidden in ["script", "link", "img", "iframe", "object", "a", "form"] {
        assert!(html.named(forbidden).is_empty(), "<{forbidden}> in {page}");
    }
    for element in html.all() {
        for (name, value) in &element.attributes {
            let fetches = ["src", "href", "xlink:href", "style", "action"].contains(&name.as_str());
            assert!(!fetches && !name.starts_with("on"), "<{} {name}={value:?}>", element.tag);
        }
    }
    let sheet = html.named("style")[0].children.iter().map(|child| format!("{child:?}")).collect::<String>();
    assert!(!sheet.contains("url(") && !sheet.contains("@import"), "a style sheet that fetches something");
    let meta = |name: &str| html.named("meta").iter().any(|meta| meta.attribute("name") == Some(name));
    assert!(meta("viewport"));
    check_headings(&html);
    check_tables(&html);
    check_pictures(&html);
    html
}

fn check_headings(html: &Element) {
    let levels: Vec<u32> =
        html.all().iter().filter_map(|element| element.tag.strip_prefix('h')?.parse().ok()).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "one title");
    assert_eq!(levels.first(), Some(&1), "the title first");
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

fn check_tables(html: &Element) {
    for table in html.named("table") {
        assert_eq!(table.named("caption").len(), 1, "{table:?}");
        let columns = table.named("tr")[0].named("th").len();
        for row in table.named("tr") {
            assert_eq!(row.named("th").len() + row.named("td").len(), columns, "{row:?}");
        }
        for head in table.named("th") {
            assert!(matches!(head.attribute("scope"), Some("col" | "row")), "{head:?}");
        }
    }
}

fn check_pictures(html: &Element) {
    let ids: Vec<&str> = html.all().into_iter().filter_map(|element| element.attribute("id")).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "an id twice");
    for element in html.all() {
        for id in element.attribute("aria-labelledby").unwrap_or_default().split_whitespace() {
            assert!(ids.contains(&id), "nothing is called {id}");
        }
    }
    for picture in html.named("svg") {
        if picture.attribute("aria-hidden") == Some("true") {
            continue;
        }
        assert_eq!(picture.attribute("role"), Some("img"));
        for part in ["title", "desc"] {
            assert!(!picture.named(part)[0].text(&|_| false).trim().is_empty(), "{part}");
        }
        for element in picture.all() {
            for name in ["x", "x1", "x2", "cx"] {
                let share = element.attribute(name).and_then(|value| value.strip_suffix('%'));
                let share: f64 = share.map_or(0.0, |share| share.parse().expect("a number"));
                assert!((0.0..=100.0).contains(&share), "{name} of {element:?}");
            }
        }
    }
}

/// # Panics
/// If it is not well formed.
#[must_use]
pub fn parse(page: &str) -> Element {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a document type");
    let mut open = vec![Element::default()];
    while !rest.is_empty() {
        let end = rest.find('<').unwrap_or(rest.len());
        let (text, more) = rest.split_at(end);
        add(&mut open, Child::Text(decode(text)));
        rest = more;
        if let Some(more) = rest.strip_prefix("</") {
            let (tag, more) = more.split_once('>').expect("the end of a tag");
            let done = open.pop().expect("an open element");
            assert_eq!(done.tag, tag, "closed in another order than opened");
            add(&mut open, Child::Element(done));
            rest = more;
        } else if let Some(more) = rest.strip_prefix('<') {
            let (element, alone, more) = begin(more);
            rest = more;
            if alone {
                add(&mut open, Child::Element(element));
            } else if element.tag == "style" {
                let (sheet, more) = rest.split_once("</style>").expect("its end");
                let children = vec![Child::Text(sheet.to_owned())];
                add(&mut open, Child::Element(Element { children, ..element }));
                rest = more;
            } else {
                open.push(element);
            }
        }
    }
    assert_eq!(open.len(), 1, "not everything was closed");
    let roots = open.remove(0).children;
    let mut roots = roots.into_iter().filter_map(|child| match child {
        Child::Element(element) => Some(element),
        Child::Text(text) => {
            assert!(text.trim().is_empty(), "text outside of everything: {text}");
            None
        }
    });
    let root = roots.next().expect("a root");
    assert!(roots.next().is_none(), "a second root");
    root
}

fn add(open: &mut [Element], child: Child) {
    open.last_mut().expect("an open element").children.push(child);
}

/// A tag after its bracket: the element, whether that was all of it, and what follows.
fn begin(text: &str) -> (Element, bool, &str) {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == ':';
    let end = text.find(|c| !named(c)).expect("the end of a name");
    let (tag, mut rest) = text.split_at(end);
    assert!(tag.starts_with(|c: char| c.is_ascii_lowercase()), "a bracket that begins no tag: {:.40}", text);
    let mut element = Element { tag: tag.to_owned(), ..Element::default() };
    loop {
        if let Some(more) = rest.strip_prefix("/>") {
            return (element, true, more);
        }
        if let Some(more) = rest.strip_prefix('>') {
            return (element, false, more);
        }
        let more = rest.strip_prefix(' ').expect("a space before an attribute");
        let (name, more) = more.split_once("=\"").expect("a value in quotation marks");
        assert!(name.chars().all(named), "{name}");
        let (value, more) = more.split_once('"').expect("the end of a value");
        assert!(!value.contains('<') && element.attribute(name).is_none(), "{name}={value}");
        element.attributes.push((name.to_owned(), decode(value)));
        rest = more;
    }
}

fn decode(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, more)) = rest.split_once('&') {
        decoded.push_str(before);
        let (entity, more) = more.split_once(';').expect("the end of an entity");
        decoded.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("&{other};"),
        });
        rest = more;
    }
    assert!(!rest.contains('>'), "a bracket that nobody escaped: {rest}");
    decoded + rest
}
