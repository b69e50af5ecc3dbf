//! A certificate that a client was shown, and that no slot leads to, has ended or nears its end: a balancer's, mostly.

use std::collections::BTreeMap;

use exseal_model::inventory::Presentation;
use exseal_model::{Severity, Slot, Thumbprint};

use super::{Check, Context, Report, day};
use crate::auth::whole_days;

pub(super) const CHECK: Check = Check {
    name: "presented-certificate-ends",
    about: "a certificate that was seen on the wire and belongs to no slot that was seen has ended, or nears its end",
    severities: &[Severity::Warning, Severity::Error, Severity::Critical],
    scenarios: &[48],
    pains: &[23, 48],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    // One finding a host and certificate, however many ports present it.
    let mut seen: BTreeMap<(&str, &str, Thumbprint), Vec<&Presentation>> = BTreeMap::new();
    for look in &context.inventory.organisation.presented {
        let Some(leaf) = look.leaf.value() else { continue };
        // Of what a slot of a server is expected to present, the checks of that slot speak.
        let expected = context
            .servers()
            .any(|(at, _)| context.presenting(at, *leaf).next().is_some());
        if !expected {
            let name = if look.asked.is_empty() {
                &look.host
            } else {
                &look.asked
            };
            seen.entry((look.host.as_str(), name.as_str(), *leaf))
                .or_default()
                .push(look);
        }
    }
    for ((host, name, leaf), looks) in seen {
        let (Some(certificate), Some(first)) = (context.inventory.certificate(leaf), looks.first()) else {
            continue;
        };
        let expiry = &context.policy.expiry;
        let ended = certificate.not_after < context.now;
        let severity = if ended {
            Severity::Critical
        } else if expiry.error.reached(certificate, context.now) {
            Severity::Error
        } else if expiry.warning.reached(certificate, context.now) {
            Severity::Warning
        } else {
            continue;
        };
        let mut ports: Vec<u16> = looks.iter().map(|look| look.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let mut draft = report
            .find(severity)
            .with("name", name)
            .with("ports", ports.join(", "))
            .with("presented", leaf)
            .with("subject", &certificate.subject)
            .with("end", day(certificate.not_after))
            .with("days", whole_days(certificate.not_after, context.now))
            .with("place", first.place())
            .from(certificate.not_after)
            .saw_value(
                context.inventory,
                &format!("{}:{} seen from {}", first.host, first.port, first.place()),
                &first.leaf,
            );
        if ended {
            draft = draft.variant("ended");
        }
        let server = context.servers().find(|(_, server)| server.is_called(host));
        draft = match server {
            Some((_, server)) => draft.server(server),
            None => draft.slot(&Slot::Balancer(name.to_owned())),
        };
        draft.say();
    }
}
