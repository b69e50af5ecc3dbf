//! Every primitive of [MS-PSRP] 2.2.5.1.

use exseal_psrp::clixml::{Opaque, PsString, Value};

use super::{decode, first, refused};

fn text(text: &str) -> PsString<'_> {
    PsString::from(text)
}

#[test]
fn every_primitive_is_read_as_its_kind() {
    let kinds: [(&str, Value<'_>); 30] = [
        ("<Nil />", Value::Nil),
        ("<Nil></Nil>", Value::Nil),
        ("<S>abc</S>", Value::String(text("abc"))),
        ("<S />", Value::String(text(""))),
        ("<S></S>", Value::String(text(""))),
        ("<C>97</C>", Value::Char(97)),
        ("<C>55357</C>", Value::Char(0xd83d)),
        ("<B>true</B>", Value::Bool(true)),
        ("<B>false</B>", Value::Bool(false)),
        (
            "<DT>2008-04-11T10:42:32.2731993-07:00</DT>",
            Value::DateTime("2008-04-11T10:42:32.2731993-07:00".into()),
        ),
        ("<TS>PT9.0269026S</TS>", Value::TimeSpan("PT9.0269026S".into())),
        ("<By>254</By>", Value::U8(254)),
        ("<SB>-127</SB>", Value::I8(-127)),
        ("<U16>65535</U16>", Value::U16(65535)),
        ("<I16>-32767</I16>", Value::I16(-32767)),
        ("<U32>4294967295</U32>", Value::U32(u32::MAX)),
        ("<I32>-2147483648</I32>", Value::I32(i32::MIN)),
        ("<U64>18446744073709551615</U64>", Value::U64(u64::MAX)),
        ("<I64>-9223372036854775808</I64>", Value::I64(i64::MIN)),
        ("<Sg>12.34</Sg>", Value::F32(12.34)),
        ("<Db>-INF</Db>", Value::F64(f64::NEG_INFINITY)),
        (
            "<D>79228162514264337593543950335</D>",
            Value::Decimal("79228162514264337593543950335".into()),
        ),
        ("<BA>AQIDBA==</BA>", Value::Bytes(vec![1, 2, 3, 4])),
        ("<BA>AQ\r\n ID\nBA==\n</BA>", Value::Bytes(vec![1, 2, 3, 4])),
        (
            "<G>792e5b37-4505-47ef-b7d2-8711bb7affa8</G>",
            Value::Guid("792e5b37-4505-47ef-b7d2-8711bb7affa8".into()),
        ),
        (
            "<URI>http://www.example.org/?a=1&amp;b=2</URI>",
            Value::Uri(text("http://www.example.org/?a=1&b=2")),
        ),
        ("<Version>6.2.1.3</Version>", Value::Version("6.2.1.3".into())),
        (
            "<XD>&lt;name lang=\"de\"&gt;x&lt;/name&gt;</XD>",
            Value::Xml(text("<name lang=\"de\">x</name>")),
        ),
        (
            "<SBK>Get-Command -Type Cmdlet</SBK>",
            Value::ScriptBlock(text("Get-Command -Type Cmdlet")),
        ),
        (
            "<SS>bnVsbA==</SS>",
            Value::SecureString(Opaque("bnVsbA==".into())),
        ),
    ];
    for (written, value) in kinds {
        assert_eq!(first(&decode(written)), value, "{written}");
    }
}

#[test]
fn floating_points_keep_their_bits() {
    for (written, bits) in [
        ("0", 0.0_f64.to_bits()),
        ("-0", (-0.0_f64).to_bits()),
        ("5E-324", 1),
        ("1.7976931348623157E+308", f64::MAX.to_bits()),
        ("INF", f64::INFINITY.to_bits()),
    ] {
        let text = format!("<Db>{written}</Db>");
        let document = decode(&text);
        let Value::F64(number) = first(&document) else {
            panic!("{document:?}")
        };
        assert_eq!(number.to_bits(), bits, "{written}");
        assert_eq!(document.encode(), text, "written as .NET writes it");
    }
    assert!(matches!(first(&decode("<Db>NaN</Db>")), Value::F64(number) if number.is_nan()));
}

#[test]
fn floating_points_are_written_as_dotnet_writes_them() {
    for (element, written) in [
        ("Db", "0.1"),
        ("Db", "0.0001"),
        ("Db", "1E-05"),
        ("Db", "5.7870370370370366E-05"),
        ("Db", "123456789.12345679"),
        ("Db", "100000000000000"),
        ("Db", "-2.5"),
        ("Db", "1E+300"),
        ("Sg", "1E-45"),
        ("Sg", "3.4028235E+38"),
        ("Sg", "-INF"),
        ("Sg", "1.5"),
    ] {
        let text = format!("<{element}>{written}</{element}>");
        assert_eq!(decode(&text).encode(), text);
    }
}

#[test]
fn numbers_beyond_their_kind_are_refused_with_place_and_words() {
    for (written, expected) in [
        ("<I32>2147483648</I32>", "a 32-bit number in <I32>"),
        ("<By>256</By>", "a number from 0 to 255 in <By>"),
        ("<By>-1</By>", "a number from 0 to 255 in <By>"),
        (
            "<U64>18446744073709551616</U64>",
            "an unsigned 64-bit number in <U64>",
        ),
        ("<I64>1e3</I64>", "a 64-bit number in <I64>"),
        ("<C>65536</C>", "a code unit from 0 to 65535 in <C>"),
        ("<C>a</C>", "a code unit from 0 to 65535 in <C>"),
        ("<Db>1E+999</Db>", "a floating-point number that fits <Db>"),
        ("<Sg>1E+39</Sg>", "a floating-point number that fits <Sg>"),
        ("<Db>1,5</Db>", "a floating-point number that fits <Db>"),
        ("<I32></I32>", "a 32-bit number in <I32>"),
        ("<B>yes</B>", "true or false in <B>"),
        ("<BA>AQID*</BA>", "base64 in <BA>"),
    ] {
        let text = format!("<Objs>\n{written}</Objs>");
        let error = refused(&text);
        assert_eq!(
            (error.line, error.at, &*error.expected),
            (2, 7, expected),
            "{written}: {error}"
        );
    }
    let digits = "9".repeat(1_000_000);
    let error = refused(&format!("<I64>{digits}</I64>"));
    assert!(
        error.found.len() < 100,
        "a message stays short: {}",
        error.found.len()
    );
}

#[test]
fn secure_string_shows_nothing_of_itself() {
    let document = decode("<Obj RefId=\"0\"><MS><SS N=\"Password\">c2VjcmV0</SS></MS></Obj>");

    assert!(!format!("{document:?}").contains("c2VjcmV0"));
    assert_eq!(
        document.text(&Value::SecureString(Opaque("c2VjcmV0".into()))),
        None
    );
    assert!(document.encode().contains("<SS N=\"Password\">c2VjcmV0</SS>"));
}

#[test]
fn what_a_value_says_is_read_through_the_object_around_it() {
    let document = decode(
        "<Obj RefId=\"0\"><MS>\
         <Obj N=\"Services\" RefId=\"1\"><TN RefId=\"0\"><T>AllowedServices</T></TN><ToString>IIS, SMTP</ToString><I32>24</I32></Obj>\
         <Obj N=\"Note\" RefId=\"2\"><S>text with notes</S><MS><S N=\"more\">x</S></MS></Obj>\
         <Obj N=\"Flag\" RefId=\"3\"><B>true</B></Obj>\
         <Obj N=\"Raw\" RefId=\"4\"><BA>AQI=</BA></Obj>\
         <Obj N=\"Nothing\" RefId=\"5\" /></MS></Obj>",
    );
    let top = first(&document);
    let value = |name: &str| document.path(&top, &[name]).expect(name);

    assert_eq!(document.text(value("services")).as_deref(), Some("IIS, SMTP"));
    assert_eq!(document.integer(value("SERVICES")), Some(24));
    assert_eq!(document.text(value("Note")).as_deref(), Some("text with notes"));
    assert_eq!(document.boolean(value("Flag")), Some(true));
    assert_eq!(document.bytes(value("Raw")), Some(&[1, 2][..]));
    assert_eq!(document.text(value("Nothing")), None);
    assert_eq!(document.integer(value("Nothing")), None);
    assert_eq!(document.path(&top, &["Note", "more", "still more"]), None);
}
