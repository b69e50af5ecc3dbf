//! Exported files: what each holds, recognised by its content, and which server it belongs to.
//!
//! [`read`] takes files, folders and ZIPs and gives one small [`Inventory`] a file, in the file's order;
//! `exseal_engine::merge` makes one of them. What is not recognised is listed, what cannot be read is an error entry,
//! and the rest of the file, and the other files, are kept.

pub(crate) mod answers;
mod application_host;
mod attribute;
mod certificate;
mod cmdlets;
mod collector;
mod health_checker;
mod json;
mod netsh;
mod objects;
mod pem;
mod walk;

use std::path::PathBuf;

use exseal_model::inventory::{LooseCertificate, NotRecognised, ServerName};
use exseal_model::{Certificate, Channel, Inventory, ReadError, Source, SourceId, Thumbprint};
use exseal_psrp::clixml::{Document, EncodingError, Limits as XmlLimits, decode_bytes};

use crate::Secret;

/// A path as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The server it belongs to, where the person said so (`EX1=PATH`).
    pub server: Option<String>,
    /// A file, folder or ZIP.
    pub path: PathBuf,
}

/// How to read.
pub struct Options<'a> {
    /// Asks for the password of a PFX, by the file's name; `None`: there is none to be had, and the file is an error.
    pub password: &'a dyn Fn(&str) -> Option<Secret>,
    /// How much to read at most.
    pub limits: Limits,
}

/// How much to read at most. What is beyond is an error entry, never cut off.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one file, unpacked.
    pub file_bytes: u64,
    /// Bytes of all files together, unpacked.
    pub total_bytes: u64,
    /// Number of files.
    pub files: usize,
    /// Unpacked bytes a packed one may become, in members of more than 1 MiB: real exports stay below 30, a ZIP made to
    /// fill the memory does not.
    pub ratio: u64,
    /// Rounds that the derivation of a PFX's keys may take in all: some thousands in real ones, a million in careful ones.
    pub key_rounds: u64,
}

impl Default for Limits {
    /// 512 MiB a file, 4 GiB and 100,000 files together, 500 bytes out of a packed one, ten million
    /// rounds a PFX.
    fn default() -> Self {
        Self {
            file_bytes: 512 << 20,
            total_bytes: 4 << 30,
            files: 100_000,
            ratio: 500,
            key_rounds: 10_000_000,
        }
    }
}

/// What was read, in the order given; the files of a folder in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// One entry a file.
    pub files: Vec<FileReading>,
}

/// What one file holds.
#[derive(Clone, Debug)]
pub struct FileReading {
    /// Its path as given; inside a ZIP `archive.zip!member`.
    pub path: String,
    /// What it holds, in its own words: `Get-ExchangeCertificate`, `applicationHost.config`; `None`: not recognised.
    pub holds: Option<String>,
    /// True when no recorded export of a real server backs the reader.
    pub unrecorded: bool,
    /// What it shows, in its own order, with its errors.
    pub inventory: Inventory,
    /// The scopes it lies in, from the innermost.
    scopes: Vec<walk::Scope>,
    /// The server the person named for it.
    said: Option<String>,
}

impl Reading {
    /// Whether nothing at all was recognised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.holds.is_none())
    }

    /// The inventories, one a file.
    pub fn into_inventories(self) -> impl Iterator<Item = Inventory> {
        self.files.into_iter().map(|file| file.inventory)
    }
}

/// Reads everything that was given. Never fails as a whole; a path that cannot be read is a file with an error.
#[must_use]
pub fn read(given: &[Given], options: &Options<'_>) -> Reading {
    let mut files = Vec::new();
    walk::walk(given, &options.limits, &mut |found| {
        files.push(read_one(found, options));
    });
    attribute::attribute(&mut files);
    Reading { files }
}

/// Reads a file that is in memory already, a ZIP too, under the name it is to be called by.
#[must_use]
pub fn read_bytes(name: &str, bytes: Vec<u8>, options: &Options<'_>) -> Reading {
    let mut files = Vec::new();
    walk::walk_bytes(name, bytes, &options.limits, &mut |found| {
        files.push(read_one(found, options));
    });
    attribute::attribute(&mut files);
    Reading { files }
}

/// What one file shows, while it is being read.
pub(crate) struct Page {
    pub(crate) inventory: Inventory,
    pub(crate) file: String,
    holds: Vec<String>,
    unrecorded: bool,
}

impl Page {
    fn new(file: &str) -> Self {
        Self {
            inventory: Inventory::default(),
            file: file.to_owned(),
            holds: Vec::new(),
            unrecorded: false,
        }
    }

    /// The source of what is read now; the same for the same words.
    pub(crate) fn source(&mut self, channel: Channel, what: &str, unrecorded: bool) -> SourceId {
        if !self.holds.iter().any(|own| own == what) {
            self.holds.push(what.to_owned());
        }
        self.unrecorded |= unrecorded;
        let known = self
            .inventory
            .sources
            .iter()
            .position(|own| own.what == what && own.channel == channel);
        if let Some(at) = known.and_then(|at| u32::try_from(at).ok()) {
            return SourceId(at);
        }
        self.inventory.add_source(Source {
            channel,
            what: what.to_owned(),
            file: Some(self.file.clone()),
            at: None,
            unrecorded,
        })
    }

    /// The name for values whose server the file does not name.
    pub(crate) fn nameless(&self) -> ServerName {
        ServerName::Unknown(self.file.clone())
    }

    /// Notes what could not be read.
    pub(crate) fn error(
        &mut self,
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.inventory.errors.push(ReadError {
            file: self.file.clone(),
            at: at.into(),
            expected: expected.into(),
            found: found.into(),
        });
    }

    /// Keeps a certificate, or notes why it cannot be read.
    pub(crate) fn keep(&mut self, der: &[u8], at: &str) -> Option<Thumbprint> {
        match Certificate::from_der(der) {
            Ok(certificate) => Some(self.inventory.keep(certificate)),
            Err(error) => {
                self.error(at, "an X.509 certificate in DER", error.found);
                None
            }
        }
    }

    /// Adds a certificate of unknown use.
    pub(crate) fn loose(
        &mut self,
        thumbprint: Thumbprint,
        key: bool,
        friendly_name: Option<String>,
        source: SourceId,
    ) {
        let loose = LooseCertificate {
            thumbprint,
            has_private_key: key,
            friendly_name,
            source,
        };
        if !self.inventory.of_unknown_use.contains(&loose) {
            self.inventory.of_unknown_use.push(loose);
        }
    }

    fn not_recognised(&mut self, looks_like: impl Into<String>) {
        self.inventory.not_recognised.push(NotRecognised {
            file: self.file.clone(),
            looks_like: looks_like.into(),
        });
    }
}

fn read_one(found: walk::Found, options: &Options<'_>) -> FileReading {
    let mut page = Page::new(&found.path);
    match found.content {
        Ok(bytes) => recognise(&mut page, &bytes, options),
        Err(problem) => page.error("the file", problem.expected, problem.found),
    }
    FileReading {
        path: found.path,
        holds: (!page.holds.is_empty()).then(|| page.holds.join(", ")),
        unrecorded: page.unrecorded,
        inventory: page.inventory,
        scopes: found.scopes,
        said: found.said,
    }
}

/// Finds out by its content what a file holds, and reads it.
fn recognise(page: &mut Page, bytes: &[u8], options: &Options<'_>) {
    if bytes.is_empty() {
        page.not_recognised("an empty file");
        return;
    }
    // DER of a certificate is longer than 127 bytes, so its length takes bytes that no ASCII text has there.
    if let [0x30, 0x80..=0xff, ..] = bytes {
        pem::read_der(page, bytes, options);
        return;
    }
    let text = match decode_bytes(bytes) {
        Ok(text) => text,
        Err(error) => return recognise_8_bit(page, bytes, &error),
    };
    let start = text.trim_start();
    if start.starts_with('{') || start.starts_with('[') {
        json::read(page, &text);
    } else if start.starts_with('<') {
        read_xml(page, &text);
    } else if !recognise_lines(page, &text) {
        page.not_recognised(format!("text that begins {:?}", first_line(start)));
    }
}

/// What is recognised by its lines, whatever stands before them.
fn recognise_lines(page: &mut Page, text: &str) -> bool {
    if text.contains("-----BEGIN ") {
        pem::read_pem(page, text);
    } else if netsh::looks_like(text) {
        netsh::read(page, text);
    } else {
        return false;
    }
    true
}

/// A console's or an old editor's code page: what counts in such a file is ASCII, so each other byte stands for some letter.
fn recognise_8_bit(page: &mut Page, bytes: &[u8], error: &EncodingError) {
    let marked = matches!(
        bytes,
        [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..]
    );
    if !marked && !bytes.contains(&0) {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        if recognise_lines(page, &text) {
            return;
        }
    }
    let beginning = bytes.get(..4096).unwrap_or(bytes);
    if marked || beginning.windows(4).any(|window| window == b"<Obj") || bytes.starts_with(b"<?xml") {
        page.error(
            format!("byte {}", error.at),
            format!("text in {}", error.expected),
            "bytes that are none",
        );
    }
    page.not_recognised(if bytes.starts_with(b"PK\x03\x04") {
        "a ZIP inside a ZIP: unpack it first".to_owned()
    } else {
        format!(
            "bytes that are neither text nor DER (not {} at byte {})",
            error.expected, error.at
        )
    });
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(60).collect()
}

fn read_xml(page: &mut Page, text: &str) {
    let head: String = text.chars().take(4096).collect();
    if head.contains("<Objs") || head.trim_start().starts_with("<Obj") {
        match Document::decode(text, &XmlLimits::default()) {
            Ok(document) => read_document(page, &document),
            Err(error) => {
                page.error(
                    format!("line {}, byte {}", error.line, error.at),
                    error.expected,
                    error.found,
                );
                page.not_recognised("CLIXML that cannot be read");
            }
        }
    } else if text.contains("system.applicationHost") {
        application_host::read(page, text);
    } else {
        page.not_recognised(format!("XML that begins {:?}", first_line(head.trim_start())));
    }
}

fn read_document(page: &mut Page, document: &Document<'_>) {
    if document.values.is_empty() {
        page.not_recognised(
            "an empty CLIXML: a command that returned nothing; which one, the file does not say",
        );
        return;
    }
    let mut unknown: Vec<(String, usize)> = Vec::new();
    for (at, value) in document.values.iter().enumerate() {
        if health_checker::read(page, document, value) {
            continue;
        }
        for looks_like in cmdlets::read(page, document, value, &format!("object {}", at + 1)) {
            match unknown.iter_mut().find(|(own, _)| *own == looks_like) {
                Some((_, count)) => *count += 1,
                None => unknown.push((looks_like, 1)),
            }
        }
    }
    cmdlets::finish(page);
    for (looks_like, count) in unknown {
        page.not_recognised(match count {
            1 => format!("CLIXML of {looks_like}"),
            _ => format!("CLIXML of {looks_like} ({count} objects)"),
        });
    }
}
