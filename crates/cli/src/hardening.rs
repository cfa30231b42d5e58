//! What this process keeps to itself: it holds keys and people's rows.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dump of this process or of those that it starts, and nobody but root attaches to it or reads its environment
/// (`prctl(2)`, `PR_SET_DUMPABLE`). Best effort: a system that refuses it is none on which the rest would not work.
pub(crate) fn harden() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
