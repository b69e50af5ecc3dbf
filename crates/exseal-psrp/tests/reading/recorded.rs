//! What PowerShell wrote.

use std::path::{Path, PathBuf};

use exseal_psrp::clixml::{Document, Limits, decode_bytes};

use super::{decode, first};
use crate::roundtrip::same;

/// The recorded exports, or `None` (printed) where they are not at hand; under `CI=true` they must be.
fn fixtures() -> Option<PathBuf> {
    let path = std::env::var_os("EXSEAL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures")),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "EXSEAL_FIXTURES names no folder"
    );
    println!("not checked: no recorded exports at hand (EXSEAL_FIXTURES)");
    None
}

/// The files with a suffix below a folder.
fn below(folder: &Path, suffix: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, suffix, found);
        } else if path.extension().is_some_and(|extension| extension == suffix) {
            found.push(path);
        }
    }
}

/// A file of `Export-Clixml` without the line breaks and indents between its elements.
fn without_layout(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let line = if number == 0 {
            line
        } else {
            line.trim_start_matches(' ')
        };
        out.push_str(line);
    }
    out
}

#[test]
fn what_powershell_wrote_is_written_again_to_the_byte() {
    for (name, bytes) in [
        (
            "containers.xml",
            &include_bytes!("../data/powershell/containers.xml")[..],
        ),
        ("scalars.xml", include_bytes!("../data/powershell/scalars.xml")),
        (
            "psserializer.xml",
            include_bytes!("../data/powershell/psserializer.xml"),
        ),
        (
            "empty-array.xml",
            include_bytes!("../data/powershell/empty-array.xml"),
        ),
        (
            "encoding-unicode.xml",
            include_bytes!("../data/powershell/encoding-unicode.xml"),
        ),
        (
            "encoding-utf8bom.xml",
            include_bytes!("../data/powershell/encoding-utf8bom.xml"),
        ),
    ] {
        let text = decode_bytes(bytes).expect(name);
        let document = Document::decode(&text, &Limits::default()).expect(name);
        assert_eq!(document.encode(), without_layout(&text), "{name}");
    }
}

#[test]
fn encodings_of_one_file_hold_the_same_values() {
    let unicode = decode_bytes(include_bytes!("../data/powershell/encoding-unicode.xml")).unwrap();
    let utf8 = decode_bytes(include_bytes!("../data/powershell/encoding-utf8bom.xml")).unwrap();
    let (unicode, utf8) = (decode(&unicode), decode(&utf8));

    let value = |document: &Document<'_>| {
        let top = first(document);
        document
            .path(&top, &["Value"])
            .and_then(|value| document.text(value).map(std::borrow::Cow::into_owned))
    };
    assert!(value(&unicode).is_some_and(|text| !text.is_ascii()));
    assert_eq!(value(&unicode), value(&utf8));
}

#[test]
fn every_recorded_document_is_the_same_after_writing_and_reading_again() {
    let Some(folder) = fixtures() else { return };
    let mut paths = Vec::new();
    below(&folder, "xml", &mut paths);
    let mut read = 0;
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(text) = decode_bytes(&bytes) else { continue };
        if !text.contains("<Objs") {
            continue;
        }
        let document = Document::decode(&text, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let written = document.encode();
        let again = Document::decode(&written, &Limits::default())
            .unwrap_or_else(|error| panic!("{} written again: {error}", path.display()));
        same(&document, &again).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        read += 1;
    }
    assert!(read >= 90, "{read} files");
}
