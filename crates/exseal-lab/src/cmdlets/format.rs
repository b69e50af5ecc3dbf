//! Get-FormatData: how a client that imports a session prints Exchange's objects: the documented default columns.
//!
//! The objects are those that PowerShell's implicit remoting puts together again: ExtendedTypeDefinition with its views.

use super::object::{MSCORLIB, PsObject, PsValue};
use super::run::{Run, Stop};
use super::select::matches;
use super::shapes::{MANAGEMENT, SC};

const SPACE: &str = "System.Management.Automation.";

/// Class, and the columns of its table.
const VIEWS: &[((&str, &str), &[&str])] = &[
    (
        (
            "Microsoft.Exchange.Management.SystemConfigurationTasks.",
            "ExchangeCertificate",
        ),
        &["Thumbprint", "Services", "Subject"],
    ),
    (
        (MANAGEMENT, "ExchangeServer"),
        &["Name", "Site", "ServerRole", "Edition", "AdminDisplayVersion"],
    ),
    ((SC, "ReceiveConnector"), &["Identity", "Bindings", "Enabled"]),
    (
        (SC, "SmtpSendConnectorConfig"),
        &["Identity", "AddressSpaces", "Enabled"],
    ),
    (
        (SC, "AcceptedDomain"),
        &["Name", "DomainName", "DomainType", "Default"],
    ),
];

pub(super) fn formats(run: &mut Run<'_>) -> Result<(), Stop> {
    let wanted = run.texts("TypeName").map(<[String]>::to_vec).unwrap_or_default();
    for ((space, class), columns) in VIEWS {
        let name = format!("{space}{class}");
        if !wanted.is_empty() && !wanted.iter().any(|own| matches(own, &name)) {
            continue;
        }
        let definition = definition(run, &name, columns);
        run.write(definition);
    }
    Ok(())
}

fn object(class: &'static str, text: &str, properties: Vec<(&'static str, PsValue)>) -> PsObject {
    let types = vec![format!("{SPACE}{class}").into(), "System.Object".into()];
    let mut made = PsObject {
        types,
        ..PsObject::new(&[], text)
    };
    for (name, value) in properties {
        made = made.with(name, value);
    }
    made
}

fn within(object: PsObject) -> PsValue {
    PsValue::Object(Box::new(object))
}

fn list(of: &str, items: Vec<PsValue>) -> PsValue {
    let of = if of == "System.String" {
        format!("{of}, {MSCORLIB}")
    } else {
        format!(
            "{SPACE}{of}, System.Management.Automation, Version=3.0.0.0, Culture=neutral, \
             PublicKeyToken=31bf3856ad364e35"
        )
    };
    PsValue::List(
        vec![
            format!("System.Collections.Generic.List`1[[{of}]]").into(),
            "System.Object".into(),
        ],
        items,
    )
}

fn definition(run: &Run<'_>, name: &str, columns: &[&str]) -> PsObject {
    let alignment = || PsValue::enumeration("System.Management.Automation.Alignment", "Undefined", 0);
    let headers = columns
        .iter()
        .map(|column| {
            within(object(
                "TableControlColumnHeader",
                "System.Management.Automation.TableControlColumnHeader",
                vec![
                    ("Label", PsValue::text(*column)),
                    ("Alignment", alignment()),
                    ("Width", PsValue::Int(0)),
                ],
            ))
        })
        .collect();
    let cells = columns
        .iter()
        .map(|column| {
            let entry = object(
                "DisplayEntry",
                &format!("property: {column}"),
                vec![
                    (
                        "ValueType",
                        PsValue::enumeration(
                            "System.Management.Automation.DisplayEntryValueType",
                            "Property",
                            0,
                        ),
                    ),
                    ("Value", PsValue::text(*column)),
                ],
            );
            within(object(
                "TableControlColumn",
                "System.Management.Automation.TableControlColumn",
                vec![
                    ("Alignment", alignment()),
                    ("DisplayEntry", within(entry)),
                    ("FormatString", PsValue::Null),
                ],
            ))
        })
        .collect();
    let row = object(
        "TableControlRow",
        "System.Management.Automation.TableControlRow",
        vec![
            ("Columns", list("TableControlColumn", cells)),
            ("SelectedBy", PsValue::Null),
            ("Wrap", PsValue::Bool(false)),
        ],
    );
    let control = object(
        "TableControl",
        "System.Management.Automation.TableControl",
        vec![
            ("Headers", list("TableControlColumnHeader", headers)),
            ("Rows", list("TableControlRow", vec![within(row)])),
            ("AutoSize", PsValue::Bool(false)),
            ("HideTableHeaders", PsValue::Bool(false)),
            ("GroupBy", PsValue::Null),
            ("OutOfBand", PsValue::Bool(false)),
        ],
    );
    let view = object(
        "FormatViewDefinition",
        "System.Management.Automation.FormatViewDefinition",
        vec![
            ("Name", PsValue::text(name)),
            ("Control", within(control)),
            (
                "InstanceId",
                PsValue::Guid(run.world.guid(&format!("view/{name}"))),
            ),
        ],
    );
    object(
        "ExtendedTypeDefinition",
        name,
        vec![
            ("TypeName", PsValue::text(name)),
            ("TypeNames", list("System.String", vec![PsValue::text(name)])),
            (
                "FormatViewDefinition",
                list("FormatViewDefinition", vec![within(view)]),
            ),
        ],
    )
}
