#![no_main]

#[path = "../entry_points.rs"]
#[allow(dead_code, reason = "each target uses one of them")]
mod entry_points;

libfuzzer_sys::fuzz_target!(|input: &[u8]| entry_points::documents(input));
