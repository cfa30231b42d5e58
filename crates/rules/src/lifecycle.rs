//! What a bucket's lifecycle rules do to a repository: which of them would destroy it, and which safety nets are missing.
//! Sources: "Managing the lifecycle of objects" and "Lifecycle configuration elements" of the Amazon S3 User Guide.

/// A rule that is enabled, and that applies to objects without tags.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LifecycleRule {
    pub id: String,
    /// Of the names that it applies to.
    pub prefix: String,
    /// True if it applies to some sizes of objects alone.
    pub by_size: bool,
    /// Deletes current objects, after days or at a date.
    pub expires_current: bool,
    /// Deletes what was replaced or deleted, after days.
    pub expires_noncurrent: Option<u32>,
    pub removes_delete_markers: bool,
    /// Days.
    pub aborts_uploads_after: Option<u32>,
    /// Moves objects into another storage class.
    pub moves: bool,
}

/// The days after which replaced versions and unfinished uploads should be gone at the latest.
const LATEST: u32 = 7;

/// What of a repository is in a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contents<'a> {
    /// Empty, or ending in a slash.
    pub prefix: &'a str,
    pub data: bool,
    pub ledger: bool,
    /// The bucket is versioned, or was.
    pub keeps_versions: bool,
}

impl Contents<'_> {
    fn places(&self, held: bool, names: &[&str]) -> Vec<String> {
        names.iter().filter(|_| held).map(|name| format!("{}{name}", self.prefix)).collect()
    }

    fn of_data(&self) -> Vec<String> {
        self.places(self.data, &["repository.json", "snapshots/", "chunks/"])
    }

    fn of_ledger(&self) -> Vec<String> {
        self.places(self.ledger, &["keys/", "ledger/"])
    }
}

/// The rules that would destroy something, in words.
#[must_use]
pub fn dangers(rules: &[LifecycleRule], contents: Contents<'_>) -> Vec<String> {
    let mut dangers = Vec::new();
    let met = |places: &[String], does: fn(&LifecycleRule) -> bool| {
        let pairs = rules.iter().filter(|rule| does(rule)).flat_map(|rule| {
            let met = places.iter().filter(|place| rule.meets(place));
            met.map(|place| (rule.id.clone(), place.clone())).collect::<Vec<_>>()
        });
        pairs.collect::<Vec<_>>()
    };
    let all = [contents.of_data(), contents.of_ledger()].concat();
    for (id, place) in met(&all, |rule| rule.expires_current) {
        dangers.push(format!(
            "the lifecycle rule {id} deletes {place} by age: snapshots share chunks with much older ones, and nothing may go before lethe prune says so"
        ));
    }
    for (id, place) in met(&all, |rule| rule.moves) {
        dangers.push(format!(
            "the lifecycle rule {id} moves {place} into another storage class, which a restore may not be able to read"
        ));
    }
    if contents.keeps_versions {
        for (id, place) in met(&contents.of_ledger(), |rule| rule.expires_noncurrent.is_some()) {
            dangers.push(format!(
                "the lifecycle rule {id} deletes replaced versions of {place}: if somebody writes over an entry, its first version is the evidence"
            ));
        }
    }
    dangers
}

/// The safety nets that are missing, in words. `markers` if the store can remove delete markers by a rule.
#[must_use]
pub fn missing(rules: &[LifecycleRule], contents: Contents<'_>, markers: bool) -> Vec<String> {
    let mut missing = Vec::new();
    let covers = |place: &str, does: fn(&LifecycleRule) -> bool| {
        rules.iter().any(|rule| !rule.by_size && place.starts_with(&rule.prefix) && does(rule))
    };
    for place in contents.of_data().iter().filter(|place| place.ends_with('/')) {
        if place.ends_with("chunks/")
            && !covers(place, |rule| rule.aborts_uploads_after.is_some_and(|days| days <= LATEST))
        {
            missing.push(format!("no lifecycle rule ends unfinished uploads within {LATEST} days"));
        }
        if !contents.keeps_versions {
            continue;
        }
        if !covers(place, |rule| rule.expires_noncurrent.is_some_and(|days| days <= LATEST)) {
            missing
                .push(format!("no lifecycle rule deletes replaced versions of {place} within {LATEST} days"));
        }
        if markers && !covers(place, |rule| rule.removes_delete_markers) {
            missing.push(format!("no lifecycle rule removes expired delete markers of {place}"));
        }
    }
    missing
}

impl LifecycleRule {
    /// True if it applies to anything below a place.
    fn meets(&self, place: &str) -> bool {
        place.starts_with(&self.prefix) || self.prefix.starts_with(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str) -> LifecycleRule {
        LifecycleRule { id: "x".to_owned(), prefix: prefix.to_owned(), ..LifecycleRule::default() }
    }

    fn right() -> Vec<LifecycleRule> {
        let mut rules = vec![LifecycleRule { aborts_uploads_after: Some(1), ..rule("") }];
        for place in ["p/chunks/", "p/snapshots/"] {
            rules.push(LifecycleRule { expires_noncurrent: Some(1), ..rule(place) });
            rules.push(LifecycleRule { removes_delete_markers: true, ..rule(place) });
        }
        rules
    }

    fn with(more: LifecycleRule) -> Vec<LifecycleRule> {
        [right(), vec![more]].concat()
    }

    const ALL: Contents<'_> = Contents { prefix: "p/", data: true, ledger: true, keeps_versions: true };

    #[test]
    fn each_part_of_the_safety_net_is_missed() {
        assert_eq!(missing(&right(), ALL, true), Vec::<String>::new());
        for left_out in 0..right().len() {
            let mut rules = right();
            rules.remove(left_out);
            assert_eq!(missing(&rules, ALL, true).len(), 1, "{left_out}");
        }
        assert_eq!((missing(&[], ALL, true).len(), missing(&[], ALL, false).len()), (5, 3));
        assert_eq!(missing(&[], Contents { keeps_versions: false, ..ALL }, true).len(), 1, "no old versions");
        assert_eq!(missing(&[], Contents { data: false, ..ALL }, true).len(), 0, "a ledger needs none");
        let mut late = right();
        late[1].expires_noncurrent = Some(40);
        assert_eq!(missing(&late, ALL, true).len(), 1);
        let mut large = right();
        large[0].by_size = true;
        assert_eq!(missing(&large, ALL, true).len(), 1);
    }

    #[test]
    fn rules_that_would_destroy_a_repository_are_seen() {
        assert_eq!(dangers(&right(), ALL), Vec::<String>::new());
        for (prefix, places) in [
            ("", 5),
            ("p", 5),
            ("p/", 5),
            ("p/chunks/", 1),
            ("p/chunks/ab", 1),
            ("p/ledger/", 1),
            ("other/", 0),
            ("p/probe/", 0),
        ] {
            let expiring = with(LifecycleRule { expires_current: true, ..rule(prefix) });
            assert_eq!(dangers(&expiring, ALL).len(), places, "{prefix:?}");
            let moving = with(LifecycleRule { moves: true, ..rule(prefix) });
            assert_eq!(dangers(&moving, ALL).len(), places, "{prefix:?}");
        }
        let evidence = with(LifecycleRule { expires_noncurrent: Some(1), ..rule("") });
        assert_eq!(dangers(&evidence, ALL).len(), 2);
        assert_eq!(dangers(&evidence, Contents { ledger: false, ..ALL }).len(), 0, "the ledger is elsewhere");
        assert_eq!(dangers(&evidence, Contents { keeps_versions: false, ..ALL }).len(), 0);
    }
}
