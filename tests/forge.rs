//! Snapshots as somebody would forge them who may write to the store and knows the recipients, which are public. Where it is
//! said, they also have the naming key, as a stolen host that takes snapshots does: without it, no manifest is believed.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use age::x25519::Identity;
use jiff::Timestamp;
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::layout;
use lethe_format::manifest::Manifest;
use serde_json::{Value, json};

use crate::world::World;

/// The newest snapshot of a world, and its documents as they were.
#[derive(Debug)]
pub struct Forge {
    store: PathBuf,
    id: SnapshotId,
    identities: String,
    recipients: Vec<age::x25519::Recipient>,
    naming_key: [u8; 32],
    manifest: Vec<u8>,
    schema: Vec<u8>,
}

impl Forge {
    pub async fn new(world: &World) -> Self {
        let id = world.newest_snapshot().await;
        let store = world.folder.path().join("store");
        let read = |name: String| std::fs::read(store.join(name)).expect("read");
        Self {
            identities: world
                .repository
                .identities()
                .expect("identities")
                .to_text(Timestamp::UNIX_EPOCH)
                .to_string(),
            recipients: world.repository.recipients().expect("recipients").to_vec(),
            naming_key: *world.repository.naming_key().expect("the naming key").as_bytes(),
            manifest: read(layout::manifest(&id)),
            schema: read(layout::schema(&id)),
            store,
            id,
        }
    }

    /// The manifest as JSON.
    #[must_use]
    pub fn manifest(&self) -> Value {
        let bytes = self.open(&self.manifest);
        let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
        serde_json::from_slice(&bytes[line + 1..]).expect("JSON")
    }

    /// The schema's archive.
    #[must_use]
    pub fn schema(&self) -> Vec<u8> {
        self.open(&self.schema)
    }

    pub fn write_manifest(&self, manifest: &Value) {
        self.write_manifest_text(manifest.to_string().as_bytes());
    }

    /// With the naming key.
    pub fn write_manifest_text(&self, text: &[u8]) {
        self.write_manifest_vouched_by(text, &self.naming_key);
    }

    /// The line that vouches for the true manifest, and another one.
    pub fn write_manifest_with_the_old_line(&self, manifest: &Value) {
        let mut bytes = self.open(&self.manifest);
        let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
        bytes.truncate(line + 1);
        bytes.extend(manifest.to_string().bytes());
        self.write_manifest_compressed(&zstd::bulk::compress(&bytes, 3).expect("compress"));
    }

    pub fn write_manifest_vouched_by(&self, text: &[u8], naming_key: &[u8; 32]) {
        let bytes = Manifest::vouch(text, naming_key);
        self.write_manifest_compressed(&zstd::bulk::compress(&bytes, 3).expect("compress"));
    }

    /// A manifest that is not what it should be once it is decrypted.
    pub fn write_manifest_compressed(&self, compressed: &[u8]) {
        self.write(&layout::manifest(&self.id), &self.encrypt(compressed));
    }

    /// A schema that its manifest vouches for.
    pub fn write_schema_compressed(&self, compressed: &[u8]) {
        let sealed = self.encrypt(compressed);
        self.write(&layout::schema(&self.id), &sealed);
        let mut manifest = self.manifest();
        manifest["schema"] = json!({"hash": Digest::of(&sealed), "len": sealed.len()});
        self.write_manifest(&manifest);
    }

    /// The first chunk, replaced by bytes that its manifest vouches for.
    pub fn write_chunk_compressed(&self, compressed: &[u8]) {
        let sealed = self.encrypt(compressed);
        let mut manifest = self.manifest();
        let chunk = &mut manifest["tables"][0]["chunks"][0];
        chunk["stored"] = json!({"hash": Digest::of(&sealed), "len": sealed.len()});
        let name = chunk["name"].as_str().expect("a name");
        let object =
            format!("chunks/{}/{name}-{}.zst.age", &name[..2], chunk["upload"].as_str().expect("an upload"));
        self.write(&object, &sealed);
        self.write_manifest(&manifest);
    }

    /// Everything as it was.
    pub fn repair(&self) {
        self.write(&layout::manifest(&self.id), &self.manifest);
        self.write(&layout::schema(&self.id), &self.schema);
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.store.join(name), bytes).expect("write");
    }

    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let lines = self.identities.lines().filter(|line| !line.starts_with('#'));
        let identities: Vec<Identity> = lines.map(|line| line.parse().expect("an identity")).collect();
        let decryptor = age::Decryptor::new(sealed).expect("age");
        let identities = identities.iter().map(|identity| identity as &dyn age::Identity);
        let mut compressed = Vec::new();
        decryptor.decrypt(identities).expect("a key").read_to_end(&mut compressed).expect("decrypt");
        zstd::stream::decode_all(compressed.as_slice()).expect("decompress")
    }

    fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let recipients = self.recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let mut sealed = Vec::new();
        let mut writer = age::Encryptor::with_recipients(recipients)
            .expect("recipients")
            .wrap_output(&mut sealed)
            .expect("age");
        writer.write_all(plain).expect("encrypt");
        writer.finish().expect("encrypt");
        sealed
    }
}

/// `len` equal bytes, compressed as a stream: what is small here and large when it is opened.
///
/// # Panics
/// If zstd fails.
#[must_use]
pub fn bomb(byte: u8, len: u64, window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("zstd");
    encoder.window_log(window_log).expect("a window");
    let piece = vec![byte; 1 << 20];
    let mut left = len;
    while left > 0 {
        let now = left.min(piece.len() as u64);
        encoder.write_all(&piece[..now as usize]).expect("compress");
        left -= now;
    }
    encoder.finish().expect("compress")
}
