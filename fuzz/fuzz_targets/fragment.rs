//! Any bytes as fragments: how the transport cuts them changes nothing.

#![no_main]

use exseal_psrp::fragment::{Defragmenter, FragmentLimits};
use libfuzzer_sys::fuzz_target;

fn messages(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut defragmenter = Defragmenter::new(FragmentLimits::default());
    let mut whole = Vec::new();
    let mut fine = true;
    for piece in pieces {
        fine &= defragmenter.receive(piece).is_ok();
        while let Some(message) = defragmenter.next_message() {
            whole.push(message);
        }
        if !fine {
            break;
        }
    }
    (whole, fine)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let at = usize::from(cut).min(bytes.len());
    let (one, two) = bytes.split_at(at);
    assert_eq!(messages(&[bytes]), messages(&[one, two]));
});
