//! What made-up values are put together from: the lists of the crate `fake`. How they are put together is decided in
//! [`lethe_rules::anonymise`], since a value must follow from a hash alone and hold its column's length.

use fake::locales::{Data, EN};
use lethe_rules::anonymise::Words;

pub(super) fn english() -> Words {
    Words {
        first_names: EN::NAME_FIRST_NAME,
        last_names: EN::NAME_LAST_NAME,
        streets: EN::ADDRESS_STREET_SUFFIX,
        towns: EN::ADDRESS_CITY_SUFFIX,
        companies: EN::COMPANY_SUFFIX,
        text: EN::LOREM_WORD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_long_enough_to_hide_in() {
        let words = english();
        assert!(words.first_names.len() > 1000 && words.last_names.len() > 300);
        for list in [words.streets, words.towns, words.companies, words.text] {
            assert!(!list.is_empty() && list.iter().all(|word| !word.is_empty()));
        }
    }
}
