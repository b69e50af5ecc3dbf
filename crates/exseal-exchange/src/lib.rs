//! Adapters to a real organisation: exported files, the directory, PowerShell sessions.
//!
//! This room reports what was seen, each value with its source, and decides nothing: judging is `exseal-engine`'s.

pub mod change;
pub mod connect;
pub mod console;
pub mod directory;
pub mod files;
pub mod live;
mod secret;
pub mod session;

pub use secret::Secret;
