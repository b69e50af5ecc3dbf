//! Serialised elements of certificate stores.

use exseal_psrp::serialized_cert::{KeyProvider, SerializedCertificate};
use proptest::prelude::*;

fn record(id: u32, encoding: u32, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let header = [id, encoding, length].map(u32::to_le_bytes).concat();
    [&header, bytes].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

const DER: &[u8] = &[0x30, 0x82, 0x00, 0x01, 0xff];

fn key_provider() -> Vec<u8> {
    let container = utf16("a-container");
    let provider = 28 + u32::try_from(container.len()).unwrap();
    let words = [28, provider, 12, 32, 0, 0, 1].map(u32::to_le_bytes).concat();
    [
        words,
        container,
        utf16("Microsoft RSA SChannel Cryptographic Provider"),
    ]
    .concat()
}

fn element() -> Vec<u8> {
    [
        record(2, 1, &key_provider()),
        record(3, 1, &[0x11; 20]),
        record(11, 1, &utf16("Microsoft Exchange ü")),
        record(89, 1, &[]),
        record(32, 1, DER),
    ]
    .concat()
}

#[test]
fn an_element_gives_certificate_name_and_key_provider() {
    let read = SerializedCertificate::read(&element()).unwrap();

    assert_eq!(
        read,
        SerializedCertificate {
            der: DER.to_vec(),
            friendly_name: Some("Microsoft Exchange ü".to_owned()),
            key: Some(KeyProvider {
                container: "a-container".to_owned(),
                provider: "Microsoft RSA SChannel Cryptographic Provider".to_owned(),
                provider_type: 12,
                flags: 32,
                key_spec: 1,
            }),
            properties: vec![2, 3, 11, 89, 32],
        }
    );
}

#[test]
fn what_an_element_does_not_hold_is_unknown() {
    let read = SerializedCertificate::read(&record(32, 1, DER)).unwrap();
    assert_eq!((read.friendly_name, read.key), (None, None));

    let empty_name = [record(11, 1, &utf16("")), record(32, 1, DER)].concat();
    let read = SerializedCertificate::read(&empty_name).unwrap();
    assert_eq!(read.friendly_name.as_deref(), Some(""));
}

#[test]
fn der_is_taken_as_it_is() {
    let read = SerializedCertificate::read(DER).unwrap();

    assert_eq!((read.der.as_slice(), read.properties), (DER, vec![]));
}

#[test]
fn a_first_property_48_is_not_taken_for_der() {
    let bytes = [record(48, 1, &[1, 2, 3]), record(32, 1, DER)].concat();

    let read = SerializedCertificate::read(&bytes).unwrap();

    assert_eq!((read.der.as_slice(), read.properties), (DER, vec![48, 32]));
}

#[test]
fn a_key_provider_that_points_outside_itself_is_left_out() {
    for broken in [
        vec![],
        vec![1; 27],
        [0xffff_ffff_u32, 0, 12, 32, 0, 0, 1]
            .map(u32::to_le_bytes)
            .concat(),
    ] {
        let bytes = [record(2, 1, &broken), record(32, 1, DER)].concat();
        let read = SerializedCertificate::read(&bytes).unwrap();
        assert_eq!((read.key, read.der.as_slice()), (None, DER), "{broken:02x?}");
    }
}

#[test]
fn what_is_no_element_is_refused_at_its_place() {
    let name = record(11, 1, &utf16("n"));
    for (bytes, at, expected) in [
        (vec![], 0, "a record 32, the certificate"),
        (vec![1, 2, 3], 0, "a record's 12 bytes of header"),
        (name.clone(), name.len(), "a record 32, the certificate"),
        (
            [name.clone(), vec![1; 5]].concat(),
            name.len(),
            "a record's 12 bytes of header",
        ),
        (
            [name.clone(), record(32, 7, DER)].concat(),
            name.len() + 4,
            "encoding 1",
        ),
        (
            [name.clone(), [32, 1, u32::MAX].map(u32::to_le_bytes).concat()].concat(),
            name.len(),
            "as many bytes as the record announces",
        ),
        (record(32, 1, &[]), 12, "a record 32, the certificate"),
    ] {
        let error = SerializedCertificate::read(&bytes).unwrap_err();
        assert_eq!((error.at, error.expected), (at, expected), "{error}");
    }
}

#[test]
fn an_element_cut_off_anywhere_is_an_error() {
    let whole = element();
    for cut in 0..whole.len() {
        let error = SerializedCertificate::read(&whole[..cut]).expect_err("a part is no element");
        assert!(error.at <= cut, "{cut}: {error}");
    }
}

proptest! {
    #[test]
    fn no_damage_makes_the_reader_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = element();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = SerializedCertificate::read(&bytes);
    }
}
