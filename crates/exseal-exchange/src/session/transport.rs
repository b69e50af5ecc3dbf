//! What carries a session: one trait for HTTP and stdio.

use std::future::Future;
use std::pin::Pin;

use exseal_psrp::channel::Transmit;
use uuid::Uuid;

use super::connection::Way;
use super::error::SessionError;

/// An answer on its way.
pub(super) type Coming<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

/// What came.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Fragments for the pool or a pipeline.
    Bytes(Option<Uuid>, Vec<u8>),
    /// No more bytes will come for this pipeline.
    Done(Uuid),
    /// The pool is gone.
    Closed,
}

/// Carries what the client half wants carried. A future that is dropped leaves a transport that still works: it
/// begins anew where it must.
pub(super) trait Transport: Send {
    /// Carries one transmission, once.
    fn carry(&mut self, transmit: Transmit) -> Coming<'_, Vec<Incoming>>;

    /// Waits for bytes of the pool or a pipeline; nothing: ask again.
    fn receive(&mut self, of: Option<Uuid>) -> Coming<'_, Vec<Incoming>>;

    /// How it is protected, once something was carried.
    fn way(&self) -> Option<Way>;

    /// Whom the server takes us for, where it says so.
    fn owner(&self) -> Option<&str>;
}
