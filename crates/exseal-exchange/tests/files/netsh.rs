//! `netsh http show sslcert`, in whatever language Windows speaks.

use exseal_model::Thumbprint;
use exseal_model::inventory::HttpSysEntry;

use crate::input::{LEAF_THUMBPRINT, errors, not_recognised, read_bytes};

const ENGLISH: &str = "\r
SSL Certificate bindings: \r
-------------------------\r
\r
    IP:port                      : 0.0.0.0:443\r
    Certificate Hash             : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5\r
    Application ID               : {4dc3e181-e14b-4a21-b022-59fc669b0914}\r
    Certificate Store Name       : MY\r
    Verify Client Certificate Revocation : Enabled\r
    Revocation Freshness Time    : 0\r
    Ctl Identifier               : (null)\r
    DS Mapper Usage              : Disabled\r
    Reject Connections           : Disabled\r
\r
    IP:port                      : 127.0.0.1:443\r
    Certificate Hash             : (null)\r
    Application ID               : {4DC3E181-E14B-4A21-B022-59FC669B0914}\r
    Certificate Store Name       : (null)\r
\r
    IP:port                      : [::]:443\r
    Certificate Hash             : 2c4dcd61aeb06c11caf981712775a35bb74da5b8\r
    Application ID               : {00000000-0000-0000-0000-000000000000}\r
    Certificate Store Name       : WebHosting\r
\r
    Hostname:port                : Mail.Example.org:443\r
    Certificate Hash             : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5\r
    Application ID               : {4dc3e181-e14b-4a21-b022-59fc669b0914}\r
    Certificate Store Name       : My\r
";

const GERMAN: &str = "
SSL-Zertifikatbindungen:
-------------------------

    IP:Port                      : 0.0.0.0:444
    Zertifikathash               : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5
    Anwendungs-ID                : {4dc3e181-e14b-4a21-b022-59fc669b0914}
    Zertifikatspeichername       : MY
    Clientzertifikatsperrung überprüfen : Aktiviert
    Sperrung mithilfe zwischengespeicherter Clientzertifikate überprüfen : Deaktiviert
    Verwendungsüberprüfung       : Aktiviert
    Sperraktualisierungszeit     : 0
    Timeout für URL-Abruf        : 0
    Steuerelement-ID             : (null)

    Hostname:Port                : autodiscover.example.org:443
    Zertifikathash               : 2c4dcd61aeb06c11caf981712775a35bb74da5b8
    Anwendungs-ID                : {4dc3e181-e14b-4a21-b022-59fc669b0914}
    Zertifikatspeichername       : MY
";

const FRENCH: &str = "
Liaisons de certificat SSL :
-------------------------

    Adresse IP:port              : 10.1.2.3:443
    Hachage du certificat        : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5
    ID de l'application          : {4dc3e181-e14b-4a21-b022-59fc669b0914}
    Nom du magasin de certificats : MY
    Vérifier la révocation des certificats clients : Activé
";

fn entries(text: &[u8]) -> Vec<HttpSysEntry> {
    let file = read_bytes(text);
    assert_eq!(file.holds.as_deref(), Some("netsh http show sslcert"));
    assert!(file.unrecorded, "no recorded output backs it");
    assert_eq!(errors(&file), [""; 0]);
    let [server] = file.inventory.servers.as_slice() else {
        panic!("one server");
    };
    server.http_sys.items.clone()
}

fn endpoints(entries: &[HttpSysEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.endpoint.to_string()).collect()
}

#[test]
fn an_english_table_is_read_entry_by_entry() {
    let entries = entries(ENGLISH.as_bytes());
    assert_eq!(
        endpoints(&entries),
        ["*:443", "127.0.0.1:443", "[::]:443", "*:443/mail.example.org"]
    );
    let leaf: Thumbprint = LEAF_THUMBPRINT.parse().unwrap();
    assert_eq!(entries[0].thumbprint.value(), Some(&leaf));
    assert_eq!(entries[0].store.value().map(String::as_str), Some("MY"));
    assert!(
        entries[1].thumbprint.is_absent() && entries[1].store.is_absent(),
        "(null) is seen and empty"
    );
    assert_eq!(
        entries[1].app_id.value().map(String::as_str),
        Some("{4dc3e181-e14b-4a21-b022-59fc669b0914}"),
        "in lower case, as others write it"
    );
    assert_eq!(entries[2].store.value().map(String::as_str), Some("WebHosting"));
    assert!(
        entries[0].negotiate_client_certificate.is_unknown(),
        "Enabled is a word of one language"
    );
}

#[test]
fn german_and_french_tables_are_read_like_the_english_one() {
    assert_eq!(
        endpoints(&entries(GERMAN.as_bytes())),
        ["*:444", "*:443/autodiscover.example.org"]
    );
    let french = entries(FRENCH.as_bytes());
    assert_eq!(endpoints(&french), ["10.1.2.3:443"]);
    assert_eq!(french[0].thumbprint.value().unwrap().to_string(), LEAF_THUMBPRINT);
}

#[test]
fn a_table_in_a_code_page_of_the_console_is_read() {
    // 0x81 is ü in code page 850: no UTF-8.
    let bytes: Vec<u8> = GERMAN
        .chars()
        .map(|letter| {
            if letter == 'ü' {
                0x81
            } else {
                u8::try_from(letter).unwrap()
            }
        })
        .collect();
    assert_eq!(entries(&bytes).len(), 2);
}

#[test]
fn a_table_redirected_by_powershell_is_utf_16_and_read() {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(ENGLISH.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(entries(&bytes).len(), 4);
}

#[test]
fn one_entry_does_not_prove_that_there_are_no_others() {
    let table = read_bytes(ENGLISH.as_bytes());
    assert!(table.inventory.servers[0].http_sys.is_complete());
    let one = read_bytes(FRENCH.as_bytes());
    assert!(!one.inventory.servers[0].http_sys.is_complete());
}

#[test]
fn a_damaged_hash_is_an_error_and_the_other_entries_are_kept() {
    let damaged = ENGLISH.replacen("273a20c605dc161be7c9", "273a20c605dc161bxx", 1);
    let file = read_bytes(damaged.as_bytes());
    let errors = errors(&file);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("line 6: expected a certificate hash of 40 hex digits"),
        "{errors:?}"
    );
    let entries = &file.inventory.servers[0].http_sys.items;
    assert_eq!(entries.len(), 4);
    assert!(
        entries[0].thumbprint.is_unknown(),
        "it is not known, which is not: there is none"
    );
}

#[test]
fn a_table_that_breaks_off_says_so() {
    let cut = ENGLISH
        .find("    Application ID               : {00000000")
        .unwrap();
    let file = read_bytes(&ENGLISH.as_bytes()[..cut]);
    assert_eq!(
        errors(&file),
        ["line 20: expected an application id in braces, found none in this entry"]
    );
    assert_eq!(file.inventory.servers[0].http_sys.items.len(), 3);
}

#[test]
fn other_text_with_colons_is_no_table() {
    let file = read_bytes(b"Server   : 10.0.0.1:443\r\nState    : running\r\nid: {not a guid}\r\n");
    assert_eq!(file.holds, None);
    assert_eq!(
        not_recognised(&file),
        ["text that begins \"Server   : 10.0.0.1:443\""]
    );
}
