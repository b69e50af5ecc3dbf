//! Any text as a policy.

#![no_main]

use exseal_engine::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Policy::from_toml(text);
});
