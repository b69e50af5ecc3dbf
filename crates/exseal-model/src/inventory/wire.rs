//! What clients were shown.

use jiff::Timestamp;

use crate::{Thumbprint, keyed, record};

record! {
    /// One look at an endpoint from a client's side: a name, a port, and the name that was asked for inside of TLS.
    pub struct Presented {
        key {
            /// The name or address that was asked, in lower case.
            host: String,
            /// The port.
            port: u16,
            /// The name sent as SNI, in lower case; empty: none was sent.
            server_name: String,
        }
        seen {
            /// How TLS begins there: `tls`, or after a word of `smtp`, `pop3`, `imap4`, `ldap`.
            protocol: String,
            /// Whether TLS is to be had there: false, where a protocol that offers it with a word did not.
            offers_tls: bool,
            /// The certificate that was presented first.
            leaf: Thumbprint,
            /// The chain as it was sent, the leaf first.
            chain: Vec<Thumbprint>,
            /// Whether a client that trusts the roots that were given would trust it for that name.
            trusted: bool,
            /// Why not; seen and empty: it would.
            trust_problem: String,
            /// Why nothing was seen, where the connection failed: refused, timed out, no TLS.
            failure: String,
            /// When.
            at: Timestamp,
        }
    }
}
keyed!(Presented, (String, u16, String), |look| (
    look.host.to_lowercase(),
    look.port,
    look.server_name.to_lowercase()
));
