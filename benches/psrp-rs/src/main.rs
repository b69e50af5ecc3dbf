//! Decodes CLIXML files with psrp-rs, once and again for at least two seconds; prints one JSON line.
//!
//! psrp-rs reads what stands inside `<Objs>`, so that element is taken off before the clock starts.

use std::time::{Duration, Instant};

fn main() {
    let corpus: Vec<(usize, String)> = std::env::args_os()
        .skip(1)
        .filter_map(|path| {
            let bytes = std::fs::read(path).ok()?;
            let text = decoded(&bytes)?;
            let begin = text.find("<Objs").and_then(|at| Some(at + text.get(at..)?.find('>')? + 1))?;
            let end = text.rfind("</Objs>")?;
            Some((bytes.len(), text.get(begin..end)?.to_owned()))
        })
        .collect();

    let readable: Vec<&(usize, String)> =
        corpus.iter().filter(|(_, text)| psrp_rs::clixml::parse_clixml(text).is_ok()).collect();
    let bytes: usize = readable.iter().map(|(bytes, _)| bytes).sum();
    let mut passes = 0_u32;
    let start = Instant::now();
    while passes < 1 || start.elapsed() < Duration::from_secs(2) {
        for (_, text) in &readable {
            drop(std::hint::black_box(psrp_rs::clixml::parse_clixml(text)));
        }
        passes += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{{\"files\": {}, \"bytes\": {bytes}, \"passes\": {passes}, \"seconds\": {seconds:.3}}}",
        readable.len()
    );
}

fn decoded(bytes: &[u8]) -> Option<String> {
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        let units: Vec<u16> =
            rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        return Some(String::from_utf16_lossy(&units));
    }
    String::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).to_vec()).ok()
}
