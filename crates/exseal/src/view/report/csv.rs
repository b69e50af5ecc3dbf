//! The report as a table for spreadsheets: a row a slot.

use std::collections::BTreeMap;

use exseal_engine::CellState;
use exseal_model::Slot;

use super::Report;

/// RFC 4180, with a byte order mark: without one spreadsheets and Windows PowerShell 5.1 read umlauts wrong.
pub(crate) fn csv(report: &Report) -> String {
    let mut out = String::from("\u{feff}");
    row(
        &[
            "server",
            "slot",
            "state",
            "severity",
            "thumbprint",
            "subject",
            "issuer",
            "not_after",
            "days_left",
            "findings",
        ],
        &mut out,
    );
    let certificates: BTreeMap<_, _> = report
        .certificates
        .iter()
        .map(|line| (line.thumbprint, line))
        .collect();
    let mut findings: BTreeMap<(Option<&str>, &Slot), Vec<&str>> = BTreeMap::new();
    for finding in &report.diagnosis.findings {
        for slot in finding.slot.iter().chain(&finding.also) {
            let names = findings.entry((finding.server.as_deref(), slot)).or_default();
            if !names.contains(&finding.name.as_str()) {
                names.push(&finding.name);
            }
        }
    }
    for line in &report.diagnosis.matrix.rows {
        for cell in &line.cells {
            let certificate = cell
                .thumbprint
                .and_then(|thumbprint| certificates.get(&thumbprint));
            let state = match cell.state {
                CellState::Presents => "presents",
                CellState::Unseen => "unseen",
                CellState::Empty => "empty",
                CellState::Unknown => "unknown",
            };
            let names = findings.get(&(line.server.as_deref(), &cell.slot));
            row(
                &[
                    line.server.as_deref().unwrap_or_default(),
                    &cell.slot.to_string(),
                    state,
                    &cell
                        .severity
                        .map_or_else(String::new, |severity| severity.to_string()),
                    &cell
                        .thumbprint
                        .map_or_else(String::new, |thumbprint| thumbprint.to_string()),
                    certificate.map_or("", |line| &line.subject),
                    certificate.map_or("", |line| &line.issuer),
                    &cell.not_after.map_or_else(String::new, |end| end.to_string()),
                    &certificate.map_or_else(String::new, |line| line.days_left.to_string()),
                    &names.map_or_else(String::new, |names| names.join(" ")),
                ],
                &mut out,
            );
        }
    }
    out
}

fn row(fields: &[&str], out: &mut String) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&quoted(field));
    }
    out.push_str("\r\n");
}

/// Quotes where needed, and takes its meaning from what a spreadsheet would run as a formula: names come from files.
fn quoted(field: &str) -> String {
    let is_number = field.parse::<i64>().is_ok();
    let formula = !is_number && field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let field = if formula {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_runs_as_a_formula() {
        assert_eq!(quoted("=cmd|'/c calc'!A1"), "'=cmd|'/c calc'!A1");
        assert_eq!(quoted("-12"), "-12");
        assert_eq!(quoted("CN=a, O=\"b\""), "\"CN=a, O=\"\"b\"\"\"");
    }
}
