//! `cargo xtask powershell`: our scripts are well-formed, stay within Windows PowerShell 5.1, and only read; the helper's
//! changing half (helper/change) changes by its own verbs alone.
//!
//! There is no PowerShell here: the grammar of tree-sitter reads the scripts, and the rules walk its tree.

use std::collections::BTreeSet;
use std::fs;

use clap::Args;
use tree_sitter::{Node, Parser, Tree};

use crate::{Failure, Result, helper, setup, workspace};

/// Arguments of `cargo xtask powershell`.
#[derive(Debug, Args)]
pub(crate) struct PowershellArgs {}

/// Checks every script.
pub(crate) fn run(_: &PowershellArgs) -> Result {
    println!("{}", check()?);
    Ok(())
}

/// Scripts of the project.
const SCRIPTS: [&str; 3] = [
    "helper/Exseal.psm1",
    "collect/exseal-collect.ps1",
    "interop/helper-contract.ps1",
];

/// Checks every script.
pub(crate) fn check() -> Result<String> {
    let mut wrong = Vec::new();
    let changing = helper::changing_files()?;
    let scripts: Vec<(String, Half)> = SCRIPTS
        .iter()
        .map(|script| ((*script).to_owned(), Half::Reading))
        .chain(changing.into_iter().map(|script| (script, Half::Changing)))
        .collect();
    for (script, half) in &scripts {
        let text = fs::read_to_string(workspace::root().join(script))
            .map_err(|error| Failure::new(format!("{script}: {error}")))?;
        wrong.extend(
            faults(&text, *half)?
                .into_iter()
                .map(|fault| format!("{script}:{fault}")),
        );
    }
    let mut made = vec![("the sheet of a rescue for ex2", sheet("ex2")?)];
    for (name, server) in [
        ("the script of a plan for ex2", "ex2"),
        ("the script of a plan for ex3", "ex3"),
    ] {
        made.push((name, by_hand(server)?));
    }
    for (name, text) in &made {
        let tree = parse(text)?;
        visit(tree.root_node(), &mut |node| {
            if node.is_error() || node.is_missing() {
                let at = node.start_position();
                let line = text.lines().nth(at.row).unwrap_or_default();
                wrong.push(format!(
                    "{name}, line {}, column {}: not well-formed: {line}",
                    at.row + 1,
                    at.column + 1
                ));
            }
        });
    }
    if wrong.is_empty() {
        Ok(format!(
            "{} scripts, those of a plan, and the sheet of a rescue",
            scripts.len()
        ))
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// The script that `exseal plan script` makes of a plan for the sample.
fn by_hand(server: &str) -> Result<String> {
    let program = setup::exseal()?;
    let plan = workspace::target().join("by-hand.json");
    workspace::capture(
        workspace::command(&program)
            .args(["plan", "back-end", "renew", "internal-transport", "renew"])
            .args(["--from", "examples/kiefer", "--now", "2026-11-24T09:00:00Z", "-o"])
            .arg(&plan),
    )?;
    let script = workspace::capture(
        workspace::command(&program)
            .args(["plan", "script", "--server", server])
            .arg(&plan),
    )?;
    fs::remove_file(&plan)?;
    let text = String::from_utf8_lossy(&script.stdout).replace('\r', "");
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The sheet that `exseal rescue --sheet` makes for the sample.
fn sheet(server: &str) -> Result<String> {
    let program = setup::exseal()?;
    let sheet = workspace::capture(
        workspace::command(&program)
            .args(["rescue", "--sheet", "-", "--on", server])
            .args(["--from", "examples/kiefer", "--now", "2026-11-24T09:00:00Z"]),
    )?;
    Ok(String::from_utf8_lossy(&sheet.stdout).replace('\r', ""))
}

/// What a script may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// It changes nothing but its own output.
    Reading,
    /// It changes by .NET, by WMI, by netsh in one place, and by its own functions.
    Changing,
}

/// The syntax tree of a script.
pub(crate) fn parse(text: &str) -> Result<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into())?;
    parser
        .parse(text, None)
        .ok_or_else(|| Failure::new("the grammar gave no tree"))
}

/// The names of the functions a script defines.
pub(crate) fn functions(text: &str) -> Result<BTreeSet<String>> {
    let tree = parse(text)?;
    let mut found = BTreeSet::new();
    visit(tree.root_node(), &mut |node| {
        if node.kind() == "function_name" {
            found.extend(node.utf8_text(text.as_bytes()).ok().map(str::to_owned));
        }
    });
    Ok(found)
}

/// Shows every node, the outer before the inner.
pub(crate) fn visit<'tree>(node: Node<'tree>, look: &mut dyn FnMut(Node<'tree>)) {
    look(node);
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        visit(child, look);
    }
}

/// Verbs whose commands change something; what these scripts may use of them stands in [`ALLOWED`].
const CHANGING: [&str; 28] = [
    "Set",
    "New",
    "Remove",
    "Enable",
    "Disable",
    "Add",
    "Clear",
    "Start",
    "Stop",
    "Restart",
    "Import",
    "Install",
    "Uninstall",
    "Move",
    "Rename",
    "Copy",
    "Register",
    "Unregister",
    "Update",
    "Invoke",
    "Out",
    "Write",
    "Export",
    "Mount",
    "Dismount",
    "Reset",
    "Resume",
    "Suspend",
];

/// Commands of such verbs that change nothing on the server but our own output folder.
const ALLOWED: [&str; 8] = [
    "Set-StrictMode",
    "New-Object",
    "Add-Type",
    "Add-PSSnapin",
    "Export-ModuleMember",
    "Export-Clixml",
    "Write-Output",
    "Import-Module",
];

/// What the changing half may use beside its own functions; how a service is started and stopped is WMI's.
const ALLOWED_TO_CHANGE: [&str; 4] = [
    "Set-StrictMode",
    "New-Object",
    "Export-ModuleMember",
    "Invoke-CimMethod",
];

/// Calls that change the machine: not in what only reads.
const CHANGING_CALLS: [&str; 12] = [
    "SetAccessControl(",
    ".CommitChanges(",
    ".Execute(",
    ".Recycle(",
    ".Start(",
    ".Stop(",
    ".SetValue(",
    ".DeleteValue(",
    "$opened.Add(",
    ".InstallResponse(",
    "X509Enrollment",
    "netsh",
];

/// What Windows PowerShell 5.1 does not know.
const NEWER: [&str; 12] = [
    "Get-Error",
    "Join-String",
    "Test-Json",
    "Get-Uptime",
    "ConvertTo-CliXml",
    "ConvertFrom-CliXml",
    "Remove-Alias",
    "-Parallel",
    "-AsHashtable",
    "-SkipCertificateCheck",
    "-AsByteStream",
    "-NoProxy",
];

/// Aliases and what runs text: not in scripts that people read before they run them.
const REFUSED: [&str; 14] = [
    "iex",
    "invoke-expression",
    "?",
    "%",
    "gci",
    "gcm",
    "gi",
    "gp",
    "select",
    "where",
    "foreach",
    "sort",
    "echo",
    "cat",
];

fn may_call(half: Half, command: &str) -> bool {
    let allowed: &[&str] = match half {
        Half::Reading => &ALLOWED,
        Half::Changing => &ALLOWED_TO_CHANGE,
    };
    // That each of them is defined in the module is helper's check.
    let own = half == Half::Changing && command.contains("-Exseal");
    own || allowed.iter().any(|known| known.eq_ignore_ascii_case(command))
}

/// Every fault of a script as `line: what`.
fn faults(text: &str, half: Half) -> Result<Vec<String>> {
    let tree = parse(text)?;
    let mut faults = Vec::new();
    visit(tree.root_node(), &mut |node| {
        let line = node.start_position().row + 1;
        let own = node.utf8_text(text.as_bytes()).unwrap_or_default();
        if node.is_error() || node.is_missing() {
            faults.push(format!(
                "{line}: expected PowerShell, found {:?}",
                own.chars().take(60).collect::<String>()
            ));
        }
        match node.kind() {
            "command_name" => {
                let verb = own.split('-').next().unwrap_or_default();
                let changing =
                    own.contains('-') && CHANGING.iter().any(|known| known.eq_ignore_ascii_case(verb));
                if changing && !may_call(half, own) {
                    faults.push(format!("{line}: {own} may change something"));
                }
                if REFUSED.iter().any(|known| known.eq_ignore_ascii_case(own)) {
                    faults.push(format!("{line}: {own} is an alias, or runs text"));
                }
                if NEWER.iter().any(|known| known.eq_ignore_ascii_case(own)) {
                    faults.push(format!("{line}: {own} is newer than 5.1"));
                }
            }
            "command_parameter" if NEWER.iter().any(|known| known.eq_ignore_ascii_case(own)) => {
                faults.push(format!("{line}: {own} is newer than 5.1"));
            }
            "ternary_expression" | "null_coalesce_expression" | "pipeline_chain"
                if own.contains("&&") || own.contains("||") || own.contains(" ? ") || own.contains("??") =>
            {
                faults.push(format!("{line}: {} is newer than 5.1", node.kind()));
            }
            _ => {}
        }
    });
    for (number, line) in text.lines().enumerate() {
        let code = line.split(" # ").next().unwrap_or_default();
        if code.trim_start().starts_with('#') {
            continue;
        }
        for (sign, why) in [
            ("??", "newer than 5.1"),
            ("?.", "newer than 5.1"),
            (" && ", "newer than 5.1"),
            (" || ", "newer than 5.1"),
        ] {
            if code.contains(sign) {
                faults.push(format!("{}: {sign} is {why}", number + 1));
            }
        }
        for sign in [
            "X509ContentType]::Pfx",
            "X509ContentType]::Pkcs12",
            "ExportParameters",
            "ExportCspBlob",
            "Export-PfxCertificate",
            "Export-ExchangeCertificate",
            ".Export(",
        ] {
            if code.contains(sign) {
                faults.push(format!("{}: {sign} could take out a private key", number + 1));
            }
        }
        for sign in CHANGING_CALLS {
            let refused = half == Half::Reading || sign == ".CommitChanges(";
            if refused && code.contains(sign) {
                faults.push(format!("{}: {sign} changes something", number + 1));
            }
        }
        for sign in [
            ".Message",
            "DisplayName",
            "LevelDisplayName",
            ".StatusDescription",
        ] {
            if code.contains(sign) {
                faults.push(format!("{}: {sign} is text that Windows translates", number + 1));
            }
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_scripts_hold() {
        check().unwrap();
    }

    #[test]
    fn a_planted_fault_is_found_each() {
        for planted in [
            "if ($a { Get-Item }",
            "Get-Service | % { $_ }",
            "Remove-Item C:\\x",
            "Set-AuthConfig -Force",
            "Invoke-Expression $text",
            "$a = $b ?? 1",
            "Get-Item x && Get-Item y",
            "1..3 | ForEach-Object -Parallel { $_ }",
            "$certificate.Export('Pfx')",
            "$_.Exception.Message",
        ] {
            for half in [Half::Reading, Half::Changing] {
                assert_ne!(faults(planted, half).unwrap(), [] as [String; 0], "{planted}");
            }
        }
        let only_reading = "Get-Item -LiteralPath x | Sort-Object -Property Name\n";
        for half in [Half::Reading, Half::Changing] {
            assert_eq!(faults(only_reading, half).unwrap(), [] as [String; 0]);
        }
        for changing in [
            "Start-ExsealService -Name x",
            "[IO.File]::SetAccessControl($a, $b)",
        ] {
            assert_ne!(
                faults(changing, Half::Reading).unwrap(),
                [] as [String; 0],
                "{changing}"
            );
            assert_eq!(
                faults(changing, Half::Changing).unwrap(),
                [] as [String; 0],
                "{changing}"
            );
        }
    }

    #[test]
    fn functions_are_found_by_name() {
        assert!(functions("function Get-One { 1 }").unwrap().contains("Get-One"));
    }
}
