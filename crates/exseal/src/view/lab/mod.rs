//! `exseal lab` for people and as JSON.

pub(crate) mod listed;
pub(crate) mod replied;
pub(crate) mod started;

pub(crate) use listed::Listed;
pub(crate) use replied::Events;
pub(crate) use started::Started;
