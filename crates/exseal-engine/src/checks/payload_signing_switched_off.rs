//! The signing of serialised payloads is switched off.

use exseal_model::Severity;

use super::{Check, Context, Report};

pub(super) const CHECK: Check = Check {
    name: "payload-signing-switched-off",
    about: "the signing of serialised payloads is switched off",
    severities: &[Severity::Notice],
    scenarios: &[6, 21],
    pains: &[36],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for setting in &context.inventory.organisation.setting_overrides {
        let section = setting
            .section
            .value()
            .is_some_and(|name| name.eq_ignore_ascii_case("EnableSerializationDataSigning"));
        let off = setting.parameters.value().is_some_and(|parameters| {
            parameters
                .iter()
                .any(|parameter| parameter.replace(' ', "").eq_ignore_ascii_case("Enabled=false"))
        });
        if !section || !off {
            continue;
        }
        report
            .find(Severity::Notice)
            .with("name", &setting.name)
            .saw(
                context.inventory,
                setting.parameters.best().map(|best| best.source),
                format!("{}: Enabled=false", setting.name),
            )
            .say();
    }
}
