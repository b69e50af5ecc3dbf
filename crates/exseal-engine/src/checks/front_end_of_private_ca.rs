//! The client-facing certificate comes from a CA that only members of the domain trust.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "front-end-of-private-ca",
    about: "the client-facing certificate comes from a CA that only members of the domain trust",
    severities: &[Severity::Notice],
    scenarios: &[58],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    // Who says which issuers are right has thought of it: front-end-unexpected-issuer holds the policy.
    if !context.policy.front_end.issuers.is_empty() {
        return;
    }
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let Slot::FrontEnd(endpoint) = &one.slot else {
                continue;
            };
            let found = context
                .certificates_of(server)
                .find(|(entry, _)| one.thumbprint() == Some(entry.thumbprint));
            let Some((entry, certificate)) =
                found.filter(|(_, own)| endpoint.is_general() && !own.self_signed)
            else {
                continue;
            };
            // Registry may be a public root that somebody put there by hand.
            let private = entry
                .root_ca_type
                .value()
                .filter(|kind| ["Enterprise", "GroupPolicy"].contains(&kind.as_str()));
            let Some(kind) = private else { continue };
            report
                .find(Severity::Notice)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("issuer", &certificate.issuer)
                .with("kind", kind)
                .saw_value(context.inventory, "RootCAType", &entry.root_ca_type)
                .say();
        }
    }
}
