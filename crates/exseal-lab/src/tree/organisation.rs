//! What belongs to the organisation as a whole (facts/active-directory.md 1.3 and 1.6).

use super::{GROUP, Maker, ROUTING};
use crate::certificate::{Certificate, Thumbprint};
use crate::world::directory::Key;

/// The application id of Exchange, the same everywhere.
const APPLICATION: &str = "00000002-0000-0ff1-ce00-000000000000";

pub(super) fn make(maker: &mut Maker<'_>) {
    let services = format!("CN=Services,{}", maker.names.configuration);
    let exchange = maker.container("Microsoft Exchange", &services, "msExchConfigurationContainer");
    let name = maker.world.organisation_name().to_owned();
    let own = maker
        .object(&name, &exchange, "msExchOrganizationContainer")
        .text("legacyExchangeDN", format!("/o={name}"));
    maker.add(own);
    let organisation = maker.names.organisation.clone();
    let groups = maker.container(
        "Administrative Groups",
        &organisation,
        "msExchAdminGroupContainer",
    );
    let own = maker.object(GROUP, &groups, "msExchAdminGroup").text(
        "legacyExchangeDN",
        format!("/o={name}/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)"),
    );
    maker.add(own);
    let group = format!("CN={GROUP},{groups}");
    maker.container("Servers", &group, "msExchServersContainer");
    let routing = maker.container("Routing Groups", &group, "msExchContainer");
    let routing = maker.container(ROUTING, &routing, "msExchContainer");
    maker.container("Connections", &routing, "msExchContainer");

    auth(maker, &organisation);
    federation(maker, &organisation);
    hybrid(maker, &organisation);
    domains(maker, &organisation);
    overrides(maker, &organisation);
}

fn auth(maker: &mut Maker<'_>, organisation: &str) {
    let world = maker.world;
    if let Some(config) = world.directory().auth(maker.site) {
        let thumbprints = [("0", config.current), ("1", config.previous), ("2", config.next)]
            .into_iter()
            .filter_map(|(slot, thumbprint)| Some(format!("{slot}:{}", thumbprint?)));
        let own = maker
            .of_world(
                "Auth Configuration",
                organisation,
                "msExchAuthAuthConfig",
                &Key::Auth,
            )
            .put("msExchAuthCertificateThumbprint", thumbprints)
            .time("msExchAuthNextEffectiveDate", config.next_effective)
            .text("msExchAuthApplicationIdentifier", APPLICATION)
            .put(
                "msExchAuthRealm",
                (!config.realm.is_empty()).then(|| config.realm.clone()),
            );
        maker.add(own);
    } else {
        maker.container("Auth Configuration", organisation, "msExchContainer");
    }
    let place = format!("CN=Auth Configuration,{organisation}");
    maker.container("Auth Servers", &place, "msExchContainer");
    let partners = maker.container("Partner Applications", &place, "msExchContainer");
    let account = format!(
        "CN=Exchange Online-ApplicationAccount,CN=Users,{}",
        maker.names.domain
    );
    let own = maker
        .object("Exchange Online", &partners, "msExchAuthPartnerApplication")
        .text("msExchAuthApplicationIdentifier", APPLICATION)
        .number("msExchAuthFlags", 1)
        .text("msExchAuthLinkedAccount", account);
    maker.add(own);
}

/// A certificate that some server's store holds.
fn held(maker: &Maker<'_>, thumbprint: Option<Thumbprint>) -> Option<Certificate> {
    let thumbprint = thumbprint?;
    maker
        .world
        .servers()
        .find_map(|server| server.my(thumbprint))
        .map(|stored| stored.certificate.clone())
}

fn federation(maker: &mut Maker<'_>, organisation: &str) {
    let place = maker.container("Federation Trusts", organisation, "msExchContainer");
    let Some(trust) = maker.world.directory().federation(maker.site) else {
        return;
    };
    let mut own = maker.of_world(
        "Microsoft Federation Gateway",
        &place,
        "msExchFedTrust",
        &Key::Federation,
    );
    for (private, public, thumbprint) in [
        (
            "msExchFedOrgPrivCertificate",
            "msExchFedOrgCertificate",
            trust.current,
        ),
        (
            "msExchFedOrgNextPrivCertificate",
            "msExchFedOrgNextCertificate",
            trust.next,
        ),
        (
            "msExchFedOrgPrevPrivCertificate",
            "msExchFedOrgPrevCertificate",
            trust.previous,
        ),
    ] {
        let certificate = held(maker, thumbprint).map(|own| maker.certificate(&own, None));
        own = own
            .put(private, thumbprint.map(|own| own.to_string()))
            .put(public, certificate);
    }
    maker.add(own);
}

fn hybrid(maker: &mut Maker<'_>, organisation: &str) {
    let place = maker.container("Hybrid Configuration", organisation, "msExchContainer");
    let Some(hybrid) = maker.world.directory().hybrid(maker.site) else {
        return;
    };
    let own = maker
        .of_world(
            "Hybrid Configuration",
            &place,
            "msExchCoexistenceRelationship",
            &Key::Hybrid,
        )
        .put(
            "msExchCoexistenceSecureMailCertificateThumbprint",
            hybrid.tls_certificate_name.clone(),
        )
        .put("msExchCoexistenceOnPremisesSmartHost", hybrid.smart_host.clone())
        .put("msExchCoexistenceDomains", hybrid.domains.clone())
        // Which list is which is nowhere written: assumed as the model of the cmdlets has them.
        .put(
            "msExchCoexistenceTransportServers",
            hybrid.sending.iter().map(|name| maker.server(name)),
        )
        .put(
            "msExchCoexistenceFrontendTransportServers",
            hybrid.receiving.iter().map(|name| maker.server(name)),
        )
        .put(
            "msExchCoexistenceEdgeTransportServers",
            hybrid.edge.iter().map(|name| maker.server(name)),
        );
    maker.add(own);
}

fn domains(maker: &mut Maker<'_>, organisation: &str) {
    let world = maker.world;
    let place = maker.container("Transport Settings", organisation, "msExchContainer");
    let place = maker.container("Accepted Domains", &place, "msExchContainer");
    let [authoritative, external, internal] = world.assumptions().accepted_domain_numbers;
    for domain in world.directory().accepted_domains(maker.site) {
        let kind = match domain.kind.as_str() {
            "ExternalRelay" => external,
            "InternalRelay" => internal,
            _ => authoritative,
        };
        let mut flags = i64::from(kind);
        if domain.default {
            flags |= 4;
        }
        if domain.domain.starts_with("*.") {
            flags |= 0x1_0000;
        }
        let own = maker
            .of_world(
                &domain.name,
                &place,
                "msExchAcceptedDomain",
                &Key::AcceptedDomain(domain.domain.to_lowercase()),
            )
            .text("msExchAcceptedDomainName", &domain.domain)
            .number("msExchAcceptedDomainFlags", flags);
        maker.add(own);
    }
}

fn overrides(maker: &mut Maker<'_>, organisation: &str) {
    let place = maker.container("Global Settings", organisation, "msExchContainer");
    let place = maker.container("Setting Overrides", &place, "msExchContainer");
    for own in maker.world.directory().overrides(maker.site) {
        let object = maker
            .of_world(
                &own.name,
                &place,
                "msExchConfigSettings",
                &Key::Override(own.name.to_lowercase()),
            )
            .text("msExchConfigurationXML", crate::cmdlets::override_xml(own));
        maker.add(object);
    }
}
