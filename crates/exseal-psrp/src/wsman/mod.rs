//! WSMan envelopes for shells: [MS-WSMV], both roles.
//!
//! [`Request`] and [`Reply`] are values that encode to and decode from the body of an HTTP message. Who sends it,
//! over which connection, sealed or not, is the transport's business; ids are given, never made.
//! [`Request::answer`] is how a client reads what came back: it checks that the reply is to this request, turns
//! "nothing yet" into [`Answer::NothingYet`], and everything else that is no answer into a [`ReplyError`].

mod fault;
mod front_end;
mod reply;
mod request;
mod xml;

pub use fault::{Fault, FaultKind};
pub use front_end::FrontEndError;
pub use reply::{
    Answer, CommandState, Effect, MalformedRequest, Received, Reply, ReplyError, ShellDescription,
};
pub use request::{BufferMode, HeaderOption, Operation, Request, Signal, To};
pub use xml::XmlError;

/// The configuration of Exchange's remote PowerShell.
pub const EXCHANGE: &str = "Microsoft.Exchange";
/// The configuration of a server's own PowerShell.
pub const POWERSHELL: &str = "Microsoft.PowerShell";
/// Bytes of an envelope Windows takes by default (`MaxEnvelopeSizekb` 500).
pub const MAX_ENVELOPE: usize = 512_000;

/// The resource URI of a session configuration's name.
pub fn resource_uri(configuration: &str) -> String {
    format!("http://schemas.microsoft.com/powershell/{configuration}")
}

/// The name of the session configuration a resource URI is of.
pub fn configuration(resource_uri: &str) -> Option<&str> {
    resource_uri
        .strip_prefix("http://schemas.microsoft.com/powershell/")
        .filter(|name| !name.is_empty())
}

/// Bytes of fragments that fit one envelope of `max_envelope` bytes: less its headers, and base64.
pub const fn room(max_envelope: usize) -> usize {
    max_envelope.saturating_sub(3072) / 4 * 3
}

/// Namespaces. Prefixes are never looked at.
mod ns {
    pub(super) const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
    pub(super) const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
    pub(super) const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
    pub(super) const WSMV: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
    pub(super) const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
    pub(super) const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
    pub(super) const FAULT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault";
    pub(super) const POWERSHELL: &str = "http://schemas.microsoft.com/powershell";
    pub(super) const CONFIG: &str = "http://schemas.microsoft.com/wbem/wsman/1/config";
    pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";
    pub(super) const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

    /// The declarations of the prefixes written here.
    pub(super) const DECLARATIONS: &str = concat!(
        "xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" ",
        "xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" ",
        "xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" ",
        "xmlns:p=\"http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd\" ",
        "xmlns:rsp=\"http://schemas.microsoft.com/wbem/wsman/1/windows/shell\"",
    );
}

/// The id of a message as it is written in headers.
fn uuid_uri(id: uuid::Uuid) -> String {
    format!("uuid:{}", upper(id))
}

/// A GUID in upper case, as Windows writes it.
fn upper(id: uuid::Uuid) -> String {
    let mut buffer = uuid::Uuid::encode_buffer();
    id.hyphenated().encode_upper(&mut buffer).to_owned()
}

/// The id within `uuid:…` or `urn:uuid:…`.
fn parse_uuid_uri(text: &str) -> Option<uuid::Uuid> {
    let text = text.trim();
    let text = text.strip_prefix("urn:").unwrap_or(text);
    uuid::Uuid::try_parse(text.strip_prefix("uuid:").unwrap_or(text)).ok()
}

#[cfg(test)]
mod tests;
