//! The organisation file: what a simulated Exchange organisation is made of.
//!
//! TOML; every field that is not written has the value of a healthy organisation right after setup, so that a file of
//! five lines is a whole server. Unknown fields are errors.

mod assumptions;
mod certificate;
mod directory;
mod server;
mod story;
mod transport;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use assumptions::{
    Assumptions, DirectoryCertificates, EdgeAfterReplacement, SmtpFlag, TransportCertificateWhenGone,
    UntrustedStatus,
};
pub use certificate::{CertificateRecipe, IssuerRef, KeyName, RootKind};
pub use directory::DirectoryRecipe;
pub use server::{
    BindingRecipe, Disabler, HttpSysRecipe, PlacedCertificate, Protocol, Provider, Role, ServerRecipe,
    ServiceRecipe, StartMode, StoreName, TaskRecipe, UrlRecipe, Version, VirtualDirectoryRecipe,
    WebSiteRecipe,
};
pub use story::StoryRecipe;
pub use transport::{
    AcceptedDomainRecipe, AuthRecipe, EdgeRecipe, FederationRecipe, HybridRecipe, OverrideRecipe,
    QueueRecipe, ReceiveConnectorRecipe, SendConnectorRecipe,
};

/// The language of Windows and of Exchange's messages on a server. Ids, types and thumbprints are the same in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

/// A person or a service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecipe {
    /// Logon name without domain.
    pub name: String,
    /// Password of the simulation. Not a secret: it opens nothing else.
    #[serde(default = "default_password")]
    pub password: String,
    /// Role groups: `Organization Management` may everything, `View-Only Organization Management` may look.
    #[serde(default = "default_groups")]
    pub groups: Vec<String>,
    /// Whether the user is administrator of the servers (WinRM).
    #[serde(default = "yes")]
    pub administrator: bool,
}

/// A site of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRecipe {
    /// Its name.
    pub name: String,
    /// Minutes until a change made elsewhere is seen here, and one made here is seen elsewhere.
    #[serde(default)]
    pub replication_minutes: u32,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// What is broken here, when something is.
    #[serde(default)]
    pub story: Option<StoryRecipe>,
    /// Name of the Exchange organisation.
    #[serde(default = "default_name")]
    pub name: String,
    /// DNS name of the Active Directory domain.
    pub domain: String,
    /// The clock at the start; absent: the caller's.
    #[serde(default)]
    pub now: Option<Timestamp>,
    /// Language of all servers that say nothing else.
    #[serde(default)]
    pub language: Language,
    /// Zone of all servers, as minutes ahead of UTC.
    #[serde(default)]
    pub utc_offset_minutes: i32,
    /// The balancer's or published name clients use; absent: each server's own FQDN.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Recipe id of the certificate for clients: in every mailbox server's store, bound to 443, enabled for SMTP.
    #[serde(default)]
    pub public: Option<String>,
    /// Database availability group of the mailbox servers that name none.
    #[serde(default)]
    pub dag: Option<String>,
    /// Sites; absent: one, `Default-First-Site-Name`.
    #[serde(default, rename = "site")]
    pub sites: Vec<SiteRecipe>,
    /// Certificates that stores refer to by id.
    #[serde(default, rename = "certificate")]
    pub certificates: Vec<CertificateRecipe>,
    /// Servers.
    #[serde(default, rename = "server")]
    pub servers: Vec<ServerRecipe>,
    /// AuthConfig; absent: as setup leaves it.
    #[serde(default)]
    pub auth: AuthRecipe,
    /// Send connectors.
    #[serde(default, rename = "send_connector")]
    pub send_connectors: Vec<SendConnectorRecipe>,
    /// Accepted domains; absent: the domain itself, authoritative and default.
    #[serde(default, rename = "accepted_domain")]
    pub accepted_domains: Vec<AcceptedDomainRecipe>,
    /// The hybrid configuration; absent: no hybrid.
    #[serde(default)]
    pub hybrid: Option<HybridRecipe>,
    /// The federation trust; absent: none.
    #[serde(default)]
    pub federation: Option<FederationRecipe>,
    /// Edge subscriptions.
    #[serde(default, rename = "edge_subscription")]
    pub edge_subscriptions: Vec<EdgeRecipe>,
    /// Setting overrides.
    #[serde(default, rename = "override")]
    pub overrides: Vec<OverrideRecipe>,
    /// How the domain controllers answer.
    #[serde(default)]
    pub directory: DirectoryRecipe,
    /// People; absent: `admin` with everything and `viewer` who may look.
    #[serde(default, rename = "user")]
    pub users: Vec<UserRecipe>,
    /// What the facts list as unknown or contradictory, decided.
    #[serde(default)]
    pub assumptions: Assumptions,
    /// Free registry-like switches of the organisation that cmdlets show, by name.
    #[serde(default)]
    pub organisation_config: BTreeMap<String, bool>,
}

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    /// Not TOML, or not these fields: place and what was expected are in the message.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Fields that contradict each other or refer to nothing.
    #[error("{at}: expected {expected}, found {found}")]
    Meaning {
        /// The table or field.
        at: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
}

pub(crate) fn meaning(
    at: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> OrganisationError {
    OrganisationError::Meaning {
        at: at.into(),
        expected: expected.into(),
        found: found.into(),
    }
}

impl Organisation {
    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`OrganisationError::Toml`] with line and column; [`OrganisationError::Meaning`] for two servers of one name, a
    /// certificate nobody described, a site nobody listed.
    pub fn parse(text: &str) -> Result<Self, OrganisationError> {
        let read: Self = toml::from_str(text)?;
        read.check()?;
        Ok(read)
    }

    /// An organisation of the given mailbox servers, everything else as setup leaves it.
    #[must_use]
    pub fn of_servers<'a>(domain: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            story: None,
            name: default_name(),
            domain: domain.to_owned(),
            now: None,
            language: Language::En,
            utc_offset_minutes: 0,
            namespace: None,
            public: None,
            dag: None,
            sites: Vec::new(),
            certificates: Vec::new(),
            servers: names.into_iter().map(ServerRecipe::named).collect(),
            auth: AuthRecipe::default(),
            send_connectors: Vec::new(),
            accepted_domains: Vec::new(),
            hybrid: None,
            federation: None,
            edge_subscriptions: Vec::new(),
            overrides: Vec::new(),
            directory: DirectoryRecipe::default(),
            users: Vec::new(),
            assumptions: Assumptions::default(),
            organisation_config: BTreeMap::new(),
        }
    }

    /// Checks what TOML cannot: names that repeat, and references to nothing.
    ///
    /// # Errors
    ///
    /// [`OrganisationError::Meaning`].
    pub fn check(&self) -> Result<(), OrganisationError> {
        let mut names = std::collections::BTreeSet::new();
        if self.servers.is_empty() {
            return Err(meaning("server", "at least one [[server]]", "none"));
        }
        for (at, server) in self.servers.iter().enumerate() {
            let place = format!("server[{at}] ({})", server.name);
            if server.name.is_empty()
                || !server
                    .name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                return Err(meaning(
                    place,
                    "a NetBIOS name: letters, digits, hyphen",
                    format!("{:?}", server.name),
                ));
            }
            if !names.insert(server.name.to_ascii_uppercase()) {
                return Err(meaning(
                    place,
                    "a name of its own",
                    "a second server of that name",
                ));
            }
            if let Some(site) = &server.site
                && !self.sites.is_empty()
                && !self.sites.iter().any(|own| own.name.eq_ignore_ascii_case(site))
            {
                return Err(meaning(
                    place,
                    "a site listed under [[site]]",
                    format!("{site:?}"),
                ));
            }
        }
        let mut ids = std::collections::BTreeSet::new();
        for certificate in &self.certificates {
            if matches!(
                certificate.id.as_str(),
                "" | "exchange" | "auth" | "wmsvc" | "none"
            ) {
                return Err(meaning(
                    "certificate",
                    "an id other than exchange, auth, wmsvc, none (those are setup's)",
                    format!("{:?}", certificate.id),
                ));
            }
            if !ids.insert(certificate.id.clone()) {
                return Err(meaning(
                    format!("certificate {:?}", certificate.id),
                    "an id of its own",
                    "a second certificate of that id",
                ));
            }
        }
        if self.directory.max_page_size == 0 || self.directory.max_query_seconds == 0 {
            return Err(meaning("directory", "limits above 0", "0"));
        }
        if self.domain.is_empty() || !self.domain.contains('.') {
            return Err(meaning(
                "domain",
                "a DNS name such as contoso.lab",
                format!("{:?}", self.domain),
            ));
        }
        Ok(())
    }

    /// The users; the two of a file that names none.
    #[must_use]
    pub fn people(&self) -> Vec<UserRecipe> {
        if !self.users.is_empty() {
            return self.users.clone();
        }
        vec![
            UserRecipe {
                name: "admin".to_owned(),
                password: default_password(),
                groups: default_groups(),
                administrator: true,
            },
            UserRecipe {
                name: "viewer".to_owned(),
                password: default_password(),
                groups: vec!["View-Only Organization Management".to_owned()],
                administrator: false,
            },
        ]
    }
}

fn default_name() -> String {
    "exseal lab".to_owned()
}

fn default_password() -> String {
    "Simulated-1".to_owned()
}

fn default_groups() -> Vec<String> {
    vec!["Organization Management".to_owned()]
}

pub(crate) const fn yes() -> bool {
    true
}
