//! Every word of the pages, in both languages. What a program or a server said is quoted as it is, in English.

mod list;

#[cfg(test)]
pub(super) use list::ALL;
pub(super) use list::Words;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    En,
    Da,
}

impl Language {
    /// As HTML writes it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Da => "da",
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::En => &list::EN,
            Self::Da => &list::DA,
        }
    }
}

/// Puts the values into the places of a text that are marked by `{}`, in their order.
pub(super) fn fill(template: &str, values: &[&str]) -> String {
    let mut parts = template.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        text.push_str(values.next().copied().unwrap_or("–"));
        text.push_str(part);
    }
    text
}

/// What a place of the list is called; none for a code that is not on it.
pub(super) fn place_name(language: Language, code: &str) -> Option<&'static str> {
    let place = lethe_rules::residency::place(code)?;
    if language == Language::En {
        return Some(place.name);
    }
    let danish = match code {
        "eu-central-1" => "Frankfurt, Tyskland",
        "eusc-de-east-1" => "AWS' europæiske suveræne sky, Brandenburg, Tyskland",
        "eu-west-1" => "Dublin, Irland",
        "eu-west-3" => "Paris, Frankrig",
        "eu-north-1" => "Stockholm, Sverige",
        "eu-south-1" => "Milano, Italien",
        "eu-south-2" => "Aragonien, Spanien",
        "eu-west-2" => "London, Storbritannien",
        "eu-central-2" => "Zürich, Schweiz",
        "eu-isoe-west-1" => "en hemmeligstemplet del af AWS, Storbritannien",
        "us-east-1" => "Nordvirginia, USA",
        "fsn1" => "Falkenstein, Tyskland",
        "nbg1" => "Nürnberg, Tyskland",
        "hel1" => "Helsinki, Finland",
        _ => return Some(place.name),
    };
    Some(danish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_danish_name() {
        for place in lethe_rules::residency::PLACES {
            let danish = place_name(Language::Da, place.code).expect("a name");
            for english in
                ["Germany", "Ireland", "Italy", "Spain", "Sweden", "France", "United", "Switzerland"]
            {
                assert!(!danish.contains(english), "{danish}");
            }
        }
        assert_eq!(place_name(Language::Da, "nowhere"), None);
    }

    #[test]
    fn both_languages_have_the_same_keys_and_the_same_places_for_values() {
        // Names that are spelled alike.
        const ALIKE: [&str; 2] = ["snapshot", "server"];
        for (key, english, danish) in list::ALL {
            assert!(!english.trim().is_empty() && !danish.trim().is_empty(), "{key}");
            assert_eq!(english.matches("{}").count(), danish.matches("{}").count(), "{key}");
            assert!(english != danish || ALIKE.contains(key), "{key} is not translated: {english}");
        }
    }

    #[test]
    fn values_are_put_where_they_belong() {
        assert_eq!(fill("{} of {}", &["1", "{}"]), "1 of {}");
        assert_eq!(fill("{} of {}", &["1"]), "1 of –");
    }
}
