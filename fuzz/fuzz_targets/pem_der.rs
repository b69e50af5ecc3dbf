//! Any bytes as DER (certificate, P7B, PFX) or, behind a label, as PEM.

#![no_main]

#[path = "../reading.rs"]
mod reading;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match bytes {
        [0x30, ..] => reading::one(bytes.to_vec()),
        _ => reading::one([b"-----BEGIN CERTIFICATE-----\n", bytes].concat()),
    }
});
