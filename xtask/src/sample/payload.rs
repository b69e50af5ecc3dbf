//! `SerializationData` of an ExchangeCertificate: a BinaryFormatter stream ([MS-NRBF]) with the members
//! and classes that recorded exports have, and in it the certificate as an element of a Windows store.

use super::x509::Made;

/// What Exchange knows about a certificate of a server's store.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub(super) certificate: &'a Made,
    /// `ex1.kiefer.example`.
    pub(super) server: &'a str,
    pub(super) friendly_name: &'a str,
    /// Flags of AllowedServices: 1 IMAP, 2 POP, 8 IIS, 16 SMTP.
    pub(super) services: i32,
    /// CertificateStatus: 1 Valid.
    pub(super) status: i32,
    /// CertificateAuthorityType: 0 None, 1 ThirdParty, 2 Enterprise, 3 Registry.
    pub(super) root_ca_type: i32,
    /// Ids of the web sites that are bound to it.
    pub(super) sites: &'a [u32],
    pub(super) exportable: bool,
}

const LIBRARY: &str =
    "Microsoft.Exchange.Management, Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35";
const SYSTEM: &str = "System, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089";
const TASKS: &str = "Microsoft.Exchange.Management.SystemConfigurationTasks";

/// Ids of the records that others refer to.
const ROOT: i32 = 1;
const LIBRARY_ID: i32 = 2;
const CERT_DATA: i32 = 3;
const SITES: i32 = 7;
const IDENTITY: i32 = 8;
const SITE_ARRAY: i32 = 9;
const FIRST_SITE: i32 = 10;
const SYSTEM_ID: i32 = 100;
const FIRST_SITE_NAME: i32 = 200;
/// Ids of enum values are negative, as the formatter makes them; each is used once.
const FIRST_VALUE: i32 = -4;

/// The stream, as it stands in an export from before payloads were signed.
pub(super) fn stream(entry: &Entry<'_>) -> Vec<u8> {
    let mut out = Writer {
        bytes: Vec::new(),
        next_value: FIRST_VALUE,
        validation: None,
    };
    let list = format!("System.Collections.Generic.List`1[[{TASKS}.IisService, {LIBRARY}]]");

    out.byte(0); // SerializedStreamHeader
    for number in [ROOT, -1, 1, 0] {
        out.number(number);
    }
    out.library(LIBRARY_ID, LIBRARY);

    out.byte(5); // ClassWithMembersAndTypes
    out.number(ROOT);
    out.text(&format!("{TASKS}.ExchangeCertificate"));
    let members = [
        "CertData",
        "SelfSigned",
        "Status",
        "RootCAType",
        "Services",
        "IISServices",
        "PrivateKeyExportable",
        "Identity",
    ];
    out.number(8);
    members.iter().for_each(|name| out.text(name));
    out.bytes.extend([7, 0, 4, 4, 4, 3, 0, 1]); // primitive array, primitive, class × 3, system class, primitive, string
    out.bytes.extend([2, 1]); // of bytes; a truth value
    for class in ["CertificateStatus", "CertificateAuthorityType", "AllowedServices"] {
        out.text(&format!("{TASKS}.{class}"));
        out.number(LIBRARY_ID);
    }
    out.text(&list);
    out.byte(1); // a truth value
    out.number(LIBRARY_ID);

    out.reference(CERT_DATA);
    out.byte(u8::from(entry.certificate.self_signed));
    out.enumeration("CertificateStatus", entry.status);
    out.enumeration("CertificateAuthorityType", entry.root_ca_type);
    out.enumeration("AllowedServices", entry.services);
    out.reference(SITES);
    out.byte(u8::from(entry.exportable));
    out.string(
        IDENTITY,
        &format!("{}\\{}", entry.server, entry.certificate.thumbprint()),
    );

    out.byte(15); // ArraySinglePrimitive, of bytes
    let element = store_element(entry);
    out.number(CERT_DATA);
    out.length(element.len());
    out.byte(2);
    out.bytes.extend(element);

    sites(&mut out, &list, entry);
    out.byte(11); // MessageEnd
    out.bytes
}

/// The `List<IisService>`: one object a site, of which only the name is set.
fn sites(out: &mut Writer, list: &str, entry: &Entry<'_>) {
    out.byte(4); // SystemClassWithMembersAndTypes
    out.number(SITES);
    out.text(list);
    out.number(3);
    ["_items", "_size", "_version"]
        .iter()
        .for_each(|name| out.text(name));
    out.bytes.extend([4, 0, 0]);
    out.text(&format!("{TASKS}.IisService[]"));
    out.number(LIBRARY_ID);
    out.bytes.extend([8, 8]); // two 32-bit numbers
    out.reference(SITE_ARRAY);
    out.length(entry.sites.len());
    out.number(1);

    out.byte(7); // BinaryArray, single dimension, rank 1
    out.number(SITE_ARRAY);
    out.byte(0);
    out.number(1);
    out.length(entry.sites.len());
    out.byte(4);
    out.text(&format!("{TASKS}.IisService"));
    out.number(LIBRARY_ID);
    let ids: Vec<i32> = (FIRST_SITE..).take(entry.sites.len()).collect();
    ids.iter().for_each(|&id| out.reference(id));

    if !entry.sites.is_empty() {
        out.library(SYSTEM_ID, SYSTEM);
    }
    for ((site, id), name) in entry.sites.iter().zip(ids).zip(FIRST_SITE_NAME..) {
        if id == FIRST_SITE {
            out.byte(5);
            out.number(id);
            out.text(&format!("{TASKS}.IisService"));
            out.number(5);
            let members = [
                "serviceName",
                "internalUrl",
                "internalUrlValid",
                "externalUrl",
                "externalUrlValid",
            ];
            members.iter().for_each(|name| out.text(name));
            out.bytes.extend([1, 4, 4, 4, 4]);
            for _ in 0..2 {
                out.text("System.Uri");
                out.number(SYSTEM_ID);
                out.text(&format!("{TASKS}.UrlValidation"));
                out.number(LIBRARY_ID);
            }
            out.number(LIBRARY_ID);
        } else {
            out.byte(1); // ClassWithId
            out.number(id);
            out.number(FIRST_SITE);
        }
        out.string(name, &format!("IIS://{}/W3SVC/{site}", entry.server));
        for _ in 0..2 {
            out.byte(10); // ObjectNull: no URL
            out.validation();
        }
    }
}

struct Writer {
    bytes: Vec<u8>,
    next_value: i32,
    /// Where the class UrlValidation was first written.
    validation: Option<i32>,
}

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn number(&mut self, number: i32) {
        self.bytes.extend(number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.number(i32::try_from(length).unwrap_or(i32::MAX));
    }

    /// A length of seven bits a byte, then UTF-8.
    fn text(&mut self, text: &str) {
        let mut length = text.len();
        while length >= 0x80 {
            self.byte(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        self.byte(u8::try_from(length).unwrap_or_default());
        self.bytes.extend(text.as_bytes());
    }

    fn library(&mut self, id: i32, name: &str) {
        self.byte(12);
        self.number(id);
        self.text(name);
    }

    fn reference(&mut self, id: i32) {
        self.byte(9);
        self.number(id);
    }

    fn string(&mut self, id: i32, text: &str) {
        self.byte(6);
        self.number(id);
        self.text(text);
    }

    /// An enum: a class of one member, `value__`.
    fn enumeration(&mut self, class: &str, value: i32) -> i32 {
        let id = self.next_value;
        self.next_value -= 1;
        self.byte(5);
        self.number(id);
        self.text(&format!("{TASKS}.{class}"));
        self.number(1);
        self.text("value__");
        self.bytes.extend([0, 8]);
        self.number(LIBRARY_ID);
        self.number(value);
        id
    }

    /// UrlValidation None; the class is written once and referred to from then on.
    fn validation(&mut self) {
        let Some(class) = self.validation else {
            self.validation = Some(self.enumeration("UrlValidation", 0));
            return;
        };
        let id = self.next_value;
        self.next_value -= 1;
        self.byte(1);
        self.number(id);
        self.number(class);
        self.number(0);
    }
}

/// The certificate as a serialised element of a Windows store: properties, then the DER.
fn store_element(entry: &Entry<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut property = |id: u32, value: &[u8]| {
        out.extend(id.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend(u32::try_from(value.len()).unwrap_or_default().to_le_bytes());
        out.extend(value);
    };
    if !entry.friendly_name.is_empty() {
        property(11, &utf16(entry.friendly_name));
    }
    property(2, &key_provider());
    property(3, &entry.certificate.hash());
    property(32, &entry.certificate.der);
    out
}

/// CRYPT_KEY_PROV_INFO: RSA SChannel, machine keys, AT_KEYEXCHANGE. It names a container that is not there.
fn key_provider() -> Vec<u8> {
    let container = utf16("exseal-sample");
    let provider = utf16("Microsoft RSA SChannel Cryptographic Provider");
    let first = 28_u32;
    let second = first + u32::try_from(container.len()).unwrap_or_default();
    let mut out = Vec::new();
    for word in [first, second, 12, 0x20, 0, 0, 1] {
        out.extend(word.to_le_bytes());
    }
    out.extend(container);
    out.extend(provider);
    out
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use exseal_psrp::nrbf::ExchangeCertificatePayload;
    use exseal_psrp::serialized_cert::SerializedCertificate;

    use super::super::x509::{Hash, Wanted, make};
    use super::*;

    #[test]
    fn the_stream_says_what_was_put_into_it() {
        let wanted = Wanted {
            subject: "CN=ex1",
            names: &["ex1"],
            from: "2026-01-01T00:00:00",
            to: "2027-01-01T00:00:00",
            bits: 1024,
            hash: Hash::Sha256,
            serial: [1; 16],
        };
        let certificate = make(&wanted, None).expect("a certificate");
        for sites in [&[][..], &[2], &[1, 2], &[1, 2, 3]] {
            let entry = Entry {
                certificate: &certificate,
                server: "ex1.kiefer.example",
                friendly_name: "Möbel",
                services: 27,
                status: 1,
                root_ca_type: 3,
                sites,
                exportable: true,
            };

            let read = ExchangeCertificatePayload::read(&stream(&entry)).expect("a stream");

            let element =
                SerializedCertificate::read(&read.cert_data.expect("CertData")).expect("an element");
            assert_eq!(element.der, certificate.der);
            assert_eq!(element.friendly_name.as_deref(), Some("Möbel"));
            assert_eq!(element.key.expect("a key").provider_type, 12);
            assert_eq!(
                (read.services, read.status, read.root_ca_type),
                (Some(27), Some(1), Some(3))
            );
            assert_eq!(
                (read.self_signed, read.private_key_exportable),
                (Some(true), Some(true))
            );
            let identity = format!("ex1.kiefer.example\\{}", certificate.thumbprint());
            assert_eq!(read.identity, Some(identity));
            let named: Vec<String> = sites
                .iter()
                .map(|site| format!("IIS://ex1.kiefer.example/W3SVC/{site}"))
                .collect();
            assert_eq!(read.iis_services, Some(named));
        }
    }
}
