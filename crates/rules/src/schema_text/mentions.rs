//! What a text mentions that could be a key.

use std::collections::{BTreeSet, HashSet};

use super::Names;
use super::pieces::{literals, runs, tokens, words};

/// Shorter texts are words of SQL as often as keys.
const SHORTEST: usize = 3;

/// Words between a column and the number that it is compared with, or declared by.
const BETWEEN: &[&str] = &[
    "all", "and", "any", "array", "as", "between", "bigint", "check", "default", "for", "id", "ids", "in",
    "int", "int2", "int4", "int8", "integer", "is", "key", "like", "no", "not", "nr", "null", "number", "or",
    "smallint", "text", "uuid", "values",
];

#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// Numbers of which the text says that they are a key of the subject.
    pub numbers: BTreeSet<i64>,
    /// What stands as a whole: quoted texts, the words in them, names that no word of SQL looks like; in lower case.
    texts: HashSet<String>,
    /// 32 hexadecimal digits in a row, whatever stands between them.
    hexadecimal: HashSet<String>,
}

impl Mentions {
    pub(super) fn of(text: &str, names: &Names) -> Self {
        let mut mentions = Self { numbers: keyed_numbers(text, names), ..Self::default() };
        mentions.find_texts(text, names);
        mentions.find_hexadecimal(text);
        mentions
    }

    /// Whether every part of the key is mentioned.
    pub(super) fn all_of(&self, key: &[String]) -> bool {
        !key.is_empty() && key.iter().all(|part| self.has(part))
    }

    fn has(&self, part: &str) -> bool {
        if let Ok(number) = part.parse::<i64>() {
            return self.numbers.contains(&number);
        }
        let lower = part.to_lowercase();
        let digits = without_separators(&lower);
        (lower.chars().count() >= SHORTEST && self.texts.contains(&lower))
            || (digits.len() == 32 && self.hexadecimal.contains(&digits))
    }

    fn find_texts(&mut self, text: &str, names: &Names) {
        let token = |token: &str| token.trim_matches(['.', '-', '%', '+']).to_lowercase();
        for literal in literals(text) {
            self.texts.extend(tokens(&literal).map(token));
            self.texts.insert(literal.trim().to_lowercase());
        }
        // A key that looks like any name may be one by chance; one with a digit or a sign in it is hardly.
        let is_no_word = |token: &String| token.chars().any(|c| !c.is_alphabetic() && c != '_' && c != '.');
        self.texts.extend(tokens(text).map(token).filter(is_no_word));
        for (_, run) in runs(text) {
            if names.is_own(&run.to_lowercase()) {
                continue;
            }
            let words = words(run);
            let ends =
                (1..words.len()).filter(|at| words.get(at - 1).is_some_and(|word| names.is_subject(word)));
            self.texts.extend(ends.filter_map(|at| words.get(at..)).map(|rest| rest.join("_")));
        }
    }

    fn find_hexadecimal(&mut self, text: &str) {
        let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        for token in text.split(|c| !is_inside(c)).filter(|token| token.len() >= 32) {
            let digits = without_separators(&token.to_lowercase());
            for start in 0..digits.len().saturating_sub(31) {
                let window = digits.get(start..start + 32);
                let all = |window: &&str| window.chars().all(|c| c.is_ascii_hexdigit());
                self.hexadecimal.extend(window.filter(all).map(str::to_owned));
            }
        }
    }
}

/// The numbers of which the text says that they are a key of the subject.
pub(super) fn keyed_numbers(text: &str, names: &Names) -> BTreeSet<i64> {
    let mut numbers = BTreeSet::new();
    // Whether what was last named refers to the subject; and the number before, if it may be compared with what follows.
    let (mut says_so, mut before) = (false, None);
    for (place, run) in runs(text) {
        if let Some(number) = number(run) {
            if says_so {
                numbers.insert(number);
            }
            before = Some((place.end, number));
            continue;
        }
        let lower = run.to_lowercase();
        if BETWEEN.contains(&lower.as_str()) {
            continue;
        }
        let refers = names.referring.contains(&lower);
        let (words, is_own) = (words(run), names.is_own(&lower));
        let mut within = refers;
        for word in &words {
            match number(word) {
                Some(number) if within && (refers || !is_own) => {
                    numbers.insert(number);
                }
                Some(_) => {}
                None => {
                    within = refers || names.is_subject(word) || (within && BETWEEN.contains(&word.as_str()))
                }
            }
        }
        says_so = refers || within;
        if let Some((end, number)) = before.take()
            && says_so
            && text.get(end..place.start).is_some_and(|between| between.contains('='))
        {
            numbers.insert(number);
        }
    }
    numbers
}

fn without_separators(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '_')).collect()
}

/// A run that is a number as a whole.
fn number(run: &str) -> Option<i64> {
    run.bytes().all(|byte| byte.is_ascii_digit()).then(|| run.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let set = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        Names {
            referring: set(&["user_id", "author_id", "events_of_5"]),
            words: set(&["user", "customer"]),
            own: set(&["users", "users_2024"]),
        }
    }

    fn numbers(text: &str) -> Vec<i64> {
        Mentions::of(text, &names()).numbers.into_iter().collect()
    }

    #[test]
    fn numbers_count_beside_what_refers_to_the_subject() {
        for (text, expected) in [
            ("CHECK ((user_id <> 42))", &[42][..]),
            ("WHERE (posts.author_id = ANY (ARRAY[(41)::bigint, (42)::bigint]))", &[41, 42]),
            ("user_id bigint DEFAULT 42 NOT NULL", &[42]),
            ("((user_id)::text = '42'::text)", &[42]),
            ("WHERE 42 = user_id", &[42]),
            ("CREATE VIEW public.orders_of_user_42 AS SELECT 1", &[42]),
            ("COMMENT ON COLUMN t.x IS 'only for customer #42 (and users 43)'", &[42, 43]),
            ("GRANT SELECT ON TABLE public.t TO user42", &[42]),
            (
                "CREATE TABLE public.users_2024 (); ALTER TABLE ONLY public.users_2024 ADD CONSTRAINT users_2024_pkey",
                &[],
            ),
            ("ATTACH PARTITION public.events_of_5 FOR VALUES IN ('5')", &[5]),
            ("ATTACH PARTITION public.y2024 FOR VALUES FROM ('42') TO ('43')", &[]),
            ("user_id bigint, price numeric(10,2), name character varying(42)", &[]),
            ("user_id numeric(42,0)", &[]),
            ("score integer DEFAULT 42, CHECK (score > 42)", &[]),
            ("score = 42 AND user_id IS NOT NULL", &[]),
            ("CREATE SEQUENCE public.users_id_seq START WITH 42 INCREMENT BY 1", &[]),
            ("user_id bigint NOT NULL, version integer DEFAULT 7", &[]),
            ("user_id = 99999999999999999999", &[]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }

    #[test]
    fn other_keys_count_as_a_whole() {
        let id = "550e8400-e29b-41d4-a716-446655440000";
        let key = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        for (text, mentioned, yes) in [
            ("WHERE (id = '550E8400-e29b-41d4-a716-446655440000'::uuid)", key(&[id]), true),
            ("CREATE TABLE public.data_550e8400_e29b_41d4_a716_446655440000 ()", key(&[id]), true),
            ("WHERE (id = '550e8400-e29b-41d4-a716-446655440001'::uuid)", key(&[id]), false),
            ("CREATE TYPE kind AS ENUM ('a', 'bob')", key(&["bob"]), true),
            ("CREATE TABLE bob (x text)", key(&["bob"]), false),
            ("CREATE VIEW view_of_user_bob_smith AS", key(&["bob_smith"]), true),
            ("CREATE TABLE public.acct_c100 (x text)", key(&["c-100"]), false),
            ("-- made for C-100 by hand", key(&["c-100"]), true),
            ("IS 'ask bob@example.org.'", key(&["Bob@example.org"]), true),
            ("IS 'ask bob@example.org'", key(&["bob@example"]), false),
            ("'x'", key(&["x"]), false),
            ("CHECK (user_id <> 7 OR tenant = 'acme')", key(&["acme", "7"]), true),
            ("CHECK (user_id <> 7 OR tenant = 'acme')", key(&["acme", "8"]), false),
            ("anything", Vec::new(), false),
        ] {
            assert_eq!(Mentions::of(text, &names()).all_of(&mentioned), yes, "{text}");
        }
    }
}
