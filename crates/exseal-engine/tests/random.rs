//! Healthy organisations of every size and shape are silent; one damage shows, and nothing unrelated does.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test may fail by panicking"
)]

mod support;

use std::collections::BTreeSet;

use exseal_engine::Diagnosis;
use exseal_model::{Finding, Severity};
use proptest::prelude::*;
use support::shapes::{DAMAGES, shapes};

fn alarms(diagnosis: &Diagnosis) -> Vec<&Finding> {
    diagnosis
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Notice)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_healthy_organisation_of_any_shape_gives_nothing_above_notice(shape in shapes(200)) {
        let (organisation, policy) = shape.make();
        let diagnosis = organisation.diagnose_by(&policy);
        prop_assert!(alarms(&diagnosis).is_empty(), "{:?}", alarms(&diagnosis));
    }

    #[test]
    fn one_damage_shows_and_nothing_unrelated_does(
        shape in shapes(60),
        which in 0..DAMAGES.len(),
        where_ in any::<prop::sample::Index>(),
    ) {
        let (mut organisation, policy) = shape.make();
        let (name, damage) = DAMAGES[which];
        let at = where_.index(shape.servers);
        // Exchange 2013 never alarms, an Edge server has no sites, and a management shop shows its own certificate.
        prop_assume!(shape.build(at).1 != 0 && !shape.is_edge(at) && !shape.management_only);
        damage(&mut organisation, at);
        let damaged = organisation.inventory.servers[at].shown();
        let diagnosis = organisation.diagnose_by(&policy);
        let alarms = alarms(&diagnosis);
        prop_assert!(
            alarms.iter().any(|finding| finding.name == name && finding.server.as_deref() == Some(&damaged)),
            "{} at {}: {:?}", name, damaged, alarms
        );
        // Whatever else alarms is about that server, or comes of what was done to it.
        let related: BTreeSet<&str> = [name, "front-end-differs-between-servers"].into();
        for finding in alarms {
            let own = finding.server.as_deref() == Some(&damaged);
            prop_assert!(own || related.contains(finding.name.as_str()) || finding.follows.is_some(), "{finding:?}");
            prop_assert!(
                finding.name == name || finding.follows.is_some() || related.contains(finding.name.as_str()),
                "unrelated to {name}: {finding:?}"
            );
        }
    }
}
