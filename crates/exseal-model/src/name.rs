//! X.500 names the way Windows and Exchange print them.

use der::asn1::{Any, BmpString, ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use der::{Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::name::Name;

/// Prints a name as `X509Certificate.Subject` does: most specific part first, `CN=a, OU=b, S=c`.
///
/// Values with `,` `+` `=` `"` `;` `<` `>` `#` or a line end, and such with blanks at an end, stand in quotes, with quotes in them
/// doubled. Unknown types stand as `OID.1.2.3`. Strings of illegal length (a seven-letter country, seen in
/// `GetExchangeCertificateBroken.xml`) are printed as they are. Source: facts/exchange.md 2.7 and the fixtures.
#[must_use]
pub fn windows_name(name: &Name) -> String {
    let mut parts: Vec<String> = Vec::new();
    for rdn in name.iter_rdn() {
        let values: Vec<String> = rdn
            .iter()
            .map(|atv| format!("{}={}", label(&atv.oid), quoted(&text(&atv.value))))
            .collect();
        parts.push(values.join(" + "));
    }
    parts.reverse();
    parts.join(", ")
}

/// The first common name, or `None`.
#[must_use]
pub(crate) fn common_name(name: &Name) -> Option<String> {
    const CN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
    name.iter()
        .filter(|atv| atv.oid == CN)
        .map(|atv| text(&atv.value))
        .last()
}

fn label(oid: &ObjectIdentifier) -> String {
    let known = match oid.to_string().as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "S",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "T",
        "2.5.4.13" => "Description",
        "2.5.4.17" => "PostalCode",
        "2.5.4.18" => "POBox",
        "2.5.4.20" => "Phone",
        "2.5.4.24" => "X21Address",
        "2.5.4.42" => "G",
        "2.5.4.43" => "I",
        "2.5.4.46" => "dnQualifier",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "E",
        other => return format!("OID.{other}"),
    };
    known.to_owned()
}

/// The text of a directory string of any kind; bytes that are no text are shown as `#` and hex digits.
fn text(value: &Any) -> String {
    let read = match value.tag() {
        Tag::Utf8String => value
            .decode_as::<Utf8StringRef<'_>>()
            .ok()
            .map(|s| s.as_str().to_owned()),
        Tag::PrintableString => value
            .decode_as::<PrintableStringRef<'_>>()
            .ok()
            .map(|s| s.as_str().to_owned()),
        Tag::BmpString => value
            .to_der()
            .ok()
            .and_then(|der| BmpString::from_der(&der).ok())
            .map(|s| s.to_string()),
        Tag::TeletexString => value
            .decode_as::<TeletexStringRef<'_>>()
            .ok()
            .map(|s| s.as_bytes().iter().map(|&b| char::from(b)).collect()),
        _ => std::str::from_utf8(value.value()).ok().map(str::to_owned),
    };
    read.unwrap_or_else(|| {
        // PrintableString with characters it must not hold (an asterisk is common): the bytes are the text.
        match std::str::from_utf8(value.value()) {
            Ok(text) => text.to_owned(),
            Err(_) => value
                .value()
                .iter()
                .fold(String::from("#"), |text, byte| format!("{text}{byte:02X}")),
        }
    })
}

fn quoted(value: &str) -> String {
    let special = |c: char| matches!(c, ',' | '+' | '=' | '"' | ';' | '<' | '>' | '#' | '\n' | '\r');
    if value.is_empty() || value.contains(special) || value.starts_with(' ') || value.ends_with(' ') {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
