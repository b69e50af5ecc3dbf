//! http.sys, IIS and virtual directories.

use crate::slot::Endpoint;
use crate::{Thumbprint, keyed, record};

record! {
    /// An entry of http.sys: what really answers on an address and port.
    pub struct HttpSysEntry {
        key {
            /// Where it listens; an SNI entry (hostnameport) has `*` and its host.
            endpoint: Endpoint,
        }
        seen {
            /// The certificate; seen and empty: the entry has none.
            thumbprint: Thumbprint,
            /// Store of the certificate: `MY`; seen and empty: unset.
            store: String,
            /// Application id in braces, lower case; IIS is `{4dc3e181-e14b-4a21-b022-59fc669b0914}`.
            app_id: String,
            /// Whether clients are asked for a certificate.
            negotiate_client_certificate: bool,
        }
    }
}
keyed!(HttpSysEntry, Endpoint, |entry| entry.endpoint.clone());

record! {
    /// A site of IIS.
    pub struct WebSite {
        key {
            /// Its name as shown in IIS.
            name: String,
        }
        seen {
            /// Its number: 1 Default Web Site, 2 Exchange Back End, by setup.
            id: u32,
            /// Started, Stopped…: IIS' own word.
            state: String,
        }
        lists {
            /// Its bindings.
            bindings: SiteBinding,
        }
    }
}
keyed!(WebSite, String, |site| site.name.to_lowercase());

record! {
    /// A binding of a site.
    pub struct SiteBinding {
        key {
            /// `http`, `https`, `net.tcp`…
            protocol: String,
            /// bindingInformation as IIS writes it: `*:444:`.
            information: String,
        }
        seen {
            /// The certificate; seen and empty: none is set. applicationHost.config does not hold it, so from there it is unknown.
            thumbprint: Thumbprint,
            /// Store of the certificate.
            store: String,
            /// IIS' sslFlags: 1 SNI, 2 central store.
            ssl_flags: u32,
        }
    }
}
keyed!(SiteBinding, (String, String), |binding| (
    binding.protocol.to_lowercase(),
    Endpoint::from_binding_information(&binding.information).map_or_else(
        |_| binding.information.to_lowercase(),
        |endpoint| endpoint.to_string()
    )
));

impl SiteBinding {
    /// Where it listens; `None` for bindings that are no address, port and host (net.pipe…).
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        Endpoint::from_binding_information(&self.information).ok()
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("https")
    }
}

record! {
    /// An application pool.
    pub struct AppPool {
        key {
            /// Its name: `MSExchangeOWAAppPool`.
            name: String,
        }
        seen {
            /// IIS' own word: Started, Stopped.
            state: String,
        }
    }
}
keyed!(AppPool, String, |pool| pool.name.to_lowercase());

record! {
    /// A virtual directory or another place that tells clients a URL.
    pub struct VirtualDirectory {
        key {
            /// Exchange's identity, `EX1\owa (Default Web Site)`; for the service connection point `EX1\Autodiscover SCP`.
            identity: String,
        }
        seen {
            /// `owa`, `ecp`, `ews`, `mapi`, `oab`, `activesync`, `powershell`, `autodiscover`, `outlook-anywhere`, `scp`.
            kind: String,
            /// URL for clients inside.
            internal_url: String,
            /// URL for clients outside.
            external_url: String,
            /// Host name for clients inside, where there is a name and no URL (Outlook Anywhere).
            internal_host: String,
            /// Host name for clients outside.
            external_host: String,
            /// Extended Protection: `None`, `Allow`, `Require`.
            extended_protection: String,
        }
    }
}
keyed!(VirtualDirectory, String, |directory| directory
    .identity
    .to_lowercase());
