//! A raw search of files: what stands there, whatever a server would say.

use std::path::{Path, PathBuf};

/// Every file below a folder, sorted.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Every file below a folder that holds some of the strings, and how many of them.
///
/// # Panics
/// If a file cannot be read.
#[must_use]
pub fn hits(folder: &Path, canaries: &[Vec<u8>]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("read a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(hits(&path, canaries));
        } else {
            let bytes = std::fs::read(&path).expect("read a file");
            // Every canary begins alike in its spelling; look closer only there.
            let count = canaries.iter().filter(|canary| contains(&bytes, canary)).count();
            if count > 0 {
                found.push((path.display().to_string(), count));
            }
        }
    }
    found
}

/// Whether the bytes hold the wanted ones.
#[must_use]
pub fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let (first, last) = (wanted[0], wanted[wanted.len() - 1]);
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + offset;
        let Some(candidate) = bytes.get(at..at + wanted.len()) else { return false };
        if candidate[candidate.len() - 1] == last && candidate == wanted {
            return true;
        }
        from = at + 1;
    }
    false
}
