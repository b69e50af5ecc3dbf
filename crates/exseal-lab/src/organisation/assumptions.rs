//! What the facts call unknown or contradictory: a switch each, with the default written down as an assumption.

use serde::{Deserialize, Serialize};

/// How the SMTP flag of a certificate comes to be (open point 14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpFlag {
    /// Assumed: a mark that enabling leaves on the certificate.
    #[default]
    Mark,
    /// Recomputed: set while NETWORK SERVICE may read the key.
    ReadableKey,
}

/// Status of a certificate whose only fault is an untrusted root (open point 18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub enum UntrustedStatus {
    /// Assumed, because one real server showed it.
    #[default]
    Invalid,
    /// The other account.
    Untrusted,
}

/// What happens to an Edge subscription when a mailbox server's internal transport certificate is replaced (open point
/// 16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeAfterReplacement {
    /// Assumed: the cmdlet re-encrypts the credentials; needs the old key and a CAPI key in the new certificate.
    #[default]
    Reencrypted,
    /// The subscription ends and has to be made again.
    Ended,
}

/// What transport does while the internal transport certificate is not in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportCertificateWhenGone {
    /// Assumed: 12013, X-ANONYMOUSTLS is not offered.
    #[default]
    NotOffered,
    /// 12024: an ephemeral certificate is made.
    Ephemeral,
}

/// How attributes of the directory hold certificates (facts/active-directory.md 1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryCertificates {
    /// Assumed: CryptoAPI's serialised form.
    #[default]
    Serialised,
    /// The bare certificate.
    Der,
}

/// The switches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Assumptions {
    /// How the SMTP flag comes to be.
    pub smtp_flag: SmtpFlag,
    /// Status for an untrusted root.
    pub untrusted_status: UntrustedStatus,
    /// The number of TlsAuthLevel DomainValidation (open point 15). Assumed 3, by order; the directory's flag says 4.
    pub domain_validation_number: i32,
    /// Edge subscriptions after a replacement.
    pub edge_after_replacement: EdgeAfterReplacement,
    /// Whether the front end refuses an expired back-end certificate (open point 7). Assumed: no.
    pub front_end_refuses_expired_back_end: bool,
    /// Whether Remove-ExchangeCertificate guards the current Auth certificate (open point 8). Assumed: no.
    pub remove_guards_auth_certificate: bool,
    /// Whether P1 comes although the certificate already is the internal transport certificate (open point 13).
    /// Assumed: no.
    pub prompt_when_same: bool,
    /// Days before the end at which 12017 and 12018 begin (open point 4). Assumed 30.
    pub expiry_warning_days: u32,
    /// Numbers of Status other than Valid = 1, in the documented order of names (open point 3). Assumed: their place in
    /// that order, from 2.
    pub status_numbers_by_order: bool,
    /// Seconds the certificate deployment servicelet needs within a site. Assumed 300.
    pub deployment_seconds: u32,
    /// What transport does without its certificate.
    pub transport_certificate_when_gone: TransportCertificateWhenGone,
    /// Whether the ADAM certificate of an Edge shows Invalid in normal state (open point 17). Assumed: yes.
    pub adam_certificate_invalid: bool,
    /// Whether a date that old builds read as UTC and that is past by it is refused (open point 19). Assumed: yes.
    pub past_after_utc_reading_refused: bool,
    /// Whether Get-ExchangeCertificate -Identity with a certificate that is not there returns everything, as the
    /// documentation warns, or says that it is not there. Assumed: everything. -Thumbprint always says it.
    pub absent_identity_returns_all: bool,
    /// Whether SE lets OWA work with an RSA key in a KSP (open point 11). Assumed: no.
    pub se_allows_ksp: bool,
    /// Whether the directory shows attributes whose names or meanings no document of the vendor and no recorded export
    /// backs (facts/active-directory.md 1, tags DC and inf). Assumed: yes.
    pub directory_unverified_attributes: bool,
    /// How the directory holds certificates.
    pub directory_certificates: DirectoryCertificates,
    /// msExchCurrentServerRoles of a 2016 mailbox server. Assumed 16439, as a 2013 server with all roles has it.
    pub directory_roles_2016: i64,
    /// The same of 2019 and SE, which have no UM. Assumed 16423.
    pub directory_roles_2019: i64,
    /// Name of the object below `CN=POP3` and `CN=IMAP4`. Assumed `1`.
    pub client_protocol_object: String,
    /// Types of accepted domains in msExchAcceptedDomainFlags: Authoritative, ExternalRelay, InternalRelay. Assumed 0, 1,
    /// 2, as the cmdlet counts them.
    pub accepted_domain_numbers: [i32; 3],
    /// DomainValidation among the bits of msExchSmtpSendFlags (open point 15). Assumed 4, as the one table of the bits has
    /// it.
    pub directory_domain_validation_number: i64,
    /// Whether an entry of http.sys keeps its other values when IIS puts a certificate on its binding. Assumed: no, as
    /// with delete and add.
    pub iis_keeps_http_sys_flags: bool,
    /// Whether CertEnroll writes the bytes of a serial number it is given from the last to the first. Assumed: no.
    pub certenroll_reverses_serial: bool,
    /// Seconds a service needs to start when the helper starts or restarts it: so long its ports are closed, and so long the
    /// answer takes. Assumed 0, so that a lab is quick; no document says how long.
    pub service_start_seconds: u32,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            smtp_flag: SmtpFlag::default(),
            untrusted_status: UntrustedStatus::default(),
            domain_validation_number: 3,
            edge_after_replacement: EdgeAfterReplacement::default(),
            front_end_refuses_expired_back_end: false,
            remove_guards_auth_certificate: false,
            prompt_when_same: false,
            expiry_warning_days: 30,
            status_numbers_by_order: true,
            deployment_seconds: 300,
            transport_certificate_when_gone: TransportCertificateWhenGone::default(),
            adam_certificate_invalid: true,
            past_after_utc_reading_refused: true,
            absent_identity_returns_all: true,
            se_allows_ksp: false,
            directory_unverified_attributes: true,
            directory_certificates: DirectoryCertificates::default(),
            directory_roles_2016: 16_439,
            directory_roles_2019: 16_423,
            client_protocol_object: "1".to_owned(),
            accepted_domain_numbers: [0, 1, 2],
            directory_domain_validation_number: 4,
            iis_keeps_http_sys_flags: false,
            certenroll_reverses_serial: false,
            service_start_seconds: 0,
        }
    }
}
