//! The tree of RFC 6962, section 2.1, over SHA-256: leaves are hashed after a byte 0, inner nodes after a byte 1, and a tree is split at
//! the largest power of two below its size.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::Digest;

/// SHA-256, whose value has 32 bytes.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    Digest::from_bytes(hash.finalize().into())
}

#[must_use]
pub fn leaf(entry: &[u8]) -> Digest {
    sha256(&[&[0], entry])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The roots of the perfect trees that a tree is made of, the largest first: all that is needed to add leaves and to know the root.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peaks {
    size: u64,
    roots: Vec<Digest>,
}

impl Peaks {
    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// False for what no tree can have.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.roots.len() == self.size.count_ones() as usize
    }

    pub fn push(&mut self, leaf: Digest) {
        let mut joined = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                joined = node(&left, &joined);
            }
        }
        self.roots.push(joined);
        self.size = self.size.saturating_add(1);
    }

    #[must_use]
    pub fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => sha256(&[]),
            Some(last) => roots.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// All perfect subtrees over some leaves, by level.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    #[must_use]
    pub fn new(leaves: Vec<Digest>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let pairs = below.chunks_exact(2);
            levels.push(pairs.filter_map(|pair| Some(node(pair.first()?, pair.get(1)?))).collect());
        }
        Self { levels }
    }

    #[must_use]
    pub fn size(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// The root of the tree over the first `size` leaves; none if there are fewer.
    #[must_use]
    pub fn root(&self, size: usize) -> Option<Digest> {
        match size {
            0 => Some(sha256(&[])),
            _ if size > self.size() => None,
            _ => self.over(0, size),
        }
    }

    /// The audit path of a leaf in the tree over all leaves, from the leaf to the root (section 2.1.1).
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<Digest>> {
        if index >= self.size() {
            return None;
        }
        let (mut begin, mut end) = (0, self.size());
        let mut path = Vec::new();
        while end - begin > 1 {
            let middle = begin + split(end - begin);
            if index < middle {
                path.push(self.over(middle, end)?);
                end = middle;
            } else {
                path.push(self.over(begin, middle)?);
                begin = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The root over leaves `begin..end`, where `begin` is a multiple of the first power of two that is not below their number.
    fn over(&self, begin: usize, end: usize) -> Option<Digest> {
        let len = end - begin;
        if len.is_power_of_two() {
            let level = len.trailing_zeros();
            return self.levels.get(level as usize)?.get(begin >> level).copied();
        }
        let middle = begin + split(len);
        Some(node(&self.over(begin, middle)?, &self.over(middle, end)?))
    }
}

/// The largest power of two below `len`, which is 2 at least.
fn split(len: usize) -> usize {
    len.next_power_of_two() / 2
}

/// Whether a path leads from a leaf to the root of the tree of that size (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn is_in(leaf: Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut number, mut last) = (index, size - 1);
    let mut joined = leaf;
    for step in path {
        if last == 0 {
            return false;
        }
        if number & 1 == 1 || number == last {
            joined = node(step, &joined);
            if number & 1 == 0 {
                while number & 1 == 0 && number != 0 {
                    number >>= 1;
                    last >>= 1;
                }
            }
        } else {
            joined = node(&joined, step);
        }
        number >>= 1;
        last >>= 1;
    }
    last == 0 && joined == *root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn defined(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => sha256(&[]),
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node(&defined(left), &defined(right))
            }
        }
    }

    fn leaves(size: usize) -> Vec<Digest> {
        (0..size).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    /// The test vectors of the certificate transparency project for its eight inputs.
    #[test]
    fn roots_are_those_that_others_compute() {
        let inputs: [&str; 8] = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut peaks = Peaks::default();
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(peaks.root().to_string(), *root, "{size}");
            if let Some(input) = inputs.get(size) {
                peaks.push(leaf(&hex::decode(input).expect("hex")));
            }
        }
    }

    #[test]
    fn peaks_and_trees_give_the_root_that_is_defined() {
        let mut peaks = Peaks::default();
        let all = leaves(70);
        let tree = Tree::new(all.clone());
        for size in 0..=70 {
            assert!(peaks.is_sound());
            assert_eq!(peaks.root(), defined(&all[..size]), "{size}");
            assert_eq!(tree.root(size), Some(defined(&all[..size])), "{size}");
            if size < 70 {
                peaks.push(all[size]);
            }
        }
        assert_eq!(tree.root(71), None);
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_does() {
        for size in 1..40 {
            let all = leaves(size);
            let tree = Tree::new(all.clone());
            let root = defined(&all);
            for index in 0..size {
                let path = tree.path(index).expect("a path");
                let (number, count) = (index as u64, size as u64);
                assert!(is_in(all[index], number, count, &path, &root), "{index} of {size}");
                for other in (0..size).filter(|other| *other != index) {
                    assert!(!is_in(all[other], number, count, &path, &root), "{other} as {index} of {size}");
                    assert!(
                        !is_in(all[index], other as u64, count, &path, &root),
                        "{index} at {other} of {size}"
                    );
                }
                assert!(!is_in(all[index], number, count, &[path.clone(), vec![root]].concat(), &root));
                if !path.is_empty() {
                    assert!(!is_in(all[index], number, count, &path[1..], &root));
                }
            }
            assert_eq!(tree.path(size), None);
        }
    }
}
