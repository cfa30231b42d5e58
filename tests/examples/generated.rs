//! Prints the script of a seed, to look at: `cargo run -p lethe-tests --example generated -- 99`
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

fn main() {
    let seed = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    println!("{}", lethe_tests::generator::generate(seed).script);
}
