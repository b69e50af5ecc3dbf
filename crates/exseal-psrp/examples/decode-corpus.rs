//! Decodes every CLIXML file below the folders given, as they are, again and again for at least two seconds, and prints
//! one JSON line: files, bytes, passes, seconds, megabytes a second; files that could not be read with the reason.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use exseal_psrp::clixml::{Document, Limits, decode_bytes};

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            files.push(path);
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn main() {
    let mut files = Vec::new();
    for folder in std::env::args_os().skip(1) {
        collect(Path::new(&folder), &mut files);
    }
    files.sort();
    let corpus: Vec<(PathBuf, Vec<u8>)> = files
        .into_iter()
        .filter_map(|path| std::fs::read(&path).ok().map(|bytes| (path, bytes)))
        .filter(|(_, bytes)| decode_bytes(bytes).is_ok_and(|text| text.contains("<Obj")))
        .collect();
    let bytes: usize = corpus.iter().map(|(_, bytes)| bytes.len()).sum();

    let mut failures = Vec::new();
    let mut passes = 0_u32;
    let start = Instant::now();
    while passes < 3 || start.elapsed() < Duration::from_secs(2) {
        for (path, bytes) in &corpus {
            let Ok(text) = decode_bytes(bytes) else { continue };
            match Document::decode(&text, &Limits::default()) {
                Ok(document) => drop(std::hint::black_box(document)),
                Err(error) if passes == 0 => failures.push(format!("{}: {error}", path.display())),
                Err(_) => {}
            }
        }
        passes += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = bytes as f64 * f64::from(passes) / 1e6;
    for failure in &failures {
        println!("failed: {failure}");
    }
    println!(
        "{{\"files\": {}, \"failed\": {}, \"bytes\": {bytes}, \"passes\": {passes}, \"seconds\": {seconds:.3}, \"mb_per_s\": {:.1}}}",
        corpus.len(),
        failures.len(),
        megabytes / seconds
    );
}
