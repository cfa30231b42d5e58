//! What a column's name says. Names lie, so this is never a proof of anything: it is a reason to ask a person.

/// A name in its words: `createdByUser`, `created_by_user` and `CREATED-BY-USER` are three spellings of one.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before_is_lower = false;
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before_is_lower;
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before_is_lower = letter.is_lowercase() || letter.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Who a reference may be to, besides the subjects' own names.
const PEOPLE: &[&str] = &[
    "user",
    "person",
    "people",
    "member",
    "customer",
    "client",
    "employee",
    "contact",
    "account",
    "profile",
    "owner",
    "author",
    "creator",
    "editor",
    "assignee",
    "reporter",
    "sender",
    "recipient",
    "receiver",
    "subscriber",
    "patient",
    "student",
    "teacher",
    "parent",
    "guardian",
    "applicant",
    "candidate",
    "attendee",
    "participant",
    "manager",
    "actor",
    "operator",
    "admin",
    "buyer",
    "seller",
    "guest",
    "visitor",
    "lead",
    "invitee",
    "inviter",
    "friend",
    "follower",
    "responsible",
    "uid",
];
/// What ends a name that refers to something.
const REFERRING: &[&str] = &["id", "ids", "uuid", "guid", "ref", "key", "fk", "no", "number"];

/// Words that name data of a person's, in English and in the languages of the policy's customers.
const PERSONAL: &[&str] = &[
    "email",
    "mail",
    "phone",
    "telephone",
    "mobile",
    "fax",
    "firstname",
    "lastname",
    "surname",
    "forename",
    "fullname",
    "nickname",
    "username",
    "login",
    "password",
    "passwd",
    "secret",
    "token",
    "address",
    "street",
    "zip",
    "zipcode",
    "postcode",
    "postal",
    "city",
    "birthday",
    "birthdate",
    "birth",
    "born",
    "dob",
    "gender",
    "ssn",
    "cpr",
    "passport",
    "iban",
    "bic",
    "swift",
    "cvr",
    "vat",
    "tax",
    "signature",
    "avatar",
    "photo",
    "ip",
    "useragent",
    "latitude",
    "longitude",
    "geo",
    "salary",
    "religion",
    "nationality",
    "title",
    "biography",
    "bio",
    "navn",
    "fornavn",
    "efternavn",
    "telefon",
    "adresse",
    "vorname",
    "nachname",
    "geburtsdatum",
];
/// Pairs of words that do so together.
const PERSONAL_PAIRS: &[(&str, &str)] = &[
    ("first", "name"),
    ("last", "name"),
    ("full", "name"),
    ("middle", "name"),
    ("display", "name"),
    ("user", "name"),
    ("nick", "name"),
    ("contact", "name"),
    ("customer", "name"),
    ("e", "mail"),
    ("user", "agent"),
    ("date", "birth"),
    ("remote", "addr"),
    ("client", "ip"),
];
/// Of the words above, those that mean something else as often, and count only beside another of them.
const WEAK: &[&str] =
    &["title", "token", "secret", "tax", "city", "ip", "geo", "photo", "signature", "key", "vat"];

/// Whether a name sounds like a reference to one of these kinds of people (singular words), or to people at all.
pub(super) fn refers_to_people(name: &str, subjects: &[String]) -> bool {
    let words = words(name);
    let (Some(last), len) = (words.last().map(String::as_str), words.len()) else { return false };
    let is_person = |word: &str| {
        let singular = singular(word);
        PEOPLE.contains(&singular) || subjects.iter().any(|subject| subject == singular)
    };
    match last {
        "by" => len > 1,
        last if is_person(last) => true,
        last => REFERRING.contains(&last) && words.iter().rev().skip(1).any(|word| is_person(word)),
    }
}

/// Whether a name sounds like a person's own data.
pub(super) fn is_personal(name: &str) -> bool {
    let words = words(name);
    let pairs = words.windows(2).any(|pair| {
        PERSONAL_PAIRS.iter().any(|(one, other)| (pair[0].as_str(), pair[1].as_str()) == (*one, *other))
    });
    let of_people = |word: &String| PERSONAL.contains(&word.as_str());
    let strong = words.iter().any(|word| of_people(word) && !WEAK.contains(&word.as_str()));
    let weak = words.len() == 1 && words.iter().any(|word| word == "ip");
    pairs || strong || weak
}

/// Good enough for the names of tables: `users`, `people`, `companies`, `addresses`.
pub(crate) fn singular(word: &str) -> &str {
    if word == "people" {
        return "person";
    }
    for (ending, kept) in [("sses", 2), ("ches", 2), ("s", 1)] {
        if word.ends_with(ending) && word.len() > ending.len() + 1 && !word.ends_with("ss") {
            return &word[..word.len() - kept];
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_spelling() {
        for name in ["created_by_user", "createdByUser", "CREATED_BY_USER", "created-by user"] {
            assert_eq!(words(name), ["created", "by", "user"], "{name}");
        }
        assert_eq!(words("_x__9Lives"), ["x", "9", "lives"]);
        assert!(words("").is_empty() && words("__").is_empty());
    }

    #[test]
    fn names_that_refer_to_people_are_told_from_others() {
        let subjects = ["pilot".to_owned()];
        for name in [
            "user_id",
            "userId",
            "created_by",
            "author",
            "owner_uuid",
            "pilot_id",
            "member_ids",
            "approvedBy",
            "followers",
        ] {
            assert!(refers_to_people(name, &subjects), "{name}");
        }
        for name in ["id", "order_id", "by", "plane_id", "standby", "number", "", "name", "username_taken_at"]
        {
            assert!(!refers_to_people(name, &subjects), "{name}");
        }
    }

    #[test]
    fn names_of_personal_data_are_told_from_others() {
        for name in [
            "email",
            "billing_email",
            "E-Mail",
            "firstName",
            "date_birth",
            "phone_number",
            "ip",
            "client_ip",
            "home_address",
        ] {
            assert!(is_personal(name), "{name}");
        }
        for name in ["title", "name", "status", "city", "shipped_at", "total", "tax", ""] {
            assert!(!is_personal(name), "{name}");
        }
    }

    #[test]
    fn plurals_lose_their_ending() {
        for (plural, one) in [
            ("users", "user"),
            ("people", "person"),
            ("address", "address"),
            ("addresses", "address"),
            ("class", "class"),
            ("us", "us"),
        ] {
            assert_eq!(singular(plural), one, "{plural}");
        }
    }
}
