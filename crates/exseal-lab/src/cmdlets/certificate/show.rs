//! A certificate as an object.

use super::super::object::{EXCHANGE_DATA, PsObject, PsValue, Remoting, short};
use super::super::payload::{self, CertificatePayload};
use super::super::run::Run;
use crate::certificate::{Request, key_identifier};
use crate::organisation::{Language, Provider};
use crate::world::{Judged, Server, ServerName, Stored};

const TASKS: &str = "Microsoft.Exchange.Management.SystemConfigurationTasks";

/// The ExchangeCertificate of what a server holds.
pub(super) fn shown(run: &Run<'_>, target: &ServerName, stored: &Stored) -> Option<PsObject> {
    let server = run.world.servers.get(target)?;
    let judged = run.world.judge(server, stored);
    Some(object(run, server, stored, &judged))
}

/// `IIS://name/W3SVC/n` of the sites that use it.
fn iis_paths(server: &Server, judged: &Judged) -> Vec<String> {
    judged
        .iis_sites
        .iter()
        .map(|site| format!("IIS://{}/W3SVC/{site}", server.name))
        .collect()
}

fn object(run: &Run<'_>, server: &Server, stored: &Stored, judged: &Judged) -> PsObject {
    let offset = run.offset_minutes();
    let certificate = &stored.certificate;
    let thumbprint = certificate.thumbprint().to_string();
    let identity = format!("{}\\{thumbprint}", server.fqdn);
    let request = stored
        .request
        .as_ref()
        .map(|der| Request { der: der.to_vec() }.text());
    let iis = iis_paths(server, judged);
    let key = stored.key.as_ref();
    let exportable = key.is_some_and(|key| key.exportable);
    let container = run
        .world
        .guid(&format!("container/{}/{thumbprint}", server.name))
        .to_string();
    let payload = CertificatePayload {
        der: certificate.der(),
        sha1: &certificate.thumbprint().0,
        friendly_name: &stored.friendly_name,
        key: key.map(|key| (container.as_str(), key.provider == Provider::Ksp)),
        self_signed: judged.self_signed,
        status: judged.status_number,
        root: judged.root_number,
        services: judged.services.0,
        iis: &iis,
        exportable,
        identity: &identity,
        request: request.as_deref(),
    }
    .write();
    let name = |text: &str| {
        PsValue::Object(Box::new(PsObject::new(
            &[
                "System.Security.Cryptography.X509Certificates.X500DistinguishedName",
                "System.Security.Cryptography.AsnEncodedData",
                "System.Object",
            ],
            text,
        )))
    };
    let domains = certificate
        .domains()
        .into_iter()
        .map(|domain| {
            let object = PsObject::new(
                &[
                    "Microsoft.Exchange.Data.SmtpDomainWithSubdomains",
                    "System.Object",
                ],
                &domain,
            );
            PsValue::Object(Box::new(object))
        })
        .collect();
    let (oid, algorithm) = certificate.signature_algorithm();
    let subject = certificate.subject().to_string();
    let issuer = certificate.issuer().to_string();
    let identifier = certificate
        .subject_key_identifier()
        .map(|bytes| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>());
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate",
            "System.Security.Cryptography.X509Certificates.X509Certificate2",
            "System.Security.Cryptography.X509Certificates.X509Certificate",
            "System.Object",
        ],
        block(run, stored),
    )
    .with("AccessRules", access_rules(run, stored))
    .with(
        "CertificateDomains",
        PsValue::multi(
            "Microsoft.Exchange.Data.SmtpDomainWithSubdomains",
            EXCHANGE_DATA,
            domains,
        ),
    )
    .with("CertificateRequest", PsValue::maybe(request))
    .with("IISServices", iis_services(&iis))
    .with("IsSelfSigned", PsValue::Bool(judged.self_signed))
    .with(
        "KeyIdentifier",
        PsValue::text(
            key_identifier(certificate.public())
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect::<String>(),
        ),
    )
    .with(
        "RootCAType",
        PsValue::Enum(
            format!("{TASKS}.CertificateAuthorityType").into(),
            judged.root.into(),
            judged.root_number,
        ),
    )
    .with(
        "Services",
        PsValue::Enum(
            format!("{TASKS}.AllowedServices").into(),
            judged.services.text().into(),
            judged.services.0,
        ),
    )
    .with("ServicesStringForm", PsValue::text(judged.services.letters()))
    .with(
        "Status",
        PsValue::Enum(
            format!("{TASKS}.CertificateStatus").into(),
            judged.status.into(),
            judged.status_number,
        ),
    )
    .with("SubjectKeyIdentifier", PsValue::maybe(identifier))
    .with("PrivateKeyExportable", PsValue::Bool(exportable))
    .with("PublicKeySize", PsValue::Int(certificate.key_bits()))
    .with("Identity", PsValue::text(&identity))
    .with(
        "EnhancedKeyUsageList",
        PsValue::texts(
            certificate
                .server_auth()
                .then_some("Server Authentication (1.3.6.1.5.5.7.3.1)"),
        ),
    )
    .with("DnsNameList", PsValue::texts(certificate.domains()))
    .with("SendAsTrustedIssuer", PsValue::Bool(false))
    .with("Archived", PsValue::Bool(false))
    .with("FriendlyName", PsValue::text(&stored.friendly_name))
    .with("IssuerName", name(&issuer))
    .with("NotAfter", PsValue::Time(certificate.not_after(), offset))
    .with("NotBefore", PsValue::Time(certificate.not_before(), offset))
    .with("HasPrivateKey", PsValue::Bool(key.is_some()))
    .with("RawData", PsValue::Bytes(certificate.der().to_vec()))
    .with("SerialNumber", PsValue::text(certificate.serial_text()))
    .with("SubjectName", name(&subject))
    .with(
        "SignatureAlgorithm",
        PsValue::Object(Box::new(
            PsObject::new(
                &["System.Security.Cryptography.Oid", "System.Object"],
                "System.Security.Cryptography.Oid",
            )
            .with("Value", PsValue::text(oid))
            .with("FriendlyName", PsValue::text(algorithm)),
        )),
    )
    .with("Thumbprint", PsValue::text(&thumbprint))
    .with("Version", PsValue::Int(3))
    .with("Handle", PsValue::Long(0))
    .with("Issuer", PsValue::text(issuer))
    .with("Subject", PsValue::text(subject));
    object.remoting = Remoting::Only(&["RawData"]);
    object.payload = Some(payload);
    object
}

/// Who may read the key; null when its container cannot be opened.
fn access_rules(run: &Run<'_>, stored: &Stored) -> PsValue {
    let Some(key) = stored.usable_key() else {
        return PsValue::Null;
    };
    let german = run.language() == Language::De;
    let items = key
        .readers
        .iter()
        .map(|reader| {
            let account = match (reader, german) {
                (crate::world::Reader::System, false) => "NT AUTHORITY\\SYSTEM",
                (crate::world::Reader::System, true) => "NT-AUTORITÄT\\SYSTEM",
                (crate::world::Reader::NetworkService, false) => "NT AUTHORITY\\NETWORK SERVICE",
                (crate::world::Reader::NetworkService, true) => "NT-AUTORITÄT\\NETZWERKDIENST",
                (crate::world::Reader::Administrators, false) => "BUILTIN\\Administrators",
                (crate::world::Reader::Administrators, true) => "VORDEFINIERT\\Administratoren",
                (crate::world::Reader::Other(sid), _) => sid,
            };
            let object = PsObject::new(
                &[
                    "System.Security.AccessControl.CryptoKeyAccessRule",
                    "System.Security.AccessControl.AccessRule",
                    "System.Security.AccessControl.AuthorizationRule",
                    "System.Object",
                ],
                "System.Security.AccessControl.CryptoKeyAccessRule",
            )
            .with(
                "CryptoKeyRights",
                PsValue::text(if *reader == crate::world::Reader::NetworkService {
                    "GenericRead"
                } else {
                    "FullControl"
                }),
            )
            .with("AccessControlType", PsValue::text("Allow"))
            .with("IdentityReference", PsValue::text(account))
            .with("IsInherited", PsValue::Bool(false));
            PsValue::Object(Box::new(object))
        })
        .collect();
    PsValue::List(
        vec![
            "System.Collections.Generic.List`1[[System.Security.AccessControl.AccessRule]]".into(),
            "System.Object".into(),
        ],
        items,
    )
}

fn iis_services(paths: &[String]) -> PsValue {
    let items = paths
        .iter()
        .map(|path| {
            let object = PsObject::new(
                &[
                    "Microsoft.Exchange.Management.SystemConfigurationTasks.IisService",
                    "System.Object",
                ],
                path,
            )
            .with("ServiceName", PsValue::text(path))
            .with("InternalUrl", PsValue::Null)
            .with("ExternalUrl", PsValue::Null);
            PsValue::Object(Box::new(object))
        })
        .collect();
    PsValue::List(
        vec![
            "System.Collections.Generic.List`1[[Microsoft.Exchange.Management.SystemConfigurationTasks.IisService]]"
                .into(),
            "System.Object".into(),
        ],
        items,
    )
}

/// The text of an X509Certificate2, dates by the session's clock on the wall.
fn block(run: &Run<'_>, stored: &Stored) -> String {
    let certificate = &stored.certificate;
    let offset = jiff::tz::Offset::from_seconds(run.offset_minutes() * 60).unwrap_or(jiff::tz::Offset::UTC);
    let date = |at: jiff::Timestamp| offset.to_datetime(at).strftime("%m/%d/%Y %H:%M:%S").to_string();
    let parts = [
        ("Subject", certificate.subject().to_string()),
        ("Issuer", certificate.issuer().to_string()),
        ("Serial Number", certificate.serial_text()),
        ("Not Before", date(certificate.not_before())),
        ("Not After", date(certificate.not_after())),
        ("Thumbprint", certificate.thumbprint().to_string()),
    ];
    parts
        .iter()
        .map(|(name, value)| format!("[{name}]\r\n  {value}\r\n"))
        .collect::<Vec<_>>()
        .join("\r\n")
}

/// A file's bytes, as Export- and New-ExchangeCertificate give them with -BinaryEncoded.
pub(super) fn file_data(bytes: Vec<u8>) -> PsObject {
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Management.SystemConfigurationTasks.BinaryFileDataObject",
            "Microsoft.Exchange.Data.ConfigurableObject",
            "System.Object",
        ],
        "",
    )
    .with("FileData", PsValue::Bytes(bytes))
    .with("Identity", PsValue::text(""))
    .with("IsValid", PsValue::Bool(true))
    .with(
        "ObjectState",
        PsValue::enumeration("Microsoft.Exchange.Data.ObjectState", "Unchanged", 1),
    );
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Management",
        "Microsoft.Exchange.Management.SystemConfigurationTasks.BinaryFileDataObject",
        &[],
    ));
    object
}

/// When it ends, as prompts say it.
pub(super) fn expires(run: &Run<'_>, at: jiff::Timestamp) -> String {
    short(at, run.offset_minutes())
}
