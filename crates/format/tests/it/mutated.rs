//! The bodies of the fuzz targets over their corpus, and over what becomes of it when bytes are changed, cut, repeated
//! and mixed. The random numbers come from a seed: `LETHE_SEED=n` repeats one, `LETHE_CASES=n` runs more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::entry_points::{ALL, EntryPoint};

/// For each entry point.
const CASES: u64 = 3000;
/// Longer inputs are for cargo-fuzz, which has the time.
const LONGEST: usize = 1 << 16;

/// `xorshift64*`: numbers for tests, in a line.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..start + self.below((len - start).min(64) + 1)
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().expect("a number"))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| std::fs::read(file).expect("read")).collect()
}

/// What numbers and texts break at.
const INTERESTING: [&[u8]; 22] = [
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xfe",
    b"\x7f\xff",
    b"0",
    b"-1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775808",
    b"1e400",
    b"null",
    b"\"\"",
    b"[]",
    b"{}",
    b"\\u0000",
    b"..",
    b"/",
    b"'",
    b"\"",
];

fn mutate(random: &mut Random, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = inputs[random.below(inputs.len())].clone();
    for _ in 0..=random.below(4) {
        let range = random.range(bytes.len());
        match random.below(8) {
            0 if !bytes.is_empty() => {
                let place = random.below(bytes.len());
                bytes[place] ^= 1 << random.below(8);
            }
            1 if !bytes.is_empty() => {
                let place = random.below(bytes.len());
                bytes[place] = random.below(256) as u8;
            }
            2 => drop(bytes.drain(range)),
            3 => bytes.truncate(range.start),
            4 => {
                let copy = bytes[range.clone()].repeat(1 + random.below(20));
                bytes.splice(range.end..range.end, copy);
            }
            5 => {
                let other = &inputs[random.below(inputs.len())];
                let piece = other[random.range(other.len())].to_vec();
                bytes.splice(range, piece);
            }
            // A number in a text, replaced as a whole.
            6 => {
                if let Some(start) = bytes[range.start..].iter().position(u8::is_ascii_digit) {
                    let start = range.start + start;
                    let len = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    bytes.splice(start..start + len, INTERESTING[random.below(INTERESTING.len())].to_vec());
                }
            }
            _ => drop(bytes.splice(range, INTERESTING[random.below(INTERESTING.len())].to_vec())),
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

fn check(entry: &EntryPoint, input: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| (entry.run)(input))).is_err() {
        panic!("{} does not stand {what}: {}", entry.name, input.escape_ascii());
    }
}

#[test]
fn no_parser_panics_or_contradicts_itself() {
    let (seed, cases) = (number("LETHE_SEED", 20_261_123), number("LETHE_CASES", CASES));
    for entry in &ALL {
        let inputs = corpus(entry.name);
        for input in &inputs {
            check(entry, input, "its corpus");
            for len in 0..input.len().min(400) {
                check(entry, &input[..len], "a piece of its corpus");
            }
        }
        for case in 0..cases {
            let mut random = Random((seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ case) | 1);
            check(entry, &mutate(&mut random, &inputs), &format!("LETHE_SEED={seed}, case {case}"));
        }
    }
    // What was asked for is in proportion to what was given.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    assert!(peak.is_none_or(|kilobytes: u64| kilobytes < 200 << 10), "{peak:?} kB for inputs of 64 KiB");
}

/// The corpus is what the parsers understand, or it would test little.
#[test]
fn the_corpus_is_understood() {
    use lethe_format::{archive, audit, keys, ledger, manifest, repository};
    let naming_key = super::entry_points::NAMING_KEY;
    let all = |name, read: &dyn Fn(&[u8]) -> bool| {
        corpus(name).iter().for_each(|bytes| assert!(read(bytes), "{name}"))
    };
    all("manifest", &|bytes| manifest::Manifest::from_json(bytes).is_ok());
    all("archive", &|bytes| archive::Archive::read(bytes).is_ok());
    all("audit_entry", &|bytes| audit::Entry::from_bytes(bytes, &naming_key).is_ok());
    all("audit_export", &|bytes| audit::export::verify(bytes, None).is_ok());
    all("repository", &|bytes| repository::Repository::from_json(bytes).is_ok());
    all("ledger_header", &|bytes| ledger::Header::from_json(bytes).is_ok());
    all("ledger_body", &|bytes| ledger::Body::from_bytes(bytes).is_ok());
    all("chunk_index", &|bytes| manifest::ChunkIndex::from_bytes(bytes, &naming_key).is_ok());
    all("keys", &|bytes| keys::KeyRing::read(bytes).is_ok_and(|ring| ring.check(&naming_key).is_ok()));
}
