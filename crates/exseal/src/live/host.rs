//! A server to be visited.

use exseal_exchange::connect::Connect;
use exseal_model::Product;
use exseal_model::inventory::{Server, first_label};

/// A server to be visited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// As the organisation calls it.
    pub(super) name: String,
    /// Its FQDN, by which it is reached.
    pub(super) full: String,
    /// Whether it is an Edge server: it has no Exchange shell to be reached from elsewhere.
    pub(super) edge: bool,
    /// Whether it is of a version that is shown and left alone.
    pub(super) is_left_alone: bool,
}

impl Host {
    /// A server that was found; `None` for one nobody named.
    pub(super) fn of(server: &Server, connect: &Connect) -> Option<Self> {
        let name = server.name.known()?;
        let full = server
            .full_name()
            .or_else(|| connect.server(name))
            .unwrap_or(name)
            .to_owned();
        Some(Self {
            name: first_label(name).to_owned(),
            full,
            edge: server.is_edge() == Some(true),
            is_left_alone: matches!(
                server.product(),
                Some(Product::Exchange2010 | Product::Exchange2013)
            ),
        })
    }

    /// A server of which nothing but the name is known.
    pub(super) fn named(name: &str, connect: &Connect) -> Self {
        let full = connect.server(name).unwrap_or(name);
        Self {
            name: first_label(name).to_uppercase(),
            full: full.to_owned(),
            edge: false,
            is_left_alone: false,
        }
    }
}

/// The FQDN of this machine where it is an Exchange server: setup leaves the place of its installation in the environment.
pub(super) fn this_exchange_server() -> Option<String> {
    std::env::var_os("ExchangeInstallPath")?;
    let name = std::env::var("COMPUTERNAME").ok()?;
    match std::env::var("USERDNSDOMAIN") {
        Ok(domain) => Some(format!("{name}.{domain}").to_lowercase()),
        Err(_) => Some(name),
    }
}

/// Whether a name is that of this machine, where it is an Exchange server itself.
pub(crate) fn is_this_machine(name: &str) -> bool {
    this_exchange_server().is_some_and(|own| first_label(&own).eq_ignore_ascii_case(first_label(name)))
}

/// The domain controller that this machine's user logged on with.
pub(super) fn log_on_server() -> Option<String> {
    let server = std::env::var("LOGONSERVER").ok()?;
    let domain = std::env::var("USERDNSDOMAIN").ok()?;
    Some(format!("{}.{domain}", server.trim_start_matches('\\')).to_lowercase())
}
