//! The federation trust and what belongs to it, as documented: none was ever recorded.

use super::Preset::{Bool, Enum, Null, Own, Text};
use super::{DATA, Root, SC, Shape};

/// The federation trust.
pub(crate) const FEDERATION_TRUST: Shape = Shape {
    classes: &[(SC, "FederationTrust")],
    root: Root::Configuration,
    properties: &[
        ("ApplicationIdentifier", Text("")),
        ("ApplicationUri", Own),
        ("OrgCertificate", Own),
        ("OrgNextCertificate", Own),
        ("OrgPrevCertificate", Own),
        ("OrgPrivCertificate", Own),
        ("OrgNextPrivCertificate", Own),
        ("OrgPrevPrivCertificate", Own),
        ("TokenIssuerCertificate", Null),
        ("TokenIssuerPrevCertificate", Null),
        ("PolicyReferenceUri", Text("EX_MBI_FED_SSL")),
        ("TokenIssuerMetadataEpr", Null),
        ("TokenIssuerUri", Null),
        ("TokenIssuerEpr", Null),
        ("WebRequestorRedirectEpr", Null),
        ("MetadataEpr", Null),
        ("MetadataPutEpr", Null),
        ("NamespaceProvisioner", Text("LiveDomainServices2")),
    ],
};

/// Whether a server has a certificate of the trust.
pub(crate) const FEDERATION_CERTIFICATE: Shape = Shape {
    classes: &[(
        "Microsoft.Exchange.Management.SystemConfigurationTasks.",
        "CertificateRecord",
    )],
    root: Root::Plain,
    properties: &[
        ("Site", Own),
        ("ServerName", Own),
        ("Thumbprint", Own),
        ("Slot", Own),
        ("State", Own),
        ("IsValid", Bool(true)),
        ("ObjectState", Enum(DATA, "ObjectState", "New", 0)),
    ],
};

/// The organisation as it federates.
pub(crate) const FEDERATED_ORGANISATION: Shape = Shape {
    classes: &[(SC, "FederatedOrganizationId")],
    root: Root::Configuration,
    properties: &[
        ("AccountNamespace", Own),
        ("Domains", Own),
        ("DefaultDomain", Own),
        ("Enabled", Own),
        ("OrganizationContact", Null),
        ("DelegationTrustLink", Own),
    ],
};
