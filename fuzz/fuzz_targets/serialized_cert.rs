//! Any bytes as CryptoAPI's serialised certificate element.

#![no_main]

use exseal_psrp::serialized_cert::SerializedCertificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = SerializedCertificate::read(bytes);
});
