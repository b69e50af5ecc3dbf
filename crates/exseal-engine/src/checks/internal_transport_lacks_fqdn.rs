//! The internal transport certificate does not hold the server's FQDN.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "internal-transport-lacks-fqdn",
    about: "the internal transport certificate does not hold the server's FQDN",
    severities: &[Severity::Warning],
    scenarios: &[23, 40],
    pains: &[5],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let observed = &server.internal_transport;
        let Some(certificate) = observed
            .value()
            .and_then(|thumbprint| context.inventory.certificate(*thumbprint))
        else {
            continue;
        };
        let Some(full) = server.full_name() else {
            report.cannot_tell(
                Some(server),
                Some(Slot::InternalTransport),
                "the server's FQDN was not seen",
            );
            continue;
        };
        if certificate.covers(full) {
            continue;
        }
        report
            .find(Severity::Warning)
            .server(server)
            .slot(&Slot::InternalTransport)
            .with("thumbprint", certificate.thumbprint)
            .with("names", certificate.names().join(", "))
            .with("fqdn", full)
            .saw_value(context.inventory, "internal transport certificate", observed)
            .say();
    }
}
