//! IIS and http.sys, or two looks at one binding, name different certificates.

use exseal_model::{Severity, Slot, Thumbprint};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "binding-sources-disagree",
    about: "IIS and http.sys, or two looks at one binding, name different certificates",
    severities: &[Severity::Notice],
    scenarios: &[5, 78],
    pains: &[20],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context.slots_of(at) {
            let (Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint)) = &one.slot else {
                continue;
            };
            let entry = server.http_sys.iter().find(|entry| entry.endpoint == *endpoint);
            let binding = server
                .sites
                .iter()
                .flat_map(|site| &site.bindings)
                .find(|binding| binding.is_https() && binding.endpoint().as_ref() == Some(endpoint));
            let (Some(entry), Some(binding)) = (entry, binding) else {
                continue;
            };
            let (Some(system), Some(iis)) = (entry.thumbprint.known(), binding.thumbprint.known()) else {
                continue;
            };
            if system == iis {
                continue;
            }
            let show = |thumbprint: Option<&Thumbprint>| {
                thumbprint.map_or_else(|| "none".to_owned(), ToString::to_string)
            };
            report
                .find(Severity::Notice)
                .server(server)
                .slot(&one.slot)
                .with("system", show(system))
                .with("iis", show(iis))
                .saw_value(context.inventory, "http.sys", &entry.thumbprint)
                .saw_value(context.inventory, "IIS", &binding.thumbprint)
                .say();
        }
    }
}
