//! A bound certificate lies in another store than the personal one.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "bound-certificate-in-wrong-store",
    about: "a bound certificate lies in another store than the personal one",
    severities: &[Severity::Error],
    scenarios: &[2, 10],
    pains: &[31],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let (Slot::FrontEnd(_) | Slot::BackEnd(_), Some(thumbprint)) = (&one.slot, one.thumbprint())
            else {
                continue;
            };
            let elsewhere = [
                ("WebHosting", &server.web_hosting),
                ("CA", &server.ca),
                ("Root", &server.root),
            ];
            let found = elsewhere
                .into_iter()
                .find(|(_, store)| store.iter().any(|entry| entry.thumbprint == thumbprint));
            let (Some((store, listing)), None) = (found, server.in_my(thumbprint)) else {
                continue;
            };
            // Whoever keeps a root as well as the certificate has it in My too; only My whole shows that it is not there.
            if !server.my.is_complete() && store != "WebHosting" {
                continue;
            }
            report
                .find(Severity::Error)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", thumbprint)
                .with("store", store)
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate hash = {thumbprint}"),
                )
                .saw(
                    context.inventory,
                    listing.looks.first().map(|look| look.source),
                    format!("{store} holds {thumbprint}"),
                )
                .say();
        }
    }
}
