//! Any bytes as a file, whatever it is: no panic, and nothing passes in silence.

#![no_main]

#[path = "../reading.rs"]
mod reading;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    reading::one(bytes.to_vec());
});
