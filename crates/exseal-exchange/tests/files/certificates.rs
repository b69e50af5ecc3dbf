//! Get-ExchangeCertificate: whole, reduced to RawData, chosen by Select-Object, broken.

use exseal_model::inventory::{Server, StoreEntry};

use crate::input::{
    AUTHORITY, AUTHORITY_THUMBPRINT, LEAF, LEAF_THUMBPRINT, b, ba, document, errors, flags, list, nil,
    object, read_bytes, s, servers,
};

const EXCHANGE: &str = "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate";
const WINDOWS: &str = "System.Security.Cryptography.X509Certificates.X509Certificate2";

fn entry(server: &Server) -> &StoreEntry {
    let [entry] = server.my.items.as_slice() else {
        panic!("one entry, not {}", server.my.items.len());
    };
    entry
}

#[test]
fn an_object_of_which_only_raw_data_survived_has_unknown_services_not_none() {
    let bytes = document(&[object(
        &format!("Deserialized.{EXCHANGE}"),
        &[ba("RawData", LEAF), s("PSComputerName", "ex1.example.org")],
    )]);
    let file = read_bytes(&bytes);
    assert_eq!(file.holds.as_deref(), Some("Get-ExchangeCertificate"));
    assert_eq!(servers(&file), ["ex1.example.org"]);
    let entry = entry(&file.inventory.servers[0]);
    assert_eq!(
        entry.thumbprint.to_string(),
        LEAF_THUMBPRINT,
        "computed from RawData"
    );
    assert_eq!(entry.whole.value(), Some(&false));
    assert_eq!(
        entry.services.reasons(),
        ["the object came without SerializationData: only RawData survived"]
    );
    for field in [&entry.friendly_name, &entry.status, &entry.root_ca_type] {
        assert!(field.is_unknown());
    }
}

#[test]
fn a_plain_windows_certificate_has_only_raw_data_by_nature_and_is_of_unknown_use() {
    let file = read_bytes(&document(&[object(
        WINDOWS,
        &[
            ba("RawData", LEAF),
            s("FriendlyName", "Mail"),
            b("HasPrivateKey", true),
        ],
    )]));
    assert_eq!(file.holds.as_deref(), Some("X509Certificate2"));
    assert!(file.inventory.servers.is_empty());
    let [loose] = file.inventory.of_unknown_use.as_slice() else {
        panic!("one");
    };
    assert!(loose.has_private_key);
    assert_eq!(loose.friendly_name.as_deref(), Some("Mail"));
}

#[test]
fn a_local_session_writes_the_properties_openly() {
    let file = read_bytes(&document(&[object(
        EXCHANGE,
        &[
            ba("RawData", LEAF),
            flags("Services", "IIS, SMTP", 24),
            s("FriendlyName", ""),
            flags("Status", "Valid", 1),
            flags("RootCAType", "ThirdParty", 1),
            b("PrivateKeyExportable", false),
            b("IsSelfSigned", false),
            s("Identity", &format!("EX1.example.org\\{LEAF_THUMBPRINT}")),
            list("IISServices", &["IIS://EX1/W3SVC/1"]),
        ],
    )]));
    assert_eq!(
        servers(&file),
        ["EX1.example.org"],
        "the identity names the server"
    );
    let entry = entry(&file.inventory.servers[0]);
    assert_eq!(entry.services.value().unwrap(), &["IIS", "SMTP"]);
    assert!(entry.friendly_name.is_absent(), "empty is seen and empty");
    assert_eq!(entry.status.value().map(String::as_str), Some("Valid"));
    assert_eq!(entry.root_ca_type.value().map(String::as_str), Some("ThirdParty"));
    assert_eq!(entry.whole.value(), Some(&true));
    assert_eq!(entry.iis_sites.value().unwrap(), &["IIS://EX1/W3SVC/1"]);
    assert!(entry.has_private_key.is_unknown(), "what is not there is unknown");
}

#[test]
fn services_that_have_no_name_stay_visible_as_numbers() {
    let file = read_bytes(&document(&[object(
        EXCHANGE,
        &[ba("RawData", LEAF), flags("Services", "385", 385)],
    )]));
    assert_eq!(
        entry(&file.inventory.servers[0]).services.value().unwrap(),
        &["IMAP", "Services 384"]
    );
}

#[test]
fn no_service_at_all_is_an_empty_list() {
    let file = read_bytes(&document(&[object(
        EXCHANGE,
        &[ba("RawData", LEAF), flags("Services", "None", 0)],
    )]));
    assert!(
        entry(&file.inventory.servers[0])
            .services
            .value()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_selection_of_properties_names_certificates_nobody_has_seen_and_blames_nobody() {
    let file = read_bytes(&document(&[
        object(
            &format!("Selected.{EXCHANGE}"),
            &[s("Thumbprint", LEAF_THUMBPRINT), s("Services", "IIS, SMTP")],
        ),
        object(
            "Selected.System.Management.Automation.PSCustomObject",
            &[s("Thumbprint", AUTHORITY_THUMBPRINT), s("RootCAType", "Registry")],
        ),
    ]));
    assert_eq!(errors(&file), [""; 0]);
    assert!(file.inventory.certificates.is_empty());
    let items = &file.inventory.servers[0].my.items;
    assert_eq!(items[0].services.value().unwrap(), &["IIS", "SMTP"]);
    assert!(
        items[1].whole.is_unknown(),
        "services were not asked for: nothing is broken"
    );
    assert_eq!(
        items[1].services.reasons(),
        ["the export holds a selection of properties"]
    );
}

#[test]
fn a_payload_that_cannot_be_read_is_an_error_and_its_certificate_is_kept() {
    let file = read_bytes(&document(&[
        object(
            EXCHANGE,
            &[
                ba("RawData", LEAF),
                ba("SerializationData", b"#sig#\x08\0\0\0????"),
            ],
        ),
        object(
            EXCHANGE,
            &[ba("RawData", AUTHORITY), flags("Services", "SMTP", 16)],
        ),
    ]));
    let errors = errors(&file);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("object 1, property SerializationData, byte "),
        "{errors:?}"
    );
    let items = &file.inventory.servers[0].my.items;
    assert_eq!(items.len(), 2);
    assert!(
        items[0].whole.is_unknown() && items[0].services.is_unknown(),
        "a damaged file is not a broken server"
    );
}

#[test]
fn a_broken_certificate_leaves_the_other_seven() {
    let mut objects: Vec<String> = (0..7)
        .map(|at| {
            // Seven certificates that differ in their last byte, which no reader of the outer structure minds.
            let mut der = LEAF.to_vec();
            *der.last_mut().unwrap() ^= at;
            object(EXCHANGE, &[ba("RawData", &der), flags("Services", "None", 0)])
        })
        .collect();
    objects.insert(3, object(EXCHANGE, &[ba("RawData", &LEAF[..100])]));
    objects.insert(
        5,
        object(EXCHANGE, &[s("FriendlyName", "neither RawData nor a thumbprint")]),
    );
    let file = read_bytes(&document(&objects));
    assert_eq!(file.inventory.servers[0].my.items.len(), 7);
    let errors = errors(&file);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("object 4: expected an X.509 certificate in DER"));
    assert_eq!(
        errors[1],
        "object 6: expected RawData or SerializationData, the certificate, found an ExchangeCertificate without both"
    );
}

#[test]
fn certificates_stand_in_the_order_of_the_file_and_only_several_prove_a_whole_store() {
    let one = object(EXCHANGE, &[ba("RawData", LEAF), flags("Services", "None", 0)]);
    let two = object(
        EXCHANGE,
        &[ba("RawData", AUTHORITY), flags("Services", "None", 0)],
    );
    for (objects, order) in [
        (
            [one.clone(), two.clone()],
            [LEAF_THUMBPRINT, AUTHORITY_THUMBPRINT],
        ),
        ([two, one.clone()], [AUTHORITY_THUMBPRINT, LEAF_THUMBPRINT]),
    ] {
        let file = read_bytes(&document(&objects));
        let store = &file.inventory.servers[0].my;
        let found: Vec<_> = store.iter().map(|entry| entry.thumbprint.to_string()).collect();
        assert_eq!(found, order);
        assert!(store.is_complete());
    }
    let single = read_bytes(&document(&[one]));
    assert!(
        !single.inventory.servers[0].my.is_complete(),
        "one certificate may have been asked for by its thumbprint"
    );
}

#[test]
fn a_pending_request_lies_in_the_store_of_requests() {
    let file = read_bytes(&document(&[object(
        EXCHANGE,
        &[
            ba("RawData", LEAF),
            s("Status", "PendingRequest"),
            s("CertificateRequest", "MIIB"),
            nil("FriendlyName"),
            flags("Services", "None", 0),
        ],
    )]));
    let server = &file.inventory.servers[0];
    assert!(server.my.items.is_empty());
    assert_eq!(server.request.items.len(), 1);
    assert_eq!(
        server.request.items[0]
            .certificate_request
            .value()
            .map(String::as_str),
        Some("MIIB")
    );
}

#[test]
fn certificates_of_several_servers_in_one_file_stay_apart() {
    let of = |server: &str| {
        object(
            EXCHANGE,
            &[
                ba("RawData", LEAF),
                flags("Services", "SMTP", 16),
                s("Identity", &format!("{server}\\{LEAF_THUMBPRINT}")),
                s("PSComputerName", "ex1.example.org"),
            ],
        )
    };
    let file = read_bytes(&document(&[of("ex1.example.org"), of("ex2.example.org")]));
    assert_eq!(
        servers(&file),
        ["ex1.example.org", "ex2.example.org"],
        "the identity counts, not where the session ran"
    );
    assert_eq!(file.inventory.certificates.len(), 1);
}
