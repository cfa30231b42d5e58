//! From what was seen in a column's values to a rule that a person may confirm.

use lethe_format::catalog::QualifiedName;
use lethe_format::json::Path;
use lethe_format::reference::{Inside, KeyPattern, OnErase, Reference, Removed, TableColumns, When};

use super::{ENOUGH_NUMBERS, names};

/// What was seen of one key at one place of a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    pub from: TableColumns,
    pub is_array: bool,
    /// Where in a document; none if the column holds none.
    pub path: Option<Path>,
    /// What stands before the key in its text.
    pub before: String,
    pub when: Option<When>,
    pub to: TableColumns,
    /// Whether the keys are numbers, which are somebody's by chance.
    pub are_numbers: bool,
    /// The words by which the key's table is called.
    pub called: Vec<String>,
    /// Distinct values, and how many of them are keys.
    pub values: u64,
    pub keys: u64,
}

/// A rule that can be guessed, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lead {
    pub reference: Reference,
    pub because: String,
}

/// The rules that the sightings support. At one place one rule at most: of several keys the one that the place is named after, then the one
/// that most values are. Where a rule holds for rows of one kind, none holds for all.
#[must_use]
pub fn leads(sightings: &[Sighting]) -> Vec<Lead> {
    let mut supported: Vec<&Sighting> = sightings.iter().filter(|sighting| sighting.supports()).collect();
    supported.sort_by_key(|sighting| (!sighting.is_named(), std::cmp::Reverse(sighting.keys)));
    let mut chosen: Vec<&Sighting> = Vec::new();
    for sighting in supported {
        let by_kind = |other: &&Sighting| other.from == sighting.from && other.when.is_some();
        let is_taken = chosen.iter().any(|other| other.is_at_the_same(sighting))
            || (sighting.when.is_none()
                && sightings.iter().filter(|other| other.supports()).any(|other| by_kind(&other)));
        if !is_taken {
            chosen.push(sighting);
        }
    }
    chosen.sort_by_key(|sighting| {
        let from = (sighting.from.table.clone(), sighting.from.columns.clone());
        (from, sighting.path.as_ref().map(Path::to_string), sighting.when.clone().map(|when| when.equals))
    });
    chosen.into_iter().filter_map(Sighting::lead).collect()
}

impl Sighting {
    fn is_at_the_same(&self, other: &Self) -> bool {
        (&self.from, &self.path, &self.before, &self.when)
            == (&other.from, &other.path, &other.before, &other.when)
    }

    /// What the place is called: the last names of a path, the word before a key, the kind of row, or the column.
    fn name(&self) -> String {
        if let Some(when) = &self.when {
            return format!("{}_id", when.equals);
        }
        if !self.before.is_empty() {
            return format!("{}_id", self.before);
        }
        match &self.path {
            Some(path) => {
                let members = path.steps().iter().filter_map(|step| match step {
                    lethe_format::json::Step::Member(name) => Some(name.as_str()),
                    _ => None,
                });
                let members: Vec<&str> = members.collect();
                members[members.len().saturating_sub(2)..].join("_")
            }
            None => self.from.columns.join("_"),
        }
    }

    /// Whether the place is named after the key's table.
    fn is_named(&self) -> bool {
        names::words(&self.name())
            .iter()
            .any(|word| self.called.iter().any(|called| called == names::singular(word)))
    }

    fn supports(&self) -> bool {
        let most = self.keys > 0 && self.keys.saturating_mul(2) >= self.values;
        if !self.are_numbers {
            return most;
        }
        if self.when.is_some() {
            return most && self.is_named();
        }
        let name = self.name();
        let speaks =
            names::words(&name).iter().any(|word| matches!(word.as_str(), "id" | "ids" | "ref" | "by"));
        let all = self.values >= ENOUGH_NUMBERS && self.keys == self.values;
        (all && speaks) || (most && (self.is_named() || names::refers_to_people(&name, &self.called)))
    }

    fn lead(&self) -> Option<Lead> {
        let text = match self.before.as_str() {
            "" => None,
            before => Some(KeyPattern::parse(&format!("{before}{{}}")).ok()?),
        };
        let inside = Inside { element: self.is_array, path: self.path.clone(), text };
        let is_within = inside.element || inside.path.is_some();
        let because = format!("{} of {} values are keys of {}", self.keys, self.values, self.to);
        let on_erase = if is_within { OnErase::Remove(Removed::Value) } else { OnErase::Drop };
        let (from, to, when) = (self.from.clone(), self.to.clone(), self.when.clone());
        Some(Lead { reference: Reference { from, inside, to, when, on_erase }, because })
    }
}

/// Whether a column's name says that it holds what another one refers to: `owner_type` beside `owner_id`.
#[must_use]
pub fn says_kind_of(name: &str, of: &str) -> bool {
    let (mut words, mut of) = (names::words(name), names::words(of));
    let is_kind =
        words.pop().is_some_and(|last| matches!(last.as_str(), "type" | "kind" | "class" | "model"));
    let refers = of.pop().is_some_and(|last| matches!(last.as_str(), "id" | "uuid" | "key" | "ref"));
    is_kind && refers && words == of
}

/// Whether a kind of rows, `Post` or `App\Models\BlogPost`, is called after a table.
#[must_use]
pub fn is_called_after(kind: &str, table: &QualifiedName) -> bool {
    let last = |name: &str| names::words(name).pop().map(|word| names::singular(&word).to_owned());
    last(kind).is_some_and(|kind| last(&table.name) == Some(kind))
}

/// The words by which a table, and the subject that it is of, is called.
#[must_use]
pub fn called(table: &QualifiedName, subject: Option<&str>) -> Vec<String> {
    let words = names::words(&table.name).pop().into_iter().chain(subject.map(str::to_lowercase));
    words.map(|word| names::singular(&word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(column: &str, values: u64, keys: u64) -> Sighting {
        let side = |table: &str, column: &str| TableColumns {
            table: QualifiedName::new("public", table),
            columns: vec![column.to_owned()],
        };
        Sighting {
            from: side("posts", column),
            is_array: false,
            path: None,
            before: String::new(),
            when: None,
            to: side("users", "id"),
            are_numbers: true,
            called: vec!["user".to_owned()],
            values,
            keys,
        }
    }

    fn found(sightings: &[Sighting]) -> Vec<String> {
        leads(sightings)
            .into_iter()
            .map(|lead| format!("{} {:?}", lead.reference, lead.reference.on_erase))
            .collect()
    }

    #[test]
    fn numbers_need_a_name_or_many_and_words_do_not() {
        for (column, values, keys, is_lead) in [
            ("user_id", 5, 5, true),
            ("user_id", 10, 4, false),
            ("author", 10, 9, true),
            ("some_ref", 20, 20, true),
            ("some_ref", 19, 19, false),
            ("some_ref", 25, 24, false),
            ("amount", 500, 500, false),
            ("user_id", 5, 0, false),
        ] {
            assert_eq!(
                found(&[sighting(column, values, keys)]).len(),
                usize::from(is_lead),
                "{column} {values} {keys}"
            );
            let words = Sighting { are_numbers: false, ..sighting(column, values, keys) };
            assert_eq!(
                found(&[words]).len(),
                usize::from(keys * 2 >= values && keys > 0),
                "{column} {values} {keys}"
            );
        }
    }

    #[test]
    fn a_place_has_one_rule_and_a_kind_its_own() {
        let at = |path: &str, values, keys| Sighting {
            path: Some(Path::parse(path).expect("a path")),
            ..sighting("doc", values, keys)
        };
        let teams = |sighting: Sighting| Sighting {
            to: TableColumns { table: QualifiedName::new("public", "teams"), columns: vec!["id".to_owned()] },
            called: vec!["team".to_owned()],
            ..sighting
        };
        // Small numbers are keys of both tables.
        let both = [teams(at("$.user.id", 30, 30)), at("$.user.id", 30, 30), at("$.at", 2, 2)];
        assert_eq!(found(&both), ["public.posts(doc) $.user.id → public.users(id) Remove(Value)"]);
        assert_eq!(found(&both[..1]).len(), 1, "many numbers under a name that says so");
        let texts = Sighting { before: "User:".to_owned(), ..sighting("doc", 6, 6) };
        assert_eq!(found(&[texts]), ["public.posts(doc) \"User:{}\" → public.users(id) Drop"]);
        let arrays = Sighting { is_array: true, ..sighting("member_ids", 6, 6) };
        assert_eq!(found(&[arrays]), ["public.posts(member_ids) element → public.users(id) Remove(Value)"]);
        let kind = |word: &str| Sighting {
            when: Some(When { column: "owner_type".to_owned(), equals: word.to_owned() }),
            ..sighting("owner_id", 40, 40)
        };
        let kinds = [
            sighting("owner_id", 80, 80),
            kind("User"),
            teams(kind("User")),
            teams(kind("Team")),
            kind("Post"),
        ];
        assert_eq!(
            found(&kinds),
            [
                "public.posts(owner_id) → public.teams(id) by owner_type Drop",
                "public.posts(owner_id) → public.users(id) by owner_type Drop"
            ]
        );
    }

    #[test]
    fn kinds_are_told_by_their_names() {
        assert!(says_kind_of("owner_type", "owner_id") && says_kind_of("ownerKind", "owner_uuid"));
        assert!(!says_kind_of("owner_type", "author_id") && !says_kind_of("type", "owner_id"));
        assert!(!says_kind_of("owner_type", "owner_name"));
        let posts = QualifiedName::new("public", "blog_posts");
        assert!(is_called_after("Post", &posts) && is_called_after(r"App\Models\BlogPost", &posts));
        assert!(!is_called_after("User", &posts) && !is_called_after("", &posts));
        assert_eq!(called(&posts, Some("Author")), ["post", "author"]);
    }
}
