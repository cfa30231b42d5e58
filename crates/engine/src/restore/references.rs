//! Which references a restore follows: those that were stored with the snapshot, and those of today's settings.

use lethe_format::manifest::Manifest;
use lethe_format::reference::Reference;
use lethe_rules::closure::known_references;
use lethe_rules::objection::Objection;

/// A rule that was stored holds also where the settings of today do not know it any more: losing a line of `lethe.toml` must
/// not bring anybody back. What the settings say about the same columns counts before it. A rule about what this
/// snapshot does not have is an objection, since under another name it may.
pub(super) fn effective(manifest: &Manifest, settings: &[Reference]) -> (Vec<Reference>, Vec<Objection>) {
    let (mut references, objections) = known_references(&manifest.catalog, settings);
    let stored: Vec<Reference> = manifest
        .references
        .iter()
        .filter(|stored| !references.iter().any(|reference| reference.is_about_the_same(stored)))
        .cloned()
        .collect();
    references.extend(stored);
    (references, objections)
}
