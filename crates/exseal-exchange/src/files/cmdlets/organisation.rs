//! What belongs to the organisation as a whole.

use std::borrow::Cow;

use exseal_model::inventory::{
    AcceptedDomain, EdgeSubscription, FederationTrust, PartnerApplication, SettingOverride,
};
use exseal_model::{Observed, Thumbprint};

use super::super::Page;
use super::super::objects::Seen;
use super::{add, last_part};

pub(super) fn auth_config(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let current = seen.thumbprint(page, "CurrentCertificateThumbprint", at);
    let previous = seen.thumbprint(page, "PreviousCertificateThumbprint", at);
    let next = seen.thumbprint(page, "NextCertificateThumbprint", at);
    let next_effective = seen.time(page, "NextCertificateEffectiveDate", at);
    let config = &mut page.inventory.organisation.auth_config;
    config.by = vec![seen.source];
    config.current = current;
    config.previous = previous;
    config.next = next;
    config.next_effective = next_effective;
    config.realm = seen.text("Realm");
    config.service_name = seen.text("ServiceName");
}

pub(super) fn hybrid(page: &mut Page, seen: Seen<'_, '_>) {
    let hybrid = &mut page.inventory.organisation.hybrid;
    hybrid.by = vec![seen.source];
    hybrid.present = Observed::seen(true, seen.source);
    hybrid.tls_certificate_name = seen.text("TlsCertificateName");
    hybrid.receiving_transport_servers = seen.list("ReceivingTransportServers");
    hybrid.sending_transport_servers = seen.list("SendingTransportServers");
    hybrid.edge_transport_servers = seen.list("EdgeTransportServers");
    hybrid.client_access_servers = seen.list("ClientAccessServers");
    hybrid.domains = seen.list("Domains");
    hybrid.features = seen.list("Features");
    hybrid.on_premises_smart_host = seen.text("OnPremisesSmartHost");
}

pub(super) fn setting_override(page: &mut Page, seen: Seen<'_, '_>) {
    let name = seen
        .plain("Name")
        .map_or_else(|| seen.itself().unwrap_or_default(), Cow::into_owned);
    let mut setting = SettingOverride::new(name);
    setting.component = seen.text("ComponentName");
    setting.section = seen.text("SectionName");
    setting.parameters = seen.list("Parameters");
    setting.server = seen.text("Server");
    setting.reason = seen.text("Reason");
    add(
        &mut page.inventory.organisation.setting_overrides,
        setting,
        seen.source,
    );
}

pub(super) fn accepted_domain(page: &mut Page, seen: Seen<'_, '_>) {
    let name = seen
        .plain("Name")
        .map_or_else(|| seen.itself().unwrap_or_default(), Cow::into_owned);
    let mut domain = AcceptedDomain::new(name);
    domain.domain_name = seen.text("DomainName");
    domain.domain_type = seen.text("DomainType");
    domain.default = seen.flag("Default");
    add(
        &mut page.inventory.organisation.accepted_domains,
        domain,
        seen.source,
    );
}

pub(super) fn organization_config(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let encrypt = seen.thumbprint(page, "AdfsEncryptCertificateThumbprint", at);
    let mut sign = Observed::default();
    if let Observed::Seen(sightings) = seen.list("AdfsSignCertificateThumbprints") {
        let texts = sightings
            .into_iter()
            .filter_map(|sighting| sighting.value)
            .flatten();
        let mut thumbprints = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(thumbprint) => thumbprints.push(thumbprint),
                Err(error) => {
                    let error: exseal_model::ThumbprintError = error;
                    let place = format!("{at}, property AdfsSignCertificateThumbprints");
                    page.error(place, "thumbprints of 40 hex digits", error.to_string());
                }
            }
        }
        sign = Observed::seen(thumbprints, seen.source);
    }
    let organisation = &mut page.inventory.organisation;
    organisation.name = seen.text("Name");
    organisation.adfs_sign_certificate_thumbprints = sign;
    organisation.adfs_encrypt_certificate_thumbprint = encrypt;
}

pub(super) fn partner_application(page: &mut Page, seen: Seen<'_, '_>) {
    let name = seen
        .plain("Name")
        .map_or_else(|| seen.itself().unwrap_or_default(), Cow::into_owned);
    let mut application = PartnerApplication::new(name);
    application.application_identifier = seen.text("ApplicationIdentifier");
    application.enabled = seen.flag("Enabled");
    add(
        &mut page.inventory.organisation.partner_applications,
        application,
        seen.source,
    );
}

pub(super) fn federation_trust(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let name = seen
        .plain("Name")
        .map_or_else(|| "Microsoft Federation Gateway".to_owned(), Cow::into_owned);
    let mut trust = FederationTrust::new(name);
    trust.current = federation_certificate(page, seen, "OrgPrivCertificate", "OrgCertificate", at);
    trust.next = federation_certificate(page, seen, "OrgNextPrivCertificate", "OrgNextCertificate", at);
    trust.previous = federation_certificate(page, seen, "OrgPrevPrivCertificate", "OrgPrevCertificate", at);
    trust.application_uri = seen.text("ApplicationUri");
    add(
        &mut page.inventory.organisation.federation_trusts,
        trust,
        seen.source,
    );
}

/// The thumbprint that `private` names, else that of the certificate `public` holds.
fn federation_certificate(
    page: &mut Page,
    seen: Seen<'_, '_>,
    private: &str,
    public: &str,
    at: &str,
) -> Observed<Thumbprint> {
    let named = seen.thumbprint(page, private, at);
    let Some(held) = seen.property(public).filter(|_| named.value().is_none()) else {
        return named;
    };
    let raw = seen
        .document
        .path(held, &["RawData"])
        .and_then(|value| seen.document.bytes(value));
    if let Some(der) = raw {
        return page
            .keep(der, &format!("{at}, property {public}"))
            .map_or(named, |thumbprint| Observed::seen(thumbprint, seen.source));
    }
    let held = Seen { value: held, ..seen };
    if held.property("Thumbprint").is_some() {
        return held.thumbprint(page, "Thumbprint", &format!("{at}, property {public}"));
    }
    if named.is_unknown() {
        seen.thumbprint(page, public, at)
    } else {
        named
    }
}

pub(super) fn edge_subscription(page: &mut Page, seen: Seen<'_, '_>, at: &str) {
    let Some(name) = seen.plain("Name").map(Cow::into_owned) else {
        return page.error(at, "an Edge subscription's Name", "none");
    };
    let mut subscription = EdgeSubscription::new(name);
    subscription.site = last_part(seen.text("Site"));
    subscription.domain = seen.text("Domain");
    add(
        &mut page.inventory.organisation.edge_subscriptions,
        subscription,
        seen.source,
    );
}
