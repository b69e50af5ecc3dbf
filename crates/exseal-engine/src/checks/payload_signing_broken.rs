//! Exchange's certificate objects came half-empty.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "payload-signing-broken",
    about: "certificate objects came without SerializationData: only RawData survived",
    severities: &[Severity::Warning],
    scenarios: &[2, 6, 21],
    pains: &[36],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        let broken: Vec<_> = server
            .my
            .iter()
            .filter(|entry| entry.whole.value() == Some(&false))
            .collect();
        let Some(first) = broken.first() else { continue };
        report
            .find(Severity::Warning)
            .server(server)
            .with("count", broken.len())
            .with("all", server.my.items.len())
            .saw_value(context.inventory, "object came whole", &first.whole)
            .say();
    }
}
