//! The event log: ids, sources and insertion values are the same in every language, the text is not.

use jiff::Timestamp;
use serde::Serialize;

use crate::organisation::Language;

/// Level of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Level {
    /// Error.
    Error,
    /// Warning.
    Warning,
    /// Information.
    Information,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, by the simulation's clock.
    pub time: Timestamp,
    /// `Application` or `System`.
    pub log: &'static str,
    /// Source.
    pub source: &'static str,
    /// Id, without qualifiers.
    pub id: u32,
    /// Level.
    pub level: Level,
    /// Insertion values, the same in every language.
    pub values: Vec<String>,
    /// The text, in the server's language.
    pub message: String,
}

/// What can happen (facts/exchange.md 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// 12012: no internal transport certificate in the directory.
    InternalTransportNotInDirectory,
    /// 12013: it is not in the store.
    InternalTransportNotInStore {
        /// Its thumbprint.
        thumbprint: String,
    },
    /// 12024: the same, with an ephemeral one in its place.
    InternalTransportEphemeral {
        /// Its thumbprint.
        thumbprint: String,
        /// The ephemeral one's.
        ephemeral: String,
    },
    /// 12014: no certificate for a connector.
    NoCertificateForConnector {
        /// The name looked for.
        wanted: String,
        /// The connector.
        connector: String,
        /// Its FQDN.
        fqdn: String,
        /// Whether the front end says so.
        frontend: bool,
    },
    /// 12015: the internal transport certificate ended.
    InternalTransportExpired {
        /// Its thumbprint.
        thumbprint: String,
    },
    /// 12016: a connector's certificate ended.
    ConnectorCertificateExpired {
        /// The connector's FQDN.
        fqdn: String,
    },
    /// 12017: the internal transport certificate will end.
    InternalTransportExpires {
        /// Its thumbprint.
        thumbprint: String,
        /// Hours left.
        hours: String,
    },
    /// 12018: a connector's certificate will end.
    ConnectorCertificateExpires {
        /// Subject.
        subject: String,
        /// Thumbprint.
        thumbprint: String,
        /// When it ends.
        expires: String,
    },
    /// 2014: AuthAdmin published.
    AuthPublished {
        /// The new current certificate.
        thumbprint: String,
    },
    /// 2005: the deployment servicelet finds a certificate nowhere.
    AuthCertificateNotFound {
        /// The certificate.
        thumbprint: String,
    },
    /// OAuth 2004: the signing certificate is missing or has no key.
    OAuthCertificateMissing {
        /// The certificate.
        thumbprint: String,
    },
    /// 1003: OWA fails by its Auth certificate.
    OwaFailed,
    /// 15021 (System): http.sys has no certificate for an endpoint.
    HttpSysCertificateMissing {
        /// The endpoint.
        endpoint: String,
    },
    /// 36870 (System): a key cannot be opened.
    SchannelKey,
    /// 1035: EdgeSync and a key that is not CAPI.
    EdgeSyncNotCapi {
        /// The certificate.
        thumbprint: String,
    },
    /// 1004: EdgeSync does not get into ADAM.
    EdgeSyncCannotConnect {
        /// The whole sentence.
        details: String,
    },
    /// 10104: the Edge's certificate is not the recorded one.
    EdgeSyncNoMatch {
        /// The Edge.
        edge: String,
    },
    /// 1036: direct trust failed.
    DirectTrustFailed {
        /// The certificate.
        thumbprint: String,
        /// Source address.
        address: String,
    },
    /// 2009: a federation certificate will end.
    FederationExpires {
        /// The certificate.
        thumbprint: String,
    },
    /// 6005 (System): Windows started.
    WindowsStarted,
    /// 2007: POP or IMAP finds no certificate. Unverified in the facts.
    ProtocolCertificateMissing {
        /// The host name.
        host: String,
        /// Whether it is POP.
        pop: bool,
    },
}

impl Happening {
    /// The event it makes.
    #[must_use]
    pub fn event(&self, time: Timestamp, language: Language) -> Event {
        use Level::{Error, Information, Warning};

        const TRANSPORT: &str = "MSExchangeTransport";
        let (log, source, id, level, values) = match self {
            Self::InternalTransportNotInDirectory => ("Application", TRANSPORT, 12012, Error, vec![]),
            Self::InternalTransportNotInStore { thumbprint } => {
                ("Application", TRANSPORT, 12013, Error, vec![thumbprint])
            }
            Self::InternalTransportEphemeral {
                thumbprint,
                ephemeral,
            } => (
                "Application",
                TRANSPORT,
                12024,
                Error,
                vec![thumbprint, ephemeral],
            ),
            Self::NoCertificateForConnector {
                wanted,
                connector,
                fqdn,
                frontend,
            } => {
                let source = if *frontend {
                    "MSExchangeFrontEndTransport"
                } else {
                    TRANSPORT
                };
                ("Application", source, 12014, Error, vec![wanted, connector, fqdn])
            }
            Self::InternalTransportExpired { thumbprint } => {
                ("Application", TRANSPORT, 12015, Error, vec![thumbprint])
            }
            Self::ConnectorCertificateExpired { fqdn } => {
                ("Application", TRANSPORT, 12016, Error, vec![fqdn])
            }
            Self::InternalTransportExpires { thumbprint, hours } => {
                ("Application", TRANSPORT, 12017, Warning, vec![thumbprint, hours])
            }
            Self::ConnectorCertificateExpires {
                subject,
                thumbprint,
                expires,
            } => (
                "Application",
                TRANSPORT,
                12018,
                Warning,
                vec![subject, thumbprint, expires],
            ),
            Self::AuthPublished { thumbprint } => (
                "Application",
                "MSExchange AuthAdmin",
                2014,
                Information,
                vec![thumbprint],
            ),
            Self::AuthCertificateNotFound { thumbprint } => (
                "Application",
                "MSExchange Certificate Deployment",
                2005,
                Error,
                vec![thumbprint],
            ),
            Self::OAuthCertificateMissing { thumbprint } => {
                ("Application", "MSExchange OAuth", 2004, Warning, vec![thumbprint])
            }
            Self::OwaFailed => (
                "Application",
                "MSExchange Front End HTTP Proxy",
                1003,
                Error,
                vec![],
            ),
            Self::HttpSysCertificateMissing { endpoint } => {
                ("System", "HttpEvent", 15021, Error, vec![endpoint])
            }
            Self::SchannelKey => ("System", "Schannel", 36870, Error, vec![]),
            Self::EdgeSyncNotCapi { thumbprint } => (
                "Application",
                "MSExchange EdgeSync",
                1035,
                Error,
                vec![thumbprint],
            ),
            Self::EdgeSyncCannotConnect { details } => {
                ("Application", "MSExchange EdgeSync", 1004, Error, vec![details])
            }
            Self::EdgeSyncNoMatch { edge } => {
                ("Application", "MSExchange EdgeSync", 10104, Error, vec![edge])
            }
            Self::DirectTrustFailed { thumbprint, address } => {
                ("Application", TRANSPORT, 1036, Error, vec![thumbprint, address])
            }
            Self::FederationExpires { thumbprint } => (
                "Application",
                "MSExchange Certificate Deployment",
                2009,
                Warning,
                vec![thumbprint],
            ),
            Self::WindowsStarted => ("System", "EventLog", 6005, Information, vec![]),
            Self::ProtocolCertificateMissing { host, pop } => {
                let source = if *pop {
                    "MSExchange POP3 service"
                } else {
                    "MSExchange IMAP4 service"
                };
                ("Application", source, 2007, Error, vec![host])
            }
        };
        Event {
            time,
            log,
            source,
            id,
            level,
            values: values.into_iter().cloned().collect(),
            message: self.text(language),
        }
    }

    fn text(&self, language: Language) -> String {
        let german = language == Language::De;
        match self {
            Self::InternalTransportNotInDirectory if german => {
                "Das interne Transportzertifikat konnte nicht aus Active Directory gelesen werden. Möglicherweise fehlt \
                 es. Führen Sie Enable-ExchangeCertificate oder New-ExchangeCertificate aus."
                    .to_owned()
            }
            Self::InternalTransportNotInDirectory => {
                "The internal transport certificate could not be read from Active Directory; it may be missing. Run \
                 Enable-ExchangeCertificate or New-ExchangeCertificate."
                    .to_owned()
            }
            Self::InternalTransportNotInStore { thumbprint }
            | Self::InternalTransportEphemeral { thumbprint, .. } => {
                let mut text = if german {
                    format!(
                        "Microsoft Exchange konnte das Zertifikat mit dem Fingerabdruck {thumbprint} nicht aus dem \
                         persönlichen Speicher des lokalen Computers laden. Dieses Zertifikat ist für die \
                         Authentifizierung mit anderen Exchange-Servern konfiguriert. Der Nachrichtenfluss zu anderen \
                         Exchange-Servern kann davon betroffen sein."
                    )
                } else {
                    format!(
                        "Microsoft Exchange could not load the certificate with thumbprint of {thumbprint} from the \
                         personal store on the local computer. This certificate was configured for authentication \
                         with other Exchange servers. Mail flow to other Exchange servers could be affected by this \
                         error. If the certificate with this thumbprint still exists in the personal store, run \
                         Enable-ExchangeCertificate {thumbprint} -Services SMTP to resolve the issue. If the \
                         certificate does not exist in the personal store, restore it from backup by using the \
                         Import-ExchangeCertificate cmdlet, or create a new certificate for the FQDN or the server \
                         enabled for SMTP by running the following command: New-ExchangeCertificate -DomainName \
                         serverfqdn -Services SMTP."
                    )
                };
                if let Self::InternalTransportEphemeral { ephemeral, .. } = self {
                    text.push_str(&if german {
                        format!(" Bis dahin wird ein flüchtiges, selbstsigniertes Zertifikat mit dem Fingerabdruck {ephemeral} verwendet.")
                    } else {
                        format!(" Meanwhile, an ephemeral, self-signed certificate with thumbprint {ephemeral} is being used.")
                    });
                }
                text
            }
            Self::NoCertificateForConnector {
                wanted,
                connector,
                fqdn,
                ..
            } if german => format!(
                "Microsoft Exchange konnte kein Zertifikat mit dem Domänennamen {wanted} im persönlichen Speicher des \
                 lokalen Computers finden. Daher kann das SMTP-Verb STARTTLS für den Connector {connector} mit dem \
                 FQDN-Parameter {fqdn} nicht unterstützt werden."
            ),
            Self::NoCertificateForConnector {
                wanted,
                connector,
                fqdn,
                ..
            } => format!(
                "Microsoft Exchange could not find a certificate that contains the domain name {wanted} in the personal \
                 store on the local computer. Therefore, it is unable to support the STARTTLS SMTP verb for the \
                 connector {connector} with a FQDN parameter of {fqdn}. If the connector's FQDN is not specified, the \
                 computer's FQDN is used. Verify the connector configuration and the installed certificates to make \
                 sure that there is a certificate with a domain name for that FQDN. If this certificate exists, run \
                 Enable-ExchangeCertificate -Services SMTP to make sure that the Microsoft Exchange Transport service \
                 has access to the certificate key."
            ),
            Self::InternalTransportExpired { thumbprint } if german => {
                format!("Ein internes Transportzertifikat ist abgelaufen. Fingerabdruck: {thumbprint}")
            }
            Self::InternalTransportExpired { thumbprint } => {
                format!("An internal transport certificate expired. Thumbprint:{thumbprint}")
            }
            Self::ConnectorCertificateExpired { fqdn } if german => format!(
                "Es gibt kein gültiges SMTP-TLS-Zertifikat für den FQDN {fqdn}. Das vorhandene Zertifikat für diesen \
                 FQDN ist abgelaufen."
            ),
            Self::ConnectorCertificateExpired { fqdn } => format!(
                "There is no valid SMTP Transport Layer Security (TLS) certificate for the FQDN of {fqdn}. The existing \
                 certificate for that FQDN has expired. The continued use of that FQDN will cause mail flow problems. A \
                 new certificate that contains the FQDN of {fqdn} should be installed on this server as soon as \
                 possible. You can create a new certificate by using the New-ExchangeCertificate task."
            ),
            Self::InternalTransportExpires { thumbprint, hours } if german => format!(
                "Ein internes Transportzertifikat läuft bald ab. Fingerabdruck: {thumbprint}, verbleibende Stunden: \
                 {hours}"
            ),
            Self::InternalTransportExpires { thumbprint, hours } => format!(
                "An internal transport certificate will expire soon. Thumbprint:{thumbprint}, hours remaining: {hours}"
            ),
            Self::ConnectorCertificateExpires {
                subject,
                thumbprint,
                expires,
            } if german => format!(
                "Das STARTTLS-Zertifikat läuft bald ab: Antragsteller: {subject}, Fingerabdruck: {thumbprint}, Ablauf: \
                 {expires}. Führen Sie das Cmdlet New-ExchangeCertificate aus, um ein neues Zertifikat zu erstellen."
            ),
            Self::ConnectorCertificateExpires {
                subject,
                thumbprint,
                expires,
            } => format!(
                "The STARTTLS certificate will expire soon: subject: {subject}, thumbprint: {thumbprint}, expires: \
                 {expires}. Run the New-ExchangeCertificate cmdlet to create a new certificate."
            ),
            Self::AuthPublished { thumbprint } if german => format!(
                "Das aktuelle Signaturzertifikat für Exchange wurde auf das Zertifikat mit dem Fingerabdruck \
                 {thumbprint} aktualisiert."
            ),
            Self::AuthPublished { thumbprint } => format!(
                "The current signing certificate for Exchange has been updated to certificate with thumbprint \
                 {thumbprint}."
            ),
            Self::AuthCertificateNotFound { thumbprint } if german => format!(
                "Verbund- oder Authentifizierungszertifikat nicht gefunden: {thumbprint}. Das Zertifikat wurde weder \
                 am lokalen noch an benachbarten Standorten gefunden."
            ),
            Self::AuthCertificateNotFound { thumbprint } => format!(
                "Federation or Auth certificate not found: {thumbprint}. Unable to find the certificate in the local or \
                 neighboring sites. Confirm that the certificate is available in your topology and if necessary, reset \
                 the certificate on the Federation Trust to a valid certificate using Set-FederationTrust or \
                 Set-AuthConfig. The certificate may take time to propagate to the local or neighboring sites."
            ),
            Self::OAuthCertificateMissing { thumbprint } if german => format!(
                "Das Zertifikat mit dem Fingerabdruck {thumbprint} wurde auf dem Computer nicht gefunden oder hat keinen \
                 privaten Schlüssel. Es wird zum Signieren des ausgehenden Tokens benötigt."
            ),
            Self::OAuthCertificateMissing { thumbprint } => format!(
                "Unable to find the certificate with thumbprint {thumbprint} in the current computer or the certificate \
                 is missing private key. The certificate is needed to sign the outgoing token."
            ),
            Self::OwaFailed => {
                let head = if german {
                    "[Owa] Interner Serverfehler. Unbehandelte Ausnahme: "
                } else {
                    "[Owa] An internal server error occurred. The unhandled exception was: "
                };
                format!(
                    "{head}System.NullReferenceException: Object reference not set to an instance of an object. at \
                     Microsoft.Exchange.HttpProxy.FbaModule.ParseCadataCookies(HttpApplication httpApplication)"
                )
            }
            Self::HttpSysCertificateMissing { endpoint } if german => format!(
                "Fehler beim Verwenden der SSL-Konfiguration für den Endpunkt {endpoint}. Der Fehlerstatuscode ist in \
                 den zurückgegebenen Daten enthalten."
            ),
            Self::HttpSysCertificateMissing { endpoint } => format!(
                "An error occurred while using SSL configuration for endpoint {endpoint}. The error status code is \
                 contained within the returned data."
            ),
            Self::SchannelKey if german => {
                "Schwerwiegender Fehler beim Zugriff auf den privaten Schlüssel der TLS-Serveranmeldeinformationen. Der \
                 vom Kryptografiemodul zurückgegebene Fehlercode lautet 0x8009030D."
                    .to_owned()
            }
            Self::SchannelKey => {
                "A fatal error occurred when attempting to access the TLS server credential private key. The error code \
                 returned from the cryptographic module is 0x8009030D."
                    .to_owned()
            }
            Self::EdgeSyncNotCapi { thumbprint } if german => format!(
                "EdgeSync konnte nicht synchronisieren, weil nur CryptoAPI-Zertifikate unterstützt werden. Das \
                 Standardzertifikat {thumbprint} des lokalen Hub-Transport-Servers ist kein CAPI-Zertifikat."
            ),
            Self::EdgeSyncNotCapi { thumbprint } => format!(
                "EdgeSync failed to synchronize because it only supports Cryptographic API certificates. The local Hub \
                 Transport server's default certificate with thumbprint {thumbprint} isn't a CAPI certificate. To set a \
                 CAPI certificate as the default certificate, use the Enable-ExchangeCertificate cmdlet with the \
                 Services parameter using the value of SMTP."
            ),
            Self::EdgeSyncCannotConnect { details } => details.clone(),
            Self::EdgeSyncNoMatch { edge } if german => format!(
                "Microsoft Exchange konnte beim Kontakt mit {edge} kein passendes Zertifikat finden. Die Verbindung \
                 wurde beendet."
            ),
            Self::EdgeSyncNoMatch { edge } => format!(
                "Microsoft Exchange couldn't match certificate when contacting {edge}. The connection was stopped."
            ),
            Self::DirectTrustFailed { thumbprint, address } if german => format!(
                "Fehler bei der eingehenden Direktvertrauensauthentifizierung für das Zertifikat {thumbprint}. Die \
                 Quell-IP-Adresse ist [{address}]. Stellen Sie sicher, dass EdgeSync ordnungsgemäß ausgeführt wird."
            ),
            Self::DirectTrustFailed { thumbprint, address } => format!(
                "Inbound direct trust authentication failed for certificate {thumbprint}. The source IP address of the \
                 server that tried to authenticate to Microsoft Exchange is [{address}]. Make sure EdgeSync is running \
                 properly."
            ),
            Self::FederationExpires { thumbprint } if german => {
                format!("Das Verbundzertifikat {thumbprint} läuft in weniger als 15 Tagen ab. Erneuern Sie es bald.")
            }
            Self::FederationExpires { thumbprint } => format!(
                "The federation certificate {thumbprint} will expire in less than 15 days. Renew the certificate soon."
            ),
            Self::WindowsStarted if german => "Der Ereignisprotokolldienst wurde gestartet.".to_owned(),
            Self::WindowsStarted => "The Event log service was started.".to_owned(),
            Self::ProtocolCertificateMissing { host, pop } => {
                let service = if *pop { "POP3" } else { "IMAP4" };
                if german {
                    format!("Für den Hostnamen {host} wurde kein Zertifikat gefunden. Es sind weder SSL- noch TLS-Verbindungen mit dem Dienst {service} möglich.")
                } else {
                    format!("A certificate for the host name {host} couldn't be found. Neither SSL or TLS connections can be made to the {service} service.")
                }
            }
        }
    }
}
