//! Edge subscriptions at work: the subscription file, the accounts in an Edge's ADAM, and whether a mailbox server's
//! EdgeSync gets in (facts/exchange.md 7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};

use super::directory::{EdgeSubscription, Key, Object};
use super::{Happening, ServerName, World};
use crate::certificate::Certificate;
use crate::organisation::{Provider, Role};

/// Every so often EdgeSync brings the configuration; by the first time the bootstrap account is replaced.
const CONFIGURATION: SignedDuration = SignedDuration::from_mins(3);
/// A subscription file is a few kilobytes.
const FILE_LIMIT: usize = 64 * 1024;

/// The account that mailbox servers log on by at an Edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeAccount {
    /// Its name.
    pub user: String,
    /// When the bootstrap account ends; `None`: it was replaced by accounts that are renewed.
    pub until: Option<Timestamp>,
}

/// Why EdgeSync does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EdgeFailure {
    /// MSExchangeEdgeSync does not run on the mailbox server.
    Stopped,
    /// The mailbox server has no credentials: it was not there when the subscription was made.
    NoCredentials,
    /// ADAM does not answer.
    Unavailable,
    /// Either side's certificate, or the account, is not what the subscription holds.
    Credential,
    /// The Edge presents another certificate than the recorded one.
    OtherCertificate,
    /// The mailbox server's internal transport certificate has its key in a KSP.
    NotCapi,
}

impl EdgeFailure {
    /// What ADAM's client says of it.
    pub(crate) const fn said(self) -> &'static str {
        match self {
            Self::Stopped | Self::Unavailable => "The LDAP server is unavailable.",
            Self::NoCredentials | Self::Credential | Self::OtherCertificate | Self::NotCapi => {
                "The supplied credential is invalid."
            }
        }
    }

    /// The whole sentence of S004.
    pub(crate) fn details(self, fqdn: &str) -> String {
        format!(
            "Failed to connect to the Edge Transport server ADAM instance with exception {}. This could be caused by a \
             failure to resolve the Edge Transport server name {fqdn} in DNS, a failure trying to connect to port 50636 \
             on {fqdn}, network connectivity issues, an invalid certificate, or an expired subscription. Verify your \
             network and server configuration.",
            self.said()
        )
    }
}

/// What a subscription file says.
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionFile {
    pub(crate) name: String,
    pub(crate) fqdn: String,
    pub(crate) certificate: Certificate,
    pub(crate) user: String,
    /// When the bootstrap account ends.
    pub(crate) until: Timestamp,
}

/// Seconds from the year 1, as .NET counts, to 1970.
const EPOCH: i64 = 62_135_596_800;

impl SubscriptionFile {
    /// The file's text. The password is made up and opens nothing.
    pub(crate) fn text(&self, from: Timestamp, minutes: i64, password: &str, version: &str) -> String {
        let ticks = from.as_second().saturating_add(EPOCH).saturating_mul(10_000_000);
        format!(
            "<?xml version=\"1.0\"?>\r\n<EdgeSubscriptionData>\r\n  <EdgeServerName>{}</EdgeServerName>\r\n  \
             <EdgeServerFQDN>{}</EdgeServerFQDN>\r\n  <EdgeCertificateBlob>{}</EdgeCertificateBlob>\r\n  \
             <ESRAUsername>{}</ESRAUsername>\r\n  <ESRAPassword>{password}</ESRAPassword>\r\n  \
             <EffectiveDate>{ticks}</EffectiveDate>\r\n  <Duration>{minutes}</Duration>\r\n  \
             <AdamSslPort>50636</AdamSslPort>\r\n  <ProductID />\r\n  <VersionNumber>{version}</VersionNumber>\r\n  \
             <SerialNumber>{version}</SerialNumber>\r\n</EdgeSubscriptionData>\r\n",
            self.name,
            self.fqdn,
            BASE64.encode(self.certificate.der()),
            self.user,
        )
    }

    /// Reads a file; the error says which element is missing or wrong.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes.get(..FILE_LIMIT.min(bytes.len())).unwrap_or_default())
            .map_err(|_| "EdgeSubscriptionData")?;
        let element = |name: &'static str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).ok_or(name)?;
            let (value, _) = rest.split_once(&format!("</{name}>")).ok_or(name)?;
            Ok::<&str, &'static str>(value.trim())
        };
        let blob = BASE64
            .decode(element("EdgeCertificateBlob")?)
            .map_err(|_| "EdgeCertificateBlob")?;
        let ticks: i64 = element("EffectiveDate")?.parse().map_err(|_| "EffectiveDate")?;
        let minutes: i64 = element("Duration")?.parse().map_err(|_| "Duration")?;
        let from = Timestamp::from_second(ticks / 10_000_000 - EPOCH).map_err(|_| "EffectiveDate")?;
        Ok(Self {
            name: element("EdgeServerName")?.to_owned(),
            fqdn: element("EdgeServerFQDN")?.to_owned(),
            certificate: Certificate::read(&blob).map_err(|_| "EdgeCertificateBlob")?,
            user: element("ESRAUsername")?.to_owned(),
            until: SignedDuration::try_from_mins(minutes)
                .and_then(|minutes| from.checked_add(minutes).ok())
                .ok_or("Duration")?,
        })
    }
}

impl World {
    /// Whether a mailbox server gets into the ADAM of a subscribed Edge.
    pub(crate) fn edge_sync(
        &self,
        hub: &ServerName,
        subscription: &EdgeSubscription,
    ) -> Result<(), EdgeFailure> {
        let own = self.servers.get(hub).ok_or(EdgeFailure::Stopped)?;
        if !own.runs("MSExchangeEdgeSync") {
            return Err(EdgeFailure::Stopped);
        }
        let sealed_for = *subscription
            .credentials
            .get(hub)
            .ok_or(EdgeFailure::NoCredentials)?;
        // The credentials are opened with the key of the certificate they were sealed for.
        match own.my(sealed_for).and_then(super::Stored::usable_key) {
            None => return Err(EdgeFailure::Credential),
            Some(key) if key.provider == Provider::Ksp => return Err(EdgeFailure::NotCapi),
            Some(_) => {}
        }
        let current = self
            .directory
            .internal_transport(own.site, hub)
            .map(Certificate::thumbprint);
        if current != Some(sealed_for) {
            return Err(EdgeFailure::Credential);
        }
        let edge = self
            .servers
            .get(&subscription.edge)
            .filter(|edge| edge.reachable && edge.role == Role::Edge)
            .filter(|edge| edge.runs("ADAM_MSExchange"))
            .ok_or(EdgeFailure::Unavailable)?;
        let presented = self
            .directory
            .internal_transport(edge.site, &edge.name)
            .map(Certificate::thumbprint)
            .filter(|thumbprint| edge.my(*thumbprint).is_some_and(|own| own.usable_key().is_some()));
        if presented.is_none() || presented != subscription.certificate.as_ref().map(Certificate::thumbprint)
        {
            return Err(EdgeFailure::OtherCertificate);
        }
        // The service that keeps the accounts in ADAM.
        if !edge.runs("MSExchangeEdgeCredential") {
            return Err(EdgeFailure::Credential);
        }
        let account = self
            .edge_accounts
            .get(&edge.name)
            .filter(|account| account.user == subscription.account)
            .ok_or(EdgeFailure::Credential)?;
        let clock = self.clock_of(&edge.name);
        if account.until.is_some_and(|until| until < clock) {
            return Err(EdgeFailure::Credential);
        }
        Ok(())
    }

    /// One synchronisation of a mailbox server with an Edge. The first that succeeds replaces the bootstrap account;
    /// `Ok(true)`: this was it. What fails is logged where it failed.
    pub(crate) fn synchronise(
        &mut self,
        hub: &ServerName,
        subscription: &EdgeSubscription,
    ) -> Result<bool, EdgeFailure> {
        if let Err(failure) = self.edge_sync(hub, subscription) {
            self.log_edge(hub, subscription, failure);
            return Err(failure);
        }
        let first = subscription.bootstrap_until.is_some();
        let mut after = subscription.clone();
        after.bootstrap_until = None;
        after.synchronized = Some(self.now);
        if let Some(account) = self.edge_accounts.get_mut(&subscription.edge) {
            account.until = None;
        }
        let site = self.servers.get(hub).map_or(0, |server| server.site);
        let key = Key::EdgeSubscription(subscription.edge.clone());
        self.directory
            .write(site, key, Some(Object::EdgeSubscription(after)), self.now);
        Ok(first)
    }

    fn log_edge(&mut self, hub: &ServerName, subscription: &EdgeSubscription, failure: EdgeFailure) {
        let happening = match failure {
            EdgeFailure::Stopped | EdgeFailure::NoCredentials => return,
            EdgeFailure::NotCapi => Happening::EdgeSyncNotCapi {
                thumbprint: subscription
                    .credentials
                    .get(hub)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            },
            EdgeFailure::OtherCertificate => Happening::EdgeSyncNoMatch {
                edge: subscription.fqdn.clone(),
            },
            EdgeFailure::Unavailable | EdgeFailure::Credential => Happening::EdgeSyncCannotConnect {
                details: failure.details(&subscription.fqdn),
            },
        };
        self.log(hub, &happening);
    }

    /// When EdgeSync comes next for a subscription whose bootstrap account still is to be replaced.
    pub(super) fn edge_sync_due(&self) -> Option<Timestamp> {
        self.edge_sync_next
    }

    /// Asks EdgeSync to come by its own, after its interval.
    pub(crate) fn schedule_edge_sync(&mut self) {
        self.edge_sync_next = self.now.checked_add(CONFIGURATION).ok();
    }

    /// EdgeSync's own turn: every subscription that still has its bootstrap account is tried by each mailbox server of its
    /// site, and tried again as long as the account lives.
    pub(super) fn run_edge_sync(&mut self) {
        if self.edge_sync_next.is_none_or(|due| due > self.now) {
            return;
        }
        self.edge_sync_next = None;
        let waiting: Vec<EdgeSubscription> = (0..self.sites.len())
            .flat_map(|site| self.directory.edge_subscriptions(site))
            .filter(|subscription| subscription.bootstrap_until.is_some())
            .cloned()
            .collect();
        let mut again = false;
        for subscription in waiting {
            let hubs: Vec<ServerName> = subscription.credentials.keys().cloned().collect();
            // Quietly: what keeps failing is in the log once a day, and with every synchronisation that is asked for.
            let way = hubs
                .iter()
                .find(|hub| self.edge_sync(hub, &subscription).is_ok())
                .cloned();
            match way {
                // It was just seen that it gets in.
                Some(hub) => drop(self.synchronise(&hub, &subscription)),
                None => again |= subscription.bootstrap_until.is_some_and(|until| until > self.now),
            }
        }
        if again {
            self.schedule_edge_sync();
        }
    }

    /// Once a day, what does not get in is in the log of the mailbox server.
    pub(super) fn check_edge_sync(&mut self, hub: &ServerName) {
        let Some(site) = self.servers.get(hub).map(|server| server.site) else {
            return;
        };
        let known: Vec<EdgeSubscription> = self
            .directory
            .edge_subscriptions(site)
            .filter(|subscription| subscription.credentials.contains_key(hub))
            .cloned()
            .collect();
        for subscription in known {
            if let Err(failure) = self.edge_sync(hub, &subscription) {
                self.log_edge(hub, &subscription, failure);
            }
        }
    }
}
