//! An elliptic-curve certificate is used where the build or its settings do not support one.

use exseal_model::{Build, Severity};

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "ecc-certificate-unsupported",
    about: "an elliptic-curve certificate is used where the build or its settings do not support one",
    severities: &[Severity::Error],
    scenarios: &[],
    pains: &[29],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    let overridden = context
        .inventory
        .organisation
        .setting_overrides
        .iter()
        .any(|one| {
            one.section
                .value()
                .is_some_and(|section| section.eq_ignore_ascii_case("ECCCertificateSupport"))
        });
    for (at, server) in context.servers() {
        for used in context
            .in_use(at, server)
            .iter()
            .filter(|used| used.certificate.key_algorithm == "ECC")
        {
            let Some(slot) = used.worst_slot() else { continue };
            let Some(build) = server.best_build() else {
                report.cannot_tell(
                    Some(server),
                    Some(slot.clone()),
                    "the server's build was not seen",
                );
                continue;
            };
            let why = if !supports(build) {
                "its build is older than the April 2024 hotfix update"
            } else if !overridden && context.inventory.organisation.setting_overrides.is_complete() {
                "the setting override ECCCertificateSupport is not set"
            } else if needs_registry(build) && server.ecc_support_in_registry.value() == Some(&false) {
                "the registry value EnableEccCertificateSupport is not 1"
            } else {
                continue;
            };
            report
                .find(Severity::Error)
                .server(server)
                .slot(slot)
                .with("thumbprint", used.certificate.thumbprint)
                .with("uses", used.uses())
                .with("build", build)
                .with("why", why)
                .saw(
                    context.inventory,
                    used.entry.and_then(|entry| entry.by.first().copied()),
                    format!("{} is ECC", used.certificate.thumbprint),
                )
                .say();
        }
    }
}

/// Builds from the April 2024 hotfix update on (facts/exchange.md 0 and 9).
fn supports(build: Build) -> bool {
    match build {
        Build(15, 1, ..) => build >= Build(15, 1, 2507, 39),
        Build(15, 2, 1258, revision) => revision >= 34,
        Build(15, 2, 1544, revision) => revision >= 11,
        Build(15, 2, minor, _) => minor > 1544,
        _ => false,
    }
}

/// Builds from the November 2024 update on need the registry value as well.
fn needs_registry(build: Build) -> bool {
    match build {
        Build(15, 1, ..) => build >= Build(15, 1, 2507, 43),
        Build(15, 2, minor, _) => minor >= 1748,
        _ => false,
    }
}
