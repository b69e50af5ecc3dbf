//! Adapters to a real organisation. So far: exported files.
//!
//! This room reports what was seen, each value with its source, and decides nothing: judging is `exseal-engine`'s.

pub mod files;
mod secret;

pub use secret::Secret;
