//! Any bytes as the body of a sealed message, under each of its content types.

#![no_main]

use exseal_psrp::multipart;
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 2] = [
    "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"",
    "multipart/x-multi-encrypted;protocol=\"application/HTTP-Kerberos-session-encrypted\";boundary=\"Encrypted Boundary\"",
];

fuzz_target!(|bytes: &[u8]| {
    for content_type in TYPES {
        let _ = multipart::decode(content_type, bytes);
    }
});
