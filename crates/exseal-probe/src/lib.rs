//! What a client sees on the wire: certificates as they are presented, names as they resolve.
//!
//! [`probe`] connects, goes through SMTP, POP or IMAP where TLS begins there, and reports everything as [`Sighting`]s, one a
//! target. Nothing is trusted and nothing is refused on the way: the handshake ([`handshake`]) records, and [`judge`] says
//! afterwards what is wrong. A server that `rustls` cannot speak with is looked at by [`flight`], which reads the
//! certificate out of the server's first answer, verifies nothing and says so. [`names`] asks the DNS.
//!
//! Dialogues and the reader of the server's answer are sans-IO: bytes in, what to do next out. `now` is an argument.

mod connect;
pub mod dialogue;
mod dns;
pub mod flight;
pub mod handshake;
mod health;
pub mod hello;
pub mod judge;
mod look;

pub mod names;
mod options;
mod run;
mod seen;

mod sighting;
mod target;
pub mod tlsa;

pub use names::Names;
pub use options::{Asked, Options, Override, Roots};
pub use run::{probe, probe_each};

pub use seen::inventory;
pub use sighting::{
    Address, HealthPage, Leaf, Link, LookedBy, Outcome, Presented, Remark, Sighting, Stage, VersionSeen,
};
pub use target::{PortRole, Protocol, Target, TargetError, ports};
