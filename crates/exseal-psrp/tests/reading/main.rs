//! The readers of serialised data: CLIXML, BinaryFormatter streams and serialised certificates.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what goes wrong fails the test, what is not checked is said"
)]

mod encoding;
mod hostile;
mod nrbf;
mod objects;
mod recorded;
mod roundtrip;
mod serialized_cert;
mod text;
mod values;

use exseal_psrp::clixml::{DecodeError, Document, Limits, Object, Value};

/// The document of a text that must be one.
fn decode(text: &str) -> Document<'_> {
    Document::decode(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The error of a text that must not be a document.
fn refused(text: &str) -> DecodeError {
    match Document::decode(text, &Limits::default()) {
        Ok(document) => panic!("{text}: read as {document:?}"),
        Err(error) => error,
    }
}

/// The first value of a document.
fn first<'a>(document: &Document<'a>) -> Value<'a> {
    document.values.first().expect("a value").clone()
}

/// The first object of a document.
fn object<'d, 'a>(document: &'d Document<'a>) -> &'d Object<'a> {
    document.objects.first().expect("an object")
}
