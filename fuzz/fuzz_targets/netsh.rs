//! Any text behind a first entry of `netsh http show sslcert`.

#![no_main]

#[path = "../reading.rs"]
mod reading;

use libfuzzer_sys::fuzz_target;

const ENTRY: &[u8] = b"    IP:port : 0.0.0.0:443\r\n    Application ID : {4dc3e181-e14b-4a21-b022-59fc669b0914}\r\n";

fuzz_target!(|bytes: &[u8]| {
    reading::one([ENTRY, bytes].concat());
});
