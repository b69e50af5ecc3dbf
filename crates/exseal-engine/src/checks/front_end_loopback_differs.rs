//! 127.0.0.1:443 presents another certificate than *:443.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "front-end-loopback-differs",
    about: "127.0.0.1:443 presents another certificate than *:443",
    severities: &[Severity::Notice, Severity::Warning],
    scenarios: &[41],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let find = |address: &str| {
            context.slots_of(at).find(|one| match &one.slot {
                Slot::FrontEnd(endpoint) => {
                    endpoint.address == address && endpoint.port == 443 && endpoint.host.is_empty()
                }
                _ => false,
            })
        };
        let (Some(general), Some(loopback)) = (find("*"), find("127.0.0.1")) else {
            continue;
        };
        let (Some(one), Some(other)) = (general.thumbprint(), loopback.thumbprint()) else {
            continue;
        };
        if one == other {
            continue;
        }
        let ended = context
            .inventory
            .certificate(other)
            .is_some_and(|certificate| certificate.not_after < context.now);
        report
            .find(if ended {
                Severity::Warning
            } else {
                Severity::Notice
            })
            .server(server)
            .slot(&loopback.slot)
            .with("thumbprint", other)
            .with("general", one)
            .saw(context.inventory, general.source(), format!("*:443 = {one}"))
            .saw(
                context.inventory,
                loopback.source(),
                format!("127.0.0.1:443 = {other}"),
            )
            .say();
    }
}
