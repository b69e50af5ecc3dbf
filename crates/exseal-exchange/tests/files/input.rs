//! Inputs: folders of files made for one test, CLIXML by its parts, recorded exports.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use exseal_exchange::Secret;
use exseal_exchange::files::{self, FileReading, Given, Limits, Options, Reading};
use exseal_model::ReadError;

/// The leaf certificate of tests/data.
pub(crate) const LEAF: &[u8] = include_bytes!("../data/leaf.der");
/// Its authority.
pub(crate) const AUTHORITY: &[u8] = include_bytes!("../data/ca.der");
/// Thumbprint of the leaf.
pub(crate) const LEAF_THUMBPRINT: &str = "273A20C605DC161BE7C9D8BF0C3A0CD89CC912B5";
/// Thumbprint of the authority.
pub(crate) const AUTHORITY_THUMBPRINT: &str = "2C4DCD61AEB06C11CAF981712775A35BB74DA5B8";

/// A folder with files for one test; gone with it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Reads the whole folder, or parts of it one by one.
    pub(crate) fn read(&self, names: &[&str]) -> Reading {
        read(
            &names
                .iter()
                .map(|name| given(self.path(name)))
                .collect::<Vec<_>>(),
        )
    }
}

pub(crate) fn given(path: impl Into<PathBuf>) -> Given {
    Given {
        server: None,
        path: path.into(),
    }
}

pub(crate) fn read(given: &[Given]) -> Reading {
    read_within(given, Limits::default())
}

pub(crate) fn read_within(given: &[Given], limits: Limits) -> Reading {
    files::read(
        given,
        &Options {
            password: &|_| None,
            limits,
        },
    )
}

/// Reads one file by its bytes alone; its name says nothing.
pub(crate) fn read_bytes(bytes: &[u8]) -> FileReading {
    read_with_password(bytes, None)
}

pub(crate) fn read_with_password(bytes: &[u8], password: Option<&str>) -> FileReading {
    let folder = Folder::of(&[("file", bytes)]);
    let reading = files::read(
        &[given(folder.path("file"))],
        &Options {
            password: &|_| password.map(Secret::new),
            limits: Limits::default(),
        },
    );
    let [file] = <[FileReading; 1]>::try_from(reading.files).unwrap();
    file
}

/// The file of a reading whose path ends in `name`.
pub(crate) fn file<'r>(reading: &'r Reading, name: &str) -> &'r FileReading {
    reading
        .files
        .iter()
        .find(|file| Path::new(&file.path.replace('!', "/")).ends_with(name))
        .unwrap_or_else(|| panic!("no {name} in {:?}", paths(reading)))
}

pub(crate) fn paths(reading: &Reading) -> Vec<&str> {
    reading.files.iter().map(|file| file.path.as_str()).collect()
}

/// The names of a file's servers; of an unknown one only that.
pub(crate) fn servers(file: &FileReading) -> Vec<&str> {
    file.inventory
        .servers
        .iter()
        .map(|server| server.name.known().unwrap_or("unknown"))
        .collect()
}

/// Errors as `place: expected X, found Y`.
pub(crate) fn errors(file: &FileReading) -> Vec<String> {
    file.inventory
        .errors
        .iter()
        .map(
            |ReadError {
                 at, expected, found, ..
             }| format!("{at}: expected {expected}, found {found}"),
        )
        .collect()
}

/// What a file looks like that holds nothing known.
pub(crate) fn not_recognised(file: &FileReading) -> Vec<&str> {
    file.inventory
        .not_recognised
        .iter()
        .map(|one| one.looks_like.as_str())
        .collect()
}

/// A CLIXML document of some objects.
pub(crate) fn document(objects: &[String]) -> Vec<u8> {
    let mut text =
        String::from("<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">");
    for object in objects {
        text.push_str(object);
    }
    text.push_str("</Objs>");
    text.into_bytes()
}

/// An object of a type, its adapted properties given as elements.
pub(crate) fn object(type_name: &str, properties: &[String]) -> String {
    format!(
        "<Obj><TN><T>{type_name}</T><T>System.Object</T></TN><Props>{}</Props></Obj>",
        properties.concat()
    )
}

/// A text property.
pub(crate) fn s(name: &str, text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<S N=\"{name}\">{text}</S>")
}

/// A null property.
pub(crate) fn nil(name: &str) -> String {
    format!("<Nil N=\"{name}\" />")
}

/// A truth value.
pub(crate) fn b(name: &str, value: bool) -> String {
    format!("<B N=\"{name}\">{value}</B>")
}

/// Bytes.
pub(crate) fn ba(name: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("<BA N=\"{name}\">{text}</BA>")
}

/// A list of texts.
pub(crate) fn list(name: &str, texts: &[&str]) -> String {
    let mut text = format!("<Obj N=\"{name}\"><LST>");
    for item in texts {
        write!(text, "<S>{item}</S>").unwrap();
    }
    text.push_str("</LST></Obj>");
    text
}

/// An enum: its name, and its number.
pub(crate) fn flags(name: &str, text: &str, number: i32) -> String {
    format!("<Obj N=\"{name}\"><ToString>{text}</ToString><I32>{number}</I32></Obj>")
}

/// PEM of some bytes.
pub(crate) fn pem(label: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("-----BEGIN {label}-----\r\n{body}\r\n-----END {label}-----\r\n")
}

/// The recorded exports, or `None` (printed) where they are not at hand; under `CI=true` they must be.
pub(crate) fn recorded() -> Option<PathBuf> {
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
