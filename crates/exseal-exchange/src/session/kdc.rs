//! The way to a key distribution centre: TCP, as Windows' and MIT's centres all take it.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exseal_gss::{KdcExchange, KdcUnreachable};
use tokio::time::Instant;

/// Where the centre is. Clones share what they know of centres that did not answer.
#[derive(Clone, Debug)]
pub struct Kdc {
    /// Its name or address; none: the realm's own name, which in a Windows domain resolves to its controllers.
    pub host: Option<String>,
    /// 88 but in laboratories.
    pub port: u16,
    /// For each address.
    pub patience: Duration,
    /// Centres, by name or address and port, that could not be reached, and since when.
    silent: Arc<Mutex<HashMap<(String, u16), Instant>>>,
}

/// How long a centre that could not be reached is not asked where there is another way in.
const SILENCE: Duration = Duration::from_secs(60);

impl Default for Kdc {
    fn default() -> Self {
        Self {
            host: None,
            port: 88,
            patience: Duration::from_secs(5),
            silent: Arc::default(),
        }
    }
}

/// The longest answer taken; tickets with large authorisation data stay far below.
const LONGEST: u32 = 1 << 20;

impl KdcExchange for Kdc {
    fn ask(&mut self, realm: &str, request: &[u8]) -> Result<Vec<u8>, KdcUnreachable> {
        let asked = self.ask_any(self.centre(realm), request);
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        match &asked {
            Ok(_) => silent.remove(&self.key(realm)),
            Err(_) => silent.insert(self.key(realm), Instant::now()),
        };
        asked.map_err(|why| KdcUnreachable(format!("{} port {}: {why}", self.centre(realm), self.port)))
    }
}

impl Kdc {
    /// Whether the centre of a realm could not be reached within the last minute. Where NTLM is another way in, asking
    /// again for each of many servers would only cost its patience each time.
    pub(super) fn was_silent(&self, realm: &str) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent
            .get(&self.key(realm))
            .is_some_and(|since| since.elapsed() < SILENCE)
    }

    fn centre<'a>(&'a self, realm: &'a str) -> &'a str {
        self.host.as_deref().unwrap_or(realm)
    }

    fn key(&self, realm: &str) -> (String, u16) {
        (self.centre(realm).to_lowercase(), self.port)
    }

    fn ask_any(&self, host: &str, request: &[u8]) -> Result<Vec<u8>, String> {
        let addresses = (host, self.port)
            .to_socket_addrs()
            .map_err(|error| error.to_string())?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match self.ask_one(address, request) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_centre_that_did_not_answer_is_left_alone_for_a_minute_by_every_clone() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut kdc = Kdc {
            host: Some("127.0.0.1".to_owned()),
            port: closed.port(),
            ..Kdc::default()
        };
        let clone = kdc.clone();
        assert!(!clone.was_silent("CONTOSO.COM"));
        let refused = kdc.ask("CONTOSO.COM", b"request").unwrap_err();
        assert!(refused.0.starts_with("127.0.0.1 port "), "{}", refused.0);
        assert!(clone.was_silent("CONTOSO.COM"));
        assert!(!Kdc::default().was_silent("CONTOSO.COM"));

        let earlier = Instant::now().checked_sub(SILENCE).unwrap();
        for since in kdc.silent.lock().unwrap().values_mut() {
            *since = earlier;
        }
        assert!(!clone.was_silent("CONTOSO.COM"));
    }

    #[test]
    fn a_centre_that_answers_again_is_not_silent() {
        let centre = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut kdc = Kdc {
            host: Some("127.0.0.1".to_owned()),
            port: centre.local_addr().unwrap().port(),
            ..Kdc::default()
        };
        kdc.silent
            .lock()
            .unwrap()
            .insert(kdc.key("CONTOSO.COM"), Instant::now());
        assert!(kdc.was_silent("CONTOSO.COM"));
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = centre.accept().unwrap();
            let mut request = [0; 11];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"\0\0\0\x02ok").unwrap();
        });
        assert_eq!(kdc.ask("CONTOSO.COM", b"request").unwrap(), b"ok");
        answering.join().unwrap();
        assert!(!kdc.was_silent("CONTOSO.COM"));
    }
}
