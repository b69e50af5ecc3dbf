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

async fn addresses(target: &Target, options: &Options) -> Result<Vec<SocketAddr>, Outcome> {
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
