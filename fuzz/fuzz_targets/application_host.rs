//! Any text as applicationHost.config.

#![no_main]

#[path = "../reading.rs"]
mod reading;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut text = b"<!-- system.applicationHost -->".to_vec();
    text.extend_from_slice(bytes);
    reading::one(text);
});
