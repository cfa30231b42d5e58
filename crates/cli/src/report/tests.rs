use std::collections::BTreeSet;

use lethe_rules::drill::DrillVerdict;
use lethe_testkit::html::{Element, check_page};

use super::golden::{self, HOSTILE};
use super::words::{ALL, Language};
use super::{Facts, Report};

fn everything() -> Vec<(&'static str, Report)> {
    vec![
        ("restore", golden::restore()),
        ("drill", golden::drill()),
        ("drill-failed", golden::bad_drill()),
        ("drill-broken", golden::broken_drill()),
        ("retention", golden::retention()),
        ("retention-beyond", golden::bad_retention()),
        ("retention-held", golden::held_retention()),
        ("retention-empty", golden::empty_retention()),
        ("residency", golden::residency()),
        ("residency-findings", golden::bad_residency()),
        ("audit", golden::audit()),
        ("audit-empty", golden::empty_audit()),
        ("certificate", golden::certificate()),
        ("certificate-gone", golden::finished_certificate()),
        ("certificate-revoked", golden::revoked_certificate()),
    ]
}

fn pages() -> Vec<(String, Element)> {
    let mut pages = Vec::new();
    for (name, report) in everything() {
        for language in [Language::En, Language::Da] {
            let name = format!("{name}-{}", language.code());
            let page = report.page(language);
            // For whoever wants to look at them.
            if let Ok(folder) = std::env::var("LETHE_TEST_PAGES") {
                std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), &page)
                    .expect("write");
            }
            pages.push((name, check_page(&page, language.code())));
        }
    }
    pages
}

fn is_foreign(element: &Element) -> bool {
    element.attribute("lang") == Some("en")
}

/// What a page says itself: no names from outside, no quotations.
fn own_text(page: &Element) -> String {
    page.text(&|element| is_foreign(element) || element.tag == "bdi")
}

fn find(report: &Report, language: Language) -> String {
    check_page(&report.page(language), language.code()).text(&|_| false)
}

#[test]
fn every_page_is_whole_and_brings_everything_along() {
    assert_eq!(pages().len(), 30);
}

#[test]
fn names_that_would_be_markup_are_shown_as_they_are() {
    for (name, report) in everything() {
        let page = report.page(Language::En);
        assert!(!page.contains("<script") && !page.contains("alert(1)</"), "{name}");
        let text = check_page(&page, "en").text(&|_| false);
        assert!(text.contains(HOSTILE), "{name}");
    }
    let json = serde_json::to_string(&golden::restore()).expect("JSON");
    let restored: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(restored["facts"], serde_json::Value::Null, "the facts stand at the top");
    assert_eq!(restored["evidence"]["tables"][2]["table"], HOSTILE);
}

#[test]
fn a_danish_page_has_no_english_word() {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 1);
        words.map(str::to_lowercase).collect()
    };
    let of = |language: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        words(&ALL.iter().map(language).collect::<Vec<_>>().join(" "))
    };
    let (english, danish) = (of(|entry| entry.1), of(|entry| entry.2));
    let english: BTreeSet<String> = english.difference(&danish).cloned().collect();
    assert!(english.len() > 300, "{}", english.len());
    for (name, page) in pages() {
        let text = own_text(&page);
        let found: BTreeSet<String> = words(&text).intersection(&english).cloned().collect();
        if page.attribute("lang") == Some("da") {
            assert!(found.is_empty(), "{name}: {found:?}");
        } else {
            assert!(found.len() > 30, "{name}: the test would find something");
        }
    }
}

#[test]
fn what_a_program_said_is_marked_as_english() {
    let page = check_page(&golden::broken_drill().page(Language::Da), "da");
    let quotes = page.named("q");
    assert!(!quotes.is_empty() && quotes.iter().all(|quote| is_foreign(quote)));
    assert!(quotes.iter().any(|quote| quote.text(&|_| false).contains("refused: ")));
}

#[test]
fn every_reason_of_a_verdict_is_in_both_languages() {
    for facts in [golden::bad_facts(), golden::broken_facts(), lethe_rules::drill::DrillFacts::default()] {
        let verdict = DrillVerdict::of(&facts);
        for language in [Language::En, Language::Da] {
            let (reasons, notes) = super::drill::said(&facts, language);
            assert_eq!(reasons, verdict.reasons.len(), "{:?}", verdict.reasons);
            assert_eq!(notes, verdict.notes.len(), "{:?}", verdict.notes);
        }
    }
    assert!(DrillVerdict::of(&golden::bad_facts()).reasons.len() >= 10);
}

#[test]
fn numbers_and_times_are_those_of_the_facts_in_the_pages_language() {
    let text = find(&golden::restore(), Language::En);
    for part in
        ["1,234,567", "4,312", "3.2 GiB", "4 min 04 s", "2026-11-23 10:49:05 UTC", "19.2 MiB/s", "12.3 s"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let text = find(&golden::restore(), Language::Da);
    for part in ["1.234.567", "4.312", "3,2 GiB", "23.11.2026 kl. 10.49.05 UTC", "Falkenstein, Tyskland"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let text = find(&golden::drill(), Language::En);
    for part in ["30.0 h", "Passed", "1,412", "gårsdagens ordrer er der"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let text = find(&golden::bad_retention(), Language::En);
    for part in
        ["Older than 35 days: 1", "90.0 days", "Shows the first 200 of 806", "held by somebody, until"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let text = find(&golden::held_retention(), Language::En);
    assert!(
        text.contains("Nothing is older than 35 days, but for snapshots that somebody holds: 1"),
        "{text}"
    );
    let text = find(&golden::bad_residency(), Language::En);
    for part in ["where data may not be", "not allowed", "did not answer", "hel1 (Helsinki, Finland)"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn a_snapshot_beyond_the_limit_lies_beyond_its_line() {
    let page = check_page(&golden::bad_retention().page(Language::En), "en");
    let share = |element: &Element, name: &str| -> f64 {
        element
            .attribute(name)
            .and_then(|value| value.strip_suffix('%'))
            .expect("a share")
            .parse()
            .expect("a number")
    };
    let plot = page.named("svg")[0];
    let line = |class: &str| {
        let lines = plot.named("line");
        share(lines.iter().find(|line| line.attribute("class") == Some(class)).expect("a line"), "x1")
    };
    let (aim, limit) = (line("aim"), line("limit"));
    assert!(aim < limit);
    let mut found = [0; 3];
    for mark in plot.named("rect") {
        let x = share(mark, "x");
        match mark.attribute("class").expect("a class") {
            "over" => found[0] += usize::from(x > limit),
            "goes" => found[1] += usize::from(x > aim && x <= limit),
            "first" => found[2] += usize::from(x <= aim),
            _ => {}
        }
    }
    assert_eq!(found, [2, 3, 801], "each of 806 snapshots is on the side on which it belongs");
}

#[test]
fn a_failed_drill_is_a_cross_and_no_point() {
    let page = check_page(&golden::drill().page(Language::En), "en");
    let plot = page.named("svg")[0];
    let class = |tag: &str, class: &str| {
        plot.named(tag).iter().filter(|element| element.attribute("class") == Some(class)).count()
    };
    assert_eq!((class("circle", "first"), class("circle", "ring"), class("text", "cross")), (12, 12, 1));
}

/// WCAG 2.2: 4.5 for text, 3 for what is drawn.
#[test]
fn everything_stands_out_in_the_light_in_the_dark_and_on_paper() {
    let sheet = include_str!("page.css");
    let schemes: Vec<&str> =
        sheet.split(":root {").skip(1).map(|rest| rest.split('}').next().expect("its end")).collect();
    assert_eq!(schemes.len(), 3);
    for scheme in schemes {
        let luminance = |name: &str| {
            let (_, rest) = scheme.split_once(&format!("--{name}: #")).expect("a colour");
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&rest[at..at + 2], 16).expect("a number")) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let contrast = |one: &str, other: &str| {
            let (one, other) = (luminance(one), luminance(other));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for text in ["ink", "quiet", "good", "bad"] {
            for ground in ["paper", "raised"] {
                assert!(contrast(text, ground) >= 4.5, "{text} on {ground}: {}", contrast(text, ground));
            }
        }
        for mark in ["first", "second", "bad"] {
            for ground in ["paper", "track"] {
                assert!(contrast(mark, ground) >= 3.0, "{mark} on {ground}: {}", contrast(mark, ground));
            }
        }
    }
}

#[test]
fn json_holds_what_the_page_shows() {
    let value = |report: &Report| serde_json::to_value(report).expect("JSON");
    let (restore, drill) = (value(&golden::restore()), value(&golden::drill()));
    let (retention, residency) = (value(&golden::bad_retention()), value(&golden::bad_residency()));
    for (json, report) in
        [(&restore, "restore"), (&drill, "drill"), (&retention, "retention"), (&residency, "residency")]
    {
        assert_eq!(json["report"], report);
        assert_eq!(json["made_at"], "2026-11-23T11:49:05Z");
    }
    assert_eq!(restore["evidence"]["rows"]["read"], 1_234_567);
    assert_eq!(drill["history"].as_array().map(Vec::len), Some(13));
    assert_eq!(
        retention["snapshots"].as_array().map(Vec::len),
        Some(806),
        "the page cuts, the JSON does not"
    );
    assert_eq!(residency["findings"][0]["kind"], "elsewhere");
    assert!(matches!(golden::restore().facts, Facts::Restore(_)));
}
