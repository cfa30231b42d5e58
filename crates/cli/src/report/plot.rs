//! Plots as SVG, drawn by hand: along the width everything is a share of it, so that on a phone bars become narrower and
//! letters do not become smaller. Colours are the page's, so that they are right in the dark and on paper.

use super::html::{Attributes, Html};

/// A plot with what it is called and what it says, for whoever does not see it.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) drawing: Drawing,
}

#[derive(Clone, Debug)]
pub(super) enum Drawing {
    /// What followed what, and how long it took.
    Stages(Vec<Bar>),
    Course(Course),
    Ages(Ages),
}

/// A stage, in seconds from the start.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Two values of each of several runs.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) first: String,
    pub(super) second: String,
    /// A run that has no values.
    pub(super) neither: String,
    /// Oldest first.
    pub(super) runs: Vec<(Option<f64>, Option<f64>)>,
    /// What the largest value, the half of it and nothing are called.
    pub(super) scale: [String; 3],
    pub(super) most: f64,
    /// What the oldest and the newest run are called.
    pub(super) ends: [String; 2],
}

/// How old things are, one lane for each kind.
#[derive(Clone, Debug)]
pub(super) struct Ages {
    pub(super) lanes: Vec<Lane>,
    pub(super) most: f64,
    pub(super) ends: [String; 2],
    /// When things are to go, and when they must be gone.
    pub(super) aim: (f64, String),
    pub(super) limit: (f64, String),
}

#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) ages: Vec<f64>,
}

impl Plot {
    pub(super) fn draw(&self, html: &mut Html, id: &str) {
        let (title, description) = (format!("{id}-title"), format!("{id}-text"));
        let labelled = format!("{title} {description}");
        html.within("figure", &[], |html| {
            html.put("figcaption", &[], &self.title);
            let height = self.drawing.height().to_string();
            let frame = [
                ("role", "img"),
                ("aria-labelledby", labelled.as_str()),
                ("width", "100%"),
                ("height", height.as_str()),
            ];
            html.within("svg", &frame, |html| {
                html.put("title", &[("id", &title)], &self.title);
                html.put("desc", &[("id", &description)], &self.description);
                match &self.drawing {
                    Drawing::Stages(bars) => stages(html, bars),
                    Drawing::Course(course) => course.draw(html),
                    Drawing::Ages(ages) => ages.draw(html),
                }
            });
            if let Drawing::Course(course) = &self.drawing {
                course.legend(html);
            }
        });
    }
}

impl Drawing {
    fn height(&self) -> usize {
        match self {
            Self::Stages(bars) => bars.len() * STEP,
            Self::Course(_) => 250,
            Self::Ages(ages) => ages.lanes.len() * STEP + 60,
        }
    }
}

/// Pixels from one bar or lane to the next.
const STEP: usize = 44;

/// A share of the width.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 100.0).clamp(0.0, 100.0) } else { 0.0 }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

fn text(html: &mut Html, x: &str, y: usize, anchor: &str, class: &str, text: &str) {
    let y = y.to_string();
    html.put("text", &[("x", x), ("y", &y), ("text-anchor", anchor), ("class", class)], text);
}

fn rect(html: &mut Html, x: f64, width: f64, y: usize, height: usize, class: &str) {
    let (x, width) = (percent(x), percent(width));
    let (y, height) = (y.to_string(), height.to_string());
    let place: Attributes<'_> =
        &[("x", &x), ("width", &width), ("y", &y), ("height", &height), ("class", class)];
    html.alone("rect", place);
}

fn line(html: &mut Html, from: (f64, f64), to: (f64, f64), class: &str) {
    let (x1, x2) = (percent(from.0), percent(to.0));
    let (y1, y2) = (format!("{:.1}", from.1), format!("{:.1}", to.1));
    html.alone("line", &[("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2), ("class", class)]);
}

fn circle(html: &mut Html, at: (f64, f64), class: &str) {
    let (x, y) = (percent(at.0), format!("{:.1}", at.1));
    html.alone("circle", &[("cx", &x), ("cy", &y), ("r", "4"), ("class", class)]);
}

fn stages(html: &mut Html, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.to).fold(0.0, f64::max);
    for (index, bar) in bars.iter().enumerate() {
        let top = index * STEP;
        text(html, "0", top + 15, "start", "name", &bar.label);
        text(html, "100%", top + 15, "end", "soft", &bar.value);
        rect(html, 0.0, 100.0, top + 22, 12, "track");
        // However short a stage was, it is seen.
        let width = share(bar.to - bar.from, most).max(0.4);
        rect(html, share(bar.from, most).min(100.0 - width), width, top + 22, 12, "first");
    }
}

impl Course {
    const TOP: f64 = 24.0;
    const BOTTOM: f64 = 216.0;

    fn x(&self, index: usize) -> f64 {
        let last = self.runs.len().saturating_sub(1);
        // To the left of the first one are the names of the scale.
        if last == 0 { 50.0 } else { 18.0 + 80.0 * index as f64 / last as f64 }
    }

    fn y(&self, value: f64) -> f64 {
        Self::BOTTOM - (Self::BOTTOM - Self::TOP) * share(value, self.most) / 100.0
    }

    fn draw(&self, html: &mut Html) {
        for (label, part) in self.scale.iter().zip([1.0, 0.5, 0.0]) {
            let y = self.y(self.most * part);
            line(html, (0.0, y), (100.0, y), "grid");
            text(html, "0", (y - 5.0) as usize, "start", "soft", label);
        }
        self.points(html, |run| run.0, "line-first", "first");
        self.points(html, |run| run.1, "line-second", "ring");
        for (index, run) in self.runs.iter().enumerate() {
            if run.0.is_none() && run.1.is_none() {
                text(html, &percent(self.x(index)), 221, "middle", "cross", "×");
            }
        }
        let [oldest, newest] = &self.ends;
        text(html, "0", 240, "start", "soft", oldest);
        if self.runs.len() > 1 {
            text(html, "100%", 240, "end", "soft", newest);
        }
    }

    fn points(
        &self,
        html: &mut Html,
        value: impl Fn(&(Option<f64>, Option<f64>)) -> Option<f64>,
        stroke: &str,
        mark: &str,
    ) {
        let point = |(index, run)| Some((self.x(index), self.y(value(run)?)));
        let points: Vec<Option<(f64, f64)>> = self.runs.iter().enumerate().map(point).collect();
        // No line leads over a run that has no value.
        for pair in points.windows(2) {
            if let [Some(from), Some(to)] = pair {
                line(html, *from, *to, stroke);
            }
        }
        for point in points.into_iter().flatten() {
            circle(html, point, mark);
        }
    }

    /// What the marks mean, told apart by their form and not by colour alone.
    fn legend(&self, html: &mut Html) {
        let entries = [
            (&self.first, Some(("line-first", "first"))),
            (&self.second, Some(("line-second", "ring"))),
            (&self.neither, None),
        ];
        html.within("ul", &[("class", "legend")], |html| {
            for (label, mark) in entries {
                html.within("li", &[], |html| {
                    let frame = [("width", "30"), ("height", "16"), ("aria-hidden", "true")];
                    html.within("svg", &frame, |html| match mark {
                        Some((stroke, mark)) => {
                            line(html, (0.0, 8.0), (100.0, 8.0), stroke);
                            circle(html, (50.0, 8.0), mark);
                        }
                        None => text(html, "50%", 14, "middle", "cross", "×"),
                    });
                    html.put("span", &[], label);
                });
            }
        });
    }
}

impl Ages {
    fn draw(&self, html: &mut Html) {
        let bottom = self.lanes.len() * STEP;
        for (index, lane) in self.lanes.iter().enumerate() {
            let top = index * STEP;
            text(html, "0", top + 15, "start", "name", &lane.label);
            text(html, "100%", top + 15, "end", "soft", &lane.value);
            rect(html, 0.0, 100.0, top + 22, 16, "track");
            for age in &lane.ages {
                let class = if *age > self.limit.0 {
                    "over"
                } else if *age > self.aim.0 {
                    "goes"
                } else {
                    "first"
                };
                let x = percent(share(*age, self.most));
                let y = (top + 22).to_string();
                html.alone(
                    "rect",
                    &[("x", &x), ("y", &y), ("width", "3"), ("height", "16"), ("class", class)],
                );
            }
        }
        // The two lie so close together that each has a line of its own for its name, and none goes through the other's.
        let to_the_left = share(self.limit.0, self.most) > 50.0;
        let (anchor, rows) = if to_the_left { ("end", [18, 36]) } else { ("start", [36, 18]) };
        for (((age, label), class), row) in [(&self.aim, "aim"), (&self.limit, "limit")].into_iter().zip(rows)
        {
            let x = share(*age, self.most);
            for top in (0..self.lanes.len()).map(|lane| (lane * STEP) as f64) {
                line(html, (x, top + 19.0), (x, top + 41.0), class);
            }
            line(html, (x, bottom as f64 - 3.0), (x, (bottom + row - 12) as f64), class);
            text(html, &percent(x), bottom + row, anchor, "name", label);
        }
        let [newest, oldest] = &self.ends;
        text(html, "0", bottom + 54, "start", "soft", newest);
        text(html, "100%", bottom + 54, "end", "soft", oldest);
    }
}
