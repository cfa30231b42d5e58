//! Ids that are no ids: the ledger must not become another list of names and addresses.

/// Says what a value looks like that should not be an id; none if it may be one.
///
/// An e-mail address, or words of letters as names are made of. Identifiers in the usual sense (numbers, UUIDs, codes
/// with digits, lower-case logins without blanks) pass.
#[must_use]
pub fn looks_personal(value: &str) -> Option<&'static str> {
    let value = value.trim();
    if let Some((local, domain)) = value.rsplit_once('@')
        && !local.is_empty()
        && domain.contains('.')
    {
        return Some("an e-mail address");
    }
    let words: Vec<&str> = value.split_whitespace().collect();
    let is_name = |word: &&str| {
        let mut chars = word.chars();
        let first = chars.next().is_some_and(char::is_uppercase);
        let rest = chars.clone().any(char::is_lowercase)
            && chars.all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.'));
        first && rest
    };
    let of_letters =
        |word: &&str| word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.'));
    match words.as_slice() {
        [only] if is_name(only) => Some("a name"),
        [_, _, ..] if words.iter().all(of_letters) => Some("a name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_seen_and_ids_pass() {
        for value in [
            "anna@example.org",
            "x.y+z@mail.example.dk ",
            "Anna",
            "Jean-Luc",
            "anna berg",
            "Ole Bøgh",
            "O'Neill",
        ] {
            assert!(looks_personal(value).is_some(), "{value}");
        }
        for value in [
            "4711",
            "-3",
            "a81bc81b-dead-4e5d-abff-90865d1e13b1",
            "cus_N9sLk2",
            "DK-1234",
            "abc",
            "ABC",
            "user@7",
            "",
            "2024-01-01 10:00:00+00",
            "X1 Y2",
        ] {
            assert!(looks_personal(value).is_none(), "{value}");
        }
    }
}
