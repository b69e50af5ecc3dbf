//! An Edge server presents another certificate than its subscription recorded.

use exseal_model::{Channel, Severity, Slot};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "edge-subscription-outdated",
    about: "an Edge server presents another certificate than its subscription recorded",
    severities: &[Severity::Error],
    scenarios: &[45, 49],
    pains: &[],
    run,
};

/// AD LDS of an Edge presents the Edge's own default certificate there (facts/exchange.md 6).
const ADAM: u16 = 50636;

fn run(context: &Context<'_>, report: &mut Report) {
    let inventory = context.inventory;
    for (_, server) in context.servers() {
        if server.is_edge() != Some(true) {
            continue;
        }
        // What the organisation's directory has of an Edge came with the subscription.
        let recorded = server.internal_transport.sightings().iter().find_map(|one| {
            let channel = inventory.source(one.source)?.channel;
            one.value.filter(|_| channel == Channel::Directory)
        });
        let looks = inventory.organisation.presented.iter();
        let shown = looks
            .filter(|look| look.port == ADAM && server.is_called(&look.host))
            .find_map(|look| Some((look, *look.leaf.value()?)));
        let (Some(recorded), Some((look, presented))) = (recorded, shown) else {
            continue;
        };
        if recorded == presented {
            continue;
        }
        report
            .find(Severity::Error)
            .server(server)
            .slot(&Slot::EdgeDefault)
            .with("recorded", recorded)
            .with("presented", presented)
            .with("port", ADAM)
            .saw_value(inventory, &format!("{}:{ADAM}", look.host), &look.leaf)
            .saw_value(
                inventory,
                "msExchServerInternalTLSCert",
                &server.internal_transport,
            )
            .say();
    }
}
