//! Input that is cut off, damaged, or made to hurt.

use exseal_psrp::clixml::{Document, Limits, decode_bytes};
use proptest::prelude::*;

use super::{decode, refused};

const RECORDED: &str = include_str!("../data/powershell/containers.xml");

#[test]
fn depth_is_limited_where_it_goes_too_deep() {
    let depth = Limits::default().depth;
    let nested = |levels: usize| format!("{}{}", "<Obj><LST>".repeat(levels), "</LST></Obj>".repeat(levels));

    assert_eq!(decode(&nested(depth / 2)).objects.len(), depth / 2);
    let error = refused(&nested(100_000));
    assert_eq!(&*error.expected, "at most 1000 elements within each other");
    assert_eq!(error.at, 5000);
}

#[test]
fn every_limit_is_an_error_that_names_it() {
    let text = "<Objs><Obj RefId=\"0\"><LST><Ref RefId=\"0\" /><Ref RefId=\"0\" /></LST></Obj><Obj RefId=\"1\" /></Objs>";
    let limited = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Document::decode(text, &limits).unwrap_err().expected.into_owned()
    };

    assert_eq!(limited(|limits| limits.objects = 1), "at most 1 objects");
    assert_eq!(limited(|limits| limits.references = 1), "at most 1 references");
    assert_eq!(
        limited(|limits| limits.depth = 2),
        "at most 2 elements within each other"
    );
    assert_eq!(limited(|limits| limits.bytes = 60), "at most 60 bytes");
    let mut exact = Limits::default();
    (exact.objects, exact.references, exact.depth, exact.bytes) = (2, 2, 3, text.len());
    assert!(Document::decode(text, &exact).is_ok());
}

#[test]
fn a_chain_of_references_costs_what_it_is_long() {
    // Each level mentions the one below twice: written out it would be 2^200 objects.
    let mut text = "<Objs><Obj RefId=\"0\"><S>end</S></Obj>".to_owned();
    for level in 1..200 {
        let below = level - 1;
        text.push_str(&format!(
            "<Obj RefId=\"{level}\"><LST><Ref RefId=\"{below}\" /><Ref RefId=\"{below}\" /></LST></Obj>"
        ));
    }
    text.push_str("</Objs>");

    let document = decode(&text);

    assert_eq!(document.objects.len(), 200);
    let written = document.encode();
    assert!(written.len() < 2 * text.len(), "{}", written.len());
    assert_eq!(decode(&written), document);
}

#[test]
fn document_types_and_their_entities_are_refused() {
    for text in [
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><Objs><S>&lol2;</S></Objs>",
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><Objs />",
        "<Objs><!ELEMENT x ANY></Objs>",
    ] {
        let error = refused(text);
        assert_eq!(
            &*error.expected, "an element (a document type is not allowed)",
            "{text}"
        );
    }
}

#[test]
fn what_never_ends_is_an_error() {
    for (text, expected) in [
        ("<", "the name of an element"),
        ("<S", "> at the end of a tag"),
        ("<S N=\"a", "> at the end of a tag"),
        ("<S N=\"a>b</S>", "a closing quote"),
        ("<S N='a>' ", "> at the end of a tag"),
        ("<S></S", "> at the end of a closing tag"),
        ("<!-- never", "--> at the end of a comment"),
        ("<S><![CDATA[never</S>", "]]> at the end of a CDATA section"),
        ("<?xml", "?> at the end of a processing instruction"),
        ("< S>", "the name of an element"),
        ("<>", "the name of an element"),
        ("</>", "an element or the end"),
    ] {
        let found = Document::decode(text, &Limits::default()).unwrap_err().expected;
        if text == "<" {
            assert_eq!(found, "> at the end of a tag");
        } else {
            assert_eq!(found, expected, "{text}");
        }
    }
}

#[test]
fn a_recorded_file_cut_off_anywhere_is_an_error_with_a_place() {
    let end = RECORDED.trim_end().len();
    for cut in (0..end).filter(|&cut| RECORDED.is_char_boundary(cut)).step_by(7) {
        let (text, _) = RECORDED.split_at(cut);
        let error = Document::decode(text, &Limits::default()).expect_err("a part is no document");
        assert!(error.at <= cut, "{cut}: {error}");
        assert!(error.line >= 1 && !error.found.is_empty(), "{cut}: {error}");
    }
}

/// Reads bytes, and where they are a document, writes it and reads it again.
fn survive(bytes: &[u8]) {
    let Ok(text) = decode_bytes(bytes) else { return };
    let Ok(document) = Document::decode(&text, &Limits::default()) else {
        return;
    };
    let written = document.encode();
    let again =
        Document::decode(&written, &Limits::default()).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(again.encode(), written);
    for value in &document.values {
        let _ = (
            document.text(value),
            document.integer(value),
            document.items(value),
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive(&bytes);
    }

    #[test]
    fn no_pieces_of_clixml_make_the_reader_panic(pieces in proptest::collection::vec(piece(), 0..40)) {
        survive(pieces.concat().as_bytes());
    }

    #[test]
    fn a_recorded_file_with_damaged_bytes_is_read_or_refused(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = RECORDED.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survive(&bytes);
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<Objs>",
        "</Objs>",
        "<Obj RefId=\"0\">",
        "<Obj N=\"a\" RefId=\"1\">",
        "</Obj>",
        "<MS>",
        "</MS>",
        "<Props>",
        "</Props>",
        "<LST>",
        "</LST>",
        "<DCT>",
        "</DCT>",
        "<En>",
        "</En>",
        "<S N=\"Key\">",
        "<S N=\"Value\">",
        "<S>",
        "</S>",
        "<Nil />",
        "<I32 N=\"a\">1</I32>",
        "<Ref RefId=\"0\" />",
        "<Ref N=\"b\" RefId=\"1\" />",
        "<TN RefId=\"0\">",
        "</TN>",
        "<T>",
        "</T>",
        "<TNRef RefId=\"0\" />",
        "<ToString>",
        "</ToString>",
        "_xD83D_",
        "&amp;",
        "&#x",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        " ",
        "<BA>",
        "</BA>",
        "<",
        ">",
        "\"",
    ])
}
