//! A raw search of every file of a server that was shut down: heap, TOAST, indexes, write-ahead log, temporary files,
//! statistics, log. What stands there counts, whatever the server would say.
//!
//! It must be shut down and not only at a checkpoint, since pages of unlogged tables may not have been written before.
//! Values that PostgreSQL compresses are not found as they are: a canary is a random string in a column with
//! `STORAGE EXTERNAL`, or one too short to be compressed. That the search works at all is shown by test people who
//! were *not* erased: each of theirs must be found in a table's file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use lethe_rules::drill::CanaryFacts;

use crate::{Error, objects};

/// What is looked for, as it stands in the database.
#[derive(Clone, Debug, Default)]
pub struct Canaries {
    /// Strings of test people who are erased.
    pub erased: Vec<String>,
    /// Strings of test people who are there: the positive control.
    pub living: Vec<String>,
}

/// Bytes read at once.
const PIECE: usize = 4 << 20;

impl Canaries {
    pub(super) async fn search(&self, folder: &Path) -> Result<CanaryFacts, Error> {
        let (canaries, folder) = (self.clone(), folder.to_owned());
        objects::off_runtime(move || {
            let path = folder.display().to_string();
            canaries.search_now(&folder).map_err(|cause| Error::LocalFile { path, cause })
        })
        .await
    }

    fn search_now(&self, folder: &Path) -> io::Result<CanaryFacts> {
        let erased: Vec<Vec<u8>> = self.erased.iter().flat_map(|text| spellings(text)).collect();
        let living: Vec<Vec<u8>> = self.living.iter().map(|text| text.as_bytes().to_vec()).collect();
        let wanted: Vec<&[u8]> = erased.iter().chain(&living).map(Vec::as_slice).collect();
        let mut facts = CanaryFacts {
            erased: self.erased.len() as u64,
            living: self.living.len() as u64,
            ..CanaryFacts::default()
        };
        let mut living_found = vec![false; living.len()];
        for path in files(folder)? {
            let (found, bytes) = search_file(&path, &wanted)?;
            (facts.files, facts.bytes) = (facts.files + 1, facts.bytes + bytes);
            let name = path.strip_prefix(folder).unwrap_or(&path);
            if found.iter().take(erased.len()).any(|found| *found) {
                facts.erased_found_in.push(name.display().to_string());
            }
            // Only a table's file shows that rows can be found in tables.
            if name.components().any(|part| part.as_os_str() == "base" || part.as_os_str() == "pg_tblspc") {
                for (known, found) in living_found.iter_mut().zip(found.iter().skip(erased.len())) {
                    *known |= found;
                }
            }
        }
        facts.living_found = living_found.iter().filter(|found| **found).count() as u64;
        Ok(facts)
    }
}

/// As it is, in UTF-16, in hexadecimal, in capitals and in small letters.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let plain = text.as_bytes().to_vec();
    let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex = hex::encode(text).into_bytes();
    vec![plain, wide, hex, text.to_uppercase().into_bytes(), text.to_lowercase().into_bytes()]
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Which of the wanted strings a file holds, and its length. Pieces overlap by the longest of them.
fn search_file(path: &Path, wanted: &[&[u8]]) -> io::Result<(Vec<bool>, u64)> {
    let longest = wanted.iter().map(|wanted| wanted.len()).max().unwrap_or(0);
    let mut file = File::open(path)?;
    let (mut found, mut length) = (vec![false; wanted.len()], 0);
    let mut piece: Vec<u8> = Vec::with_capacity(PIECE + longest);
    loop {
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if read == 0 {
            return Ok((found, length));
        }
        length += read as u64;
        for (known, wanted) in found.iter_mut().zip(wanted) {
            *known = *known || contains(&piece, wanted);
        }
        let keep = piece.len().saturating_sub(longest.saturating_sub(1));
        piece.drain(..keep);
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return false };
    let mut from = bytes;
    while let Some(at) = from.iter().position(|byte| byte == first) {
        let Some(after) = from.get(at + 1..) else { return false };
        if after.starts_with(rest) {
            return true;
        }
        from = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_found_across_pieces_and_only_in_tables_as_a_control() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("base")).expect("make");
        let mut bytes = vec![b'x'; PIECE - 3];
        bytes.extend(b"canary-living");
        std::fs::write(folder.path().join("base/1"), bytes).expect("write");
        std::fs::write(folder.path().join("log"), "6361 CANARY-ERASED canary-elsewhere").expect("write");
        let canaries = Canaries {
            erased: vec!["canary-erased".to_owned(), "not there".to_owned()],
            living: vec!["canary-living".to_owned(), "canary-elsewhere".to_owned()],
        };
        let facts = canaries.search_now(folder.path()).expect("searches");
        assert_eq!(facts.erased_found_in, ["log"]);
        assert_eq!((facts.living_found, facts.files, facts.bytes), (1, 2, PIECE as u64 + 10 + 35));
    }
}
