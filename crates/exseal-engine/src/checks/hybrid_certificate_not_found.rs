//! The hybrid configuration names a certificate that no server holds.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::slots::{named, split_name_pair};

pub(super) const CHECK: Check = Check {
    name: "hybrid-certificate-not-found",
    about: "the hybrid configuration names a certificate that no server holds",
    severities: &[Severity::Error],
    scenarios: &[22, 38],
    pains: &[10],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let observed = &context.inventory.organisation.hybrid.tls_certificate_name;
    let Some((issuer, subject)) = observed.value().and_then(|name| split_name_pair(name)) else {
        return;
    };
    let mut complete = false;
    for (_, server) in context.servers() {
        if !named(context.inventory, &server.my, issuer, subject).is_empty() {
            return;
        }
        complete |= server.my.is_complete();
    }
    if !complete {
        return report.cannot_tell(None, Some(Slot::Hybrid), "no store of a server was seen whole");
    }
    report
        .find(Severity::Error)
        .slot(&Slot::Hybrid)
        .with("name", observed.value().cloned().unwrap_or_default())
        .saw_value(context.inventory, "TlsCertificateName", observed)
        .say();
}
