//! Settings that allow more than before: a limit that is wider or gone, a permission that was added, a guard that was taken away.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What the settings allow, in terms that can be compared. Names settings, and nobody.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Leeway {
    /// The higher, the looser; none is no limit at all.
    pub limits: BTreeMap<String, Option<u64>>,
    /// Each allows something.
    pub permissions: BTreeSet<String>,
    /// Each forbids something, or keeps watch.
    pub guards: BTreeSet<String>,
}

/// What `after` allows that `before` did not, a line each. A limit that `before` does not know is no change.
#[must_use]
pub fn loosened(before: &Leeway, after: &Leeway) -> Vec<String> {
    let wider = after.limits.iter().filter_map(|(name, new)| match (before.limits.get(name)?, new) {
        (Some(old), Some(new)) if new > old => Some(format!("{name}: {new} instead of {old}")),
        (Some(old), None) => Some(format!("{name}: no limit instead of {old}")),
        _ => None,
    });
    let added =
        after.permissions.difference(&before.permissions).map(|permission| format!("new: {permission}"));
    let removed = before.guards.difference(&after.guards).map(|guard| format!("gone: {guard}"));
    wider.chain(added).chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leeway(limits: &[(&str, Option<u64>)], permissions: &[&str], guards: &[&str]) -> Leeway {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Leeway {
            limits: limits.iter().map(|(name, limit)| ((*name).to_owned(), *limit)).collect(),
            permissions: own(permissions),
            guards: own(guards),
        }
    }

    #[test]
    fn what_allows_more_is_told_and_what_allows_less_is_not() {
        let before = leeway(&[("a", Some(10)), ("b", Some(10)), ("c", None)], &["x"], &["g", "h"]);
        let tighter = leeway(&[("a", Some(9)), ("b", Some(10)), ("c", Some(7))], &[], &["g", "h", "i"]);
        assert_eq!(loosened(&before, &tighter), Vec::<String>::new());
        let looser = leeway(&[("a", Some(11)), ("b", None), ("c", None), ("d", None)], &["x", "y"], &["g"]);
        let told = ["a: 11 instead of 10", "b: no limit instead of 10", "new: y", "gone: h"];
        assert_eq!(loosened(&before, &looser), told);
        assert_eq!(loosened(&before, &before), Vec::<String>::new());
    }
}
