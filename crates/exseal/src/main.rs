//! The program: commands, views, exit codes.

fn main() {}
