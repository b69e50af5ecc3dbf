//! Get-, New-, Set- and Remove-SettingOverride, and what a process says of the overrides it works with
//! (facts/exchange.md 2.15).

use super::ad::{self, AdObject};
use super::error::Problem;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop, find_server};
use super::shapes::{DIAGNOSTIC, OVERRIDE};
use super::table::{Access, Cmdlet, switch, text, texts};
use crate::world::ServerName;
use crate::world::directory::{Key, Object, SettingOverride};

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-SettingOverride",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetSettingOverride",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "New-SettingOverride",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.NewSettingOverride",
        parameters: &[
            text("Name").at(0).needed(),
            text("Component").needed(),
            text("Section").needed(),
            texts("Parameters").needed(),
            text("Reason").needed(),
            texts("Server"),
            text("MinVersion"),
            text("MaxVersion"),
            switch("Force"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: new,
    },
    Cmdlet {
        name: "Set-SettingOverride",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetSettingOverride",
        parameters: &[
            text("Identity").at(0).needed().piped(),
            texts("Parameters"),
            text("Reason"),
            texts("Server"),
            text("MinVersion"),
            text("MaxVersion"),
            switch("Force"),
        ],
        default_set: "",
        access: Access::Organisation,
        process: set,
    },
    Cmdlet {
        name: "Remove-SettingOverride",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.RemoveSettingOverride",
        parameters: &[text("Identity").at(0).needed().piped()],
        default_set: "",
        access: Access::Organisation,
        process: remove,
    },
    Cmdlet {
        name: "Get-ExchangeDiagnosticInfo",
        class: "Microsoft.Exchange.Management.Powershell.Support.GetExchangeDiagnosticInfo",
        parameters: &[
            text("Server"),
            text("Process").needed(),
            text("Component"),
            text("Argument"),
            switch("Unlimited"),
        ],
        default_set: "",
        access: Access::View,
        process: diagnose,
    },
];

fn key(name: &str) -> Key {
    Key::Override(name.to_lowercase())
}

fn ad_object(run: &Run<'_>, name: &str) -> AdObject {
    let (created, changed) = ad::dates(run, &key(name));
    AdObject {
        name: name.to_owned(),
        identity: name.to_owned(),
        parent: format!(
            "CN=Setting Overrides,CN=Global Settings,{}",
            ad::organisation(run.world)
        ),
        parent_shown: "Setting Overrides".to_owned(),
        classes: &["top", "msExchConfigSettings"],
        category: "ms-Exch-Config-Settings",
        version: (1, "8.0.535.0"),
        created,
        changed,
    }
}

/// The overrides -Identity means, or all. Without a match the error was written.
fn wanted(run: &mut Run<'_>) -> Result<Vec<SettingOverride>, Stop> {
    let known: Vec<SettingOverride> = run.world.directory.overrides(run.site()).cloned().collect();
    let Some(wanted) = run.text("Identity").map(str::to_owned) else {
        return Ok(known);
    };
    let found: Vec<SettingOverride> = known
        .into_iter()
        .filter(|own| ad_object(run, &own.name).is(run.world, &wanted))
        .collect();
    if found.is_empty() && !wanted.contains('*') {
        let problem = Problem::not_found(&wanted, &run.controller());
        run.fail(&problem)?;
    }
    Ok(found)
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    for own in wanted(run)? {
        let object = shown(run, &own);
        run.write(object);
    }
    Ok(())
}

/// Text within XML.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// What the directory holds of an override.
pub(crate) fn raw(own: &SettingOverride) -> String {
    let mut text = format!(
        "<S CN=\"{}\" SN=\"{}\" MB=\"{}\" R=\"{}\"",
        xml(&own.component),
        xml(&own.section),
        xml(&own.modified_by),
        xml(&own.reason),
    );
    for (name, value) in [("MIV", &own.min_version), ("MAV", &own.max_version)] {
        if let Some(value) = value {
            text.push_str(&format!(" {name}=\"{}\"", xml(value)));
        }
    }
    text.push('>');
    if !own.servers.is_empty() {
        text.push_str("<Ss>");
        for server in &own.servers {
            text.push_str(&format!("<S>{}</S>", xml(server)));
        }
        text.push_str("</Ss>");
    }
    text.push_str("<Ps>");
    for parameter in &own.parameters {
        text.push_str(&format!("<P>{}</P>", xml(parameter)));
    }
    text.push_str("</Ps></S>");
    text
}

fn shown(run: &Run<'_>, own: &SettingOverride) -> PsObject {
    let ad = ad_object(run, &own.name);
    let servers = if own.servers.is_empty() {
        PsValue::Null
    } else {
        PsValue::texts(own.servers.iter().cloned())
    };
    OVERRIDE.object(
        run,
        own.name.clone(),
        Some(&ad),
        vec![
            ("ComponentName", PsValue::text(&own.component)),
            ("SectionName", PsValue::text(&own.section)),
            ("ModifiedBy", PsValue::text(&own.modified_by)),
            ("Reason", PsValue::text(&own.reason)),
            ("MinVersion", PsValue::maybe(own.min_version.clone())),
            ("MaxVersion", PsValue::maybe(own.max_version.clone())),
            ("Server", servers),
            ("Parameters", PsValue::texts(own.parameters.iter().cloned())),
            ("XmlRaw", PsValue::text(raw(own))),
        ],
    )
}

/// Takes the arguments over. `Err`: a parameter that is no `name=value`, or a version that is none.
fn apply(run: &Run<'_>, own: &mut SettingOverride) -> Result<(), Stop> {
    if let Some(parameters) = run.texts("Parameters") {
        for text in parameters {
            if !text.contains('=') {
                return Err(run.unfit("Parameters", text, "System.String[]"));
            }
        }
        own.parameters = parameters.to_vec();
    }
    if let Some(reason) = run.text("Reason") {
        own.reason = reason.to_owned();
    }
    if let Some(servers) = run.texts("Server") {
        own.servers = servers.to_vec();
    }
    for (name, value) in [
        ("MinVersion", &mut own.min_version),
        ("MaxVersion", &mut own.max_version),
    ] {
        if run.given(name) {
            *value = run.text(name).map(str::to_owned);
            if let Some(text) = value
                && text.split('.').any(|part| part.parse::<u32>().is_err())
            {
                return Err(run.unfit(name, text, "System.Version"));
            }
        }
    }
    own.modified_by = run.user.to_owned();
    Ok(())
}

fn new(run: &mut Run<'_>) -> Result<(), Stop> {
    let text = |name: &str| run.text(name).unwrap_or_default().to_owned();
    let mut own = SettingOverride {
        name: text("Name"),
        component: text("Component"),
        section: text("Section"),
        parameters: Vec::new(),
        reason: String::new(),
        servers: Vec::new(),
        min_version: None,
        max_version: None,
        modified_by: String::new(),
    };
    apply(run, &mut own)?;
    if run.world.directory.entry(run.site(), &key(&own.name)).is_some() {
        return run.fail(&Problem::exists(&own.name));
    }
    if !run.creating(&own.name)? {
        return Ok(());
    }
    run.put(key(&own.name), Object::Override(own.clone()));
    let object = shown(run, &own);
    run.write(object);
    Ok(())
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    for before in wanted(run)? {
        let mut after = before.clone();
        apply(run, &mut after)?;
        if !run.setting(&before.name)? {
            return Ok(());
        }
        if after == before {
            run.unchanged(&before.name)?;
        } else {
            run.put(key(&after.name), Object::Override(after));
        }
    }
    Ok(())
}

fn remove(run: &mut Run<'_>) -> Result<(), Stop> {
    for own in wanted(run)? {
        if run.removing(&own.name)? {
            run.delete(key(&own.name));
        }
    }
    Ok(())
}

/// Whether an override is meant for a server.
fn is_for(run: &Run<'_>, own: &SettingOverride, server: &ServerName) -> bool {
    own.servers.is_empty()
        || own
            .servers
            .iter()
            .any(|name| find_server(run.world, name).as_ref() == Some(server))
}

/// The component VariantConfiguration of any process: the overrides as this server's site knows them. Other components
/// are not simulated, which the answer says in its own words.
fn diagnose(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(target) = run.target()? else {
        return Ok(());
    };
    if !run.calls(&target)? {
        return Ok(());
    }
    let Some(server) = run.world.servers.get(&target) else {
        return Ok(());
    };
    let process = run.text("Process").unwrap_or_default();
    let component = run.text("Component").unwrap_or_default();
    let now = run.world.clock_of(&target);
    let mut lines = vec![
        "<Diagnostics>".to_owned(),
        "  <ProcessInfo>".to_owned(),
        format!("    <processName>{}</processName>", xml(process)),
        format!(
            "    <serverName>{}</serverName>",
            server.name.as_str().to_uppercase()
        ),
        format!("    <startTime>{}</startTime>", server.web_started),
        format!("    <currentTime>{now}</currentTime>"),
        format!(
            "    <fastTrainExchangeVersion>{}</fastTrainExchangeVersion>",
            server.build.map(|part| part.to_string()).join(".")
        ),
        "  </ProcessInfo>".to_owned(),
        "  <Components>".to_owned(),
    ];
    if component.eq_ignore_ascii_case("VariantConfiguration") {
        let known: Vec<&SettingOverride> = run
            .world
            .directory
            .overrides(server.site)
            .filter(|own| is_for(run, own, &target))
            .collect();
        lines.push("    <VariantConfiguration>".to_owned());
        if known.is_empty() {
            lines.push(format!("      <Overrides Updated=\"{now}\" />"));
        } else {
            lines.push(format!("      <Overrides Updated=\"{now}\">"));
            lines.extend(known.iter().flat_map(|own| override_lines(own)));
            lines.push("      </Overrides>".to_owned());
        }
        lines.push("    </VariantConfiguration>".to_owned());
    } else if !component.is_empty() {
        let name = xml(component);
        lines.push(format!(
            "    <Message>Component \"{name}\" is not simulated.</Message>"
        ));
    }
    lines.extend(["  </Components>".to_owned(), "</Diagnostics>".to_owned()]);
    let result = lines.join("\r\n");
    let object = DIAGNOSTIC.object(run, result.clone(), None, vec![("Result", PsValue::text(result))]);
    run.write(object);
    Ok(())
}

fn override_lines(own: &SettingOverride) -> Vec<String> {
    let mut lines = vec![
        "        <SettingOverride>".to_owned(),
        format!("          <Name>{}</Name>", xml(&own.name)),
        format!("          <Reason>{}</Reason>", xml(&own.reason)),
        format!("          <ModifiedBy>{}</ModifiedBy>", xml(&own.modified_by)),
        format!("          <ComponentName>{}</ComponentName>", xml(&own.component)),
        format!("          <SectionName>{}</SectionName>", xml(&own.section)),
        "          <Status>Accepted</Status>".to_owned(),
        "          <Parameters>".to_owned(),
    ];
    for parameter in &own.parameters {
        lines.push(format!("            <Parameter>{}</Parameter>", xml(parameter)));
    }
    lines.push("          </Parameters>".to_owned());
    lines.push("        </SettingOverride>".to_owned());
    lines
}
