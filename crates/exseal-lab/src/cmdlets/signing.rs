//! Signed payloads (facts/exchange.md 10): when SerializationData is sent, and when it is lost.

use crate::organisation::Version;
use crate::world::{FaultKind, ServerName, World};

/// How payloads of a server's remote sessions fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Not signed: sent as they are.
    Off,
    /// Signed: sent in a wrapping.
    Signed,
    /// They are to be signed and cannot be: not sent.
    Broken,
}

/// How a server's payloads fare now: signing needs the current Auth certificate, with its key and not expired.
pub(crate) fn state(world: &World, at: &ServerName) -> Signing {
    let Some(server) = world.servers.get(at) else {
        return Signing::Off;
    };
    let broken = world.faults.iter().any(|(fault, _)| {
        fault.kind == FaultKind::BrokenPayloadSigning && fault.server.as_ref().is_none_or(|own| own == at)
    });
    if broken {
        return Signing::Broken;
    }
    if !switched_on(world, at) {
        return Signing::Off;
    }
    let now = world.clock_of(at);
    let able = world
        .auth_on(at)
        .and_then(|thumbprint| server.my(thumbprint))
        .is_some_and(|stored| stored.certificate.not_after() >= now);
    if able { Signing::Signed } else { Signing::Broken }
}

/// Whether a server signs: opt-in from January 2023 on, by default from November 2023 on, an override decides.
///
/// The November 2023 build of CU13 (15.2.1258.28) is recalled, the others are in the facts.
fn switched_on(world: &World, at: &ServerName) -> bool {
    let Some(server) = world.servers.get(at) else {
        return false;
    };
    let build = server.build;
    let (known, by_default) = match (server.version, build) {
        (Version::V2010 | Version::V2013, _) => (false, false),
        (Version::V2016, [_, _, cu, revision]) => {
            ((cu, revision) >= (2507, 17), (cu, revision) >= (2507, 35))
        }
        (Version::V2019, [_, _, 1118, revision]) => (revision >= 21, revision >= 40),
        (Version::V2019, [_, _, 1258, revision]) => (true, revision >= 28),
        (Version::V2019, [_, _, cu, _]) => (cu > 1118, cu > 1258),
        (Version::Se, _) => (true, true),
    };
    let said = world
        .directory
        .overrides(server.site)
        .filter(|own| {
            own.component.eq_ignore_ascii_case("Data")
                && own.section.eq_ignore_ascii_case("EnableSerializationDataSigning")
                && (own.servers.is_empty()
                    || own.servers.iter().any(|name| {
                        name.eq_ignore_ascii_case(at.as_str()) || name.eq_ignore_ascii_case(&server.fqdn)
                    }))
        })
        .flat_map(|own| &own.parameters)
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("Enabled"))
        .map(|(_, value)| value.trim().eq_ignore_ascii_case("true"))
        .last();
    known && said.unwrap_or(by_default)
}
