//! The Auth certificate serves as internal transport certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "internal-transport-is-auth-certificate",
    about: "the Auth certificate serves as internal transport certificate",
    severities: &[Severity::Warning],
    scenarios: &[23, 40],
    pains: &[5, 6],
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
        if !context.is_auth(certificate) {
            continue;
        }
        report
            .find(Severity::Warning)
            .server(server)
            .slot(&Slot::InternalTransport)
            .with("thumbprint", certificate.thumbprint)
            .saw_value(context.inventory, "internal transport certificate", observed)
            .say();
    }
}
