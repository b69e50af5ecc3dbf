//! Questions to one resolver, and whether its answers are proven by DNSSEC.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::Options;
use crate::names::{Resolved, Wanted};

/// Whether records are proven by DNSSEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dnssec {
    /// Signed, and the signatures lead to a trust anchor.
    Secure,
    /// Proven to be unsigned.
    Insecure,
    /// Signed, and the signatures are wrong.
    Bogus,
    /// Cannot be told: the resolver does not pass the records on, or does not answer.
    Unknown,
}

impl Dnssec {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
            Self::Unknown => "unknown",
        }
    }

    fn of(records: &[Record]) -> Self {
        let worst = records.iter().map(|record| record.proof).min();
        match worst {
            Some(Proof::Secure) => Self::Secure,
            Some(Proof::Insecure) => Self::Insecure,
            Some(Proof::Bogus) => Self::Bogus,
            Some(Proof::Indeterminate) | None => Self::Unknown,
        }
    }
}

/// A resolver that asks, and one that verifies what it is told.
pub(crate) struct Asker {
    pub(crate) label: String,
    plain: TokioResolver,
    proving: Option<TokioResolver>,
}

impl Asker {
    pub(crate) async fn new(server: Option<SocketAddr>, wanted: &Wanted) -> Result<Self, String> {
        let anchors = match &wanted.trust_anchor {
            None => None,
            Some(path) => {
                let anchors = TrustAnchors::from_file(path)
                    .map_err(|error| format!("{}: expected DNSKEY or DS records: {error}", path.display()))?;
                Some(Arc::new(anchors))
            }
        };
        Self::with(server, wanted, anchors)
            .await
            .map_err(|error| error.to_string())
    }

    async fn with(
        server: Option<SocketAddr>,
        wanted: &Wanted,
        anchors: Option<Arc<TrustAnchors>>,
    ) -> Result<Self, NetError> {
        let make = |prove: bool| {
            let mut builder = match server {
                None => TokioResolver::builder_tokio()?,
                Some(socket) => {
                    let mut config = ResolverConfig::default();
                    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                    for connection in &mut connections {
                        connection.port = socket.port();
                    }
                    config.add_name_server(NameServerConfig::new(socket.ip(), true, connections));
                    Resolver::builder_with_config(config, TokioRuntimeProvider::default())
                }
            };
            let options = builder.options_mut();
            options.timeout = wanted.patience;
            options.attempts = 1;
            options.validate = prove;
            match &anchors {
                Some(anchors) if prove => builder.with_trust_anchor(Arc::clone(anchors)).build(),
                _ => builder.build(),
            }
        };
        Ok(Self {
            label: server.map_or_else(
                || "system".to_owned(),
                |socket| match socket.port() {
                    53 => socket.ip().to_string(),
                    _ => socket.to_string(),
                },
            ),
            plain: make(false)?,
            // A resolver that does not pass on the keys of the root proves nothing, and disproves nothing.
            proving: match make(true).ok() {
                Some(resolver) if anchored(&resolver, wanted).await => Some(resolver),
                _ => None,
            },
        })
    }

    /// Records of one kind, with what DNSSEC says. `Ok` and empty: there are none.
    pub(crate) async fn ask(&self, name: &str, kind: RecordType) -> (Result<Vec<Record>, String>, Dnssec) {
        let name = format!("{}.", name.trim_end_matches('.'));
        let proven = match &self.proving {
            None => None,
            Some(resolver) => Some(resolver.lookup(name.as_str(), kind).await),
        };
        if let Some(Ok(lookup)) = &proven {
            let records = of_kind(lookup.answers(), kind);
            let dnssec = Dnssec::of(&records);
            return (Ok(records), dnssec);
        }
        if let Some(Err(error)) = &proven {
            tracing::debug!(name, kind = %kind, %error, "Records cannot be proven");
        }
        let bogus = matches!(&proven, Some(Err(error)) if !error.is_no_records_found() && !error.is_nx_domain() && !is_silence(error));
        match self.plain.lookup(name.as_str(), kind).await {
            Ok(lookup) => {
                let records = of_kind(lookup.answers(), kind);
                let state = if bogus && !records.is_empty() {
                    Dnssec::Bogus
                } else {
                    Dnssec::Unknown
                };
                (Ok(records), state)
            }
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
                (Ok(Vec::new()), Dnssec::Unknown)
            }
            Err(error) => (Err(error.to_string()), Dnssec::Unknown),
        }
    }

    /// Addresses of a name.
    pub(crate) async fn resolve(&self, name: &str, options: &Options) -> Resolved {
        let mut resolved = Resolved {
            name: name.to_owned(),
            resolver: self.label.clone(),
            addresses: Vec::new(),
            problem: None,
        };
        if self.label == "system" {
            if let Some(place) = options.place(name, 0) {
                resolved.addresses.push(place.ip().to_string());
                return resolved;
            }
            match timeout(options.connect * 2, tokio::net::lookup_host((name, 0))).await {
                Ok(Ok(found)) => resolved.addresses = found.map(|socket| socket.ip().to_string()).collect(),
                Ok(Err(error)) => resolved.problem = Some(error.to_string()),
                Err(_) => resolved.problem = Some("the system's resolver did not answer in time".to_owned()),
            }
        } else {
            for kind in [RecordType::A, RecordType::AAAA] {
                match self.ask(name, kind).await.0 {
                    Ok(records) => {
                        resolved
                            .addresses
                            .extend(records.iter().filter_map(|record| match &record.data {
                                RData::A(address) => Some(address.0.to_string()),
                                RData::AAAA(address) => Some(address.0.to_string()),
                                _ => None,
                            }));
                    }
                    Err(reason) => resolved.problem = Some(reason),
                }
            }
        }
        resolved.addresses.sort();
        resolved.addresses.dedup();
        resolved
    }

    /// The options for looking at `name` where this resolver says it is.
    pub(crate) async fn options_for(&self, name: &str, options: &Options) -> Options {
        let mut own = options.clone();
        own.versions = false;
        own.healthcheck = false;
        if self.label == "system" || own.place(name, 0).is_some() {
            return own;
        }
        let resolved = self.resolve(name, options).await;
        if let Some(address) = resolved
            .addresses
            .first()
            .and_then(|address| address.parse().ok())
        {
            own.overrides
                .insert(name.to_ascii_lowercase(), crate::Override::Address(address));
        }
        own
    }
}

/// Whether the keys of the trust anchors' zone are told and fit them.
async fn anchored(resolver: &TokioResolver, wanted: &Wanted) -> bool {
    let zone = wanted
        .trust_anchor
        .as_ref()
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| {
            let first = text
                .lines()
                .find(|line| !line.trim().is_empty() && !line.starts_with(';'))?;
            first.split_whitespace().next().map(str::to_owned)
        })
        .unwrap_or_else(|| ".".to_owned());
    match resolver.lookup(zone.as_str(), RecordType::DNSKEY).await {
        Ok(lookup) => Dnssec::of(&of_kind(lookup.answers(), RecordType::DNSKEY)) == Dnssec::Secure,
        Err(_) => false,
    }
}

fn of_kind(answers: &[Record], kind: RecordType) -> Vec<Record> {
    answers
        .iter()
        .filter(|record| record.record_type() == kind)
        .cloned()
        .collect()
}

const fn is_silence(error: &NetError) -> bool {
    matches!(
        error,
        NetError::Timeout | NetError::NoConnections | NetError::Io(_) | NetError::Busy
    )
}
