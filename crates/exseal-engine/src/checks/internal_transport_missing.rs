//! A server has no internal transport certificate, or its store lacks it.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "internal-transport-missing",
    about: "no internal transport certificate is configured, or the server's store lacks it",
    severities: &[Severity::Error],
    scenarios: &[13, 23, 78],
    pains: &[7, 13],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let observed = &server.internal_transport;
        match observed.known() {
            None => report.cannot_tell(
                Some(server),
                Some(Slot::InternalTransport),
                "neither the directory nor Get-TransportService was seen",
            ),
            Some(None) => report
                .find(Severity::Error)
                .server(server)
                .slot(&Slot::InternalTransport)
                .saw_value(context.inventory, "internal transport certificate", observed)
                .say(),
            Some(Some(thumbprint)) if server.in_my(*thumbprint).is_some() => {}
            Some(Some(_)) if !server.my.is_complete() => {
                report.cannot_tell(
                    Some(server),
                    Some(Slot::InternalTransport),
                    "the server's store was not seen whole",
                );
            }
            Some(Some(thumbprint)) => {
                let look = server
                    .my
                    .looks
                    .iter()
                    .find(|look| look.complete)
                    .map(|look| look.source);
                let count = server.my.items.len();
                report
                    .find(Severity::Error)
                    .variant("not-in-store")
                    .server(server)
                    .slot(&Slot::InternalTransport)
                    .with("thumbprint", thumbprint)
                    .saw_value(context.inventory, "internal transport certificate", observed)
                    .saw(
                        context.inventory,
                        look,
                        format!("{count} certificates, none of them {thumbprint}"),
                    )
                    .say();
            }
        }
    }
}
