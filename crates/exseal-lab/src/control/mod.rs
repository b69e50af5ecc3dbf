//! A running lab, acted on from outside: orders over a loopback socket that only whoever started the lab can use.
//!
//! [`Control::open`] listens on a free loopback port and writes an [`Entry`] with address and a random token into a
//! folder of the user; [`running`] reads that folder, [`ask`] sends one [`Order`]. An order is one line of JSON, its
//! reply another; both are bounded.

mod order;
mod registry;
mod serve;

pub use order::{Break, Order};
pub use registry::{Entry, running};
pub use serve::Control;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of an order.
const ORDER_LEN: u64 = 64 << 10;
/// Bytes of a reply: 200 servers with full event logs stay below.
const REPLY_LEN: u64 = 1 << 30;
/// How long a lab may take for a reply: 400 days of 200 servers take seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// What goes wrong between a lab and whoever gives it orders.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The user's folder, or a file in it.
    #[error("cannot use {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// No folder of the user is known.
    #[error("expected a home folder to keep the list of running labs in, found none")]
    NoFolder,
    /// The system gives no socket, or no randomness for a token.
    #[error("cannot open the control socket: {0}")]
    Socket(std::io::Error),
    /// The lab does not answer.
    #[error("the lab {name} does not answer: {source}; whether the order was carried out is unknown")]
    Silent {
        /// Which lab.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The lab answered something that is no reply.
    #[error("expected a reply of the lab {name}, found {found}")]
    Reply {
        /// Which lab.
        name: String,
        /// What came.
        found: String,
    },
    /// The lab refused the order; nothing changed.
    #[error("{0}")]
    Refused(String),
}

#[derive(Debug, Deserialize, Serialize)]
struct Envelope {
    token: String,
    order: Order,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Done(Value),
    Refused(String),
}

/// Gives a running lab an order and waits for its reply; blocks for at most a few minutes.
///
/// # Errors
///
/// [`ControlError::Silent`] when nobody answers: for [`Order::Advance`] and its like, whether it was carried out is
/// unknown then. [`ControlError::Refused`] when the order cannot be carried out; nothing changed.
pub fn ask(lab: &Entry, order: &Order) -> Result<Value, ControlError> {
    let silent = |source| ControlError::Silent {
        name: lab.name.clone(),
        source,
    };
    let mut stream = TcpStream::connect_timeout(&lab.control, Duration::from_secs(5)).map_err(silent)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(silent)?;
    let envelope = Envelope {
        token: lab.token.clone(),
        order: order.clone(),
    };
    let mut line = serde_json::to_vec(&envelope).map_err(|error| silent(error.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(silent)?;
    let mut reply = Vec::new();
    BufReader::new(stream.take(REPLY_LEN))
        .read_until(b'\n', &mut reply)
        .map_err(silent)?;
    if reply.is_empty() {
        return Err(silent(std::io::ErrorKind::UnexpectedEof.into()));
    }
    match serde_json::from_slice(&reply) {
        Ok(Reply::Done(value)) => Ok(value),
        Ok(Reply::Refused(why)) => Err(ControlError::Refused(why)),
        Err(error) => Err(ControlError::Reply {
            name: lab.name.clone(),
            found: error.to_string(),
        }),
    }
}
