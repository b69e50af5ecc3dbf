//! A binding names a certificate that the server's store lacks.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};
use crate::severity;
use crate::slots::Presents;

pub(super) const CHECK: Check = Check {
    name: "bound-certificate-not-in-store",
    about: "an IIS or http.sys binding names a certificate that the server's store lacks",
    severities: &[Severity::Critical],
    scenarios: &[1, 5, 10, 42],
    pains: &[15],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let (Slot::FrontEnd(_) | Slot::BackEnd(_), Presents::Certificate(thumbprint, source)) =
                (&one.slot, &one.presents)
            else {
                continue;
            };
            if server.in_my(*thumbprint).is_some() {
                continue;
            }
            if server
                .web_hosting
                .iter()
                .any(|entry| entry.thumbprint == *thumbprint)
            {
                continue;
            }
            if !server.my.is_complete() {
                report.cannot_tell(
                    Some(server),
                    Some(one.slot.clone()),
                    "the server's store was not seen whole",
                );
                continue;
            }
            let look = server
                .my
                .looks
                .iter()
                .find(|look| look.complete)
                .map(|look| look.source);
            report
                .find(severity::broken(&one.slot))
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", thumbprint)
                .saw(
                    context.inventory,
                    Some(*source),
                    format!("certificate hash = {thumbprint}"),
                )
                .saw(
                    context.inventory,
                    look,
                    format!(
                        "{} certificates, none of them {thumbprint}",
                        server.my.items.len()
                    ),
                )
                .say();
        }
    }
}
