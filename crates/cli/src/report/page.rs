//! The frame of every page, and what pages are put together from.

use jiff::Timestamp;

use super::Report;
use super::html::Html;
use super::numbers::Numbers;
use super::plot::Plot;
use super::words::{Language, Words};

const SHEET: &str = include_str!("page.css");
/// Should anything ever get past the escaping, a browser neither runs nor fetches it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What stands in one place of a table or a list.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Text(String),
    /// To the right.
    Number(String),
    Time(Timestamp),
    /// From a database or a store.
    Name(String),
    /// An id of this program's own, which is not broken.
    Id(String),
    /// Word for word what a program said.
    Quote(String),
    Verdict {
        good: bool,
        text: String,
    },
    Nothing,
}

impl Cell {
    pub(super) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn id(id: impl ToString) -> Self {
        Self::Id(id.to_string())
    }

    pub(super) fn name(name: impl ToString) -> Self {
        Self::Name(name.to_string())
    }

    pub(super) fn or_nothing(number: Option<String>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

/// Something that is said, and the words that it is said about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) quote: Option<String>,
}

impl Said {
    pub(super) fn new(text: impl ToString) -> Self {
        Self { text: text.to_string(), quote: None }
    }

    pub(super) fn quoting(text: impl ToString, quote: impl ToString) -> Self {
        Self { text: text.to_string(), quote: Some(quote.to_string()) }
    }
}

/// A page under way.
pub(super) struct Page {
    pub(super) words: &'static Words,
    pub(super) numbers: Numbers,
    pub(super) language: Language,
    title: &'static str,
    lead: &'static str,
    verdict: Option<(bool, String)>,
    body: Html,
    /// Captions that were given an id.
    captions: usize,
}

impl Page {
    pub(super) fn new(language: Language) -> Self {
        Self {
            words: language.words(),
            numbers: Numbers(language),
            language,
            title: "",
            lead: "",
            verdict: None,
            body: Html::default(),
            captions: 0,
        }
    }

    /// What it is about, and in one line what came of it.
    pub(super) fn head(
        &mut self,
        title: &'static str,
        lead: &'static str,
        good: bool,
        verdict: impl ToString,
    ) {
        (self.title, self.lead, self.verdict) = (title, lead, Some((good, verdict.to_string())));
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.body.put("h2", &[], text);
    }

    pub(super) fn say(&mut self, text: &str) {
        self.body.put("p", &[], text);
    }

    pub(super) fn remark(&mut self, text: &str) {
        self.body.put("p", &[("class", "quiet")], text);
    }

    /// The few numbers that most people come for.
    pub(super) fn figures(&mut self, figures: &[(&str, Cell)]) {
        self.pairs("figures", figures);
    }

    pub(super) fn list(&mut self, items: &[(&str, Cell)]) {
        self.pairs("list", items);
    }

    fn pairs(&mut self, class: &'static str, pairs: &[(&str, Cell)]) {
        let (numbers, words) = (self.numbers, self.words);
        self.body.within("dl", &[("class", class)], |html| {
            for (term, cell) in pairs {
                html.within("div", &[], |html| {
                    html.put("dt", &[], term);
                    html.within("dd", &[], |html| fill(html, cell, numbers, words));
                });
            }
        });
    }

    pub(super) fn items(&mut self, items: &[Said]) {
        self.body.within("ul", &[], |html| {
            for Said { text, quote } in items {
                html.within("li", &[], |html| {
                    html.text(text);
                    if let Some(quote) = quote {
                        html.text(" ");
                        html.quote(quote);
                    }
                });
            }
        });
    }

    /// A table whose first column names its rows. `sum` is a last row that adds them up.
    pub(super) fn table(
        &mut self,
        caption: &str,
        heads: &[&str],
        rows: &[Vec<Cell>],
        sum: Option<Vec<Cell>>,
    ) {
        let (numbers, words) = (self.numbers, self.words);
        self.captions += 1;
        let id = format!("table-{}", self.captions);
        let is_number = |column: usize| {
            let cells = rows.iter().chain(&sum).filter_map(|row| row.get(column));
            cells.clone().any(|cell| matches!(cell, Cell::Number(_)))
                && cells.clone().all(|cell| matches!(cell, Cell::Number(_) | Cell::Nothing))
        };
        let numeric: Vec<bool> = (0..heads.len()).map(is_number).collect();
        let class = |column: usize| if numeric.get(column) == Some(&true) { "n" } else { "w" };
        let row = |html: &mut Html, class_of_row: &str, cells: &[Cell]| {
            html.within("tr", &[("class", class_of_row)], |html| {
                for (column, cell) in cells.iter().enumerate() {
                    let class = if matches!(cell, Cell::Time(_) | Cell::Id(_)) { "t" } else { class(column) };
                    let inner = |html: &mut Html| fill(html, cell, numbers, words);
                    if column == 0 {
                        html.within("th", &[("scope", "row"), ("class", class)], inner);
                    } else {
                        html.within("td", &[("class", class)], inner);
                    }
                }
            });
        };
        // Whoever uses a keyboard scrolls it as well.
        let region =
            [("class", "scroll"), ("role", "region"), ("aria-labelledby", id.as_str()), ("tabindex", "0")];
        self.body.within("div", &region, |html| {
            html.within("table", &[], |html| {
                html.put("caption", &[("id", &id)], caption);
                html.within("thead", &[], |html| {
                    html.within("tr", &[], |html| {
                        for (column, head) in heads.iter().enumerate() {
                            html.put("th", &[("scope", "col"), ("class", class(column))], head);
                        }
                    });
                });
                html.within("tbody", &[], |html| {
                    rows.iter().for_each(|cells| row(html, "row", cells));
                    if let Some(cells) = &sum {
                        row(html, "sum", cells);
                    }
                });
            });
        });
    }

    pub(super) fn plot(&mut self, plot: &Plot) {
        self.captions += 1;
        plot.draw(&mut self.body, &format!("plot-{}", self.captions));
    }

    pub(super) fn close(self, report: &Report) -> String {
        let Self { words, numbers, language, title, lead, verdict, body, .. } = self;
        let mut html = Html::document();
        html.within("html", &[("lang", language.code())], |html| {
            html.within("head", &[], |html| {
                html.alone("meta", &[("charset", "utf-8")]);
                html.alone("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
                html.alone(
                    "meta",
                    &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
                );
                html.alone("meta", &[("name", "color-scheme"), ("content", "light dark")]);
                html.put("title", &[], &format!("{title} · Lethe"));
                html.style(SHEET);
            });
            html.within("body", &[], |html| {
                html.within("header", &[], |html| {
                    html.put("p", &[("class", "brand")], "Lethe");
                    html.put("h1", &[], title);
                    if let Some((good, text)) = &verdict {
                        let class = if *good { "verdict good" } else { "verdict bad" };
                        html.put("p", &[("class", class)], text);
                    }
                    html.put("p", &[], lead);
                });
                html.within("main", &[], |html| html.append(body));
                html.within("footer", &[], |html| {
                    html.within("dl", &[("class", "list")], |html| {
                        let mut pair = |term: &str, cell: Cell| {
                            html.within("div", &[], |html| {
                                html.put("dt", &[], term);
                                html.within("dd", &[], |html| fill(html, &cell, numbers, words));
                            });
                        };
                        pair(words.made_at, Cell::Time(report.made_at));
                        pair(words.made_by, Cell::text(format!("Lethe {}", report.program)));
                        pair(words.store, Cell::name(&report.store));
                        if let Some(repository) = &report.repository {
                            pair(words.repository, Cell::name(repository));
                        }
                    });
                    html.put("p", &[], words.all_times_are_utc);
                });
            });
        });
        html.into_text()
    }
}

fn fill(html: &mut Html, cell: &Cell, numbers: Numbers, words: &Words) {
    match cell {
        Cell::Text(text) | Cell::Number(text) => html.text(text),
        Cell::Time(at) => html.put("time", &[("datetime", &at.to_string())], &numbers.time(*at)),
        Cell::Name(name) | Cell::Id(name) => html.name(name),
        Cell::Quote(text) => html.quote(text),
        Cell::Verdict { good, text } => {
            html.put("strong", &[("class", if *good { "good" } else { "bad" })], text);
        }
        Cell::Nothing => html.within("span", &[("title", words.nothing)], |html| html.text("–")),
    }
}
