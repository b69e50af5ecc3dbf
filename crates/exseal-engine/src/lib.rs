//! Values in, values out: merging what was seen, judging it, deciding, planning.
//!
//! A quiet room: no IO, no clock, no randomness; `now` is an argument everywhere. Start with [`diagnose`].

pub mod auth;
mod causes;
pub mod checks;
mod conduct;
mod diagnosis;
mod diff;
mod forecast;
mod merge;
pub mod messages;
pub mod plan;
mod policy;
mod severity;
mod slots;

pub use conduct::{ApplyPolicy, Day as WindowDay, Maintenance, Window};
pub use diagnosis::{Cell, CellState, Diagnosis, Matrix, Row, diagnose};
pub use diff::{Difference, How, SettingChange, SlotChange, SlotLook, StoreChange, diff};
pub use forecast::{Day, Forecast, Happening, Kind, Place, Unforeseen, forecast};
pub use merge::merge;
pub use policy::{
    AuthPolicy, AuthRule, ChangePolicy, CopyToRoot, Expiry, FrontEnd, Policy, PolicyError, Threshold,
};
pub use slots::{Presents, SlotUse, is_named, slots, split_name_pair};
