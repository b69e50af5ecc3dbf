//! What PowerShell puts into files and on the wire: CLIXML, and the binary formats Exchange hides in it.
//!
//! A quiet room: no sockets, threads or clock; everything that grows is bounded. Start with [`clixml::Document`].

pub mod clixml;
pub mod fragment;
pub mod multipart;
pub mod nrbf;
pub mod oop;
pub mod serialized_cert;
pub mod wsman;
