//! CLIXML, the XML of PowerShell's serialiser ([MS-PSRP] 2.2.5), lossless and bounded.
//!
//! [`Document::decode`] reads what `Export-Clixml`, HealthChecker and remoting write; [`Document::encode`] writes it again.
//! Nothing is interpreted: adapted (`Props`) and extended (`MS`) properties stay apart, enums keep name and number,
//! dates keep their text, secure strings stay opaque. Objects live in one table and refer to each other by
//! place, so a circular or repeated `Ref` costs nothing and cannot blow up.

mod decode;
mod encode;
mod owned;
mod primitive;
mod scan;
mod text;
mod value;

pub use decode::{DecodeError, Limits};
pub use text::{EncodingError, PsString, decode_bytes};
pub use value::{Container, ContainerKind, Document, Object, ObjectId, Opaque, Property, Value};
