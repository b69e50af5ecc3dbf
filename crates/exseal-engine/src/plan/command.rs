//! The exact words of each change: the call, and the same as one would type it.

use std::collections::BTreeMap;

use exseal_model::Endpoint;
use exseal_model::inventory::Store;
use exseal_model::plan::{Answer, Argument, Call, Change, StartType, Way, Which};

/// How a change is done.
#[must_use]
pub fn call(change: &Change) -> Call {
    let server = change.server().to_owned();
    let text = |value: &str| Argument::Text(value.to_owned());
    let (way, name, arguments, answers): (Way, &str, Vec<(&str, Argument)>, Vec<Answer>) = match change {
        Change::CreateCertificate {
            subject,
            names,
            friendly_name,
            days,
            key_bits,
            ..
        } => (
            Way::Server,
            "New-ExsealCertificate",
            vec![
                ("Subject", text(subject)),
                ("DnsNames", Argument::List(names.clone())),
                ("FriendlyName", text(friendly_name)),
                ("Days", Argument::Number(i64::from(*days))),
                ("KeySize", Argument::Number(i64::from(*key_bits))),
            ],
            Vec::new(),
        ),
        Change::BindCertificate {
            endpoint,
            certificate,
            instead_of,
            new_entry,
            ..
        } => {
            let mut arguments = vec![
                ("Endpoint", text(&in_http_sys(endpoint))),
                (
                    "Expected",
                    instead_of.map_or(Argument::Nothing, Argument::Certificate),
                ),
                ("Thumbprint", Argument::Certificate(*certificate)),
            ];
            if !endpoint.host.is_empty() {
                arguments.push(("Sni", Argument::Switch(true)));
            }
            if *new_entry {
                arguments.push(("Add", Argument::Switch(true)));
            }
            (Way::Server, "Set-ExsealHttpSysCertificate", arguments, Vec::new())
        }
        Change::EnableSmtp {
            certificate,
            internal_transport,
            ..
        } => (
            Way::Exchange,
            "Enable-ExchangeCertificate",
            vec![
                ("Thumbprint", Argument::Certificate(*certificate)),
                ("Services", text("SMTP")),
                ("Server", text(&server)),
            ],
            vec![Answer::ReplaceInternalTransport(*internal_transport)],
        ),
        Change::CopyCertificate {
            store, certificate, ..
        } => (
            Way::Server,
            "Copy-ExsealCertificate",
            vec![
                ("To", text(name_of(*store))),
                ("Thumbprint", Argument::Certificate(*certificate)),
            ],
            Vec::new(),
        ),
        // Exchange's own cmdlet has guards of its own (facts/exchange.md 2.5, E1 and E2); a store that is not My has none.
        Change::RemoveCertificate {
            store: Store::My,
            certificate,
            ..
        } => (
            Way::Exchange,
            "Remove-ExchangeCertificate",
            vec![
                ("Thumbprint", Argument::Certificate(*certificate)),
                ("Server", text(&server)),
                ("Confirm", Argument::Switch(false)),
            ],
            Vec::new(),
        ),
        Change::RemoveCertificate {
            store, certificate, ..
        } => (
            Way::Server,
            "Remove-ExsealCertificate",
            vec![
                ("Store", text(name_of(*store))),
                ("Thumbprint", Argument::Certificate(*certificate)),
                ("DeleteKey", Argument::Switch(false)),
            ],
            Vec::new(),
        ),
        // What leaves the server is encrypted with the password already (facts/exchange.md 2.3).
        Change::BackUpCertificate { certificate, .. } => (
            Way::Exchange,
            "Export-ExchangeCertificate",
            vec![
                ("Thumbprint", Argument::Certificate(*certificate)),
                ("Server", text(&server)),
                ("BinaryEncoded", Argument::Switch(true)),
                ("Password", Argument::BackupPassword),
            ],
            Vec::new(),
        ),
        Change::RestoreCertificate {
            certificate,
            friendly_name,
            file,
            ..
        } => (
            Way::Server,
            "Import-ExsealCertificate",
            vec![
                ("FriendlyName", text(friendly_name)),
                ("Thumbprint", Argument::Certificate(*certificate)),
                ("Exportable", Argument::Switch(true)),
                ("Pfx", Argument::FileContent(file.clone())),
                ("Password", Argument::BackupPassword),
            ],
            Vec::new(),
        ),
        Change::DiscardCertificate { certificate, .. } => (
            Way::Server,
            "Remove-ExsealCertificate",
            vec![
                ("Store", text("My")),
                ("Thumbprint", Argument::Certificate(*certificate)),
                ("DeleteKey", Argument::Switch(true)),
            ],
            Vec::new(),
        ),
        Change::SetServiceStart {
            service,
            start_type,
            instead_of,
            ..
        } => {
            let mut arguments = vec![
                ("Name", text(service)),
                ("Expected", text(start_mode(*instead_of))),
                ("StartMode", text(start_mode(*start_type))),
            ];
            if *instead_of == StartType::Disabled {
                arguments.push(("FromDisabled", Argument::Switch(true)));
            }
            (Way::Server, "Set-ExsealServiceStart", arguments, Vec::new())
        }
        Change::StartService { service, .. } => of_service("Start-ExsealService", service),
        Change::StopService { service, .. } => of_service("Stop-ExsealService", service),
        Change::RestartService { service, .. } => of_service("Restart-ExsealService", service),
    };
    Call {
        way,
        server,
        name: name.to_owned(),
        arguments: arguments
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<BTreeMap<_, _>>(),
        into_file: match change {
            Change::BackUpCertificate { file, .. } => Some(file.clone()),
            _ => None,
        },
        answers,
    }
}

/// WMI's words, which the helper takes.
const fn start_mode(start_type: StartType) -> &'static str {
    match start_type {
        StartType::Automatic => "Auto",
        StartType::Manual => "Manual",
        StartType::Disabled => "Disabled",
    }
}

/// As http.sys names it: `0.0.0.0:444`, `mail.example.org:443`.
pub(super) fn in_http_sys(endpoint: &Endpoint) -> String {
    if !endpoint.host.is_empty() {
        return format!("{}:{}", endpoint.host, endpoint.port);
    }
    let address = if endpoint.address == "*" {
        "0.0.0.0"
    } else {
        &endpoint.address
    };
    format!("{address}:{}", endpoint.port)
}

type Words<'a> = (Way, &'a str, Vec<(&'a str, Argument)>, Vec<Answer>);

fn of_service<'a>(name: &'a str, service: &str) -> Words<'a> {
    let service = Argument::Text(service.to_owned());
    (Way::Server, name, vec![("Name", service)], Vec::new())
}

const fn name_of(store: Store) -> &'static str {
    match store {
        Store::My => "My",
        Store::Request => "REQUEST",
        Store::Root => "Root",
        Store::CA => "CA",
        Store::WebHosting => "WebHosting",
    }
}

/// The call as one types it in Windows PowerShell; what a question is answered stands behind it as a comment.
pub(super) fn text(call: &Call, change: &Change) -> String {
    let mut text = call.name.clone();
    // What it is about first, as people write it.
    const FIRST: [&str; 5] = ["Endpoint", "Name", "Store", "Thumbprint", "Subject"];
    let first = FIRST
        .iter()
        .filter_map(|name| call.arguments.get_key_value(*name));
    let rest = call
        .arguments
        .iter()
        .filter(|(name, _)| !FIRST.contains(&name.as_str()));
    for (name, value) in first.chain(rest) {
        match value {
            Argument::Switch(true) => text.push_str(&format!(" -{name}:$true")),
            Argument::Switch(false) => text.push_str(&format!(" -{name}:$false")),
            Argument::Nothing => text.push_str(&format!(" -{name} $null")),
            Argument::Number(number) => text.push_str(&format!(" -{name} {number}")),
            Argument::Text(own) => text.push_str(&format!(" -{name} {}", quoted(own))),
            Argument::List(all) => {
                let all: Vec<String> = all.iter().map(|one| quoted(one)).collect();
                text.push_str(&format!(" -{name} {}", all.join(", ")));
            }
            Argument::Certificate(Which::Known(thumbprint)) => {
                text.push_str(&format!(" -{name} {thumbprint}"));
            }
            Argument::Certificate(made @ Which::MadeBy(_)) => text.push_str(&format!(" -{name} {made}")),
            Argument::BackupPassword => text.push_str(&format!(" -{name} {ASKED_FOR}")),
            Argument::FileContent(file) => text.push_str(&format!(" -{name} {}", as_secret(file))),
        }
    }
    if let Some(file) = &call.into_file {
        text = into_file(&text, file);
    }
    if let Change::EnableSmtp {
        internal_transport, ..
    } = change
    {
        text.push_str(if *internal_transport {
            "   # asked whether to replace the default SMTP certificate: Yes"
        } else {
            "   # asked whether to replace the default SMTP certificate: No"
        });
    }
    text
}

/// A password that is typed when the line runs.
pub(super) const ASKED_FOR: &str = "(Read-Host -Prompt 'Password of the backup' -AsSecureString)";

/// What is in a file, as the helper takes a PKCS#12 file.
pub(super) fn as_secret(file: &str) -> String {
    format!(
        "(ConvertTo-SecureString -AsPlainText -Force -String ([Convert]::ToBase64String([IO.File]::ReadAllBytes({}))))",
        quoted_always(file)
    )
}

/// An export whose bytes go into a file.
pub(super) fn into_file(export: &str, file: &str) -> String {
    format!(
        "[IO.File]::WriteAllBytes({}, ({export}).FileData)",
        quoted_always(file)
    )
}

/// As [`quoted`], also where PowerShell needs no quotation marks.
pub(super) fn quoted_always(text: &str) -> String {
    let own = quoted(text);
    if own.starts_with('\'') {
        own
    } else {
        format!("'{own}'")
    }
}

/// A text of PowerShell that stands for itself, whatever it holds.
pub(super) fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if plain && !text.starts_with('-') {
        return text.to_owned();
    }
    // The typographic ones end a text in single quotation marks, too.
    let mut out = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}
