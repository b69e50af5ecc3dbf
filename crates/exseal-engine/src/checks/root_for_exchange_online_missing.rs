//! A server that sends to Exchange Online lacks the root it will be shown.

use exseal_model::{Severity, Thumbprint};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "root-for-exchange-online-missing",
    about: "a server that sends to Exchange Online lacks the root it will be shown",
    severities: &[Severity::Warning],
    scenarios: &[],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    // DigiCert Global Root G2 (facts/exchange.md 11: announced for 2026-03-15).
    const ROOT: &str = "DF3C24F9BFD666761B268073FE06D1CC8D4F82A4";
    let Ok(root) = ROOT.parse::<Thumbprint>() else {
        return;
    };
    let cloud = context
        .inventory
        .organisation
        .send_connectors
        .iter()
        .any(|connector| connector.cloud_services_mail_enabled.value() == Some(&true));
    if !cloud && context.inventory.organisation.hybrid.present.value() != Some(&true) {
        return;
    }
    for (_, server) in context.servers() {
        if server.root.is_complete() {
            if server.root.iter().any(|entry| entry.thumbprint == root) {
                continue;
            }
        } else if server.root_auto_update_disabled.value() != Some(&true) {
            continue;
        }
        let mut draft = report.find(Severity::Warning).server(server).with("root", root);
        if server.root.is_complete() {
            draft = draft.saw(
                context.inventory,
                server.root.looks.first().map(|look| look.source),
                format!("trusted roots without {root}"),
            );
        } else {
            // Whether the root came before nobody has seen: only that no new one comes by itself.
            draft = draft.variant("not-updated");
        }
        draft
            .saw_value(
                context.inventory,
                "DisableRootAutoUpdate",
                &server.root_auto_update_disabled,
            )
            .say();
    }
}
