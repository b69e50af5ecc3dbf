//! Our client against a server no one here wrote: psrpcore's remoting behind pyspnego's security.
//!
//! `cargo xtask ci --only test` installs the peer and sets `EXSEAL_PSRP_PEER` to Python and the script; without it these
//! tests say that they checked nothing. Those of Kerberos need the feature `gssapi` and a key distribution centre, which
//! `cargo xtask ci --only kerberos` brings.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what goes wrong fails the test"
)]

mod edits;
mod facts;
mod faults;
mod front_end;
#[cfg(feature = "gssapi")]
mod kerberos;
mod peer;
mod proxy;
mod stage;
mod tampered;
mod tls;
mod way_in;
