//! Greetings of SMTP, POP and IMAP servers: no bytes may break the dialogue, and it sends only lines of its own.
#![no_main]

use exseal_probe::Protocol;
use exseal_probe::dialogue::{Dialogue, Next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for protocol in [Protocol::Smtp, Protocol::SmtpAnonymous, Protocol::Pop, Protocol::Imap] {
        let Some(mut dialogue) = Dialogue::new(protocol, "probe.example.org") else {
            continue;
        };
        let mut sent = 0;
        for piece in data.chunks(7) {
            match dialogue.read(piece) {
                Ok(Next::Wait) => {}
                Ok(Next::Send(bytes)) => {
                    assert!(bytes.ends_with(b"\r\n") && bytes.is_ascii());
                    sent += 1;
                    assert!(sent <= 3, "EHLO, the command, and no more");
                }
                Ok(Next::Begin | Next::NotOffered | Next::Refused(_)) | Err(_) => break,
            }
        }
        assert!(dialogue.offered().len() <= 64);
    }
});
