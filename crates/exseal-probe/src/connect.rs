//! From a name to an open socket.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::look::Progress;
use crate::sighting::{Outcome, Stage};
use crate::{Options, Target};

/// Addresses of a name that are tried.
const TRIED: usize = 6;
/// Addresses of a name that are looked at where every one is wanted.
const EACH: usize = 32;

/// Connects to the first address of the target that answers, in the resolver's order.
pub(crate) async fn connect(
    target: &Target,
    options: &Options,
    progress: &mut Progress,
) -> Result<TcpStream, Outcome> {
    progress.stage = Stage::Resolving;
    let addresses = addresses(target, options).await?;
    progress.stage = Stage::Connecting;
    let mut worst = Outcome::Unresolved {
        reason: "the resolver gave no address".to_owned(),
    };
    for address in addresses.into_iter().take(TRIED) {
        match timeout(options.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                progress.address = Some(address);
                // Answers are single small packets here.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => {
                worst = match error.kind() {
                    ErrorKind::ConnectionRefused => Outcome::Closed,
                    _ => Outcome::Unreachable {
                        during: Stage::Connecting,
                        reason: error.to_string(),
                    },
                };
            }
            Err(_) => {
                worst = Outcome::TimedOut {
                    during: Stage::Connecting,
                }
            }
        }
    }
    Err(worst)
}

/// The target once for each address of its name, IPv4 and IPv6; as it is where there is one, or none is known.
pub(crate) async fn at_each_address(target: Target, options: &Options) -> Vec<Target> {
    let found = timeout(options.deadline, addresses(&target, options)).await;
    let Ok(Ok(found)) = found else {
        return vec![target];
    };
    let mut places: Vec<std::net::IpAddr> = found.iter().map(SocketAddr::ip).collect();
    places.sort();
    places.dedup();
    if places.len() < 2 {
        return vec![target];
    }
    let at = |place| Target {
        at: Some(place),
        ..target.clone()
    };
    places.into_iter().take(EACH).map(at).collect()
}

async fn addresses(target: &Target, options: &Options) -> Result<Vec<SocketAddr>, Outcome> {
    if let Some(address) = target.at {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    if let Some(place) = options.place(&target.host, target.port) {
        return Ok(vec![place]);
    }
    if let Ok(address) = target.host.parse::<std::net::IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    match tokio::net::lookup_host((target.host.as_str(), target.port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(Outcome::Unresolved {
            reason: error.to_string(),
        }),
    }
}
