//! Encodings of files.

use exseal_psrp::clixml::{Document, Limits, decode_bytes};

const TEXT: &str = "<Objs><S>Zürich € \u{1f600}</S></Objs>";

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn every_encoding_powershell_writes_gives_the_same_text() {
    let marked = format!("\u{feff}{TEXT}");
    for (name, bytes) in [
        ("UTF-8", TEXT.as_bytes().to_vec()),
        ("UTF-8 with mark", marked.as_bytes().to_vec()),
        ("UTF-16LE", utf16(TEXT, u16::to_le_bytes)),
        ("UTF-16LE with mark", utf16(&marked, u16::to_le_bytes)),
        ("UTF-16BE", utf16(TEXT, u16::to_be_bytes)),
        ("UTF-16BE with mark", utf16(&marked, u16::to_be_bytes)),
    ] {
        assert_eq!(decode_bytes(&bytes).expect(name), TEXT, "{name}");
    }
}

#[test]
fn a_declaration_that_names_the_encoding_is_no_obstacle() {
    for name in ["utf-8", "UTF-8", "us-ascii", "utf-16"] {
        let text = format!("<?xml version=\"1.0\" encoding=\"{name}\"?>\n{TEXT}");
        let text = decode_bytes(text.as_bytes()).expect(name);
        let document = Document::decode(&text, &Limits::default()).expect(name);
        assert_eq!(document.values.len(), 1);
    }
    let text = format!("<?xml version='1.0' encoding='utf-16'?>{TEXT}");
    assert_eq!(decode_bytes(&utf16(&text, u16::to_le_bytes)).unwrap(), text);
}

#[test]
fn a_code_page_that_is_declared_is_not_taken_for_utf_8() {
    let declaration = "<?xml version=\"1.0\" encoding=\"windows-1252\"?>";
    let ascii = format!("{declaration}<S>abc</S>");
    assert_eq!(decode_bytes(ascii.as_bytes()).unwrap(), ascii);

    let error = decode_bytes(format!("{declaration}<S>ü</S>").as_bytes()).unwrap_err();
    assert_eq!(error.at, declaration.len() + 3);
    assert!(error.to_string().contains("XML declaration"), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_refused_at_their_place() {
    for (bytes, expected, at) in [
        (&b"<S>\xfc</S>"[..], "UTF-8", 3),
        (b"\xef\xbb\xbf<S>\xfc</S>", "UTF-8", 6),
        (b"<S>\xe2\x82", "UTF-8", 3),
        (b"<S>\xed\xa0\x80</S>", "UTF-8", 3),
        (b"\xff\xfe<\0S", "UTF-16LE", 4),
        (b"\xff\xfe<\0\x00\xd8>\0", "UTF-16LE", 4),
        (b"\xfe\xff\0<\xdc\x00\0>", "UTF-16BE", 4),
        (b"<\0S\0\0\xd8", "UTF-16LE", 4),
    ] {
        let error = decode_bytes(bytes).unwrap_err();
        assert_eq!((error.expected, error.at), (expected, at), "{bytes:02x?}");
    }
    assert_eq!(decode_bytes(b"").unwrap(), "");
}
