//! Another program renews certificates here.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "another-renewer-at-work",
    about: "another program renews certificates here",
    severities: &[Severity::Info],
    scenarios: &[29, 61],
    pains: &[48],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for task in server
            .tasks
            .iter()
            .filter(|task| task.enabled.value() != Some(&false))
        {
            let action = task.action.value().map_or("", String::as_str);
            let Some(renewer) = renewer(&task.path, action) else {
                continue;
            };
            report
                .find(Severity::Info)
                .server(server)
                .with("renewer", renewer)
                .with("task", &task.path)
                .saw_value(context.inventory, "action", &task.action)
                .say();
        }
    }
}

/// Who is behind a task, by what it starts; names and folders a person may have changed come second.
fn renewer(path: &str, action: &str) -> Option<&'static str> {
    let (path, action) = (path.to_ascii_lowercase(), action.to_ascii_lowercase());
    let known = [
        ("monitorexchangeauthcertificate", "MonitorExchangeAuthCertificate"),
        ("wacs.exe", "win-acme"),
        ("win-acme", "win-acme"),
        ("letsencrypt.exe", "win-acme"),
        ("certify.cli", "Certify The Web"),
        ("certifytheweb", "Certify The Web"),
        ("certify.service", "Certify The Web"),
        ("posh-acme", "Posh-ACME"),
    ];
    known
        .iter()
        .find(|(sign, _)| action.contains(sign) || path.contains(sign))
        .map(|(_, name)| *name)
}
