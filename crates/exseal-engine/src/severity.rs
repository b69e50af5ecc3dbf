//! One rule for severities: what a fault in a slot is worth.

use exseal_model::{Severity, Slot};

/// A slot that does not work now.
pub(crate) const fn broken(slot: &Slot) -> Severity {
    match slot {
        Slot::FrontEnd(_) | Slot::BackEnd(_) | Slot::AuthCurrent | Slot::Balancer(_) => Severity::Critical,
        Slot::ReceiveConnector(_)
        | Slot::SendConnector(_)
        | Slot::Hybrid
        | Slot::FederationCurrent
        | Slot::EdgeDefault
        | Slot::EdgeSubscription(_)
        | Slot::Pop
        | Slot::Imap => Severity::Error,
        Slot::InternalTransport => Severity::Error,
        Slot::AuthNext | Slot::FederationNext => Severity::Warning,
        Slot::AuthPrevious | Slot::FederationPrevious | Slot::Bystander(_) => Severity::Info,
    }
}
