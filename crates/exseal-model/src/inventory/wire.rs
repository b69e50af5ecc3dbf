//! What a client saw on the wire, and how names resolve, each from a place.

use crate::{Thumbprint, keyed, record};

record! {
    /// What a host and port presented to a client.
    pub struct Presentation {
        key {
            /// The name or address that was connected to, in lower case.
            host: String,
            /// The port.
            port: u16,
            /// How TLS begins there: `https`, `tls`, `smtp`, `smtp-anonymous`, `pop`, `imap`.
            protocol: String,
            /// The name asked for in the handshake; empty: none.
            asked: String,
            /// The place that was looked from, in a person's words; empty: where exseal ran.
            seen_from: String,
        }
        seen {
            /// What came of it: `presented`, `not-offered`, `closed`, `timed-out`…
            outcome: String,
            /// The leaf; seen and empty: the server answered and offers no TLS. Unknown: no answer.
            leaf: Thumbprint,
            /// The chain as sent, the leaf first.
            chain: Vec<Thumbprint>,
            /// The address that answered.
            address: String,
            /// `TLS 1.2`.
            version: String,
            /// Whether the leaf covers the name.
            covers: bool,
            /// Whether the chain is trusted with the roots of the place.
            trusted: bool,
            /// Whether the server signed with the leaf's key; unknown: nobody verified it.
            key_proven: bool,
        }
    }
}
keyed!(Presentation, (String, u16, String, String, String), |one| (
    one.host.to_lowercase(),
    one.port,
    one.protocol.clone(),
    one.asked.to_lowercase(),
    one.seen_from.clone()
));

impl Presentation {
    /// Where it was seen from, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        if self.seen_from.is_empty() {
            "here"
        } else {
            &self.seen_from
        }
    }
}

record! {
    /// The addresses of a name, as one resolver told them.
    pub struct ResolvedName {
        key {
            /// The name, in lower case.
            name: String,
            /// The resolver: an address, or `system`.
            resolver: String,
            /// The place that was asked from; empty: where exseal ran.
            seen_from: String,
        }
        seen {
            /// Its addresses, sorted; seen and empty: the name does not exist, or has none.
            addresses: Vec<String>,
        }
    }
}
keyed!(ResolvedName, (String, String, String), |one| (
    one.name.to_lowercase(),
    one.resolver.clone(),
    one.seen_from.clone()
));
