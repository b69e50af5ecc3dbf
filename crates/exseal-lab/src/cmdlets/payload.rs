//! SerializationData: streams of .NET's BinaryFormatter ([MS-NRBF]), as Exchange puts them beside its objects.
//!
//! A certificate's stream has the members a client reads. Of every other object only the class and a few texts are in
//! it: what Exchange writes there is not known, and nobody may rely on it.

/// A stream of one object whose members are texts.
pub(crate) fn simple(assembly: &str, class: &str, members: &[(&str, &str)]) -> Vec<u8> {
    let mut stream = Stream::begin();
    stream.library(assembly);
    stream.bytes.push(5); // ClassWithMembersAndTypes
    stream.number(1);
    stream.text(class);
    stream.number(i32::try_from(members.len()).unwrap_or(0));
    for (name, _) in members {
        stream.text(name);
    }
    stream.bytes.extend(members.iter().map(|_| 1)); // String
    stream.number(LIBRARY);
    for (at, (_, value)) in members.iter().enumerate() {
        stream.string(i32::try_from(at).unwrap_or(0) + 3, value);
    }
    stream.end()
}

const LIBRARY: i32 = 2;

/// A stream being written.
struct Stream {
    bytes: Vec<u8>,
}

impl Stream {
    fn begin() -> Self {
        // SerializedStreamHeader: root 1, no header, version 1.0.
        let mut stream = Self { bytes: vec![0] };
        for number in [1, -1, 1, 0] {
            stream.number(number);
        }
        stream
    }

    fn number(&mut self, number: i32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Length in groups of seven bits, then UTF-8.
    fn text(&mut self, text: &str) {
        let mut left = text.len();
        loop {
            let low = u8::try_from(left & 0x7f).unwrap_or(0);
            left >>= 7;
            if left == 0 {
                self.bytes.push(low);
                break;
            }
            self.bytes.push(low | 0x80);
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// BinaryLibrary with the id 2.
    fn library(&mut self, assembly: &str) {
        self.bytes.push(12);
        self.number(LIBRARY);
        self.text(&format!(
            "{assembly}, Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
        ));
    }

    /// MemberReference.
    fn reference(&mut self, id: i32) {
        self.bytes.push(9);
        self.number(id);
    }

    /// BinaryObjectString.
    fn string(&mut self, id: i32, text: &str) {
        self.bytes.push(6);
        self.number(id);
        self.text(text);
    }

    /// An enumeration's value.
    fn enumeration(&mut self, id: i32, class: &str, value: i32) {
        self.bytes.push(5);
        self.number(id);
        self.text(class);
        self.number(1);
        self.text("value__");
        self.bytes.extend([0, 8]); // Primitive, Int32
        self.number(LIBRARY);
        self.number(value);
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(11); // MessageEnd
        self.bytes
    }
}

/// What the stream of a certificate says.
pub(crate) struct CertificatePayload<'c> {
    /// The certificate in DER.
    pub(crate) der: &'c [u8],
    /// Its SHA-1.
    pub(crate) sha1: &'c [u8],
    /// Friendly name; empty: the store has none.
    pub(crate) friendly_name: &'c str,
    /// Container of the private key and whether a CNG provider keeps it; `None`: no key.
    pub(crate) key: Option<(&'c str, bool)>,
    pub(crate) self_signed: bool,
    pub(crate) status: i32,
    pub(crate) root: i32,
    pub(crate) services: i32,
    /// `IIS://server/W3SVC/n`.
    pub(crate) iis: &'c [String],
    pub(crate) exportable: bool,
    pub(crate) identity: &'c str,
    /// PKCS#10 as text, of a pending request.
    pub(crate) request: Option<&'c str>,
}

const TASKS: &str = "Microsoft.Exchange.Management.SystemConfigurationTasks";

impl CertificatePayload<'_> {
    /// The serialised store element ([`exseal_psrp::serialized_cert`]).
    fn element(&self) -> Vec<u8> {
        let mut element = Vec::new();
        let mut record = |id: u32, value: &[u8]| {
            for number in [id, 1, u32::try_from(value.len()).unwrap_or(0)] {
                element.extend_from_slice(&number.to_le_bytes());
            }
            element.extend_from_slice(value);
        };
        let wide = |text: &str| -> Vec<u8> {
            text.encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect()
        };
        if !self.friendly_name.is_empty() {
            record(11, &wide(self.friendly_name));
        }
        if let Some((container, cng)) = self.key {
            let (provider, kind, spec) = if cng {
                ("Microsoft Software Key Storage Provider", 0, 0)
            } else {
                ("Microsoft RSA SChannel Cryptographic Provider", 12, 1)
            };
            let container = wide(container);
            // Seven words, then both names.
            let behind = u32::try_from(28 + container.len()).unwrap_or(0);
            let mut value: Vec<u8> = [28, behind, kind, 32, 0, 0, spec]
                .into_iter()
                .flat_map(u32::to_le_bytes)
                .collect();
            value.extend(container);
            value.extend(wide(provider));
            record(2, &value);
        }
        record(3, self.sha1);
        record(32, self.der);
        element
    }

    /// The stream, in the order and with the type names of the recorded ones.
    pub(crate) fn write(&self) -> Vec<u8> {
        let list = format!(
            "System.Collections.Generic.List`1[[{TASKS}.IisService, Microsoft.Exchange.Management, Version=15.0.0.0, \
             Culture=neutral, PublicKeyToken=31bf3856ad364e35]]"
        );
        let mut stream = Stream::begin();
        stream.library("Microsoft.Exchange.Management");
        stream.bytes.push(5); // ClassWithMembersAndTypes
        stream.number(1);
        stream.text(&format!("{TASKS}.ExchangeCertificate"));
        let mut members = vec![
            "CertData",
            "SelfSigned",
            "Status",
            "RootCAType",
            "Services",
            "IISServices",
            "PrivateKeyExportable",
            "Identity",
        ];
        // PrimitiveArray, Primitive, three Classes, SystemClass, Primitive, String.
        let mut kinds = vec![7, 0, 4, 4, 4, 3, 0, 1];
        if self.request.is_some() {
            members.push("CertificateRequest");
            kinds.push(1);
        }
        stream.number(i32::try_from(members.len()).unwrap_or(0));
        for member in &members {
            stream.text(member);
        }
        stream.bytes.extend(&kinds);
        stream.bytes.extend([2, 1]); // Byte[], Boolean
        let enums = ["CertificateStatus", "CertificateAuthorityType", "AllowedServices"];
        for name in enums {
            stream.text(&format!("{TASKS}.{name}"));
            stream.number(LIBRARY);
        }
        stream.text(&list);
        stream.bytes.push(1); // Boolean
        stream.number(LIBRARY);
        stream.reference(3);
        stream.bytes.push(u8::from(self.self_signed));
        for ((name, number), id) in enums
            .iter()
            .zip([self.status, self.root, self.services])
            .zip([-4, -5, -6])
        {
            stream.enumeration(id, &format!("{TASKS}.{name}"), number);
        }
        stream.reference(7);
        stream.bytes.push(u8::from(self.exportable));
        stream.string(8, self.identity);
        if let Some(request) = self.request {
            stream.string(9, request);
        }
        let element = self.element();
        stream.bytes.push(15); // ArraySinglePrimitive
        stream.number(3);
        stream.number(i32::try_from(element.len()).unwrap_or(0));
        stream.bytes.push(2);
        stream.bytes.extend(element);
        self.write_iis(&mut stream, &list);
        stream.end()
    }

    fn write_iis(&self, stream: &mut Stream, list: &str) {
        let count = i32::try_from(self.iis.len()).unwrap_or(0);
        stream.bytes.push(4); // SystemClassWithMembersAndTypes
        stream.number(7);
        stream.text(list);
        stream.number(3);
        for member in ["_items", "_size", "_version"] {
            stream.text(member);
        }
        stream.bytes.extend([4, 0, 0]);
        stream.text(&format!("{TASKS}.IisService[]"));
        stream.number(LIBRARY);
        stream.bytes.extend([8, 8]); // Int32, Int32
        stream.reference(20);
        stream.number(count);
        stream.number(count);
        stream.bytes.push(7); // BinaryArray, single, of IisService
        stream.number(20);
        stream.bytes.push(0);
        stream.number(1);
        stream.number(count);
        stream.bytes.push(4);
        stream.text(&format!("{TASKS}.IisService"));
        stream.number(LIBRARY);
        for at in 0..count {
            stream.reference(30 + at);
        }
        for (at, path) in (0..).zip(self.iis) {
            stream.bytes.push(5);
            stream.number(30 + at);
            stream.text(&format!("{TASKS}.IisService"));
            stream.number(1);
            stream.text("serviceName");
            stream.bytes.push(1);
            stream.number(LIBRARY);
            stream.string(100 + at, path);
        }
    }
}

/// A stream as servers that sign send it: `#sig#`, length, stream, 32 bytes. How the vendor makes those is not known.
pub(crate) fn wrapped(stream: &[u8]) -> Vec<u8> {
    let mut wrapped = b"#sig#".to_vec();
    let length = i32::try_from(stream.len()).unwrap_or(0);
    wrapped.extend_from_slice(&length.to_le_bytes());
    wrapped.extend_from_slice(stream);
    let seal = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, stream);
    wrapped.extend_from_slice(seal.as_ref());
    wrapped
}

#[cfg(test)]
mod tests {
    use exseal_psrp::nrbf::{Stream, Value};

    #[test]
    fn a_simple_payload_is_read_as_the_object_it_is() {
        let long = "x".repeat(300);
        let bytes = super::simple("Microsoft.Exchange.Data", "Some.Class", &[("name", &long)]);

        let stream = Stream::read(&bytes).expect("a stream");

        assert_eq!(stream.member(&stream.root, "name"), Some(&Value::Text(long)));
    }

    #[test]
    fn a_certificates_payload_is_read_back_member_for_member() {
        let iis = ["IIS://EX1/W3SVC/1".to_owned(), "IIS://EX1/W3SVC/2".to_owned()];
        let written = super::CertificatePayload {
            der: &[0x30, 0x82, 0, 1, 7],
            sha1: &[9; 20],
            friendly_name: "Microsoft Exchange",
            key: Some(("container", false)),
            self_signed: true,
            status: 1,
            root: 3,
            services: 27,
            iis: &iis,
            exportable: true,
            identity: "EX1.contoso.lab\\AB",
            request: Some("-----BEGIN"),
        }
        .write();

        for bytes in [written.clone(), super::wrapped(&written)] {
            let read = exseal_psrp::nrbf::ExchangeCertificatePayload::read(&bytes).expect("a payload");
            assert_eq!(read.self_signed, Some(true));
            assert_eq!(
                (read.status, read.root_ca_type, read.services),
                (Some(1), Some(3), Some(27))
            );
            assert_eq!(read.iis_services.as_deref(), Some(&iis[..]));
            assert_eq!(read.private_key_exportable, Some(true));
            assert_eq!(read.identity.as_deref(), Some("EX1.contoso.lab\\AB"));
            assert_eq!(read.certificate_request.as_deref(), Some("-----BEGIN"));
            let element = read.cert_data.expect("an element");
            let element = exseal_psrp::serialized_cert::SerializedCertificate::read(&element).expect("read");
            assert_eq!(element.friendly_name.as_deref(), Some("Microsoft Exchange"));
            let key = element.key.expect("a key");
            assert_eq!(
                (key.container.as_str(), key.provider_type, key.key_spec),
                ("container", 12, 1)
            );
            assert_eq!(key.provider, "Microsoft RSA SChannel Cryptographic Provider");
        }
    }
}
