//! Any bytes as CLIXML: no panic, and what is read is written and read again the same.

#![no_main]

use exseal_psrp::clixml::{Document, Limits, decode_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = decode_bytes(bytes) else { return };
    let Ok(document) = Document::decode(&text, &Limits::default()) else { return };
    let written = document.encode();
    let again = Document::decode(&written, &Limits::default()).expect("what was written is read");
    assert_eq!(again.values.len(), document.values.len());
    assert_eq!(again.encode(), written);
    for value in &document.values {
        let _ = (document.text(value), document.integer(value), document.bytes(value));
    }
});
