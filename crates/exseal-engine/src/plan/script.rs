//! A plan as a Windows PowerShell 5.1 script, for people who have to run it by hand: the same words, the same checks before and
//! after each step, no choice left.

use std::fmt::Write as _;

use exseal_model::inventory::is_meant_by;
use exseal_model::plan::{Answer, Argument, Change, Condition, Inverse, Plan, Proof, Step, Way, Which};
use exseal_model::{Endpoint, Slot};

use super::command::{ASKED_FOR, as_secret, in_http_sys, into_file, quoted_always};
use super::words;

/// Writes the steps of one server as a script that runs on that server.
///
/// `module` is the text of the helper with its changing half, `serial` gives the serial number of a certificate that a step
/// will make (helper/contract.json): it stands in the script, so that running it again makes no second one. Lines end with
/// a line feed.
///
/// # Errors
///
/// The servers of the plan, where `server` is none of them, or where there are several and none was named.
pub fn script(
    plan: &Plan,
    server: Option<&str>,
    module: &str,
    mut serial: impl FnMut() -> String,
) -> Result<String, Vec<String>> {
    let own = chosen(plan, server)?;
    let mut out = head(plan, &own, module);
    for step in plan.steps.iter().filter(|step| step.change.server() == own) {
        of_step(step, &own, &mut serial, &mut out);
    }
    out.push_str("Write-Host 'Every step is done.'\n");
    Ok(out)
}

/// Writes the steps of one server as a sheet to be pasted into a Windows PowerShell 5.1 console on that server, in which
/// nothing is installed and no cmdlet of Exchange works.
///
/// As [`script`], but one block: what is pasted line by line would go on behind a check that failed. It has no empty line,
/// because one ends a block in a console without `PSReadLine`.
///
/// # Errors
///
/// As [`script`].
pub fn sheet(
    plan: &Plan,
    server: Option<&str>,
    module: &str,
    mut serial: impl FnMut() -> String,
) -> Result<String, Vec<String>> {
    let own = chosen(plan, server)?;
    let steps: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| step.change.server() == own)
        .collect();
    let short = own.split('.').next().unwrap_or(&own);
    let mut out = format!(
        "# Rescue of {own}: plan {} of exseal, made {}.\n\
         # Paste all of this, to the last line, into Windows PowerShell on {short}, opened as administrator. It needs nothing else.\n\
         # Each step is checked before and after; a check that fails ends it all, and nothing is changed after it.\n& {{\n",
        plan.id, plan.made
    );
    out.push_str(GUARDS);
    let _ = writeln!(
        out,
        "if ($env:COMPUTERNAME -ne {}) {{ throw 'this sheet is for another server' }}",
        quoted_always(short)
    );
    embed(module, &mut out);
    if steps.iter().any(|step| step.call.way == Way::Exchange) {
        out.push_str(SNAP_IN);
    }
    out.push_str(FUNCTIONS);
    for step in steps {
        of_step(step, &own, &mut serial, &mut out);
    }
    // Also where services alone were started, a client has the last word.
    let slot = Slot::BackEnd(Endpoint::any(444));
    let server = own.clone();
    proofs(&Proof::Answers { server, slot }, &own, &mut out);
    let server = own.clone();
    proofs(&Proof::ShellOpens { server }, &own, &mut out);
    out.push_str("Write-Host 'Every step is done.'\n}\n");
    let lines = out.lines().filter(|line| !line.trim().is_empty());
    // The empty line behind it ends the block.
    Ok(lines.map(|line| format!("{line}\n")).collect::<String>() + "\n")
}

/// What a console has to be.
const GUARDS: &str = "\
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
if ($PSVersionTable.PSVersion.Major -ne 5) { throw 'this sheet is for Windows PowerShell 5.1' }
$me = New-Object Security.Principal.WindowsPrincipal -ArgumentList ([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) { throw 'open Windows PowerShell as administrator' }
";

/// The server of a plan that was named, or its only one; else all there are.
fn chosen(plan: &Plan, server: Option<&str>) -> Result<String, Vec<String>> {
    let mut servers: Vec<String> = plan
        .steps
        .iter()
        .map(|step| step.change.server().to_owned())
        .collect();
    servers.sort();
    servers.dedup();
    match (server, servers.as_slice()) {
        (None, [one]) => Ok(one.clone()),
        (Some(name), all) => match all.iter().find(|own| is_meant_by(own, name)) {
            Some(own) => Ok(own.clone()),
            None => Err(servers),
        },
        (None, _) => Err(servers),
    }
}

fn head(plan: &Plan, server: &str, module: &str) -> String {
    let short = server.split('.').next().unwrap_or(server);
    let mut out = format!(
        "#Requires -Version 5.1\n#Requires -RunAsAdministrator\n# Plan {} of exseal, made {}: the steps of {server}.\n",
        plan.id, plan.made
    );
    out.push_str(
        "# Run it on that server, in Windows PowerShell. Each step is checked before and after; the script stops at the first check that\n\
         # fails, and run again it goes on where it stopped. It takes nothing back by itself: how to is written above each step.\n\
         [CmdletBinding()]\nparam()\n\nSet-StrictMode -Version 2.0\n$ErrorActionPreference = 'Stop'\n\n",
    );
    let _ = writeln!(
        out,
        "if ($env:COMPUTERNAME -ne {}) {{ throw 'this script is for another server' }}\n",
        quoted_always(short)
    );
    embed(module, &mut out);
    out.push_str(SNAP_IN);
    out.push_str(FUNCTIONS);
    out
}

fn embed(module: &str, out: &mut String) {
    out.push_str("# The helper: how a server is read and changed.\n");
    out.push_str("New-Module -Name Exseal -ScriptBlock {\n");
    out.push_str(module.trim_end());
    out.push_str("\n} | Import-Module -Global -DisableNameChecking\n\n");
}

/// Where Exchange's cmdlets come from.
const SNAP_IN: &str = "\
# Exchange's cmdlets, in this PowerShell, because its remote one may be what is broken.
if (-not (Get-Command -Name Get-ExchangeServer -ErrorAction SilentlyContinue)) {
    Add-PSSnapin -Name Microsoft.Exchange.Management.PowerShell.E2010
}

";

/// What every such script needs besides the helper.
const FUNCTIONS: &str = "\
function Confirm-ExsealFact {
    param([string]$Fact, [scriptblock]$Holds)
    if (-not (& $Holds)) { throw ('expected that ' + $Fact) }
    Write-Host ('  holds: ' + $Fact)
}

# What a client sees may take a moment: a service has only just begun to listen.
function Confirm-ExsealSeen {
    param([string]$Fact, [scriptblock]$Holds)
    $until = (Get-Date).AddSeconds(120)
    while ($true) {
        $seen = $false
        try { $seen = & $Holds }
        catch { $seen = $false }
        if ($seen) { break }
        if ((Get-Date) -gt $until) { throw ('expected that ' + $Fact) }
        Start-Sleep -Seconds 2
    }
    Write-Host ('  seen: ' + $Fact)
}

function Get-ExsealLeaf {
    param([string]$HostName, [int]$Port)
    $client = New-Object Net.Sockets.TcpClient -ArgumentList $HostName, $Port
    try {
        # Nothing is trusted: only what is presented is looked at.
        $check = [Net.Security.RemoteCertificateValidationCallback] { $true }
        $stream = New-Object Net.Security.SslStream -ArgumentList @($client.GetStream(), $false, $check)
        try {
            $stream.AuthenticateAsClient($HostName)
            return $stream.RemoteCertificate.GetCertHashString()
        }
        finally { $stream.Dispose() }
    }
    finally { $client.Close() }
}

function Test-ExsealShell {
    param([string]$HostName)
    $session = New-PSSession -ConfigurationName Microsoft.Exchange -ConnectionUri ('http://' + $HostName + '/PowerShell/') -Authentication Kerberos
    Remove-PSSession -Session $session
    return $true
}

# Whether a certificate of this serial number is there; in which order its bytes were written is not relied on.
function Test-ExsealMade {
    param([string]$Serial)
    foreach ($entry in Get-ExsealStore -Name My) {
        $certificate = New-Object Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, [Convert]::FromBase64String($entry.der))
        $turned = [BitConverter]::ToString($certificate.GetSerialNumber()).Replace('-', '')
        if ($certificate.SerialNumber -eq $Serial -or $turned -eq $Serial) { return $true }
    }
    return $false
}

# Certificates that steps made, by the step's number.
$made = @{}
# Steps that did something.
$did = @{}

";

fn of_step(step: &Step, server: &str, serial: &mut impl FnMut() -> String, out: &mut String) {
    let number = step.number;
    let _ = writeln!(
        out,
        "# Step {number}: {}\n# why: {}\n# back: {}",
        words::change(&step.change),
        step.why,
        words::inverse(&step.inverse)
    );
    let _ = writeln!(
        out,
        "Write-Host {}",
        quoted_always(&format!("step {number}: {}", words::change(&step.change)))
    );
    let serial = step.change.makes_certificate().then(serial);
    let mut indent = "";
    let only = step
        .only_after
        .iter()
        .map(|own| format!("$did[{own}]"))
        .collect::<Vec<_>>()
        .join(" -or ");
    if !only.is_empty() {
        let _ = writeln!(out, "if ({only}) {{");
        indent = "    ";
    }
    let mut inner = String::new();
    let already: Vec<String> = step
        .effects
        .iter()
        .filter_map(|effect| check(effect, server))
        .collect();
    let restart = matches!(step.change, Change::RestartService { .. });
    let repeatable = !restart && serial.is_none() && already.len() == step.effects.len();
    if repeatable {
        let _ = writeln!(inner, "if (-not ({})) {{", already.join(" -and "));
    }
    if let Some(serial) = &serial {
        let _ = writeln!(inner, "if (-not (Test-ExsealMade -Serial '{serial}')) {{");
    }
    for condition in &step.preconditions {
        facts(condition, server, &mut inner);
    }
    if serial.is_some() {
        inner.push_str("}\n");
    }
    if matches!(step.inverse, Inverse::Irreversible(_)) {
        let _ = writeln!(
            inner,
            "if ((Read-Host -Prompt 'This cannot be taken back. Type yes') -ne 'yes') {{ throw 'not done, as was asked' }}"
        );
    }
    if let [Answer::ReplaceInternalTransport(false)] = step.call.answers.as_slice() {
        inner.push_str("Write-Host 'Answer N (No) when you are asked whether to replace the default SMTP certificate.' -ForegroundColor Yellow\n");
    }
    let call = call(step, serial.as_deref());
    if serial.is_some() {
        let _ = writeln!(
            inner,
            "$result = {call}\n$made[{number}] = $result.after.thumbprint\nif ($made[{number}] -notmatch '^[0-9A-Fa-f]{{40}}$') {{ throw 'no certificate was made' }}\n$did[{number}] = $result.changed"
        );
    } else {
        let _ = writeln!(inner, "$null = {call}\n$did[{number}] = $true");
    }
    if repeatable {
        inner.push_str("}\n");
    }
    for condition in &step.effects {
        facts(condition, server, &mut inner);
    }
    if !step.keeps.is_empty() {
        // What a later step moves is not held against this one when the script is run again.
        let _ = writeln!(inner, "if ($did[{number}]) {{");
        for guard in &step.keeps {
            facts(&guard.condition, server, &mut inner);
        }
        inner.push_str("}\n");
    }
    for proof in &step.proofs {
        proofs(proof, server, &mut inner);
    }
    for line in inner.lines() {
        let _ = writeln!(out, "{indent}{line}");
    }
    if !only.is_empty() {
        out.push_str("}\n");
    }
    out.push('\n');
}

fn facts(condition: &Condition, server: &str, out: &mut String) {
    let fact = quoted_always(&words::condition(condition));
    match check(condition, server) {
        Some(check) => {
            let _ = writeln!(out, "Confirm-ExsealFact -Fact {fact} -Holds {{ {check} }}");
        }
        None => {
            // Only a look at every server tells; a person says so.
            let _ = writeln!(
                out,
                "if ((Read-Host -Prompt ({fact} + ': have you seen that on every server? Type yes')) -ne 'yes') {{ throw 'not done, as was asked' }}"
            );
        }
    }
}

/// An expression that is true when the condition holds; `None`: a script on one server cannot tell.
fn check(condition: &Condition, server: &str) -> Option<String> {
    Some(match condition {
        Condition::Bound {
            endpoint,
            certificate,
            ..
        } => {
            let entry = format!(
                "@(Get-ExsealHttpSys | Where-Object {{ $_.endpoint -eq {} -and $null -ne $_.thumbprint }} | ForEach-Object {{ $_.thumbprint }})",
                quoted_always(&in_http_sys(endpoint))
            );
            match certificate {
                Some(which) => format!("{entry} -contains {}", named(*which)),
                None => format!("{entry}.Count -eq 0"),
            }
        }
        Condition::InStore {
            store,
            certificate,
            with_key,
            ..
        } => {
            let key = if *with_key { " -and $_.hasPrivateKey" } else { "" };
            format!(
                "@(Get-ExsealStore -Name {store:?} | Where-Object {{ $_.thumbprint -eq {}{key} }}).Count -eq 1",
                named(*certificate)
            )
        }
        Condition::NotInStore {
            store, certificate, ..
        } => format!(
            "@(Get-ExsealStore -Name {store:?} | Where-Object {{ $_.thumbprint -eq {} }}).Count -eq 0",
            named(*certificate)
        ),
        Condition::InternalTransport { certificate, .. } => {
            let now =
                "(Get-TransportService -Identity $env:COMPUTERNAME).InternalTransportCertificateThumbprint";
            match certificate {
                Some(which) => format!("{now} -eq {}", named(*which)),
                None => format!("-not {now}"),
            }
        }
        // 16 is SMTP (facts/exchange.md 1.3).
        Condition::EnabledForSmtp { certificate, .. } => format!(
            "([int](Get-ExchangeCertificate -Thumbprint {}).Services -band 16) -eq 16",
            named(*certificate)
        ),
        Condition::ServiceRuns { service, runs, .. } => {
            let word = if *runs { "-eq" } else { "-ne" };
            format!("{} {word} 'Running'", of_service(service, "state"))
        }
        Condition::ServiceStart {
            service, start_type, ..
        } => {
            let mode = match start_type {
                exseal_model::plan::StartType::Automatic => "Auto",
                other => other.word(),
            };
            format!("{} -eq '{mode}'", of_service(service, "startMode"))
        }
        Condition::NoEdgeSubscription => "@(Get-EdgeSubscription).Count -eq 0".to_owned(),
        Condition::ServerChannelOpens { .. } => format!(
            "$env:COMPUTERNAME -eq {}",
            quoted_always(server.split('.').next().unwrap_or(server))
        ),
        // That it opens was looked at when it was written, or is by hand.
        Condition::BackedUp { file, .. } => {
            format!("Test-Path -LiteralPath {} -PathType Leaf", quoted_always(file))
        }
        Condition::NotReferredTo { .. } => return None,
        Condition::NotConfigured { certificate, .. } => format!(
            "@(Get-ExsealHttpSys | Where-Object {{ $_.thumbprint -eq {0} }}).Count -eq 0 -and (Get-TransportService -Identity $env:COMPUTERNAME).InternalTransportCertificateThumbprint -ne {0}",
            named(*certificate)
        ),
    })
}

fn of_service(service: &str, what: &str) -> String {
    format!(
        "(Get-ExsealService | Where-Object {{ $_.name -eq {} }}).{what}",
        quoted_always(service)
    )
}

fn proofs(proof: &Proof, server: &str, out: &mut String) {
    let fact = quoted_always(&words::proof(proof));
    let host = quoted_always(server);
    let check = match proof {
        Proof::Presents {
            slot: Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint),
            certificate,
            ..
        } => {
            let (name, port) = (at(endpoint, server), endpoint.port);
            format!(
                "(Get-ExsealLeaf -HostName {name} -Port {port}) -eq {}",
                named(*certificate)
            )
        }
        Proof::Answers {
            slot: Slot::FrontEnd(endpoint) | Slot::BackEnd(endpoint),
            ..
        } => format!(
            "$null -ne (Get-ExsealLeaf -HostName {} -Port {})",
            at(endpoint, server),
            endpoint.port
        ),
        Proof::ShellOpens { .. } => format!("Test-ExsealShell -HostName {host}"),
        Proof::Presents { .. } | Proof::Answers { .. } => {
            let _ = writeln!(out, "Write-Host ('  look from elsewhere whether ' + {fact})");
            return;
        }
    };
    let _ = writeln!(out, "Confirm-ExsealSeen -Fact {fact} -Holds {{ {check} }}");
}

/// Where a binding is asked on the server itself.
fn at(endpoint: &Endpoint, server: &str) -> String {
    if !endpoint.host.is_empty() {
        return quoted_always(&endpoint.host);
    }
    match endpoint.address.as_str() {
        "*" | "[::]" => quoted_always(server),
        own => quoted_always(own.trim_matches(['[', ']'])),
    }
}

fn named(which: Which) -> String {
    match which {
        Which::Known(thumbprint) => format!("'{thumbprint}'"),
        Which::MadeBy(step) => format!("$made[{step}]"),
    }
}

fn call(step: &Step, serial: Option<&str>) -> String {
    let mut text = step.call.name.clone();
    for (name, value) in &step.call.arguments {
        let value = match value {
            Argument::Text(own) => quoted_always(own),
            Argument::Number(number) => number.to_string(),
            Argument::Switch(true) => "$true".to_owned(),
            Argument::Switch(false) => "$false".to_owned(),
            Argument::List(all) => {
                let all: Vec<String> = all.iter().map(|one| quoted_always(one)).collect();
                all.join(", ")
            }
            Argument::Certificate(which) => named(*which),
            Argument::Nothing => "$null".to_owned(),
            Argument::BackupPassword => ASKED_FOR.to_owned(),
            Argument::FileContent(file) => as_secret(file),
        };
        // A switch takes its value behind a colon alone.
        let colon = if matches!(step.call.arguments.get(name), Some(Argument::Switch(_))) {
            ":"
        } else {
            " "
        };
        let _ = write!(text, " -{name}{colon}{value}");
    }
    if let Some(serial) = serial {
        let _ = write!(text, " -Serial '{serial}'");
    }
    if step.call.way == Way::Exchange
        && matches!(
            step.call.answers.as_slice(),
            [Answer::ReplaceInternalTransport(true)]
        )
    {
        // It answers yes to the question whether to replace the default SMTP certificate (facts/exchange.md 2.4).
        text.push_str(" -Force");
    }
    match &step.call.into_file {
        Some(file) => into_file(&text, file),
        None => text,
    }
}
