//! A server's first answer: no bytes may break the reader, and how they are cut may not change what is read.
#![no_main]

use exseal_probe::flight::Flight;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut whole = Flight::new();
    let read = whole.read(data);
    let mut pieces = Flight::new();
    let mut last = Ok(false);
    for piece in data.chunks(3) {
        last = pieces.read(piece);
        if last.is_err() {
            break;
        }
    }
    if let (Ok(one), Ok(two)) = (read, last) {
        assert!(one == two || data.is_empty());
        assert_eq!(whole.chain(), pieces.chain());
        assert_eq!(whole.chosen(), pieces.chosen());
    }
});
