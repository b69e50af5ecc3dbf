//! BinaryFormatter streams ([MS-NRBF]), made here record by record.

use exseal_psrp::nrbf::{ExchangeCertificatePayload, Stream, Value};
use proptest::prelude::*;

/// A stream in the making.
#[derive(Clone, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    /// A stream whose root has the id 1.
    fn stream() -> Self {
        Self::default().byte(0).int(1).int(-1).int(1).int(0)
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn int(self, number: i32) -> Self {
        self.raw(&number.to_le_bytes())
    }

    fn text(mut self, text: &str) -> Self {
        let mut length = text.len();
        while length > 0x7f {
            self.0.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        self.0.push(u8::try_from(length).unwrap());
        self.raw(text.as_bytes())
    }

    /// A BinaryObjectString.
    fn string(self, id: i32, text: &str) -> Self {
        self.byte(6).int(id).text(text)
    }

    /// A SystemClassWithMembersAndTypes up to its members' values; kinds are bytes of 2.1.2.2 with what belongs to them.
    fn class(mut self, id: i32, name: &str, members: &[(&str, &[u8])]) -> Self {
        self = self
            .byte(4)
            .int(id)
            .text(name)
            .int(i32::try_from(members.len()).unwrap());
        for (name, _) in members {
            self = self.text(name);
        }
        for (_, kind) in members {
            self = self.byte(kind[0]);
        }
        for (_, kind) in members {
            self = self.raw(&kind[1..]);
        }
        self
    }

    fn end(self) -> Vec<u8> {
        self.byte(11).0
    }
}

const OBJECT: &[u8] = &[2];
const STRING: &[u8] = &[1];
const BYTES: &[u8] = &[7, 2];
const BOOL: &[u8] = &[0, 1];
const INT: &[u8] = &[0, 8];

const CERTIFICATE: &str = "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate";

/// An ExchangeCertificate with one web site and an enum as an object of its own.
fn payload() -> Vec<u8> {
    Bytes::stream()
        .byte(12)
        .int(2)
        .text("Microsoft.Exchange.Management, Version=15.0.0.0")
        .byte(5)
        .int(1)
        .text(CERTIFICATE)
        .int(8)
        .text("CertData")
        .text("SelfSigned")
        .text("Status")
        .text("RootCAType")
        .text("Services")
        .text("IISServices")
        .text("PrivateKeyExportable")
        .text("Identity")
        .raw(&[7, 0, 4, 0, 0, 2, 0, 1])
        .byte(2)
        .byte(1)
        .text("CertificateStatus")
        .int(2)
        .byte(8)
        .byte(8)
        .byte(1)
        .int(2)
        .byte(9)
        .int(3)
        .byte(1)
        .class(-4, "CertificateStatus", &[("value__", INT)])
        .int(1)
        .int(3)
        .int(24)
        .byte(9)
        .int(5)
        .byte(0)
        .string(6, "ex1.example\\0123456789ABCDEF0123456789ABCDEF01234567")
        .byte(15)
        .int(3)
        .int(4)
        .byte(2)
        .raw(&[0xde, 0xad, 0xbe, 0xef])
        .class(5, "List", &[("_items", OBJECT), ("_size", INT)])
        .byte(9)
        .int(7)
        .int(1)
        .byte(16)
        .int(7)
        .int(4)
        .class(8, "IisService", &[("path", STRING)])
        .string(9, "IIS://ex1/W3SVC/1")
        .byte(13)
        .byte(3)
        .end()
}

fn read_payload() -> ExchangeCertificatePayload {
    ExchangeCertificatePayload {
        cert_data: Some(vec![0xde, 0xad, 0xbe, 0xef]),
        self_signed: Some(true),
        status: Some(1),
        root_ca_type: Some(3),
        services: Some(24),
        iis_services: Some(vec!["IIS://ex1/W3SVC/1".to_owned()]),
        private_key_exportable: Some(false),
        identity: Some("ex1.example\\0123456789ABCDEF0123456789ABCDEF01234567".to_owned()),
        certificate_request: None,
    }
}

fn wrapped(length: i32, stream: &[u8], behind: &[u8]) -> Vec<u8> {
    Bytes::default()
        .raw(b"#sig#")
        .int(length)
        .raw(stream)
        .raw(behind)
        .0
}

#[test]
fn an_exchange_certificate_says_what_was_put_into_it() {
    assert_eq!(ExchangeCertificatePayload::read(&payload()), Ok(read_payload()));
}

#[test]
fn a_signed_stream_is_read_and_its_signature_kept() {
    let stream = payload();
    let signed = wrapped(i32::try_from(stream.len()).unwrap(), &stream, &[7; 32]);

    assert_eq!(ExchangeCertificatePayload::read(&signed), Ok(read_payload()));
    assert_eq!(Stream::read(&signed).unwrap().signature, Some(vec![7; 32]));
    assert_eq!(Stream::read(&stream).unwrap().signature, None);
}

#[test]
fn a_signed_stream_of_a_wrong_length_is_refused() {
    let stream = payload();
    for length in [-1, i32::MAX, i32::try_from(stream.len() + 33).unwrap()] {
        let error = Stream::read(&wrapped(length, &stream, &[7; 32])).unwrap_err();
        assert_eq!(
            (error.at, error.expected),
            (5, "the length of the stream that follows"),
            "{length}"
        );
    }
    assert!(Stream::read(b"#sig#\x01").is_err());
}

#[test]
fn every_primitive_is_read_as_a_member() {
    let kinds: [(&str, &[u8]); 15] = [
        ("bool", &[0, 1]),
        ("byte", &[0, 2]),
        ("char", &[0, 3]),
        ("decimal", &[0, 5]),
        ("double", &[0, 6]),
        ("i16", &[0, 7]),
        ("i32", &[0, 8]),
        ("i64", &[0, 9]),
        ("i8", &[0, 10]),
        ("f32", &[0, 11]),
        ("span", &[0, 12]),
        ("date", &[0, 13]),
        ("u16", &[0, 14]),
        ("u32", &[0, 15]),
        ("u64", &[0, 16]),
    ];
    let bytes = Bytes::stream()
        .class(1, "All", &kinds)
        .byte(1)
        .byte(255)
        .raw("€".as_bytes())
        .text("12.50")
        .raw(&1.5_f64.to_le_bytes())
        .raw(&(-2_i16).to_le_bytes())
        .int(-3)
        .raw(&(-4_i64).to_le_bytes())
        .raw(&(-5_i8).to_le_bytes())
        .raw(&2.5_f32.to_le_bytes())
        .raw(&6_u64.to_le_bytes())
        .raw(&7_u64.to_le_bytes())
        .raw(&65535_u16.to_le_bytes())
        .raw(&u32::MAX.to_le_bytes())
        .raw(&u64::MAX.to_le_bytes())
        .end();

    let stream = Stream::read(&bytes).unwrap();
    let class = stream.class(&stream.root).expect("the root");
    let values: Vec<Value> = class.members.iter().map(|(_, value)| value.clone()).collect();

    assert_eq!(&*class.name, "All");
    let whole = |number: i128| Value::Integer(number);
    assert_eq!(
        values,
        [
            Value::Bool(true),
            whole(255),
            whole(0x20ac),
            Value::Text("12.50".to_owned()),
            Value::Float(1.5),
            whole(-2),
            whole(-3),
            whole(-4),
            whole(-5),
            Value::Float(2.5),
            whole(6),
            whole(7),
            whole(65535),
            whole(i128::from(u32::MAX)),
            whole(i128::from(u64::MAX)),
        ]
    );
}

#[test]
fn objects_share_the_class_of_one_before() {
    let bytes = Bytes::stream()
        .class(1, "Pair", &[("number", INT), ("next", OBJECT)])
        .int(1)
        .byte(9)
        .int(2)
        .byte(1)
        .int(2)
        .int(1)
        .int(2)
        .byte(9)
        .int(1)
        .end();

    let stream = Stream::read(&bytes).unwrap();
    let next = stream.member(&stream.root, "next").expect("a next one");

    assert_eq!(stream.member(next, "number"), Some(&Value::Integer(2)));
    let around = stream.member(next, "next").expect("the first one again");
    assert_eq!(stream.member(around, "number"), Some(&Value::Integer(1)));
}

#[test]
fn arrays_are_read_with_their_runs_of_nulls() {
    let bytes = Bytes::stream()
        .byte(17)
        .int(1)
        .int(7)
        .string(2, "a")
        .byte(13)
        .byte(2)
        .byte(9)
        .int(2)
        .byte(10)
        .byte(14)
        .int(2)
        .end();

    let stream = Stream::read(&bytes).unwrap();
    let Value::Array(items) = stream.follow(&stream.root) else {
        panic!("{stream:?}")
    };
    let texts: Vec<&Value> = items.iter().map(|item| stream.follow(item)).collect();

    let a = Value::Text("a".to_owned());
    assert_eq!(
        texts,
        [
            &a,
            &Value::Null,
            &Value::Null,
            &a,
            &Value::Null,
            &Value::Null,
            &Value::Null
        ]
    );
}

#[test]
fn an_array_of_several_dimensions_is_read_in_order() {
    let bytes = Bytes::stream()
        .byte(7)
        .int(1)
        .byte(2)
        .int(2)
        .int(2)
        .int(2)
        .byte(0)
        .byte(8)
        .int(1)
        .int(2)
        .int(3)
        .int(4)
        .end();

    let stream = Stream::read(&bytes).unwrap();

    let numbers = [1, 2, 3, 4].map(Value::Integer).to_vec();
    assert_eq!(stream.follow(&stream.root), &Value::Array(numbers));
}

#[test]
fn what_is_no_stream_is_refused_at_its_place() {
    let header = Bytes::stream();
    for (bytes, at, expected) in [
        (vec![], 0, "more bytes"),
        (
            b"not a stream".to_vec(),
            0,
            "the header of a BinaryFormatter stream",
        ),
        (
            Bytes::default().byte(0).int(1).int(-1).int(2).int(0).0,
            13,
            "version 1.0 of the format",
        ),
        (
            header.clone().end(),
            17,
            "the object that the header names as the root, before the end",
        ),
        (
            header.clone().byte(21).end(),
            17,
            "a record of a serialised object",
        ),
        (
            header.clone().byte(99).end(),
            17,
            "a record of a serialised object",
        ),
        (
            header.clone().byte(1).int(2).int(9).end(),
            26,
            "the id of a class that stands before",
        ),
        (
            header.clone().byte(6).int(1).raw(&[0xff; 6]).end(),
            27,
            "a length of at most five bytes",
        ),
        (
            header.clone().byte(6).int(1).byte(2).raw(b"\xff\xfe").end(),
            23,
            "text in UTF-8",
        ),
        (
            header.clone().byte(16).int(1).int(-1).end(),
            26,
            "a count from 0 to 1048576",
        ),
        (
            header.clone().byte(15).int(1).int(1).byte(19).end(),
            27,
            "a primitive type from 1 to 18",
        ),
        (
            header.clone().byte(7).int(1).byte(0).int(33).end(),
            27,
            "an array of 1 to 32 dimensions",
        ),
        (
            header.clone().byte(16).int(1).int(1).byte(13).byte(2).end(),
            28,
            "as many nulls as the array has room for",
        ),
    ] {
        let error = Stream::read(&bytes).unwrap_err();
        assert_eq!((error.at, error.expected), (at, expected), "{error}");
    }
}

#[test]
fn another_class_is_no_exchange_certificate() {
    let bytes = Bytes::stream()
        .class(1, "System.Diagnostics.Process", &[("x", INT)])
        .int(1)
        .end();

    let error = ExchangeCertificatePayload::read(&bytes).unwrap_err();

    assert_eq!(
        error.to_string(),
        "byte 0: expected an ExchangeCertificate, found System.Diagnostics.Process"
    );
}

#[test]
fn members_that_are_missing_or_of_another_type_are_unknown() {
    let bytes = Bytes::stream()
        .class(
            1,
            CERTIFICATE,
            &[
                ("Services", STRING),
                ("SelfSigned", INT),
                ("Status", BOOL),
                ("CertData", BYTES),
                ("Identity", OBJECT),
            ],
        )
        .string(2, "IIS")
        .int(1)
        .byte(1)
        .byte(10)
        .byte(9)
        .int(77)
        .end();

    assert_eq!(
        ExchangeCertificatePayload::read(&bytes),
        Ok(ExchangeCertificatePayload::default())
    );
}

#[test]
fn a_count_without_bytes_behind_it_costs_nothing() {
    let many = 1 << 20;
    for bytes in [
        Bytes::stream().byte(16).int(1).int(many).end(),
        Bytes::stream().byte(15).int(1).int(many).byte(2).end(),
        Bytes::stream().byte(4).int(1).text("x").int(many).end(),
        Bytes::stream()
            .byte(7)
            .int(1)
            .byte(2)
            .int(3)
            .int(many)
            .int(many)
            .int(many)
            .byte(2)
            .end(),
    ] {
        assert!(Stream::read(&bytes).is_err());
    }
}

#[test]
fn objects_within_each_other_are_limited() {
    let mut bytes = Bytes::stream();
    for id in 1..100_000 {
        bytes = bytes.class(id, "x", &[("y", OBJECT)]);
    }

    assert_eq!(
        Stream::read(&bytes.end()).unwrap_err().expected,
        "at most 64 objects within each other"
    );
}

#[test]
fn members_that_take_no_bytes_are_counted() {
    // 1,000 members of the primitive type Null; each further object of the class is 9 bytes of input.
    let names: Vec<String> = (0..1000).map(|number| format!("m{number}")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &[0, 17][..])).collect();
    let mut bytes = Bytes::stream().class(1, "x", &members);
    for id in 2..20_000 {
        bytes = bytes.byte(1).int(id).int(1);
    }

    assert_eq!(
        Stream::read(&bytes.end()).unwrap_err().expected,
        "at most 1048576 values"
    );
}

#[test]
fn a_stream_that_goes_in_circles_is_walked_once() {
    // The list of sites holds itself, before a million nulls that take five bytes.
    let bytes = Bytes::stream()
        .class(1, CERTIFICATE, &[("IISServices", OBJECT)])
        .byte(9)
        .int(2)
        .byte(16)
        .int(2)
        .int(1_000_000)
        .byte(9)
        .int(2)
        .string(3, "IIS://ex1/W3SVC/1")
        .byte(14)
        .int(999_998)
        .end();

    let payload = ExchangeCertificatePayload::read(&bytes).unwrap();

    assert_eq!(payload.iis_services, Some(vec!["IIS://ex1/W3SVC/1".to_owned()]));
}

#[test]
fn a_stream_cut_off_anywhere_is_an_error_within_it() {
    let whole = payload();
    for cut in 0..whole.len() {
        let error = Stream::read(&whole[..cut]).expect_err("a part is no stream");
        assert!(error.at <= cut && !error.found.is_empty(), "{cut}: {error}");
    }
}

proptest! {
    #[test]
    fn no_damage_makes_the_reader_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = payload();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = ExchangeCertificatePayload::read(&bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Stream::read(&bytes);
        let _ = Stream::read(&[&Bytes::stream().0[..], &bytes].concat());
    }
}
