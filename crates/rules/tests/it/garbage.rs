use lethe_format::catalog::{Action, QualifiedName};
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::manifest::CopyFormat;
use lethe_rules::anonymise::Anonymise;
use lethe_rules::closure::{Closure, Tombstones};
use lethe_rules::ledger::Standing;
use lethe_rules::row_filter::Seeds;
use lethe_rules::scan::Scan as _;
use proptest::prelude::*;

use crate::schema::{Reference, Rule, catalog, data, encode, oid, rules};
use crate::{cases, seed};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(3000), failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    /// Rows that were cut, extended or overwritten are refused or read, never a panic.
    #[test]
    fn damaged_rows_never_panic(
        text in any::<bool>(),
        at in 0..200_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        cut in 0..200_usize,
    ) {
        let format = if text { CopyFormat::Text } else { CopyFormat::Binary };
        let references = [Reference { child: 1, parent: 0, action: Action::Cascade, rule: None }, Reference { child: 1, parent: 1, action: Action::SetNull, rule: Some(Rule { kind: Some(1), masks: true }) }];
        let catalog = catalog(2, &references);
        let layouts = [data(&catalog, 0, format), data(&catalog, 1, format)];
        let subject = SubjectRef { name: None, table: QualifiedName::new("public", "t0"), columns: None };
        let tombstones = Tombstones { subject, keys: Keys::Integers([1].into_iter().collect()) };
        let standing = Standing { erased: vec![tombstones], ..Standing::default() };
        let mut chunk = encode(&[vec![Some(1), Some(1), Some(5), Some(1), None], vec![Some(2), None, Some(5), Some(7), Some(1)]], format);
        let at = at.min(chunk.len());
        let end = (at + bytes.len()).min(chunk.len());
        chunk.splice(at..end, bytes);
        chunk.truncate(cut.max(1));
        let mut closure = Closure::new(&catalog, &rules(&references), &layouts, &standing, (&Anonymise::default(), &Default::default()));
        while let Some(tables) = closure.next_scan() {
            for table in tables {
                if closure.observe(table, &chunk).is_err() {
                    return Ok(());
                }
            }
        }
        if let Ok(filters) = closure.finish() {
            let _ = filters.apply(oid(1), &chunk, 2, &Seeds::default());
        }
    }
}
