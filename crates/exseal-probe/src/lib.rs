//! What a client sees on the wire: TLS and STARTTLS handshakes, chains, names, health pages.
