//! The way to a key distribution centre: TCP, as Windows' and MIT's centres all take it.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use exseal_gss::{KdcExchange, KdcUnreachable};

/// Where the centre is.
#[derive(Clone, Debug)]
pub struct Kdc {
    /// Its name or address; none: the realm's own name, which in a Windows domain resolves to its controllers.
    pub host: Option<String>,
    /// 88 but in laboratories.
    pub port: u16,
    /// For each address.
    pub patience: Duration,
}

impl Default for Kdc {
    fn default() -> Self {
        Self {
            host: None,
            port: 88,
            patience: Duration::from_secs(5),
        }
    }
}

/// The longest answer taken; tickets with large authorisation data stay far below.
const LONGEST: u32 = 1 << 20;

impl KdcExchange for Kdc {
    fn ask(&mut self, realm: &str, request: &[u8]) -> Result<Vec<u8>, KdcUnreachable> {
        let host = self.host.as_deref().unwrap_or(realm);
        let unreachable = |why: String| KdcUnreachable(format!("{host} port {}: {why}", self.port));
        let addresses = (host, self.port)
            .to_socket_addrs()
            .map_err(|error| unreachable(error.to_string()))?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match self.ask_one(address, request) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error.to_string(),
            }
        }
        Err(unreachable(last))
    }
}

impl Kdc {
    fn ask_one(&self, address: std::net::SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, self.patience)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        let length = u32::try_from(request.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], request].concat())?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > LONGEST {
            return Err(std::io::Error::other(format!(
                "expected an answer of at most {LONGEST} bytes, found {length}"
            )));
        }
        let mut answer = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}
