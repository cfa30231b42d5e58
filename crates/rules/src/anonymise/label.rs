//! The security labels of `postgresql_anonymizer`, read as masks ("Declaring Masking Rules" and "Masking Functions" in its
//! documentation): `MASKED WITH VALUE …`, `MASKED WITH FUNCTION anon.…()`, `NOT MASKED`, and what names an identifier.
//!
//! A mask of ours may hide more than the function that it stands for, and never less: what keeps a part of a value, moves it by a
//! little or only hashes it is refused.

use super::{Constant, Fake, Replacement};

/// What a label says about its column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    Masked(Replacement),
    /// Somebody has decided that it stays as it is.
    NotMasked,
    /// It tells people apart, and the label does not say what becomes of it.
    Identifier,
    /// It asks for what cannot be done here, for this reason.
    Refused(String),
}

/// Reads the label of a column.
pub(super) fn read(label: &str) -> Said {
    let words: Vec<String> = label.split_whitespace().map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["NOT", "MASKED"] => Said::NotMasked,
        ["QUASI" | "INDIRECT", "IDENTIFIER"] => Said::Identifier,
        ["MASKED", "WITH", "VALUE", _, ..] => match value(after(label, 3)) {
            Some(replacement) => Said::Masked(replacement),
            None => Said::Refused("its value is more than NULL or one constant".to_owned()),
        },
        ["MASKED", "WITH", "FUNCTION", _, ..] => function(after(label, 3)),
        _ => Said::Refused("it is not understood".to_owned()),
    }
}

/// What follows so many words.
fn after(label: &str, words: usize) -> &str {
    let mut rest = label.trim();
    for _ in 0..words {
        rest = rest.find(char::is_whitespace).map_or("", |end| &rest[end..]).trim_start();
    }
    rest
}

/// NULL, a number, a truth value or a text, with or without a cast.
fn value(text: &str) -> Option<Replacement> {
    let (value, rest) = match text.chars().next()? {
        '\'' => quoted(&text[1..], false)?,
        'E' | 'e' if text[1..].starts_with('\'') => quoted(&text[2..], true)?,
        '$' => dollar_quoted(text)?,
        _ => {
            let end = text.find(|letter: char| letter.is_whitespace() || letter == ':').unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            let is_plain = word.parse::<f64>().is_ok_and(f64::is_finite)
                || word.eq_ignore_ascii_case("true")
                || word.eq_ignore_ascii_case("false");
            if word.eq_ignore_ascii_case("null") && is_cast(rest) {
                return Some(Replacement::Null);
            }
            (is_plain.then(|| word.to_ascii_lowercase())?, rest)
        }
    };
    is_cast(rest).then_some(Replacement::Constant(Constant { text: value, binary: None }))
}

/// Nothing, or `::type`.
fn is_cast(rest: &str) -> bool {
    let rest = rest.trim();
    let is_type = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '"' | ' ');
    rest.is_empty()
        || rest.strip_prefix("::").is_some_and(|name| !name.is_empty() && name.chars().all(is_type))
}

/// A string of SQL after its first quote, and what follows it.
fn quoted(text: &str, with_escapes: bool) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
                value.push('\'');
            }
            '\'' => return Some((value, &text[at + 1..])),
            '\\' if with_escapes => match letters.next()?.1 {
                escaped @ ('\'' | '\\' | '"') => value.push(escaped),
                _ => return None,
            },
            other => value.push(other),
        }
    }
    None
}

/// `$$text$$` or `$tag$text$tag$`, and what follows it.
fn dollar_quoted(text: &str) -> Option<(String, &str)> {
    let end = text[1..].find('$')? + 2;
    let (tag, rest) = text.split_at(end);
    let (value, rest) = rest.split_once(tag)?;
    Some((value.to_owned(), rest))
}

fn function(call: &str) -> Said {
    let refused = |problem: &str| Said::Refused(problem.to_owned());
    let name = call.trim().strip_suffix(')').and_then(|call| call.split_once('('));
    let Some((name, arguments)) = name.filter(|(_, arguments)| is_balanced(arguments)) else {
        return refused("it is not one call of a function");
    };
    let name = name.replace('"', "").trim().to_ascii_lowercase();
    let Some(name) = name.strip_prefix("anon.") else {
        return refused("it calls a function of its own");
    };
    if arguments.contains("anon.") {
        return refused("it puts several functions together");
    }
    match by_function(name) {
        Ok(replacement) => Said::Masked(replacement),
        Err(problem) => Said::Refused(format!("anon.{name}: {problem}")),
    }
}

/// Whether every parenthesis of the arguments is closed among them.
fn is_balanced(arguments: &str) -> bool {
    let mut depth = 0_i32;
    for letter in arguments.chars() {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

const PARTS: &str = "a part of the value would stay";
const NEAR: &str = "the value could be guessed from one that lies near it";
const HASH: &str = "who knows a value can hash it as well, so that hashing is no anonymisation";
const MIXED: &str = "real values would stay, with other rows";

/// What a function of the extension is masked with. `dummy_…_locale` and the like say what language a name is of.
fn by_function(name: &str) -> Result<Replacement, String> {
    let name = name.strip_suffix("_locale").unwrap_or(name);
    // Deterministic ones are made from a seed and a salt; here the key of the restore is better than both.
    let kind = ["fake_", "dummy_", "pseudo_", "random_"]
        .into_iter()
        .find_map(|kind| Some((kind, name.strip_prefix(kind)?)));
    match (kind, name) {
        (_, "lorem_ipsum") => return Ok(Replacement::Fake(Fake::Sentence)),
        (_, "partial" | "partial_email") => return Err(PARTS.to_owned()),
        (_, "hash" | "digest" | "random_hash") => return Err(HASH.to_owned()),
        (_, "shuffle" | "shuffle_column") => return Err(MIXED.to_owned()),
        (_, name) if name.contains("noise") || name.starts_with("noisy") => return Err(NEAR.to_owned()),
        (_, name) if name.starts_with("generalize") || name.contains("blur") => return Err(PARTS.to_owned()),
        (_, "random_in" | "random_in_array") => {
            return Err("its list of values cannot be followed; say \"random\" or a constant".to_owned());
        }
        _ => {}
    }
    let Some((kind, what)) = kind else { return Err("no mask stands for it".to_owned()) };
    let fake = match what {
        "first_name" => Fake::FirstName,
        "last_name" => Fake::LastName,
        "name" | "name_with_title" | "username" | "user_name" => Fake::Name,
        "phone" | "phone_number" | "cell_number" => Fake::Phone,
        "company" | "company_name" => Fake::Company,
        "address" | "street_name" | "street_address" | "secondary_address" => Fake::Street,
        "city" | "city_name" | "region" | "country" | "country_name" | "state_name" | "state_abbr" => {
            Fake::City
        }
        _ if what.contains("email") => Fake::Email,
        _ if [
            "word",
            "words",
            "sentence",
            "sentences",
            "paragraph",
            "paragraphs",
            "catch_phrase",
            "buzzword",
            "bs",
        ]
        .iter()
        .any(|ending| what.ends_with(ending)) =>
        {
            Fake::Sentence
        }
        // Numbers, dates, codes, addresses of machines: what the column's type makes of it.
        _ if kind == "random_" || CODES.contains(&what) => return Ok(Replacement::Random),
        _ => return Err("no mask stands for it".to_owned()),
    };
    Ok(Replacement::Fake(fake))
}

/// What is made up for these looks like nothing but letters and digits.
const CODES: &[&str] = &[
    "iban",
    "siret",
    "siren",
    "postcode",
    "post_code",
    "zip_code",
    "building_number",
    "credit_card_number",
    "ip",
    "ipv4",
    "ipv6",
    "mac_address",
    "password",
    "bic",
    "isin",
    "isbn",
    "isbn10",
    "isbn13",
    "licence_plate",
    "license_plate",
    "latitude",
    "longitude",
    "geohash",
    "uuidv1",
    "uuidv3",
    "uuidv4",
    "uuidv5",
    "date",
    "datetime",
    "date_time",
    "time",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(text: &str) -> Said {
        Said::Masked(Replacement::Constant(Constant { text: text.to_owned(), binary: None }))
    }

    #[test]
    fn labels_become_masks() {
        use Fake::{City, Company, Email, FirstName, LastName, Name, Phone, Sentence, Street};
        let fake = |fake| Said::Masked(Replacement::Fake(fake));
        let random = || Said::Masked(Replacement::Random);
        for (label, said) in [
            ("MASKED WITH FUNCTION anon.fake_last_name()", fake(LastName)),
            ("masked with function anon.dummy_first_name_locale('fr_FR')", fake(FirstName)),
            (" MASKED  WITH\nFUNCTION \"anon\".\"pseudo_email\"(id, salt) ", fake(Email)),
            ("MASKED WITH FUNCTION anon.dummy_safe_email()", fake(Email)),
            ("MASKED WITH FUNCTION anon.dummy_name()", fake(Name)),
            ("MASKED WITH FUNCTION anon.random_phone('+33')", fake(Phone)),
            ("MASKED WITH FUNCTION anon.fake_company()", fake(Company)),
            ("MASKED WITH FUNCTION anon.fake_address()", fake(Street)),
            ("MASKED WITH FUNCTION anon.pseudo_country(x)", fake(City)),
            ("MASKED WITH FUNCTION anon.lorem_ipsum( words := 7 )", fake(Sentence)),
            ("MASKED WITH FUNCTION anon.random_string(5)", random()),
            ("MASKED WITH FUNCTION anon.random_date_between('2020-01-01'::date, now())", random()),
            ("MASKED WITH FUNCTION anon.random_int_between(1, 5)", random()),
            ("MASKED WITH FUNCTION anon.random_in_enum(NULL::public.card)", random()),
            ("MASKED WITH FUNCTION anon.random_zip()", random()),
            ("MASKED WITH FUNCTION anon.fake_iban()", random()),
            ("MASKED WITH VALUE NULL", Said::Masked(Replacement::Null)),
            ("MASKED WITH VALUE null::text", Said::Masked(Replacement::Null)),
            ("MASKED WITH VALUE 'it''s'", constant("it's")),
            (r"MASKED WITH VALUE E'a\\\'b'::varchar", constant(r"a\'b")),
            ("MASKED WITH VALUE $$CONFIDENTIAL$$", constant("CONFIDENTIAL")),
            ("MASKED WITH VALUE $x$a $$ b$x$ :: text", constant("a $$ b")),
            ("MASKED WITH VALUE -1.5", constant("-1.5")),
            ("MASKED WITH VALUE TRUE", constant("true")),
            ("not masked", Said::NotMasked),
            ("QUASI IDENTIFIER", Said::Identifier),
            ("indirect  identifier", Said::Identifier),
        ] {
            assert_eq!(read(label), said, "{label}");
        }
    }

    #[test]
    fn what_would_hide_less_or_is_not_understood_is_refused_with_its_reason() {
        for (label, says) in [
            ("MASKED WITH FUNCTION anon.hash(email)", "hashing"),
            ("MASKED WITH FUNCTION anon.digest(email, 'salt', 'sha256')", "hashing"),
            ("MASKED WITH FUNCTION anon.partial(phone, 2, $$***$$, 2)", "a part of the value"),
            ("MASKED WITH FUNCTION anon.partial_email(email)", "a part of the value"),
            ("MASKED WITH FUNCTION anon.noise(salary, 0.33)", "near"),
            ("MASKED WITH FUNCTION anon.dnoise(birth, '2 days')", "near"),
            ("MASKED WITH FUNCTION anon.generalize_int4range(age, 5)", "a part of the value"),
            ("MASKED WITH FUNCTION anon.shuffle_column('a', 'b', 'c')", "other rows"),
            ("MASKED WITH FUNCTION anon.random_in(ARRAY[1,2])", "list"),
            ("MASKED WITH FUNCTION anon.ternary(x, anon.fake_city(), NULL)", "several"),
            ("MASKED WITH FUNCTION anon.something_new()", "no mask stands for it"),
            ("MASKED WITH FUNCTION public.mine(email)", "a function of its own"),
            ("MASKED WITH FUNCTION pg_catalog.md5(email)", "a function of its own"),
            ("MASKED WITH FUNCTION anon.fake_city() || email", "one call"),
            ("MASKED WITH FUNCTION anon.fake_city() || lower(email)", "one call"),
            ("MASKED WITH FUNCTION anon.fake_city", "one call"),
            ("MASKED WITH VALUE email", "constant"),
            ("MASKED WITH VALUE CASE WHEN a THEN 'b' END", "constant"),
            ("MASKED WITH VALUE 'a' || email", "constant"),
            ("MASKED WITH VALUE 'a", "constant"),
            ("MASKED WITH VALUE NaN", "constant"),
            ("MASKED WITH VALUE", "not understood"),
            ("MASKED", "not understood"),
            ("TABLESAMPLE BERNOULLI(10)", "not understood"),
            ("", "not understood"),
        ] {
            let Said::Refused(problem) = read(label) else { panic!("{label}: {:?}", read(label)) };
            assert!(problem.contains(says), "{label}: {problem}");
            assert!(!problem.contains("email") || label.contains("partial_email"), "{label}: {problem}");
        }
    }
}
