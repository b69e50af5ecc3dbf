//! The certificate cmdlets (facts/exchange.md 1 and 2.1 to 2.5).
//!
//! The parameters with which files were written and read on the server (`-FileName`, `-RequestFile`) are those of builds
//! before 2022; the files are the simulation's own ([`World::file`](crate::world::World::file)).

mod enable;
mod export;
mod get;
mod import;
mod new;
mod remove;
mod show;
mod transport;

use super::error::Problem;
use super::object::PsValue;
use super::run::{Run, Stop, find_server};
use super::table::{Access, Cmdlet, boolean, bytes, certificate, flags, number, secret, switch, text, texts};
use crate::certificate::Thumbprint;
use crate::organisation::StoreName;
use crate::world::{ServerName, Stored};

const SERVICES: &str = "Microsoft.Exchange.Management.SystemConfigurationTasks.AllowedServices";
const SERVICE_NAMES: &[&str] = &[
    "None",
    "IMAP",
    "POP",
    "UM",
    "IIS",
    "SMTP",
    "Federation",
    "UMCallRouter",
];

/// Builds and their documented parameters.
pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-ExchangeCertificate",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetExchangeCertificate",
        parameters: &[
            text("Thumbprint").at(0).only(&["Thumbprint"]),
            text("Identity").piped().only(&["Identity"]),
            certificate("Instance").only(&["Instance"]),
            text("Server").only(&["Thumbprint", "Instance"]),
            texts("DomainName"),
        ],
        default_set: "Thumbprint",
        access: Access::View,
        process: get::get,
    },
    Cmdlet {
        name: "New-ExchangeCertificate",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.NewExchangeCertificate",
        parameters: &[
            switch("GenerateRequest").only(&["Request"]),
            switch("BinaryEncoded").only(&["Request"]),
            text("RequestFile").only(&["Request"]).before_2022(),
            flags("Services", SERVICES, SERVICE_NAMES).only(&["Certificate"]),
            texts("DomainName"),
            switch("Force"),
            text("FriendlyName"),
            switch("IncludeAcceptedDomains"),
            switch("IncludeAutoDiscover"),
            switch("IncludeServerFQDN"),
            switch("IncludeServerNetBIOSName"),
            certificate("Instance").piped(),
            number("KeySize"),
            boolean("PrivateKeyExportable"),
            text("Server"),
            text("SubjectKeyIdentifier"),
            text("SubjectName"),
        ],
        default_set: "Certificate",
        access: Access::Servers,
        process: new::new,
    },
    Cmdlet {
        name: "Import-ExchangeCertificate",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.ImportExchangeCertificate",
        parameters: &[
            bytes("FileData").needed().only(&["FileData"]),
            text("FileName").needed().only(&["FileName"]).before_2022(),
            text("FriendlyName"),
            secret("Password"),
            boolean("PrivateKeyExportable"),
            text("Server"),
        ],
        default_set: "FileData",
        access: Access::Servers,
        process: import::import,
    },
    Cmdlet {
        name: "Export-ExchangeCertificate",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.ExportExchangeCertificate",
        parameters: &[
            text("Thumbprint").at(0).needed().only(&["Thumbprint"]),
            text("Identity").needed().piped().only(&["Identity"]),
            text("Server").only(&["Thumbprint"]),
            switch("BinaryEncoded"),
            text("FileName").before_2022(),
            secret("Password"),
        ],
        default_set: "Thumbprint",
        access: Access::Servers,
        process: export::export,
    },
    Cmdlet {
        name: "Enable-ExchangeCertificate",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.EnableExchangeCertificate",
        parameters: &[
            text("Thumbprint").at(0).needed().only(&["Thumbprint"]),
            text("Identity").needed().piped().only(&["Identity"]),
            text("Server").only(&["Thumbprint"]),
            flags("Services", SERVICES, SERVICE_NAMES).needed(),
            switch("DoNotRequireSsl"),
            switch("NetworkServiceAllowed"),
            switch("Force"),
        ],
        default_set: "Thumbprint",
        access: Access::Servers,
        process: enable::enable,
    },
    Cmdlet {
        name: "Remove-ExchangeCertificate",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.RemoveExchangeCertificate",
        parameters: &[
            text("Thumbprint").at(0).needed().only(&["Thumbprint"]),
            text("Identity").needed().piped().only(&["Identity"]),
            text("Server").only(&["Thumbprint"]),
        ],
        default_set: "Thumbprint",
        access: Access::Servers,
        process: remove::remove,
    },
];

/// A certificate that -Thumbprint or -Identity names.
struct Named {
    server: ServerName,
    /// As it was written.
    text: String,
    /// `None`: no 40 hexadecimal digits.
    thumbprint: Option<Thumbprint>,
}

impl Named {
    /// E3: the certificate is not there.
    fn not_found(&self) -> Problem {
        let shown = self
            .thumbprint
            .map_or_else(|| self.text.clone(), |thumbprint| thumbprint.to_string());
        not_found(&shown).over_rpc(&self.server.as_str().to_uppercase())
    }
}

/// E3.
pub(super) fn not_found(thumbprint: &str) -> Problem {
    Problem::refused(
        format!("The certificate with thumbprint {thumbprint} was not found."),
        format!("Das Zertifikat mit dem Fingerabdruck {thumbprint} wurde nicht gefunden."),
    )
}

/// What -Thumbprint, -Identity (`server\thumbprint` or a thumbprint) and -Server name. `Ok(None)`: a server that is not
/// there, and the error was written.
fn named(run: &mut Run<'_>) -> Result<Option<Named>, Stop> {
    if let Some(identity) = run.text("Identity").map(str::to_owned) {
        let (server, thumbprint) = identity.split_once('\\').unwrap_or(("", &identity));
        let found = if server.is_empty() {
            Some(run.at.clone())
        } else {
            find_server(run.world, server)
        };
        let Some(found) = found else {
            let problem = Problem::not_found(server, &run.controller());
            run.fail(&problem)?;
            return Ok(None);
        };
        return Ok(Some(Named {
            server: found,
            text: thumbprint.to_owned(),
            thumbprint: Thumbprint::parse(thumbprint),
        }));
    }
    let Some(server) = run.target()? else {
        return Ok(None);
    };
    let text = run.text("Thumbprint").unwrap_or_default().to_owned();
    Ok(Some(Named {
        server,
        thumbprint: Thumbprint::parse(&text),
        text,
    }))
}

/// The certificate itself, in My or among the pending requests, with its server reachable by RPC. `Ok(None)`: the error
/// was written.
fn located(run: &mut Run<'_>) -> Result<Option<(ServerName, Stored)>, Stop> {
    let Some(named) = named(run)? else {
        return Ok(None);
    };
    if !run.calls(&named.server)? {
        return Ok(None);
    }
    let stored = run.world.servers.get(&named.server).and_then(|server| {
        let thumbprint = named.thumbprint?;
        [StoreName::My, StoreName::Request]
            .into_iter()
            .find_map(|store| server.find(store, thumbprint))
            .cloned()
    });
    match stored {
        Some(stored) => Ok(Some((named.server, stored))),
        None => {
            run.fail(&named.not_found())?;
            Ok(None)
        }
    }
}

/// The error of a server without room on its disk; `Ok(true)`: there is room.
fn has_room(run: &mut Run<'_>, target: &ServerName) -> Result<bool, Stop> {
    let full = run
        .world
        .servers
        .get(target)
        .is_some_and(|server| server.free_bytes == 0);
    if full {
        let name = target.as_str().to_uppercase();
        let problem = Problem::refused(
            "There is not enough space on the disk.",
            "Es steht nicht genug Speicherplatz auf dem Datenträger zur Verfügung.",
        )
        .over_rpc(&name);
        run.fail(&problem)?;
    }
    Ok(!full)
}

/// Writes a file's content: to the file a parameter names, else as an object or as text.
fn write_file(run: &mut Run<'_>, parameter: &str, binary: Vec<u8>, text: String) {
    let encoded = run.is("BinaryEncoded");
    match run.text(parameter).map(str::to_owned) {
        Some(path) => {
            let content = if encoded { binary } else { text.into_bytes() };
            run.world.put_file(&path, content);
        }
        None if encoded => run.write(show::file_data(binary)),
        None => run.write_value(PsValue::text(text)),
    }
}
