//! `cargo xtask windows`: what is for Windows alone is type-checked there, beside everything else.
//!
//! rustup's target is not needed: Debian's rustc builds its own standard library for Windows
//! (interop/windows/toolchain.sh), into the target folder. Minutes the first time, so it is no step of CI.

use clap::Args;

use crate::{Failure, Result, setup, workspace};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// Arguments of `cargo xtask windows`.
#[derive(Debug, Args)]
pub(crate) struct WindowsArgs {
    /// Packages to check
    #[arg(default_value = "exseal")]
    packages: Vec<String>,
}

/// Type-checks packages and all they stand on for Windows.
pub(crate) fn run(args: &WindowsArgs) -> Result {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new(
            "expected Debian, whose packages the toolchain comes of; on Windows, `cargo check` does the same",
        ));
    }
    setup::program(
        "x86_64-w64-mingw32-gcc",
        &["--version"],
        "gcc-mingw-w64-x86-64-win32",
    )?;
    let folder = workspace::target().join("windows");
    println!("toolchain for {TARGET} …");
    workspace::run(
        workspace::command("bash")
            .arg("interop/windows/toolchain.sh")
            .arg(&folder),
    )?;
    let mut check = workspace::cargo();
    check
        .args(["check", "--target", TARGET, "--target-dir"])
        .arg(folder.join("target"))
        .env("RUSTC", folder.join("bin/rustc"))
        .env("RUSTDOC", folder.join("bin/rustdoc"))
        .env("CC_x86_64_pc_windows_gnu", "x86_64-w64-mingw32-gcc")
        .env("AR_x86_64_pc_windows_gnu", "x86_64-w64-mingw32-ar");
    for package in &args.packages {
        check.args(["--package", package]);
    }
    workspace::run(&mut check)?;
    println!("{} type-checked for {TARGET}", args.packages.join(", "));
    Ok(())
}
