//! Any line of the out-of-process protocol: what is read is written and read again the same.

#![no_main]

use exseal_psrp::oop::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    if let Ok(packet) = Packet::decode(line) {
        assert!(Packet::decode(packet.encode().trim_end()).expect("what was written is read") == packet);
    }
});
