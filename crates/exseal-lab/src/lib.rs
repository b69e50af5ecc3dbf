//! A simulated Exchange organisation of real sockets.
//!
//! [`organisation`] is the file that describes it, [`world`] the state machine that is it: values in, values out, an own
//! clock, no sockets. What answers comes from the facts about Exchange alone; nothing of exseal's model, checks or
//! planner is known here.

pub mod call;
pub mod certificate;
mod cmdlets;
pub mod connect_file;
pub mod control;
pub mod inventory;
pub mod net;
pub mod organisation;
pub mod presets;
pub mod remoting;
pub mod stand_in;
mod tree;
mod windows;
pub mod world;
