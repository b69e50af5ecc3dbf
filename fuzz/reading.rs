//! Reads one file in memory, and holds the reader to its word.

use exseal_exchange::Secret;
use exseal_exchange::files::{Limits, Options, read_bytes};

/// Reads `bytes` as a file: whatever it is, the reader says what it holds, that it holds nothing known, or what is wrong.
pub fn one(bytes: Vec<u8>) {
    let mut limits = Limits::default();
    limits.file_bytes = 64 << 20;
    limits.total_bytes = 64 << 20;
    limits.files = 1000;
    limits.key_rounds = 20_000;
    let reading = read_bytes(
        "file",
        bytes,
        &Options {
            password: &|_| Some(Secret::new("correct-horse")),
            limits,
        },
    );
    for file in &reading.files {
        let inventory = &file.inventory;
        assert!(
            file.holds.is_some() || !inventory.not_recognised.is_empty() || !inventory.errors.is_empty(),
            "{} passed in silence",
            file.path
        );
        serde_json::to_vec(inventory).expect("an inventory is written");
    }
}
