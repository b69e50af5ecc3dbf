//! `cargo xtask sample`: writes the sample organisation in `examples/kiefer` anew.
//!
//! The keys of its certificates live in memory while it is made and are never written, so each run
//! makes other certificates; names, dates and faults stay.

mod cmdlets;
mod export;
mod organisation;
mod payload;
mod texts;
mod x509;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::{Failure, Result, setup, workspace};
use organisation::{Certificates, FAULTS, NOW};

/// Arguments of `cargo xtask sample`.
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Where to write it [default: examples/kiefer]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(crate) fn run(args: &SampleArgs) -> Result {
    let folder = args
        .to
        .clone()
        .unwrap_or_else(|| workspace::root().join("examples/kiefer"));
    let files = files()?;
    if args.to.is_none() && folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    write(&folder, &files)?;
    if args.to.is_none() {
        fs::write(workspace::root().join("examples/README.md"), page())?;
    }
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    println!(
        "{} files, {} KiB in {}",
        files.len(),
        bytes / 1024,
        folder.display()
    );
    Ok(())
}

/// Makes the sample anew in a folder of its own and compares what is found in it with what is found in
/// the committed one: each finding's name, server and slot.
///
/// # Errors
///
/// Both lists, where they differ.
pub(crate) fn check() -> Result<String> {
    let anew = workspace::target().join("xtask-sample");
    if anew.is_dir() {
        fs::remove_dir_all(&anew)?;
    }
    write(&anew, &files()?)?;

    let program = setup::exseal()?;
    let found = |folder: &Path| -> Result<Vec<String>> {
        let mut diagnose = workspace::command(&program);
        diagnose
            .arg("diagnose")
            .arg("--from")
            .arg(folder)
            .args(["--now", NOW, "--json"]);
        let diagnosis: Value = serde_json::from_slice(&workspace::capture(&mut diagnose)?.stdout)?;
        let findings = diagnosis["findings"].as_array().into_iter().flatten();
        Ok(findings
            .map(|found| format!("{} {} {}", found["name"], found["server"], found["slot"]))
            .collect())
    };
    let committed = found(&workspace::root().join("examples/kiefer"))?;
    let made = found(&anew)?;
    if committed.len() < FAULTS.len() {
        return Err(Failure::new(format!(
            "expected at least {} findings, found {committed:#?}",
            FAULTS.len()
        )));
    }
    if committed == made {
        Ok(format!("{} faults, {} findings", FAULTS.len(), made.len()))
    } else {
        Err(Failure::new(format!(
            "expected the committed sample's {committed:#?}, found {made:#?}"
        )))
    }
}

fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> Result {
    for (name, bytes) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// The files of the sample by name, made anew.
fn files() -> Result<Vec<(String, Vec<u8>)>> {
    let certificates = Certificates::make()?;
    let servers = organisation::servers(&certificates);
    let mut files = vec![
        (
            "organisation/Get-ExchangeServer.xml".to_owned(),
            cmdlets::exchange_servers(&servers),
        ),
        (
            "organisation/Get-AuthConfig.xml".to_owned(),
            cmdlets::auth_config(&certificates),
        ),
        (
            "organisation/Get-SendConnector.xml".to_owned(),
            cmdlets::send_connectors(&certificates),
        ),
    ];
    for server in &servers {
        let folder = server.name.to_lowercase();
        let mut add = |name: &str, bytes: Vec<u8>| files.push((format!("{folder}/{name}"), bytes));
        add("Get-ExchangeCertificate.xml", cmdlets::certificates(server));
        add("Get-ReceiveConnector.xml", cmdlets::receive_connectors(server));
        add("Get-VirtualDirectory.xml", cmdlets::virtual_directories(server));
        add(
            "Get-ClientAccessService.xml",
            cmdlets::client_access_service(server),
        );
        add("Get-PopSettings.xml", cmdlets::client_protocol(server, false));
        add("Get-ImapSettings.xml", cmdlets::client_protocol(server, true));
        // The same things in the different forms in which they arrive from the field.
        let transport = cmdlets::transport_service(server);
        match server.name {
            "EX1" => {
                add("Get-TransportService.xml", transport);
                add(
                    "applicationHost.config",
                    texts::application_host(server).into_bytes(),
                );
                add(
                    "netsh-http-show-sslcert.txt",
                    texts::netsh(server, &texts::ENGLISH).into_bytes(),
                );
            }
            "EX2" => {
                add("Get-TransportService.xml", export::as_utf16(&transport));
                add(
                    "applicationHost.config",
                    texts::application_host(server).into_bytes(),
                );
                add(
                    "netsh-http-show-sslcert.txt",
                    texts::netsh(server, &texts::GERMAN).into_bytes(),
                );
            }
            _ => {
                add("Get-TransportService.xml", transport);
                add("Get-WebBinding.xml", cmdlets::web_bindings(server));
            }
        }
    }
    Ok(files)
}

/// The page that tells what the sample is and what is wrong in it.
fn page() -> String {
    let mut text = format!(
        "# kiefer: Kiefer Möbel AG\n\n\
         A small Exchange organisation that does not exist: three servers in two sites, as files that an\n\
         administrator exported. Made by `cargo xtask sample`; look at it with\n\n\
         ```sh\nexseal diagnose --from examples/kiefer --now {NOW}\n```\n\n\
         What is wrong in it, on purpose:\n\n| where | what |\n|---|---|\n"
    );
    for (server, fault) in FAULTS {
        let _ = writeln!(text, "| {server} | {fault} |");
    }
    text.push_str(
        "\nWhat must not alarm anybody: the management service's certificates (`WMSvc-…`), and on EX3, which runs in\n\
         Azure, a certificate of Azure's own that ended years ago.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use exseal_exchange::files::{Given, Options, read};

    use super::*;

    #[test]
    fn every_file_of_the_sample_is_recognised_and_read_without_an_error() {
        let sample = Given {
            server: None,
            path: workspace::root().join("examples/kiefer"),
        };
        let options = Options {
            password: &|_| None,
            limits: Default::default(),
        };

        let reading = read(&[sample], &options);

        let unread: Vec<&str> = reading
            .files
            .iter()
            .filter(|file| file.holds.is_none() || !file.inventory.errors.is_empty())
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(unread, Vec::<&str>::new());
        assert!(reading.files.len() > 25, "{} files", reading.files.len());
    }

    #[test]
    fn the_page_of_the_sample_lists_its_faults() {
        let committed = fs::read_to_string(workspace::root().join("examples/README.md")).expect("the page");
        assert_eq!(committed, page(), "run `cargo xtask sample`");
    }
}
