//! The checks, one file each.
//!
//! A check looks at a [`Context`] and tells a [`Report`] what is wrong, or that it cannot tell. It never decides on
//! what was not seen. Its sentences are in `messages/en.toml`, its page is `docs/findings/<name>.md`.

mod another_renewer_at_work;
mod application_pool_stopped;
mod auth_certificates_left_over;
mod auth_current_expired;
mod auth_current_expires;
mod auth_current_missing;
mod auth_next_missing;
mod auth_next_overdue;
mod auth_not_exportable;
mod auth_uses_public_certificate;
mod auto_enrolled_certificate_wins;
mod back_end_lacks_server_names;
mod back_end_made_by_iis_manager;
mod back_end_of_internal_ca;
mod back_end_unbound;
mod back_end_uses_public_certificate;
mod balancer_differs_from_servers;
mod binding_sources_disagree;
mod bound_certificate_in_wrong_store;
mod bound_certificate_not_in_store;
mod certificate_expired;
mod certificate_expires;
mod certificate_in_web_hosting_store;
mod certificate_left_over;
mod certificate_status_not_valid;
mod certificate_without_key;
mod client_protocol_name_matches_nothing;
mod client_protocol_self_signed;
mod client_protocol_wildcard;
mod cloud_connector_checks_no_certificate;
mod component_inactive;
mod connector_certificate_ambiguous;
mod connector_certificate_expired;
mod connector_certificate_name_malformed;
mod connector_certificate_not_found;
mod connector_name_on_internal_connector;
mod connector_names_outdated_certificate;
mod ecc_certificate_unsupported;
mod edge_default_ca_issued;
mod edge_subscription_outdated;
mod exchange_on_domain_controller;
mod exchange_service_down;
mod federation_certificate_expires;
mod front_end_differs_between_servers;
mod front_end_lacks_names;
mod front_end_loopback_differs;
mod front_end_of_private_ca;
mod front_end_self_signed;
mod front_end_unbound;
mod front_end_unexpected_issuer;
mod hub_connector_on_port_25;
mod hybrid_certificate_not_found;
mod hybrid_connector_names_differ;
mod internal_transport_ca_issued;
mod internal_transport_is_auth_certificate;
mod internal_transport_lacks_fqdn;
mod internal_transport_missing;
mod key_too_short;
mod network_service_lacks_key_access;
mod next_update_would_fail;
mod older_exchange_beside;
mod payload_signing_broken;
mod payload_signing_switched_off;
mod pending_request_left_over;
mod presented_certificate_ends;
mod presented_differs_from_configured;
mod public_lifetime_too_long;
mod queue_waits_for_tls;
mod receive_connector_fqdn_illegal;
mod renewed_certificate_not_bound;
mod report;
mod root_for_exchange_online_missing;
mod root_holds_old_copies;
mod rsa_key_in_ksp;
mod send_connector_never_uses_tls;
mod service_disabled_by_a_person;
mod services_disabled_by_setup;
mod signature_hash_weak;
mod specific_binding_wins;
mod starttls_not_offered;
mod subjects_repeat;
mod thumbprint_referred_to_elsewhere;
mod transport_reports_certificate_fault;

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use exseal_model::inventory::{Server, StoreEntry};
use exseal_model::{Certificate, Inventory, Product, Severity, Slot, Thumbprint};
use jiff::Timestamp;

pub(crate) use exchange_service_down::is_needed as is_needed_service;
pub(crate) use front_end_lacks_names::wanted_names;
pub use report::{Draft, Report};
pub(crate) use services_disabled_by_setup::disabled as disabled_services;

use crate::policy::Policy;
use crate::slots::{SlotUse, slots};

/// A check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, which is the name of its finding.
    pub name: &'static str,
    /// What it looks at, in one line.
    pub about: &'static str,
    /// The severities its finding may have, the least first.
    pub severities: &'static [Severity],
    /// The situations of facts/scenarios.md that it shows, by number.
    pub scenarios: &'static [u8],
    /// The pains of facts/peers-and-pains.md §2 that it answers, by number.
    pub pains: &'static [u8],
    /// The check itself.
    pub run: fn(&Context<'_>, &mut Report),
}

/// Every check, in the order of their names.
pub const ALL: &[Check] = &[
    another_renewer_at_work::CHECK,
    application_pool_stopped::CHECK,
    auth_certificates_left_over::CHECK,
    auth_current_expired::CHECK,
    auth_current_expires::CHECK,
    auth_current_missing::CHECK,
    auth_next_missing::CHECK,
    auth_next_overdue::CHECK,
    auth_not_exportable::CHECK,
    auth_uses_public_certificate::CHECK,
    auto_enrolled_certificate_wins::CHECK,
    back_end_lacks_server_names::CHECK,
    back_end_made_by_iis_manager::CHECK,
    back_end_of_internal_ca::CHECK,
    back_end_unbound::CHECK,
    back_end_uses_public_certificate::CHECK,
    balancer_differs_from_servers::CHECK,
    binding_sources_disagree::CHECK,
    bound_certificate_in_wrong_store::CHECK,
    bound_certificate_not_in_store::CHECK,
    certificate_expired::CHECK,
    certificate_expires::CHECK,
    certificate_in_web_hosting_store::CHECK,
    certificate_left_over::CHECK,
    certificate_status_not_valid::CHECK,
    certificate_without_key::CHECK,
    client_protocol_name_matches_nothing::CHECK,
    client_protocol_self_signed::CHECK,
    client_protocol_wildcard::CHECK,
    cloud_connector_checks_no_certificate::CHECK,
    component_inactive::CHECK,
    connector_certificate_ambiguous::CHECK,
    connector_certificate_expired::CHECK,
    connector_certificate_name_malformed::CHECK,
    connector_certificate_not_found::CHECK,
    connector_name_on_internal_connector::CHECK,
    connector_names_outdated_certificate::CHECK,
    ecc_certificate_unsupported::CHECK,
    edge_default_ca_issued::CHECK,
    edge_subscription_outdated::CHECK,
    exchange_on_domain_controller::CHECK,
    exchange_service_down::CHECK,
    federation_certificate_expires::CHECK,
    front_end_differs_between_servers::CHECK,
    front_end_lacks_names::CHECK,
    front_end_loopback_differs::CHECK,
    front_end_of_private_ca::CHECK,
    front_end_self_signed::CHECK,
    front_end_unbound::CHECK,
    front_end_unexpected_issuer::CHECK,
    hub_connector_on_port_25::CHECK,
    hybrid_certificate_not_found::CHECK,
    hybrid_connector_names_differ::CHECK,
    internal_transport_ca_issued::CHECK,
    internal_transport_is_auth_certificate::CHECK,
    internal_transport_lacks_fqdn::CHECK,
    internal_transport_missing::CHECK,
    key_too_short::CHECK,
    network_service_lacks_key_access::CHECK,
    next_update_would_fail::CHECK,
    older_exchange_beside::CHECK,
    payload_signing_broken::CHECK,
    payload_signing_switched_off::CHECK,
    pending_request_left_over::CHECK,
    presented_certificate_ends::CHECK,
    presented_differs_from_configured::CHECK,
    public_lifetime_too_long::CHECK,
    queue_waits_for_tls::CHECK,
    receive_connector_fqdn_illegal::CHECK,
    renewed_certificate_not_bound::CHECK,
    root_for_exchange_online_missing::CHECK,
    root_holds_old_copies::CHECK,
    rsa_key_in_ksp::CHECK,
    send_connector_never_uses_tls::CHECK,
    service_disabled_by_a_person::CHECK,
    services_disabled_by_setup::CHECK,
    signature_hash_weak::CHECK,
    specific_binding_wins::CHECK,
    starttls_not_offered::CHECK,
    subjects_repeat::CHECK,
    thumbprint_referred_to_elsewhere::CHECK,
    transport_reports_certificate_fault::CHECK,
];

/// What a check may look at; what several of them need is worked out once.
pub struct Context<'i> {
    /// The merged inventory.
    pub inventory: &'i Inventory,
    /// What is wanted.
    pub policy: &'i Policy,
    /// The time it is about.
    pub now: Timestamp,
    /// Every slot with what it presents.
    pub slots: Vec<SlotUse>,
    /// Slots by server (`None`: the organisation) and certificate.
    uses: HashMap<(Option<usize>, Thumbprint), Vec<usize>>,
    /// The certificates of AuthConfig.
    auth: HashSet<Thumbprint>,
    /// What is in use on each server, once a check asked.
    in_use: Vec<OnceCell<Vec<InUse<'i>>>>,
}

impl<'i> Context<'i> {
    /// Works out the slots.
    #[must_use]
    pub fn new(inventory: &'i Inventory, policy: &'i Policy, now: Timestamp) -> Self {
        let slots = slots(inventory);
        let mut uses: HashMap<(Option<usize>, Thumbprint), Vec<usize>> = HashMap::new();
        for (at, one) in slots.iter().enumerate() {
            if let Some(thumbprint) = one.thumbprint() {
                uses.entry((one.server, thumbprint)).or_default().push(at);
            }
        }
        let config = &inventory.organisation.auth_config;
        let auth = [&config.current, &config.next, &config.previous]
            .into_iter()
            .filter_map(|one| one.value())
            .copied();
        Self {
            inventory,
            policy,
            now,
            slots,
            uses,
            auth: auth.collect(),
            in_use: vec![OnceCell::new(); inventory.servers.len()],
        }
    }

    /// The servers Exchange certificates are judged on: 2010 and 2013 are shown and never alarm.
    pub fn servers(&self) -> impl Iterator<Item = (usize, &'i Server)> {
        self.inventory.servers.iter().enumerate().filter(|(_, server)| {
            !matches!(
                server.product(),
                Some(Product::Exchange2010 | Product::Exchange2013)
            )
        })
    }

    /// The slots of a server that present a certificate.
    pub fn presenting(&self, server: usize, thumbprint: Thumbprint) -> impl Iterator<Item = &Slot> {
        let places = self
            .uses
            .get(&(Some(server), thumbprint))
            .map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .filter_map(|&at| self.slots.get(at))
            .map(|one| &one.slot)
    }

    /// The slots of a server.
    pub fn slots_of(&self, server: usize) -> impl Iterator<Item = &SlotUse> {
        let from = self
            .slots
            .partition_point(|one| one.server.is_some_and(|own| own < server));
        self.slots
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(move |one| one.server == Some(server))
    }

    /// Whether a certificate is one of AuthConfig's, or looks like one that once was.
    #[must_use]
    pub fn is_auth(&self, certificate: &Certificate) -> bool {
        self.auth.contains(&certificate.thumbprint)
            || (certificate.self_signed
                && certificate.subject == "CN=Microsoft Exchange Server Auth Certificate")
    }

    /// Whether a certificate stands beside Exchange and never alarms for what is normal there (facts/exchange.md 1.2, 7):
    /// those of Azure, the web management service, AD LDS and peer-to-peer access, and those the policy leaves alone.
    #[must_use]
    pub fn is_bystander(&self, certificate: &Certificate) -> bool {
        Self::bystander(self.policy, certificate)
    }

    /// As [`is_bystander`](Self::is_bystander), without a context.
    pub(crate) fn bystander(policy: &Policy, certificate: &Certificate) -> bool {
        const SUBJECTS: [&str; 4] = [
            "DC=Windows Azure CRP Certificate Generator",
            "CN=WMSvc-",
            "CN=MS-Organization-P2P-Access [",
            "CN=localhost",
        ];
        let subject = &certificate.subject;
        let begins = |known: &&str| {
            subject
                .get(..known.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(known))
        };
        SUBJECTS.iter().any(begins)
            || is_guid_name(subject) && is_guid_name(&certificate.issuer)
            || policy.ignores(certificate)
    }

    /// The certificates of a server's My store that were seen, with their entries.
    pub fn certificates_of(
        &self,
        server: &'i Server,
    ) -> impl Iterator<Item = (&'i StoreEntry, &'i Certificate)> + use<'i> {
        let inventory = self.inventory;
        server
            .my
            .iter()
            .filter_map(move |entry| Some((entry, inventory.certificate(entry.thumbprint)?)))
    }

    /// The certificates of a server that something uses: a slot presents it, or Exchange shows a service for it. Each once,
    /// with the slots that present it; bystanders and Auth certificates are left out.
    pub fn in_use(&self, at: usize, server: &'i Server) -> &[InUse<'i>] {
        self.in_use
            .get(at)
            .map_or(&[], |own| own.get_or_init(|| self.look_in_use(at, server)))
    }

    fn look_in_use(&self, at: usize, server: &'i Server) -> Vec<InUse<'i>> {
        let mut found: Vec<InUse<'i>> = Vec::new();
        for (entry, certificate) in self.certificates_of(server) {
            if self.is_auth(certificate) {
                continue;
            }
            let slots: Vec<Slot> = self.presenting(at, certificate.thumbprint).cloned().collect();
            let services = entry.services.value().map_or(&[][..], Vec::as_slice);
            let idle = slots.is_empty() && services.is_empty();
            if idle || (slots.is_empty() && self.is_bystander(certificate)) {
                continue;
            }
            found.push(InUse {
                entry: Some(entry),
                certificate,
                slots,
                services,
            });
        }
        // What a slot presents and the store does not list, where the certificate itself was seen elsewhere.
        for one in self.slots_of(at) {
            let Some(certificate) = one
                .thumbprint()
                .and_then(|thumbprint| self.inventory.certificate(thumbprint))
            else {
                continue;
            };
            if found
                .iter()
                .any(|own| own.certificate.thumbprint == certificate.thumbprint)
                || self.is_auth(certificate)
            {
                continue;
            }
            let slots = self.presenting(at, certificate.thumbprint).cloned().collect();
            found.push(InUse {
                entry: None,
                certificate,
                slots,
                services: &[],
            });
        }
        found
    }
}

/// A certificate something uses.
#[derive(Clone)]
pub struct InUse<'i> {
    /// Its entry in My, if it is there.
    pub entry: Option<&'i StoreEntry>,
    /// The certificate.
    pub certificate: &'i Certificate,
    /// The slots that present it, in their order.
    pub slots: Vec<Slot>,
    /// The services Exchange shows for it.
    pub services: &'i [String],
}

impl InUse<'_> {
    /// The slot to speak of: the one whose failure matters most.
    #[must_use]
    pub fn worst_slot(&self) -> Option<&Slot> {
        self.slots
            .iter()
            .max_by_key(|slot| (crate::severity::broken(slot), std::cmp::Reverse((*slot).clone())))
    }

    /// Its uses in words: slots, else services.
    #[must_use]
    pub fn uses(&self) -> String {
        if self.slots.is_empty() {
            format!("the services {}", self.services.join(", "))
        } else {
            self.slots
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        }
    }
}

/// `CN=` and a GUID, as AD LDS names its certificates.
fn is_guid_name(name: &str) -> bool {
    let Some(id) = name.strip_prefix("CN=") else {
        return false;
    };
    let id = id.trim_start_matches('{').trim_end_matches('}');
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// A day as people write it, in UTC; views show it in the person's zone.
pub(crate) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
