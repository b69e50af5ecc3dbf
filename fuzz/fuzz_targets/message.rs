//! Any bytes as a message of PSRP; what is read can be written and is read again. And any bytes as what a
//! client and a server are told while their pool opens.

#![no_main]

use exseal_psrp::client::{Client, Settings};
use exseal_psrp::message::Message;
use exseal_psrp::server::Server;
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::decode(bytes) {
        let written = message.encode();
        let again = Message::decode(&written).expect("what was written is read");
        assert_eq!(
            (again.destination, again.pool, again.pipeline, again.body.kind()),
            (message.destination, message.pool, message.pipeline, message.body.kind()),
        );
        // Places of objects may differ from what a stranger wrote; our own writing does not change any more.
        assert_eq!(again.encode(), written);
    }
    let mut client = Client::new(Settings::new(Uuid::from_u128(1)));
    client.open().expect("a new client opens");
    while client.poll_transmit().is_some() {}
    let _ = client.receive(None, bytes);
    while client.next_event().is_some() {}
    let mut server = Server::new(exseal_psrp::server::Settings::default());
    let _ = server.receive(None, bytes);
    while server.next_event().is_some() {}
    while server.poll_transmit().is_some() {}
});
