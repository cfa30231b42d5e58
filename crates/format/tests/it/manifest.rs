//! A stored manifest: whatever comes later must read it, and mean the same by it.

use lethe_format::manifest::Manifest;
use lethe_format::reference::OnErase;

/// Written by `lethe snapshot` of a database with a rule of every kind; only added to, never made anew.
const GOLDEN: &[u8] = include_bytes!("../fixtures/manifest_1.json");

#[test]
fn a_stored_manifest_is_read_and_written_without_loss() {
    let manifest = Manifest::from_json(GOLDEN).expect("reads");
    let said: Vec<String> = manifest
        .references
        .iter()
        .map(|reference| format!("{reference}: {}", word(&reference.on_erase)))
        .collect();
    let expected = [
        "app.events(user_id) → app.users(id) by kind: drop",
        "app.events(ids) element → app.users(id): remove",
        "app.events(doc) $.actor[*].\"user id\" → app.users(id): remove",
        "app.events(who) \"user:{}\" → app.users(id): null",
        "app.plain(user_id) → app.users(id): mask",
        "app.plain(tenant, no) → app.plain(tenant, no): keep",
        "app.events(who) → app.users(email): mask",
    ];
    assert_eq!(said, expected);
    let again: serde_json::Value =
        serde_json::from_slice(&manifest.to_json().expect("writes")).expect("JSON");
    let golden: serde_json::Value = serde_json::from_slice(GOLDEN).expect("JSON");
    assert_eq!(again, golden);
}

fn word(on_erase: &OnErase) -> &'static str {
    match on_erase {
        OnErase::Drop => "drop",
        OnErase::Null => "null",
        OnErase::Remove(_) => "remove",
        OnErase::Mask { .. } => "mask",
        OnErase::Keep { .. } => "keep",
    }
}

/// What was added since has a value where it is missing; what nobody knows is refused, since it could not be followed.
#[test]
fn what_is_missing_has_a_default_and_what_is_unknown_is_refused() {
    let golden: serde_json::Value = serde_json::from_slice(GOLDEN).expect("JSON");
    for optional in ["references", "classification", "capture"] {
        let mut older = golden.clone();
        older.as_object_mut().expect("an object").remove(optional);
        let text = serde_json::to_vec(&older).expect("JSON");
        Manifest::from_json(&text).unwrap_or_else(|error| panic!("without {optional}: {error}"));
    }
    let mut newer = golden;
    newer["references"][0]["on_erase"] = "forget".into();
    let error = Manifest::from_json(&serde_json::to_vec(&newer).expect("JSON")).expect_err("unknown");
    assert!(error.to_string().contains("manifest"), "{error}");
}
