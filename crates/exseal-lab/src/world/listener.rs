//! What a listener presents now, and whether a door opens at all.

use std::net::IpAddr;
use std::sync::Arc;

use crate::certificate::{Certificate, PrivateKey, Thumbprint};
use crate::organisation::{Role, StoreName, Version};

use super::directory::{ClientProtocol, ReceiveConnector};
use super::selection::{self, Selected};
use super::{Controller, Happening, Server, ServerName, Stored, World};

/// A place where TLS begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A port of http.sys. `ip` is the address the client connected to, as the server knows it (`127.0.0.1` for its own
    /// loopback), `sni` the name the client asked for.
    HttpsPort {
        /// Address.
        ip: IpAddr,
        /// Port.
        port: u16,
        /// Name asked for.
        sni: Option<String>,
    },
    /// A receive connector's port.
    Smtp {
        /// Port.
        port: u16,
        /// Which verb was said.
        verb: SmtpVerb,
    },
    /// POP3, 110 and 995.
    Pop,
    /// IMAP4, 143 and 993.
    Imap,
    /// AD LDS of an Edge, 50636.
    Adam,
    /// A domain controller's LDAPS, 636.
    Ldaps,
    /// WinRM https, 5986.
    WinRm,
}

/// How TLS begins in SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpVerb {
    /// STARTTLS.
    StartTls,
    /// X-ANONYMOUSTLS.
    XAnonymousTls,
}

/// A certificate with its key, as a TLS stack needs it.
#[derive(Clone, Debug)]
pub struct PresentedCertificate {
    /// Leaf first, then intermediates; no root.
    pub chain: Vec<Vec<u8>>,
    /// The leaf's thumbprint.
    pub thumbprint: Thumbprint,
    /// The leaf's key.
    pub key: Arc<PrivateKey>,
}

impl PresentedCertificate {
    /// As rustls presents it; `None` when rustls refuses the key.
    #[must_use]
    pub fn certified_key(&self) -> Option<rustls::sign::CertifiedKey> {
        let chain = self
            .chain
            .iter()
            .map(|der| rustls::pki_types::CertificateDer::from(der.clone()))
            .collect();
        Some(rustls::sign::CertifiedKey::new(chain, self.key.signing_key()?))
    }
}

/// What an SMTP port says after EHLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpListener {
    /// The connector.
    pub connector: String,
    /// Whether it is a front-end connector.
    pub frontend: bool,
    /// The name in banner and answers.
    pub fqdn: String,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// Whether X-ANONYMOUSTLS is offered.
    pub x_anonymous_tls: bool,
    /// AuthMechanisms flags.
    pub auth: i32,
    /// Whether the server component is active; otherwise `421 4.3.2 Service not active`.
    pub active: bool,
}

/// How the web front end fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEnd {
    /// Pages work.
    Works,
    /// W3SVC is down: nothing answers.
    Down,
    /// The login form shows, then a blank page: no usable certificate on 444.
    NoBackEnd,
    /// The login works, then an error by the Auth certificate (E23, event 1003).
    AuthBroken,
    /// The login loops: an RSA key in a KSP on 443.
    LoginLoops,
    /// The application pool is stopped: 503.
    PoolStopped,
}

/// Why a session cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRefusal {
    /// Nothing answers.
    Unreachable,
    /// The web server does not run.
    Down,
    /// The front end cannot reach the back end: text and category of facts/exchange.md E20.
    BackEnd {
        /// The text.
        message: String,
    },
    /// The application pool is stopped: 503.
    PoolStopped,
    /// Windows remoting is stopped.
    WinRmStopped,
}

/// The ports a balancer in front of mailbox servers takes.
const BALANCED: [u16; 8] = [25, 80, 110, 143, 443, 587, 993, 995];

impl World {
    /// The name in front of the servers, where there are servers enough for a balancer: at least two.
    #[must_use]
    pub fn balancer(&self) -> Option<ServerName> {
        let name = self.namespace.as_ref()?;
        (self.balanced().nth(1).is_some()).then(|| ServerName::new(&name.to_lowercase()))
    }

    /// The servers behind it.
    pub(crate) fn balanced(&self) -> impl Iterator<Item = &Server> {
        self.servers
            .values()
            .filter(|server| server.role == Role::Mailbox && server.version >= Version::V2013)
    }
    /// The certificate a listener presents at this moment; `None`: the handshake fails, or the verb is not offered.
    ///
    /// http.sys: a named entry for the SNI, then the exact address, then `[::]`, then `0.0.0.0`. SMTP, POP and IMAP by
    /// the rules of facts/exchange.md 2.7 and 2.9. Looking changes nothing; [`World::handshake_failed`] logs what a
    /// real server logs.
    #[must_use]
    pub fn certificate_for(&self, at: &ServerName, listener: &Listener) -> Option<PresentedCertificate> {
        if *listener == Listener::Ldaps {
            return self.controller(at).map(Controller::present);
        }
        let server = self.servers.get(at)?;
        let stored = match listener {
            Listener::HttpsPort { ip, port, sni } => self.https(server, *ip, *port, sni.as_deref())?,
            Listener::Smtp { port, verb } => {
                let connector = self.connector_on(server, *port);
                match verb {
                    SmtpVerb::StartTls => {
                        let selected = self.starttls(server, &connector?)?;
                        server.my(selected.thumbprint).filter(|_| selected.usable)?
                    }
                    SmtpVerb::XAnonymousTls => self.anonymous(server, connector.as_ref(), *port)?,
                }
            }
            Listener::Pop => self.client_protocol(server, ClientProtocol::Pop)?,
            Listener::Imap => self.client_protocol(server, ClientProtocol::Imap)?,
            Listener::Adam => {
                let own = self.directory.internal_transport(server.site, at)?;
                server
                    .my(own.thumbprint())
                    .filter(|stored| stored.usable_key().is_some())?
            }
            Listener::WinRm => server
                .my(server.winrm_https?)
                .filter(|stored| stored.usable_key().is_some())?,
            Listener::Ldaps => return None,
        };
        self.present(server, stored)
    }

    fn present(&self, server: &Server, stored: &Stored) -> Option<PresentedCertificate> {
        let key = stored.usable_key()?;
        Some(PresentedCertificate {
            chain: std::iter::once(stored.certificate.der().to_vec())
                .chain(
                    chain_of(server, &stored.certificate)
                        .iter()
                        .map(|part| part.der().to_vec()),
                )
                .collect(),
            thumbprint: stored.certificate.thumbprint(),
            key: Arc::clone(&key.key),
        })
    }

    /// The http.sys entry that serves an address, port and name.
    #[must_use]
    pub fn http_sys_entry(&self, at: &ServerName, ip: IpAddr, port: u16, sni: Option<&str>) -> Option<&str> {
        let server = self.servers.get(at)?;
        let named = sni.map(|name| format!("{}:{port}", name.to_ascii_lowercase()));
        let exact = match ip {
            IpAddr::V4(ip) => format!("{ip}:{port}"),
            IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        };
        let any6 = ip.is_ipv6().then(|| format!("[::]:{port}"));
        [named, Some(exact), any6, Some(format!("0.0.0.0:{port}"))]
            .into_iter()
            .flatten()
            .find_map(|endpoint| {
                server
                    .http_sys
                    .get_key_value(&endpoint)
                    .map(|(key, _)| key.as_str())
            })
    }

    fn https<'w>(
        &'w self,
        server: &'w Server,
        ip: IpAddr,
        port: u16,
        sni: Option<&str>,
    ) -> Option<&'w Stored> {
        let endpoint = self.http_sys_entry(&server.name, ip, port, sni)?;
        let entry = server.http_sys.get(endpoint)?;
        server
            .find(entry.store, entry.hash?)
            .filter(|stored| stored.usable_key().is_some())
    }

    /// The connector that listens on a port: by its own binding, enabled, its service running.
    #[must_use]
    pub fn connector_on(&self, server: &Server, port: u16) -> Option<ReceiveConnector> {
        let ending = format!(":{port}");
        self.directory
            .receive_connectors(server.site)
            .filter(|connector| connector.server == server.name && connector.enabled)
            .find(|connector| {
                connector
                    .bindings
                    .iter()
                    .any(|binding| binding.ends_with(&ending))
            })
            .filter(|connector| {
                server.runs(if connector.frontend {
                    "MSExchangeFrontEndTransport"
                } else {
                    "MSExchangeTransport"
                })
            })
            .cloned()
    }

    /// The certificate the rule picks for a connector's STARTTLS; `None`: not advertised.
    #[must_use]
    pub fn starttls(&self, server: &Server, connector: &ReceiveConnector) -> Option<Selected> {
        if connector.auth & 1 == 0 {
            return None;
        }
        selection::for_connector(
            server,
            connector,
            self.assumptions.smtp_flag,
            self.clock_of(&server.name),
        )
    }

    fn anonymous<'w>(
        &'w self,
        server: &'w Server,
        connector: Option<&ReceiveConnector>,
        port: u16,
    ) -> Option<&'w Stored> {
        match connector {
            Some(connector) if connector.auth & 16 == 0 || connector.suppress_x_anonymous_tls => return None,
            None if port != 475 || !server.runs("MSExchangeDelivery") => return None,
            _ => {}
        }
        let thumbprint = self
            .directory
            .internal_transport(server.site, &server.name)?
            .thumbprint();
        server
            .my(thumbprint)
            .filter(|stored| stored.key_for_transport().is_some())
    }

    fn client_protocol<'w>(&'w self, server: &'w Server, protocol: ClientProtocol) -> Option<&'w Stored> {
        let service = match protocol {
            ClientProtocol::Pop => "MSExchangePop3",
            ClientProtocol::Imap => "MSExchangeImap4",
        };
        if !server.runs(service) {
            return None;
        }
        let settings = server.protocol_loaded.get(&protocol)?;
        selection::for_host(server, &settings.x509_certificate_name)
    }

    /// What an SMTP port offers; `None`: nothing listens there.
    #[must_use]
    pub fn smtp_listener(&self, at: &ServerName, port: u16) -> Option<SmtpListener> {
        let server = self.servers.get(at).filter(|server| server.reachable)?;
        if port == 475 && server.role == Role::Mailbox && server.runs("MSExchangeDelivery") {
            return Some(SmtpListener {
                connector: "Mailbox Transport Delivery".to_owned(),
                frontend: false,
                fqdn: server.fqdn.clone(),
                starttls: false,
                x_anonymous_tls: self.anonymous(server, None, 475).is_some(),
                auth: 16,
                active: true,
            });
        }
        let connector = self.connector_on(server, port)?;
        let component = if connector.frontend {
            "FrontendTransport"
        } else if server.role == Role::Edge {
            "EdgeTransport"
        } else {
            "HubTransport"
        };
        let active = ["ServerWideOffline", component]
            .iter()
            .all(|name| server.components.get(*name).is_none_or(|state| state == "Active"));
        Some(SmtpListener {
            fqdn: connector.fqdn.clone().unwrap_or_else(|| server.fqdn.clone()),
            starttls: self.starttls(server, &connector).is_some(),
            x_anonymous_tls: self.anonymous(server, Some(&connector), port).is_some(),
            auth: connector.auth,
            frontend: connector.frontend,
            connector: connector.name,
            active,
        })
    }

    /// The ports a server listens on at this moment, ascending.
    #[must_use]
    pub fn open_ports(&self, at: &ServerName) -> Vec<u16> {
        if self.balancer().as_ref() == Some(at) {
            let open: std::collections::BTreeSet<u16> = self
                .balanced()
                .flat_map(|server| self.open_ports(&server.name))
                .filter(|port| BALANCED.contains(port))
                .collect();
            return open.into_iter().collect();
        }
        if let Some(controller) = self.controller(at) {
            return if controller.reachable {
                vec![389, 636]
            } else {
                Vec::new()
            };
        }
        let Some(server) = self.servers.get(at).filter(|server| server.reachable) else {
            return Vec::new();
        };
        let mut ports = std::collections::BTreeSet::new();
        if server.role == Role::Mailbox && server.runs("W3SVC") {
            for site in server.web_sites.iter().filter(|site| site.started) {
                for binding in &site.bindings {
                    if binding.protocol.starts_with("http") {
                        ports.extend(
                            binding
                                .information
                                .rsplit(':')
                                .nth(1)
                                .and_then(|port| port.parse::<u16>().ok()),
                        );
                    }
                }
            }
        }
        for connector in self.directory.receive_connectors(server.site) {
            if connector.server == server.name {
                for binding in &connector.bindings {
                    if let Some(port) = binding
                        .rsplit(':')
                        .next()
                        .and_then(|port| port.parse::<u16>().ok())
                        && self.connector_on(server, port).is_some()
                    {
                        ports.insert(port);
                    }
                }
            }
        }
        if server.role == Role::Mailbox && server.runs("MSExchangeDelivery") {
            ports.insert(475);
        }
        for (service, own) in [
            ("MSExchangePop3", &[110_u16, 995][..]),
            ("MSExchangePOP3BE", &[1995]),
            ("MSExchangeImap4", &[143, 993]),
            ("MSExchangeIMAP4BE", &[1993]),
            ("ADAM_MSExchange", &[50636, 50389]),
            ("WinRM", &[5985]),
        ] {
            if server.runs(service) {
                ports.extend(own);
            }
        }
        if server.winrm_https.is_some() && server.runs("WinRM") {
            ports.insert(5986);
        }
        ports.into_iter().collect()
    }

    /// Logs what a server logs when a handshake found no certificate, or a key that cannot be read.
    pub fn handshake_failed(&mut self, at: &ServerName, listener: &Listener) {
        match listener {
            Listener::HttpsPort { ip, port, sni } => {
                if let Some(endpoint) = self.http_sys_entry(at, *ip, *port, sni.as_deref()) {
                    let endpoint = endpoint.to_owned();
                    self.log(at, &Happening::HttpSysCertificateMissing { endpoint });
                }
            }
            Listener::Smtp { .. } => self.log(at, &Happening::SchannelKey),
            _ => {}
        }
    }

    /// Whether the front end can use its back end on 444.
    fn back_end_works(&self, server: &Server) -> bool {
        let loopback = IpAddr::from([127, 0, 0, 2]);
        let Some(stored) = self.https(server, loopback, 444, None) else {
            return false;
        };
        let expired = stored.certificate.not_after() < self.clock_of(&server.name);
        let started = server.web_sites.iter().any(|site| site.id == 2 && site.started);
        started && !(expired && self.assumptions.front_end_refuses_expired_back_end)
    }

    /// How OWA and ECP fare on a server.
    #[must_use]
    pub fn front_end(&self, at: &ServerName) -> FrontEnd {
        let Some(server) = self.servers.get(at).filter(|server| server.reachable) else {
            return FrontEnd::Down;
        };
        if !server.runs("W3SVC") || !server.web_sites.iter().any(|site| site.id == 1 && site.started) {
            return FrontEnd::Down;
        }
        if server.app_pools.get("MSExchangeOWAAppPool") == Some(&false) {
            return FrontEnd::PoolStopped;
        }
        let front = server
            .http_sys
            .get("0.0.0.0:443")
            .and_then(|entry| server.find(entry.store, entry.hash?));
        let ksp = front.is_some_and(|stored| {
            stored.certificate.is_rsa()
                && stored
                    .key
                    .as_ref()
                    .is_some_and(|key| key.provider == crate::organisation::Provider::Ksp)
        });
        if ksp && !(server.version == Version::Se && self.assumptions.se_allows_ksp) {
            return FrontEnd::LoginLoops;
        }
        if !self.back_end_works(server) {
            return FrontEnd::NoBackEnd;
        }
        let now = self.clock_of(at);
        let valid = server
            .auth_loaded
            .and_then(|thumbprint| server.my(thumbprint))
            .is_some_and(|stored| stored.usable_key().is_some() && stored.certificate.not_after() >= now);
        if valid {
            FrontEnd::Works
        } else {
            FrontEnd::AuthBroken
        }
    }

    /// Whether a session behind an endpoint opens (invariant 8).
    ///
    /// # Errors
    ///
    /// [`SessionRefusal`]: what the client sees instead.
    pub fn open_session(
        &mut self,
        at: &ServerName,
        endpoint: crate::call::Endpoint,
    ) -> Result<(), SessionRefusal> {
        use crate::call::Endpoint;

        let server = self
            .servers
            .get(at)
            .filter(|server| server.reachable)
            .ok_or(SessionRefusal::Unreachable)?;
        match endpoint {
            Endpoint::Local => Ok(()),
            Endpoint::Windows if server.runs("WinRM") => Ok(()),
            Endpoint::Windows => Err(SessionRefusal::WinRmStopped),
            Endpoint::Exchange { .. } => {
                if server.role == Role::Edge || !server.runs("W3SVC") {
                    return Err(SessionRefusal::Down);
                }
                for pool in [
                    "MSExchangePowerShellFrontEndAppPool",
                    "MSExchangePowerShellAppPool",
                ] {
                    if server.app_pools.get(pool) != Some(&true) {
                        return Err(SessionRefusal::PoolStopped);
                    }
                }
                if self.back_end_works(server) {
                    return Ok(());
                }
                let message = format!(
                    "[ClientAccessServer={},BackEndServer={},RequestId={},TimeStamp={}] [FailureCategory=Cafe-SendFailure] ",
                    server.name.as_str().to_uppercase(),
                    server.fqdn.to_lowercase(),
                    self.guid(&format!("request/{}", self.counter)),
                    self.now.strftime("%-m/%-d/%Y %-I:%M:%S %p"),
                );
                self.counter += 1;
                self.log(
                    at,
                    &Happening::HttpSysCertificateMissing {
                        endpoint: "0.0.0.0:444".to_owned(),
                    },
                );
                Err(SessionRefusal::BackEnd { message })
            }
        }
    }
}

/// The intermediates of a certificate, as far as the machine's stores hold them.
pub(crate) fn chain_of(server: &Server, certificate: &Certificate) -> Vec<Certificate> {
    let mut chain: Vec<Certificate> = Vec::new();
    let mut last = certificate.clone();
    while !last.is_self_signed() && chain.len() < 6 {
        let issuer = [StoreName::Ca, StoreName::Root]
            .into_iter()
            .flat_map(|store| server.store(store))
            .map(|stored| &stored.certificate)
            .find(|issuer| issuer.subject() == last.issuer() && issuer.is_ca());
        match issuer {
            Some(issuer) if !issuer.is_self_signed() => {
                chain.push(issuer.clone());
                last = issuer.clone();
            }
            _ => break,
        }
    }
    chain
}
