//! An http.sys entry for a single address, or for all IPv6 addresses, presents another certificate than the general one.

use exseal_model::{Severity, Slot, Thumbprint};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "specific-binding-wins",
    about: "an http.sys entry for a single address, or for all IPv6 addresses, presents another certificate than the general one",
    severities: &[Severity::Warning],
    scenarios: &[75],
    pains: &[20],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for general in server
            .http_sys
            .iter()
            .filter(|entry| entry.endpoint.address == "*" && entry.endpoint.host.is_empty())
        {
            let port = general.endpoint.port;
            if port != 443 && port != 444 {
                continue;
            }
            for entry in server
                .http_sys
                .iter()
                .filter(|entry| entry.endpoint.port == port && entry.endpoint.host.is_empty())
            {
                let specific = entry.endpoint.address != "*" && entry.endpoint.address != "127.0.0.1";
                if !specific
                    || entry.thumbprint.known() == general.thumbprint.known()
                    || entry.thumbprint.is_unknown()
                {
                    continue;
                }
                let slot = if port == 443 {
                    Slot::FrontEnd(entry.endpoint.clone())
                } else {
                    Slot::BackEnd(entry.endpoint.clone())
                };
                let show = |thumbprint: Option<&Thumbprint>| {
                    thumbprint.map_or_else(|| "none".to_owned(), ToString::to_string)
                };
                report
                    .find(Severity::Warning)
                    .server(server)
                    .slot(&slot)
                    .with("endpoint", &entry.endpoint)
                    .with("thumbprint", show(entry.thumbprint.value()))
                    .with("general", show(general.thumbprint.value()))
                    .with("port", port)
                    .saw_value(context.inventory, &entry.endpoint.to_string(), &entry.thumbprint)
                    .saw_value(
                        context.inventory,
                        &general.endpoint.to_string(),
                        &general.thumbprint,
                    )
                    .say();
            }
        }
    }
}
