//! Adapters to a real organisation: exported files, the directory.
//!
//! This room reports what was seen, each value with its source, and decides nothing: judging is `exseal-engine`'s.

pub mod directory;
pub mod files;
mod secret;

pub use secret::Secret;
