//! What the project does to itself: checks, benches, samples.

fn main() {}
