//! Any bytes as a BinaryFormatter stream, plain and signed.

#![no_main]

use exseal_psrp::nrbf::{ExchangeCertificatePayload, Stream};
use exseal_psrp::serialized_cert::SerializedCertificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Stream::read(bytes);
    if let Ok(payload) = ExchangeCertificatePayload::read(bytes)
        && let Some(element) = payload.cert_data
    {
        let _ = SerializedCertificate::read(&element);
    }
});
