//! exseal: keeps the certificates of an on-premises Exchange organisation right.

mod command;
mod command_error;
mod context;
mod inputs;
mod live;
mod pages;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(command_error::report_panic));
    let cli = command::Cli::parse();
    match std::panic::catch_unwind(|| command::run(cli)) {
        Ok(code) => code,
        Err(_) => ExitCode::from(command_error::BUG),
    }
}
