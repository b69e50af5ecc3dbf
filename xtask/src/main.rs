//! What the project does to itself: checks, benches, samples.
mod truth;

fn main() {
    let held = truth::check_folder(std::path::Path::new(&std::env::args().nth(1).unwrap()));
    println!("{held:#?}");
}
