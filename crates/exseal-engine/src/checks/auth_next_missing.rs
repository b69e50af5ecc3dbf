//! A server's store lacks the next Auth certificate.

use exseal_model::{Severity, Slot};

use super::auth_current_missing::missing;
use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "auth-next-missing",
    about: "a server's store lacks the next Auth certificate",
    severities: &[Severity::Warning],
    scenarios: &[24, 69],
    pains: &[34],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let next = &context.inventory.organisation.auth_config.next;
    missing(
        context,
        report,
        &Slot::AuthNext,
        ("NextCertificateThumbprint", next),
        Severity::Warning,
    );
}
