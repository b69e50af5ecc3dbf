//! The nouns: organisation, server, slot, certificate, finding, change, plan.
//!
//! A quiet room: no IO, no clock, no randomness. It knows how things look and how they are written; what is right or
//! wrong about them is `exseal-engine`'s business.
//!
//! Start with [`Inventory`], then [`Observed`] and [`Slot`].

pub mod build;
pub mod certificate;
pub mod finding;
pub mod inventory;
mod name;
pub mod observed;
pub mod plan;
pub mod slot;
mod thumbprint;

pub use build::{Build, Product};
pub use certificate::{Certificate, CertificateError};
pub use finding::{CannotTell, Consequence, Evidence, Finding, Follows, Severity};
pub use inventory::{Inventory, ReadError};
pub use name::windows_name;
pub use observed::{Channel, Keyed, Listing, Look, Merge, Observed, Sighting, Source, SourceId};
pub use plan::{Goal, Plan, PlanError};
pub use slot::{Endpoint, Slot};
pub use thumbprint::{Thumbprint, ThumbprintError};
