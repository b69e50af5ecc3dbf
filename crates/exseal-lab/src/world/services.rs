//! Services and application pools: what setup installs, and what starting and stopping does.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::organisation::{Disabler, Role, StartMode, Version};

use super::directory::ClientProtocol;
use super::{Happening, Server, ServerName, Service, World};

/// Services of a mailbox server (facts/exchange.md 12): all automatic and running but the last ones.
const MAILBOX: [&str; 29] = [
    "FMS",
    "HostControllerService",
    "IISADMIN",
    "MSExchangeADTopology",
    "MSExchangeAntispamUpdate",
    "MSExchangeCompliance",
    "MSExchangeDagMgmt",
    "MSExchangeDelivery",
    "MSExchangeDiagnostics",
    "MSExchangeEdgeSync",
    "MSExchangeFastSearch",
    "MSExchangeFrontEndTransport",
    "MSExchangeHM",
    "MSExchangeHMRecovery",
    "MSExchangeIS",
    "MSExchangeMailboxAssistants",
    "MSExchangeMailboxReplication",
    "MSExchangeMitigation",
    "MSExchangeRepl",
    "MSExchangeRPC",
    "MSExchangeServiceHost",
    "MSExchangeSubmission",
    "MSExchangeThrottling",
    "MSExchangeTransport",
    "MSExchangeTransportLogSearch",
    "SearchExchangeTracing",
    "W3SVC",
    "WinRM",
    "HTTP",
];
const MANUAL: [&str; 4] = [
    "MSExchangeImap4",
    "MSExchangeIMAP4BE",
    "MSExchangePop3",
    "MSExchangePOP3BE",
];
const OF_2016: [&str; 3] = ["MSExchangeUM", "MSExchangeUMCR", "MSExchangeNotificationsBroker"];
const EDGE: [&str; 8] = [
    "ADAM_MSExchange",
    "MSExchangeAntispamUpdate",
    "MSExchangeDiagnostics",
    "MSExchangeEdgeCredential",
    "MSExchangeServiceHost",
    "MSExchangeTransport",
    "MSExchangeTransportLogSearch",
    "WinRM",
];

/// The application pools (facts/exchange.md 12).
pub(super) const APP_POOLS: [&str; 17] = [
    "MSExchangeAutodiscoverAppPool",
    "MSExchangeECPAppPool",
    "MSExchangeMapiAddressBookAppPool",
    "MSExchangeMapiFrontEndAppPool",
    "MSExchangeMapiMailboxAppPool",
    "MSExchangeOABAppPool",
    "MSExchangeOWAAppPool",
    "MSExchangeOWACalendarAppPool",
    "MSExchangePowerShellAppPool",
    "MSExchangePowerShellFrontEndAppPool",
    "MSExchangePushNotificationsAppPool",
    "MSExchangeRestAppPool",
    "MSExchangeRestFrontEndAppPool",
    "MSExchangeRpcProxyAppPool",
    "MSExchangeRpcProxyFrontEndAppPool",
    "MSExchangeServicesAppPool",
    "MSExchangeSyncAppPool",
];

pub(super) fn installed(role: Role, version: Version) -> BTreeMap<String, Service> {
    let service = |start: StartMode, running: bool| Service {
        running,
        start,
        disabled_by: None,
        default: start,
    };
    let mut services = BTreeMap::new();
    if role == Role::Edge {
        for name in EDGE {
            services.insert(name.to_owned(), service(StartMode::Automatic, true));
        }
        return services;
    }
    for name in MAILBOX {
        services.insert(name.to_owned(), service(StartMode::Automatic, true));
    }
    for name in MANUAL {
        services.insert(name.to_owned(), service(StartMode::Manual, false));
    }
    services.insert("WAS".to_owned(), service(StartMode::Manual, true));
    if version == Version::V2016 {
        for name in OF_2016 {
            services.insert(name.to_owned(), service(StartMode::Automatic, true));
        }
    }
    services
}

/// The names of the services setup installs.
pub(crate) fn installed_services(role: Role, version: Version) -> Vec<String> {
    installed(role, version).into_keys().collect()
}

/// The names of the application pools setup makes.
pub(crate) const fn installed_pools() -> &'static [&'static str] {
    &APP_POOLS
}

/// Whether setup disables a service while it works.
pub(super) fn touched_by_setup(name: &str) -> bool {
    name.starts_with("MSExchange")
        || matches!(
            name,
            "FMS" | "HostControllerService" | "W3SVC" | "IISADMIN" | "WAS"
        )
}

/// A service that cannot be started or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceError {
    /// No such service.
    NotFound,
    /// It is disabled.
    Disabled,
}

impl Server {
    pub(crate) fn disable(&mut self, name: &str, by: Disabler) {
        if let Some(service) = self.service_mut(name) {
            service.running = false;
            service.start = StartMode::Disabled;
            service.disabled_by = Some(by);
        }
    }
}

impl World {
    /// Starts a service; one that runs stays as it is.
    pub(crate) fn start_service(&mut self, at: &ServerName, name: &str) -> Result<(), ServiceError> {
        let server = self.servers.get_mut(at).ok_or(ServiceError::NotFound)?;
        let service = server.service_mut(name).ok_or(ServiceError::NotFound)?;
        if service.running {
            return Ok(());
        }
        if service.start == StartMode::Disabled {
            return Err(ServiceError::Disabled);
        }
        service.running = true;
        self.service_started(at, name);
        Ok(())
    }

    /// Starts a service as Windows does: it runs once the time that takes is over, which is no time by default.
    pub(crate) fn begin_service(&mut self, at: &ServerName, name: &str) -> Result<(), ServiceError> {
        if self.assumptions.service_start_seconds == 0 {
            return self.start_service(at, name);
        }
        let seconds = i64::from(self.assumptions.service_start_seconds);
        let due = self.now.checked_add(SignedDuration::from_secs(seconds));
        let due = due.unwrap_or(self.now);
        let server = self.servers.get_mut(at).ok_or(ServiceError::NotFound)?;
        let own = server
            .services
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .ok_or(ServiceError::NotFound)?;
        match own {
            (_, service) if service.running => {}
            (_, service) if service.start == StartMode::Disabled => return Err(ServiceError::Disabled),
            (own, _) => {
                server.starting.insert(own.clone(), due);
            }
        }
        Ok(())
    }

    /// How long services of a server still start; whoever waited so long says [`finish_starting`](Self::finish_starting).
    pub(crate) fn starting(&self, at: &ServerName) -> Option<std::time::Duration> {
        let seconds = u64::from(self.assumptions.service_start_seconds);
        let waits = self
            .servers
            .get(at)
            .is_some_and(|server| !server.starting.is_empty());
        waits.then_some(std::time::Duration::from_secs(seconds))
    }

    /// The services of a server that were starting run, whatever the clock says.
    pub(crate) fn finish_starting(&mut self, at: &ServerName) {
        let starting = self
            .servers
            .get_mut(at)
            .map(|server| std::mem::take(&mut server.starting));
        for name in starting.unwrap_or_default().into_keys() {
            // One that somebody disabled meanwhile stays down.
            let _ = self.start_service(at, &name);
        }
    }

    /// Stops a service, and what cannot run without it.
    pub(crate) fn stop_service(&mut self, at: &ServerName, name: &str) -> Result<(), ServiceError> {
        let server = self.servers.get_mut(at).ok_or(ServiceError::NotFound)?;
        server.starting.retain(|own, _| !own.eq_ignore_ascii_case(name));
        server.service_mut(name).ok_or(ServiceError::NotFound)?.running = false;
        if name.eq_ignore_ascii_case("WAS")
            && let Some(service) = server.service_mut("W3SVC")
        {
            service.running = false;
        }
        Ok(())
    }

    /// What a service reads when it starts.
    fn service_started(&mut self, at: &ServerName, name: &str) {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "msexchangepop3" | "msexchangeimap4" => {
                let protocol = if lower == "msexchangepop3" {
                    ClientProtocol::Pop
                } else {
                    ClientProtocol::Imap
                };
                self.load_protocol(at, protocol);
            }
            "msexchangeservicehost" => self.run_auth_admin(at),
            "w3svc" => {
                let current = self.auth_on(at);
                let now = self.now;
                if let Some(server) = self.servers.get_mut(at) {
                    server.auth_loaded = current;
                    server.web_started = now;
                    for started in server.app_pools.values_mut() {
                        *started = true;
                    }
                }
            }
            "msexchangetransport" | "msexchangefrontendtransport" => self.check_transport(at),
            _ => {}
        }
    }

    /// What the web applications of a pool read when it starts: the Auth certificate, in those of OWA and ECP.
    pub(crate) fn pool_started(&mut self, at: &ServerName, pool: &str) {
        let current = self.auth_on(at);
        if matches!(pool, "MSExchangeOWAAppPool" | "MSExchangeECPAppPool")
            && let Some(server) = self.servers.get_mut(at)
        {
            server.auth_loaded = current;
        }
    }

    /// Reads POP's or IMAP's settings and looks for their certificate.
    pub(crate) fn load_protocol(&mut self, at: &ServerName, protocol: ClientProtocol) {
        let Some(site) = self.servers.get(at).map(|server| server.site) else {
            return;
        };
        let Some(settings) = self.directory.protocol(site, at, protocol).cloned() else {
            return;
        };
        let host = settings.x509_certificate_name.clone();
        let found = self.servers.get_mut(at).is_some_and(|server| {
            server.protocol_loaded.insert(protocol, settings);
            super::selection::for_host(server, &host).is_some()
        });
        if !found {
            self.log(
                at,
                &Happening::ProtocolCertificateMissing {
                    host,
                    pop: protocol == ClientProtocol::Pop,
                },
            );
        }
    }

    /// The current Auth certificate as a server's web applications can use it: with its key, in the store.
    pub(crate) fn auth_on(&self, at: &ServerName) -> Option<crate::certificate::Thumbprint> {
        let server = self.servers.get(at)?;
        let current = self.directory.auth(server.site)?.current?;
        server.my(current)?.usable_key().map(|_| current)
    }

    /// A restart of Windows: services that start by themselves run again, everything is read anew.
    pub fn reboot(&mut self, at: &ServerName) {
        let Some(server) = self.servers.get_mut(at) else {
            return;
        };
        server.restart_pending = false;
        server.starting.clear();
        let names: Vec<String> = server.services.keys().cloned().collect();
        for service in server.services.values_mut() {
            service.running = false;
        }
        self.log(at, &Happening::WindowsStarted);
        for name in names {
            let automatic = self
                .servers
                .get(at)
                .and_then(|server| server.service(&name))
                .is_some_and(|service| {
                    service.start == StartMode::Automatic
                        || (name == "WAS" && service.start != StartMode::Disabled)
                });
            if automatic {
                // A service that is not there or disabled stays down: nothing else can be wrong here.
                let _ = self.start_service(at, &name);
            }
        }
    }
}
