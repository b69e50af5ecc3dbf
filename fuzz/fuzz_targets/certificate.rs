//! Any bytes as an X.509 certificate: what is read is the bytes it was read from.

#![no_main]

use exseal_model::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(&*certificate.der, bytes);
    }
});
