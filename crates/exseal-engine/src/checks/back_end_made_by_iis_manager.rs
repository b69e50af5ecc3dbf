//! The back end presents a certificate such as IIS Manager makes: one year, the FQDN as its only name.

use exseal_model::{Severity, Slot};

use super::{Check, Context, Report, day};
use crate::auth::whole_days;

pub(super) const CHECK: Check = Check {
    name: "back-end-made-by-iis-manager",
    about: "the back end presents a certificate such as IIS Manager makes: one year, the FQDN as its only name",
    severities: &[Severity::Notice],
    scenarios: &[60],
    pains: &[],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (at, server) in context.servers() {
        for one in context
            .slots_of(at)
            .filter(|one| matches!(one.slot, Slot::BackEnd(_)))
        {
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| context.inventory.certificate(thumbprint))
            else {
                continue;
            };
            let year = whole_days(certificate.not_after, certificate.not_before) <= 366;
            let [only] = certificate.names()[..] else { continue };
            let fqdn = server
                .full_name()
                .is_some_and(|full| full.eq_ignore_ascii_case(only));
            if !(certificate.self_signed && year && fqdn) {
                continue;
            }
            report
                .find(Severity::Notice)
                .server(server)
                .slot(&one.slot)
                .with("thumbprint", certificate.thumbprint)
                .with("end", day(certificate.not_after))
                .saw(
                    context.inventory,
                    one.source(),
                    format!("certificate {}", certificate.thumbprint),
                )
                .say();
        }
    }
}
