//! What PowerShell escapes, and what XML does.

use exseal_psrp::clixml::{PsString, Value};
use proptest::prelude::*;

use super::{decode, first, refused};

/// The text of one `<S>` with this content.
fn read(content: &str) -> PsString<'static> {
    let text = format!("<S>{content}</S>");
    match first(&decode(&text)) {
        Value::String(string) => string.into_owned(),
        other => panic!("{content}: {other:?}"),
    }
}

#[test]
fn escapes_of_powershell_become_their_code_units() {
    for (written, text) in [
        ("a_x000D__x000A_b", "a\r\nb"),
        ("_x0009__x0000__x001F_", "\t\0\u{1f}"),
        ("_xD83D__xDE00_", "\u{1f600}"),
        ("_xd83d__xde00_", "\u{1f600}"),
        ("_x005F_x0041_", "_x0041_"),
        ("_x005F__x005F_", "__"),
        ("__x0041__", "_A_"),
        ("_x0041_x0042_", "Ax0042_"),
    ] {
        assert_eq!(read(written), PsString::from(text), "{written}");
    }
}

#[test]
fn what_only_looks_like_an_escape_stays() {
    for text in [
        "_x", "_x00", "_x0041", "_X0041_", "_x004G_", "_x00411_", "x0041_", "_", "_x+041_", "_xé41_",
    ] {
        assert_eq!(read(text), PsString::from(text));
    }
}

#[test]
fn lone_surrogates_are_kept_as_they_are() {
    for (written, units) in [
        ("_xD83D_", vec![0xd83d]),
        ("a_xDE00_b", vec![0x61, 0xde00, 0x62]),
        ("_xDE00__xD83D_", vec![0xde00, 0xd83d]),
        ("\u{1f600}_xD83D_", vec![0xd83d, 0xde00, 0xd83d]),
    ] {
        let string = read(written);
        assert_eq!(string, PsString::Utf16(units.clone()), "{written}");
        assert_eq!((string.as_str(), string.units()), (None, units));
    }
    assert_eq!(read("_xD83D_").to_text(), "\u{fffd}");
}

#[test]
fn names_of_properties_and_types_are_unescaped_too() {
    let document = decode(
        "<Obj RefId=\"0\"><TN RefId=\"0\"><T>A_x002E_B</T></TN><ToString>x_x000A_y</ToString>\
         <MS><I32 N=\"a_x000A_b &amp; &quot;c&quot;\">1</I32><I32 N='_xD83D_'>2</I32></MS></Obj>",
    );
    let object = super::object(&document);

    assert_eq!(document.types(object), [PsString::from("A.B")]);
    assert_eq!(object.to_string, Some(PsString::from("x\ny")));
    assert_eq!(document.property(object, "a\nb & \"C\""), Some(&Value::I32(1)));
    let extended = object.extended.as_ref().expect("MS");
    assert_eq!(extended[1].name, PsString::Utf16(vec![0xd83d]));
}

#[test]
fn references_of_xml_are_resolved_even_those_xml_forbids() {
    for (written, text) in [
        ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
        ("&#65;&#x42;&#x1F600;", "AB\u{1f600}"),
        ("&#xFFFE;&#xFFFF;", "\u{fffe}\u{ffff}"),
        ("&#x0;&#xB;", "\0\u{b}"),
        ("&amp;lt;", "&lt;"),
        ("&amp;#65;", "&#65;"),
        ("&#95;x0041_", "A"), // .NET resolves references first, then its own escapes
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a&#xD;b", "a\rb"),
        ("  ", "  "),
    ] {
        assert_eq!(read(written), PsString::from(text), "{written}");
    }
}

#[test]
fn references_that_mean_nothing_are_refused_where_they_stand() {
    for reference in [
        "&nbsp;",
        "&unknown;",
        "&#xD800;",
        "&#x110000;",
        "&#;",
        "&#x;",
        "&;",
        "& ",
        "&amp",
        "&#99999999999;",
        "&#x-1;",
    ] {
        let error = refused(&format!("<Objs>\n<S>abc{reference}def</S></Objs>"));
        assert_eq!((error.line, error.at), (2, 13), "{reference}: {error}");
    }
}

#[test]
fn text_in_pieces_is_put_together() {
    for (written, text) in [
        ("a<!-- no -->b", "ab"),
        ("<![CDATA[<b> &amp;]]>", "<b> &amp;"),
        ("a&amp;<![CDATA[&amp;]]>&lt;", "a&&amp;<"),
        ("<![CDATA[a]]><![CDATA[b&]]>c", "ab&c"),
        ("<![CDATA[_x0041_]]>", "A"),
        ("<![CDATA[]]>", ""),
        ("a<?some instruction?>b", "ab"),
    ] {
        assert_eq!(read(written), PsString::from(text), "{written}");
    }
}

/// Code units, most of them of the kinds that need care.
pub(crate) fn units() -> impl Strategy<Value = Vec<u16>> {
    let one = prop_oneof![
        4 => 0x20_u16..0x7f,
        2 => Just(0x5f_u16),
        2 => prop_oneof![Just(0x78_u16), Just(0x58)],
        1 => 0_u16..0x20,
        1 => 0xd800_u16..=0xdfff,
        1 => prop_oneof![Just(0x26_u16), Just(0x3c), Just(0x3e), Just(0x22), Just(0x27), Just(0x85), Just(0xfeff), Just(0xfffe), Just(0xffff)],
        1 => any::<u16>(),
    ];
    proptest::collection::vec(one, 0..24)
}

proptest! {
    #[test]
    fn any_text_is_written_and_read_again(units in units(), name in units()) {
        let string = PsString::from_units(units.clone());
        let name = PsString::from_units(name);
        let mut document = exseal_psrp::clixml::Document::default();
        let value = document.add(exseal_psrp::clixml::Object {
            extended: Some(vec![exseal_psrp::clixml::Property { name, value: Value::String(string) }]),
            ..Default::default()
        });
        document.values.push(value);

        let written = document.encode();

        prop_assert!(!written.bytes().any(|byte| byte < 0x20), "{written}");
        prop_assert_eq!(decode(&written), document);
    }

    #[test]
    fn units_of_a_string_are_those_it_was_made_from(units in units()) {
        prop_assert_eq!(PsString::from_units(units.clone()).units(), units);
    }
}
