//! Certificates by themselves: DER, PEM, P7B, PFX. They are of unknown use.

use exseal_model::Inventory;

use crate::input::{
    AUTHORITY, AUTHORITY_THUMBPRINT, LEAF, LEAF_THUMBPRINT, errors, not_recognised, pem, read_bytes,
    read_with_password,
};

/// Thumbprint, whether a key lay beside it, friendly name.
fn loose(inventory: &Inventory) -> Vec<(String, bool, Option<&str>)> {
    assert!(
        inventory
            .of_unknown_use
            .iter()
            .all(|one| inventory.certificate(one.thumbprint).is_some())
    );
    inventory
        .of_unknown_use
        .iter()
        .map(|one| {
            (
                one.thumbprint.to_string(),
                one.has_private_key,
                one.friendly_name.as_deref(),
            )
        })
        .collect()
}

fn leaf(key: bool) -> (String, bool, Option<&'static str>) {
    (LEAF_THUMBPRINT.to_owned(), key, None)
}

fn authority() -> (String, bool, Option<&'static str>) {
    (AUTHORITY_THUMBPRINT.to_owned(), false, None)
}

#[test]
fn a_der_file_is_one_certificate_of_unknown_use() {
    let file = read_bytes(LEAF);
    assert_eq!(file.holds.as_deref(), Some("certificate file"));
    assert_eq!(loose(&file.inventory), [leaf(false)]);
    assert!(
        file.inventory.servers.is_empty(),
        "it says nothing about any server"
    );
}

#[test]
fn a_p7b_gives_all_its_certificates_in_der_and_in_pem() {
    let bytes = include_bytes!("../data/chain.p7b");
    for file in [read_bytes(bytes), read_bytes(pem("PKCS7", bytes).as_bytes())] {
        assert_eq!(loose(&file.inventory), [leaf(false), authority()]);
        assert_eq!(errors(&file), [""; 0]);
    }
}

#[test]
fn a_pem_gives_all_its_certificates_whatever_stands_between_them() {
    let text = format!(
        "Bag Attributes\n    friendlyName: Mail f\u{fc}r alle\n{}subject=CN = Example Test CA\n{}",
        pem("CERTIFICATE", LEAF),
        pem("X509 CERTIFICATE", AUTHORITY)
    );
    let latin1: Vec<u8> = text.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    for bytes in [text.into_bytes(), latin1] {
        let file = read_bytes(&bytes);
        assert_eq!(file.holds.as_deref(), Some("PEM"));
        assert_eq!(loose(&file.inventory), [leaf(false), authority()]);
    }
}

#[test]
fn a_key_in_a_pem_is_noted_and_never_kept() {
    let key = pem("PRIVATE KEY", b"not a key but private all the same");
    let text = format!(
        "{key}{}{}",
        pem("CERTIFICATE", LEAF),
        pem("CERTIFICATE", AUTHORITY)
    );
    let file = read_bytes(text.as_bytes());
    assert_eq!(loose(&file.inventory), [leaf(true), authority()]);
    let written = serde_json::to_string(&file.inventory).unwrap();
    let body = key.lines().nth(1).unwrap();
    assert!(!written.contains(body) && !format!("{file:?}").contains(body));
}

#[test]
fn a_trusted_certificate_of_openssl_is_read_without_its_trust() {
    let file = read_bytes(include_bytes!("../data/trusted.pem"));
    assert_eq!(loose(&file.inventory), [leaf(false)]);
}

#[test]
fn a_broken_block_of_a_pem_costs_no_other_block() {
    let good = pem("CERTIFICATE", LEAF);
    let cut = pem("CERTIFICATE", AUTHORITY);
    let (cut, _) = cut.split_at(cut.len() / 2);
    let file = read_bytes(format!("{cut}\n{}{good}", pem("CERTIFICATE", b"no certificate")).as_bytes());
    assert_eq!(loose(&file.inventory), [leaf(false)]);
    let errors = errors(&file);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(
        errors[0],
        "block 1: expected -----END CERTIFICATE-----, found the end, or the next block"
    );
    assert!(
        errors[1].starts_with("block 2: expected an X.509 certificate in DER"),
        "{errors:?}"
    );
    let letters =
        read_bytes("-----BEGIN CERTIFICATE-----\n*** no base64 ***\n-----END CERTIFICATE-----".as_bytes());
    assert!(letters.inventory.errors[0].expected == "base64");
}

#[test]
fn a_pem_without_a_certificate_is_listed_by_what_it_holds() {
    let request = include_bytes!("../data/request.der");
    let file = read_bytes(pem("CERTIFICATE REQUEST", request).as_bytes());
    assert_eq!(not_recognised(&file), ["PEM of CERTIFICATE REQUEST"]);
    let key = read_bytes(pem("PRIVATE KEY", b"key").as_bytes());
    assert_eq!(not_recognised(&key), ["PEM without a certificate"]);
}

#[test]
fn a_pfx_opens_with_its_password_in_the_old_and_the_new_encryption() {
    for bytes in [
        include_bytes!("../data/aes.pfx").as_slice(),
        include_bytes!("../data/triple-des.pfx"),
    ] {
        let file = read_with_password(bytes, Some("correct-horse"));
        assert_eq!(errors(&file), [""; 0]);
        assert_eq!(file.holds.as_deref(), Some("PFX"));
        assert_eq!(
            loose(&file.inventory),
            [(LEAF_THUMBPRINT.to_owned(), true, Some("Mail 2025")), authority()]
        );
    }
}

#[test]
fn a_pfx_without_a_password_is_opened_without_asking() {
    let file = read_bytes(include_bytes!("../data/no-password.pfx"));
    assert_eq!(
        loose(&file.inventory),
        [(LEAF_THUMBPRINT.to_owned(), true, Some("Mail 2025"))]
    );
}

#[test]
fn a_pfx_that_holds_only_authorities_gives_them_without_a_key() {
    let file = read_with_password(include_bytes!("../data/trust-only.pfx"), Some("correct-horse"));
    assert_eq!(loose(&file.inventory), [authority()]);
}

#[test]
fn a_pfx_is_an_error_without_or_with_the_wrong_password_and_the_password_is_not_in_it() {
    let bytes = include_bytes!("../data/aes.pfx");
    let none = read_bytes(bytes);
    assert_eq!(
        errors(&none),
        ["the file: expected a PFX and its password, found no password was given"]
    );
    let wrong = read_with_password(bytes, Some("battery-staple"));
    assert_eq!(
        errors(&wrong),
        [
            "the file: expected a PFX and its password, found one that cannot be opened: the password is wrong, or the \
             file is damaged"
        ]
    );
    assert!(!format!("{wrong:?}").contains("battery"));
    assert!(wrong.inventory.certificates.is_empty());
}

#[test]
fn a_pfx_that_would_take_hours_to_open_is_refused() {
    let bytes = include_bytes!("../data/aes.pfx");
    // MacData stands last, the count last in it: 2048 as OpenSSL writes it, here made two thousand million.
    let mac = bytes.len() - 67;
    assert_eq!(
        (&bytes[mac..mac + 2], &bytes[bytes.len() - 4..]),
        ([0x30, 65].as_slice(), [0x02, 0x02, 0x08, 0x00].as_slice())
    );
    let mut hostile = bytes[..bytes.len() - 4].to_vec();
    hostile.extend([0x02, 0x04, 0x7f, 0xff, 0xff, 0xff]);
    hostile[mac + 1] += 2;
    hostile[3] += 2;
    let file = read_with_password(&hostile, Some("correct-horse"));
    assert_eq!(
        errors(&file),
        [
            "the file: expected a PFX whose keys take at most 10000000 rounds to derive, found more: opening it would \
             take too long"
        ]
    );
}

#[test]
fn der_that_is_none_of_them_says_what_is_wrong_with_it() {
    let request = read_bytes(include_bytes!("../data/request.der"));
    assert_eq!(
        errors(&request),
        ["byte 0: expected a certificate, P7B or PFX in DER, found DER that is none of them"]
    );
    let cut = read_bytes(&LEAF[..200]);
    assert_eq!(
        errors(&cut),
        ["byte 0: expected a certificate, P7B or PFX in DER, found DER that ends too early"]
    );
    let longer = read_bytes(&[LEAF, b"\r\n"].concat());
    assert_eq!(
        errors(&longer),
        ["byte 0: expected a certificate, P7B or PFX in DER, found DER with something behind it"]
    );
    let ber = read_bytes(&[0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48]);
    assert_eq!(
        not_recognised(&ber),
        ["BER of indefinite length: openssl can rewrite it as DER"]
    );
    for file in [request, cut, longer] {
        assert_eq!(not_recognised(&file), ["DER that is no certificate, P7B or PFX"]);
    }
}

#[test]
fn a_text_that_begins_with_the_first_byte_of_der_is_text() {
    let file = read_bytes(b"0 certificates found");
    assert_eq!(
        not_recognised(&file),
        ["text that begins \"0 certificates found\""]
    );
}
