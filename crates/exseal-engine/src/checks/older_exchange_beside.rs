//! An Exchange 2010 or 2013 server stands beside.

use exseal_model::{Product, Severity};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "older-exchange-beside",
    about: "an Exchange 2010 or 2013 server stands beside",
    severities: &[Severity::Info],
    scenarios: &[65],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for server in &context.inventory.servers {
        let Some(product @ (Product::Exchange2010 | Product::Exchange2013)) = server.product() else {
            continue;
        };
        let year = if product == Product::Exchange2010 {
            "2010"
        } else {
            "2013"
        };
        report
            .find(Severity::Info)
            .server(server)
            .with("year", year)
            .saw_value(context.inventory, "AdminDisplayVersion", &server.build)
            .say();
    }
}
