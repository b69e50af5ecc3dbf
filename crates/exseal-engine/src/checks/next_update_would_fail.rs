//! The next cumulative or security update would stop at a certificate.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "next-update-would-fail",
    about: "the next cumulative or security update would stop at a certificate",
    severities: &[Severity::Warning],
    scenarios: &[18, 19],
    pains: &[25, 26],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        let mut reasons: Vec<String> = Vec::new();
        let mut evidence = None;
        for one in context.slots_of(at) {
            if !matches!(
                one.slot,
                Slot::FrontEnd(_) | Slot::BackEnd(_) | Slot::InternalTransport
            ) {
                continue;
            }
            let Some(thumbprint) = one.thumbprint() else {
                continue;
            };
            let Some(certificate) = context.inventory.certificate(thumbprint) else {
                continue;
            };
            if certificate.not_after < context.now {
                reasons.push(format!(
                    "{} presents {thumbprint}, which ended on {}",
                    one.slot,
                    day(certificate.not_after)
                ));
                evidence = evidence.or(one.source());
            }
        }
        let current = context.inventory.organisation.auth_config.current.value();
        let auth = current.and_then(|thumbprint| context.inventory.certificate(*thumbprint));
        if let Some(certificate) = auth.filter(|certificate| certificate.not_after < context.now)
            && !server.is_edge().unwrap_or(false)
        {
            reasons.push(format!(
                "the Auth certificate {} ended on {}",
                certificate.thumbprint,
                day(certificate.not_after)
            ));
            evidence = evidence.or(context
                .inventory
                .organisation
                .auth_config
                .current
                .best()
                .map(|best| best.source));
        }
        if reasons.is_empty() {
            continue;
        }
        report
            .find(Severity::Warning)
            .server(server)
            .with("reasons", reasons.join("; "))
            .saw(context.inventory, evidence, reasons.join("; "))
            .say();
    }
}
