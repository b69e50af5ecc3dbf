//! Certificate stores of a server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Thumbprint, keyed, record};

/// A certificate store of the local machine, by Windows' own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Store {
    /// Personal: the only one Exchange uses.
    My,
    /// Pending requests.
    Request,
    /// Trusted roots.
    Root,
    /// Intermediate authorities.
    CA,
    /// Where IIS tools and ACME clients may put certificates; Exchange does not see it.
    WebHosting,
}

record! {
    /// A certificate in a store, with what Windows and Exchange add to it.
    pub struct StoreEntry {
        key {
            /// Which certificate.
            thumbprint: Thumbprint,
        }
        seen {
            /// Friendly name; seen and empty: it has none.
            friendly_name: String,
            /// Exchange's names of the services it shows for it: `IIS`, `SMTP`, `POP`, `IMAP`, `UM`, `Federation`, `UMCallRouter`; an empty array: None.
            services: Vec<String>,
            /// Exchange's Status: `Valid`, `DateInvalid`, `PendingRequest`, …; a number Exchange has no recorded name for stands as `Status 7`.
            status: String,
            /// `None`, `ThirdParty`, `Enterprise`, `Registry`, `GroupPolicy`, `Unknown`.
            root_ca_type: String,
            /// Whether a private key belongs to it.
            has_private_key: bool,
            /// Whether the key may be exported.
            private_key_exportable: bool,
            /// Name of the key's provider; empty: the default provider of its type.
            key_provider: String,
            /// Windows' provider type: 12 is PROV_RSA_SCHANNEL, 1 PROV_RSA_FULL, 24 PROV_RSA_AES; 0: a CNG key storage provider (KSP).
            key_provider_type: u32,
            /// Windows' key spec: 1 AT_KEYEXCHANGE, 2 AT_SIGNATURE; 0 or 0xFFFFFFFF with CNG.
            key_spec: u32,
            /// SIDs that may read the key, in ascending order; seen and empty: the access list could not be read by the server itself.
            key_readers: Vec<String>,
            /// Sites that Exchange names for it: `IIS://EX1/W3SVC/2`.
            iis_sites: Vec<String>,
            /// `server FQDN\THUMBPRINT`, as Exchange names it.
            identity: String,
            /// Exchange's IsSelfSigned.
            self_signed: bool,
            /// PKCS#10 of a pending request, base64.
            certificate_request: String,
            /// Whether Exchange's own object came whole: false when only RawData survived (payload signing broken).
            whole: bool,
        }
    }
}
keyed!(StoreEntry, Thumbprint, |entry| entry.thumbprint);

impl StoreEntry {
    /// Whether Exchange shows `service` for it; `None` when its services were not seen.
    #[must_use]
    pub fn has_service(&self, service: &str) -> Option<bool> {
        let services = self.services.known()?;
        Some(services.is_some_and(|names| names.iter().any(|name| name.eq_ignore_ascii_case(service))))
    }
}
