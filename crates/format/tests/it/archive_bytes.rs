use lethe_format::archive::Archive;

/// An entry to be written; what a test does not name is as in an ordinary table's entry.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) dump_id: i64,
    pub(crate) desc: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) section: i64,
    pub(crate) definition: &'static str,
    pub(crate) drop_statement: &'static str,
    pub(crate) dependencies: Vec<&'static str>,
}

/// Section numbers as the archive has them.
pub(crate) const NONE: i64 = 1;
pub(crate) const PRE_DATA: i64 = 2;
pub(crate) const DATA: i64 = 3;
pub(crate) const POST_DATA: i64 = 4;

impl Written {
    pub(crate) fn new(dump_id: i64, desc: &'static str, section: i64, definition: &'static str) -> Self {
        let drop_statement = "DROP TABLE app.t;\n";
        Self { dump_id, desc, tag: "some tag", section, definition, drop_statement, dependencies: Vec::new() }
    }

    pub(crate) fn tag(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }

    pub(crate) fn needs(self, dependencies: &[&'static str]) -> Self {
        Self { dependencies: dependencies.to_vec(), ..self }
    }
}

pub(crate) fn int(value: i64) -> Vec<u8> {
    let mut bytes = vec![u8::from(value < 0)];
    bytes.extend(&value.unsigned_abs().to_le_bytes()[..4]);
    bytes
}

pub(crate) fn string(text: Option<&str>) -> Vec<u8> {
    let Some(text) = text else { return int(-1) };
    [int(i64::try_from(text.len()).unwrap()), text.as_bytes().to_vec()].concat()
}

/// Everything up to and including the number of entries.
pub(crate) fn header(minor: u8, count: i64) -> Vec<u8> {
    let mut out = [b"PGDMP", &[1, minor, 0, 4, 8, 1][..]].concat();
    out.extend(if minor >= 15 { vec![1] } else { int(-1) });
    for part in [59, 59, 23, 31, 11, 126, 0] {
        out.extend(int(part));
    }
    for text in ["shop", "15.1", "15.2"] {
        out.extend(string(Some(text)));
    }
    out.extend(int(count));
    out
}

pub(crate) fn bytes(minor: u8, entries: &[Written]) -> Vec<u8> {
    let mut out = header(minor, i64::try_from(entries.len()).unwrap());
    for entry in entries {
        out.extend(int(entry.dump_id));
        out.extend(int(0));
        for text in ["1259", "16384", entry.tag, entry.desc] {
            out.extend(string(Some(text)));
        }
        out.extend(int(entry.section));
        let texts =
            [Some(entry.definition), Some(entry.drop_statement), None, Some("app"), Some(""), Some("heap")];
        texts.iter().for_each(|text| out.extend(string(*text)));
        if minor >= 16 {
            out.extend(int(i64::from(b'r')));
        }
        out.extend(string(Some("owner")));
        out.extend(string(Some("false")));
        entry.dependencies.iter().for_each(|text| out.extend(string(Some(text))));
        out.extend(string(None));
        out.extend([3, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    out
}

pub(crate) fn archive(entries: &[Written]) -> Archive {
    Archive::read(&bytes(16, entries)).unwrap()
}
