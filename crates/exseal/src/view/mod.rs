//! What a person or a program sees of each command.

pub(crate) mod auth;
pub(crate) mod diagnose;
pub(crate) mod diff;
pub(crate) mod discover;
pub(crate) mod forecast;
pub(crate) mod inspect;
mod inspect_schema;
pub(crate) mod lab;
pub(crate) mod matrix;
pub(crate) mod page;
pub(crate) mod paint;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod rescue;
pub(crate) mod run;
pub(crate) mod session;
