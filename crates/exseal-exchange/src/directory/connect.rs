//! The connection to the directory, protected, and the log-on.

use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::DirectoryError;
use crate::Secret;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the start, port 636.
    Ldaps,
    /// TLS on port 389.
    StartTls,
    /// Kerberos signs and seals on port 389.
    Kerberos,
}

/// A directory to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// A domain controller's FQDN: its certificate and its Kerberos principal bear this name.
    pub host: String,
    /// Where to connect instead of resolving `host`.
    pub address: Option<String>,
    /// The port, where it is not the protection's own.
    pub port: Option<u16>,
    /// How it is protected.
    pub protection: Protection,
    /// Roots that TLS trusts; empty: the system's.
    pub roots: Vec<Root>,
}

/// A certificate that TLS trusts, in DER.
pub type Root = rustls::pki_types::CertificateDer<'static>;

/// Reads roots from PEM.
///
/// # Errors
///
/// What is wrong with it; also where there is no certificate in it.
pub fn roots(pem: &[u8]) -> Result<Vec<Root>, String> {
    let roots = Root::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    if roots.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(roots)
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Whoever runs this: a ticket of the system's cache, a keytab (`KRB5_CLIENT_KTNAME`), or Windows' own log-on.
    Kerberos,
    /// A name (`user@domain`, `DOMAIN\user` or a distinguished name) and a password, for TLS only.
    Simple {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}

impl Target {
    /// The address, as it is shown: `ldaps://dc1.example.org`, with the port where it is not the protection's own.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.protection {
            Protection::Ldaps => "ldaps",
            Protection::StartTls | Protection::Kerberos => "ldap",
        };
        match self.port {
            Some(port) => format!("{scheme}://{}:{port}", self.host),
            None => format!("{scheme}://{}", self.host),
        }
    }
}

impl Target {
    fn real_port(&self) -> u16 {
        self.port.unwrap_or(match self.protection {
            Protection::Ldaps => 636,
            Protection::StartTls | Protection::Kerberos => 389,
        })
    }
}

/// How long a connection, with its TLS, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connects and logs on.
pub(super) async fn open(target: &Target, credentials: &Credentials) -> Result<Ldap, DirectoryError> {
    if let Credentials::Simple { password, .. } = credentials {
        if target.protection == Protection::Kerberos {
            return Err(DirectoryError::Unprotected { url: target.url() });
        }
        if password.expose().is_empty() {
            return Err(DirectoryError::EmptyPassword { url: target.url() });
        }
    }
    let mut settings = LdapConnSettings::new().set_conn_timeout(PATIENCE);
    if target.protection != Protection::Kerberos {
        settings = settings
            .set_starttls(target.protection == Protection::StartTls)
            .set_config(tls(target)?);
    }
    if let Some(address) = &target.address {
        let stream = async {
            let stream = tokio::net::TcpStream::connect((address.as_str(), target.real_port())).await?;
            stream.into_std()
        };
        let unreachable = |what: String| DirectoryError::Unreachable {
            url: target.url(),
            what,
        };
        let stream = tokio::time::timeout(PATIENCE, stream)
            .await
            .map_err(|_| unreachable("no answer in time".to_owned()))?
            .map_err(|error| unreachable(error.to_string()))?;
        settings = settings.set_std_stream(ldap3::StdStream::Tcp(stream));
    }
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &target.url())
        .await
        .map_err(|error| DirectoryError::of_ldap(target, error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::debug!(%error, "The directory's connection ended");
        }
    });
    match credentials {
        Credentials::Simple { user, password } => {
            ldap.simple_bind(user, password.expose())
                .await
                .and_then(ldap3::LdapResult::success)
                .map_err(|error| DirectoryError::of_ldap(target, error).of_user(user))?;
        }
        Credentials::Kerberos => by_kerberos(&mut ldap, target).await?,
    }
    Ok(ldap)
}

#[cfg(feature = "gssapi")]
async fn by_kerberos(ldap: &mut Ldap, target: &Target) -> Result<(), DirectoryError> {
    match ldap.sasl_gssapi_bind(&target.host).await {
        Ok(result) => {
            result
                .success()
                .map_err(|error| DirectoryError::of_ldap(target, error))?;
            Ok(())
        }
        Err(ldap3::LdapError::GssapiOperationError(what)) => Err(DirectoryError::Kerberos {
            url: target.url(),
            what,
        }),
        Err(error) => Err(DirectoryError::of_ldap(target, error)),
    }
}

#[cfg(not(feature = "gssapi"))]
async fn by_kerberos(_: &mut Ldap, _: &Target) -> Result<(), DirectoryError> {
    Err(DirectoryError::NoKerberos)
}

fn tls(target: &Target) -> Result<Arc<ClientConfig>, DirectoryError> {
    let mut roots = RootCertStore::empty();
    let given = if target.roots.is_empty() {
        rustls_native_certs::load_native_certs().certs
    } else {
        target.roots.clone()
    };
    // One root that cannot be read is no reason to trust none.
    roots.add_parsable_certificates(given);
    let untrusted = |what: String| DirectoryError::Untrusted {
        url: target.url(),
        what,
    };
    if roots.is_empty() {
        return Err(untrusted("there is no root to trust".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| untrusted(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
