//! PowerShell's formats and its remoting protocol, both roles: CLIXML and the binary formats Exchange hides in it,
//! PSRP, and what carries it.
//!
//! A quiet room: no sockets, threads or clock; ids and randomness are arguments; everything that grows is bounded.
//!
//! # Reading what PowerShell wrote
//!
//! [`clixml::Document`] holds values; [`nrbf`] and [`serialized_cert`] read what Exchange puts into them.
//!
//! # Talking to PowerShell
//!
//! [`client::Client`] is a runspace pool with its pipelines. Ask it ([`open`](client::Client::open),
//! [`invoke`](client::Client::invoke), [`stop`](client::Client::stop)…), carry each [`channel::Transmit`] that
//! [`poll_transmit`](client::Client::poll_transmit) gives, hand what comes back to
//! [`receive`](client::Client::receive), act on each [`client::Event`]:
//!
//! ```
//! use exseal_psrp::client::{Client, Settings};
//! use exseal_psrp::message::Command;
//! # let pool = uuid::Uuid::from_u128(1);
//! # let id = uuid::Uuid::from_u128(2);
//! let mut client = Client::new(Settings::new(pool));
//! client.open()?;
//! // … carried, and Event::Opened came:
//! # assert!(client.poll_transmit().is_some());
//! let command = Command::new("Get-ExchangeCertificate").parameter("Server", "ex1.example.org");
//! # let refused = client.invoke(id, &command.clone().into());
//! # assert!(refused.is_err(), "the pool is not open yet");
//! // client.invoke(id, &command.into())?;
//! # Ok::<(), exseal_psrp::client::AskError>(())
//! ```
//!
//! A transport turns transmissions into its own requests and back:
//!
//! - WSMan over HTTP: a [`wsman::Request`] for each, [`wsman::Request::answer`] for what came back; Receive is asked
//!   for the pool until it is open and for each running pipeline until [`client::Event::Ended`];
//!   [`wsman::Received::streams`] go to `receive`. Sealed bodies are framed by [`multipart`].
//! - stdio: [`channel::Transmit::into_packets`], in the order [`oop::Acknowledgements`] allows; lines are cut by
//!   [`oop::Lines`].
//!
//! Only [`client::Event::Ended`] says that a pipeline ended; when its word can come no more it is
//! [`client::Event::Lost`], effect unknown.
//!
//! # Being PowerShell
//!
//! [`server::Server`] is the other half, for a simulated server: same verbs, [`wsman::Request::decode`] and
//! [`wsman::Reply::encode`] around it.

pub mod channel;
pub mod client;
pub mod clixml;
pub mod data;
pub mod fragment;
pub mod message;
pub mod multipart;
pub mod nrbf;
pub mod oop;
pub mod secret;
pub mod serialized_cert;
pub mod server;
pub mod wsman;
