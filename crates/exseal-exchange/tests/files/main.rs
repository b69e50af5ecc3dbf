//! What exported files are read as: every reader, over recorded exports and over small inputs of our own.

mod attribution;
mod certificates;
mod cmdlets;
mod configuration;
mod hostile;
mod input;
mod json;
mod lone_certificates;
mod netsh;
mod recorded;
mod zips;
