//! Any text as a request to a shell, and any bytes as the answer to one.

#![no_main]

use exseal_psrp::wsman::Request;
use libfuzzer_sys::fuzz_target;

const DELETE: &str = include_str!("../seeds/wsman/delete.xml");

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(request) = Request::decode(text)
    {
        let again = Request::decode(&request.encode()).expect("what was written is read");
        assert_eq!(again, request);
    }
    let asked = Request::decode(DELETE).expect("a request");
    let _ = asked.answer(200, bytes);
    let _ = asked.answer(500, bytes);
});
