//! The name in front of the servers: it takes connections and hands them to one mailbox server after the other, as a
//! balancer of TCP does. What it looks at is what balancers in the field look at: whether the port answers, and of web
//! clients' ports healthcheck.htm.

use std::io;
use std::sync::atomic::Ordering;

use tokio::net::TcpStream;

use super::place::{Key, Side};
use super::{Io, Shared, lock, web};
use crate::world::ServerName;

/// Serves a connection: the next server that answers has it until either side ends.
///
/// # Errors
///
/// No server answers, or the connection breaks off.
pub(crate) async fn serve(shared: &Shared, key: &Key, mut io: Box<dyn Io>) -> io::Result<()> {
    let servers: Vec<ServerName> = {
        let world = lock(&shared.world);
        world
            .balanced()
            .filter(|server| world.open_ports(&server.name).contains(&key.port))
            .filter(|server| !matches!(key.port, 80 | 443) || web::is_healthy(server))
            .map(|server| server.name.clone())
            .collect()
    };
    let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
    for at in 0..servers.len() {
        let Some(server) = servers.get((turn + at) % servers.len()) else {
            continue;
        };
        let Some(socket) = shared.socket(server, Side::Outside, key.port) else {
            continue;
        };
        if let Ok(mut behind) = TcpStream::connect(socket).await {
            let _ = behind.set_nodelay(true);
            tokio::io::copy_bidirectional(&mut io, &mut behind).await?;
            return Ok(());
        }
    }
    Err(io::Error::from(io::ErrorKind::ConnectionRefused))
}
