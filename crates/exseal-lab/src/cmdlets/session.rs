//! What a client asks of the session itself: which commands there are, how objects are printed, the view of the forest,
//! levels of event logs.

use std::borrow::Cow;

use super::format::formats;
use super::object::{MSCORLIB, PsObject, PsValue, Remoting};
use super::run::{Run, Stop};
use super::select::{TAILS, matches};
use super::table::{Access, Cmdlet, Kind, boolean, number, switch, text, texts};

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-Command",
        class: "Microsoft.PowerShell.Commands.GetCommandCommand",
        parameters: &[
            texts("Name").at(0).piped(),
            text("CommandType"),
            texts("Module"),
            texts("ArgumentList"),
            number("TotalCount"),
            switch("All"),
            switch("ListImported"),
            switch("Syntax"),
        ],
        default_set: "",
        access: Access::View,
        process: commands,
    },
    Cmdlet {
        name: "Get-FormatData",
        class: "Microsoft.PowerShell.Commands.GetFormatDataCommand",
        parameters: &[texts("TypeName").at(0), text("PowerShellVersion")],
        default_set: "",
        access: Access::View,
        process: formats,
    },
    Cmdlet {
        name: "Set-ADServerSettings",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetADServerSettings",
        parameters: &[
            boolean("ViewEntireForest"),
            text("PreferredServer"),
            text("RecipientViewRoot"),
        ],
        default_set: "",
        access: Access::View,
        process: nothing,
    },
    Cmdlet {
        name: "Get-EventLogLevel",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetEventLogLevel",
        parameters: &[
            text("Identity").at(0).piped().only(&["Identity"]),
            text("Server").only(&["Server"]),
        ],
        default_set: "Identity",
        access: Access::View,
        process: levels,
    },
];

/// The session has no state of its own to change.
#[expect(clippy::unnecessary_wraps, reason = "a cmdlet's work")]
fn nothing(_run: &mut Run<'_>) -> Result<(), Stop> {
    Ok(())
}

/// Every command of this user behind this door: `[MS-PSRP]` 2.2.3.22, as note properties.
#[expect(clippy::unnecessary_wraps, reason = "a cmdlet's work")]
fn commands(run: &mut Run<'_>) -> Result<(), Stop> {
    let wanted = run.texts("Name").map(<[String]>::to_vec).unwrap_or_default();
    // Everything here is a cmdlet, and of no module.
    let kinds = run.text("CommandType").is_none_or(of_cmdlets);
    let modules = run
        .texts("Module")
        .is_none_or(|modules| modules.iter().all(|module| module.is_empty() || module == "*"));
    if !kinds || !modules {
        return Ok(());
    }
    let limit = run
        .number("TotalCount")
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let mut known: Vec<&'static Cmdlet> = super::available(run.world, run.door, run.user)
        .chain(TAILS)
        .filter(|cmdlet| wanted.is_empty() || wanted.iter().any(|name| matches(name, cmdlet.name)))
        .collect();
    known.sort_by_key(|cmdlet| cmdlet.name);
    for cmdlet in known.into_iter().take(limit) {
        run.write(metadata(cmdlet));
    }
    Ok(())
}

/// Whether cmdlets are among the types of commands, by names or by the number of their flags.
fn of_cmdlets(types: &str) -> bool {
    if let Ok(number) = types.trim().parse::<i64>() {
        return number & 8 != 0;
    }
    types
        .split(',')
        .map(str::trim)
        .any(|name| name.eq_ignore_ascii_case("Cmdlet") || name.eq_ignore_ascii_case("All"))
}

fn metadata(cmdlet: &Cmdlet) -> PsObject {
    let parameters = cmdlet
        .all_parameters()
        .map(|(parameter, alias)| {
            let aliases = if alias.is_empty() {
                Vec::new()
            } else {
                vec![PsValue::text(alias)]
            };
            let list = format!("System.Collections.ObjectModel.Collection`1[[System.String, {MSCORLIB}]]");
            let object = PsObject::new(
                &["System.Management.Automation.ParameterMetadata", "System.Object"],
                "System.Management.Automation.ParameterMetadata",
            )
            .with("Name", PsValue::text(parameter.name))
            .with("ParameterType", PsValue::text(type_of(parameter.kind)))
            .with(
                "Aliases",
                PsValue::List(vec![list.into(), "System.Object".into()], aliases),
            )
            .with("IsDynamic", PsValue::Bool(false))
            .with("SwitchParameter", PsValue::Bool(parameter.kind == Kind::Switch));
            (parameter.name.to_owned(), PsValue::Object(Box::new(object)))
        })
        .collect();
    let of = "System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Management.Automation.PSTypeName, \
              System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]";
    let mut object = PsObject::new(
        &[
            "Selected.System.Management.Automation.CmdletInfo",
            "System.Management.Automation.PSCustomObject",
            "System.Object",
        ],
        cmdlet.name,
    )
    .with("Name", PsValue::text(cmdlet.name))
    .with("Namespace", PsValue::text(""))
    .with("HelpUri", PsValue::text(""))
    .with(
        "CommandType",
        PsValue::enumeration("System.Management.Automation.CommandTypes", "Cmdlet", 8),
    )
    .with("ResolvedCommandName", PsValue::Null)
    .with(
        "OutputType",
        PsValue::List(vec![Cow::Borrowed(of), "System.Object".into()], Vec::new()),
    )
    .with("Parameters", PsValue::Map(parameters));
    object.remoting = Remoting::Notes;
    object
}

/// The .NET type of a parameter, as far as a proxy needs it.
fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::OneOf(..) => "System.String",
        Kind::Texts | Kind::Flags(..) => "System.String[]",
        Kind::Switch => "System.Management.Automation.SwitchParameter",
        Kind::Bool => "System.Boolean",
        Kind::Number => "System.Int64",
        Kind::Bytes => "System.Byte[]",
        Kind::Certificate => "System.Object",
        Kind::Secret => "System.Security.SecureString",
        Kind::Time => "System.DateTime",
    }
}

/// Log categories that have to do with certificates, all at the lowest level: the simulation writes no more.
fn levels(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(target) = run.target()? else {
        return Ok(());
    };
    let server = target.as_str().to_uppercase();
    let wanted = run.text("Identity").map(str::to_owned);
    for category in [
        "MSExchange ADAccess\\General",
        "MSExchange ADAccess\\Topology",
        "MSExchange OAuth\\Server",
        "MSExchangeTransport\\SmtpReceive",
        "MSExchangeTransport\\SmtpSend",
        "MSExchange EdgeSync\\Synchronization",
    ] {
        let identity = format!("{server}\\{category}");
        let asked = wanted
            .as_ref()
            .is_none_or(|wanted| matches(wanted, &identity) || matches(wanted, category));
        if !asked {
            continue;
        }
        let mut object = PsObject::new(
            &[
                "Microsoft.Exchange.Management.SystemConfigurationTasks.EventCategoryObject",
                "Microsoft.Exchange.Data.ConfigurableObject",
                "System.Object",
            ],
            &identity,
        )
        .with("Identity", PsValue::text(&identity))
        .with(
            "Name",
            PsValue::text(category.rsplit('\\').next().unwrap_or(category)),
        )
        .with("Number", PsValue::Int(1))
        .with(
            "EventLevel",
            PsValue::enumeration(
                "Microsoft.Exchange.Diagnostics.ExEventLog+EventLevel",
                "Lowest",
                0,
            ),
        )
        .with("IsValid", PsValue::Bool(true));
        object.payload = Some(super::payload::simple(
            "Microsoft.Exchange.Management",
            "Microsoft.Exchange.Management.SystemConfigurationTasks.EventCategoryObject",
            &[("Identity", &identity)],
        ));
        run.write(object);
    }
    Ok(())
}
