//! Starts the lab an organisation file describes, prints one JSON line of its sockets, users and clock, and ends with
//! its standard input. A second argument is a keytab of the servers' principals: with it Kerberos lets in.

use std::sync::{Arc, Mutex};

use exseal_gss::Keytab;
use exseal_lab::net::{Options, Running, Side};
use exseal_lab::organisation::Organisation;
use exseal_lab::world::World;

#[expect(clippy::print_stdout, reason = "a program of its own")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("lab-wire ORGANISATION.toml")?;
    let organisation = Organisation::parse(&std::fs::read_to_string(file)?)?;
    let world = World::new(&organisation, "2026-11-24T09:00:00Z".parse()?, 1)?;
    let users: Vec<_> = world
        .users()
        .iter()
        .map(|user| serde_json::json!({"name": user.name, "password": user.password}))
        .collect();
    let keytab = std::env::args()
        .nth(2)
        .map(|path| Keytab::parse(&std::fs::read(path)?).map_err(Box::<dyn std::error::Error>::from))
        .transpose()?
        .map(Arc::new);
    let options = Options {
        keytab,
        ..Options::default()
    };
    let lab = Running::start(Arc::new(Mutex::new(world)), options)?;
    let sockets: Vec<_> = lab
        .addresses()
        .iter()
        .map(|address| {
            serde_json::json!({
                "server": address.server.as_str(),
                "own": address.side == Side::OwnLoopback,
                "port": address.port,
                "socket": address.socket.to_string(),
            })
        })
        .collect();
    println!("{}", serde_json::json!({"sockets": sockets, "users": users}));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    lab.stop().await;
    Ok(())
}
