//! Certificates of the simulation: read, issued, exported. Nothing of exseal's own model is in here.

pub(crate) mod der;
mod issue;
mod key;
mod name;
mod pfx;
mod request;
mod x509;

pub use issue::{Issuer, Recipe};
pub(crate) use issue::{key_identifier, reissue, serial_from};
pub use key::{Hash, KeyError, KeyKind, KeyPool, PrivateKey};
pub use name::{Name, NameError};
pub(crate) use pfx::Pfx;
pub use request::RequestError;
pub(crate) use request::{Asked, Request};
pub use x509::{Certificate, CertificateError, Thumbprint};
