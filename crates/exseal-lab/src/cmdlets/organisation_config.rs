//! Get- and Set-OrganizationConfig, Get-IRMConfiguration.
//!
//! A switch of the organisation is set by its name; what the simulation has no switch for stays as setup leaves it.

use super::ad::{self, AdObject};
use super::exchange_server::display_build;
use super::object::{PsObject, PsValue};
use super::run::{Run, Stop};
use super::shapes::{DATA, IRM, ORGANIZATION, Preset};
use super::table::{Access, Cmdlet, Parameter, boolean, text};
use super::values;
use jiff::Timestamp;

/// Switches that can be set.
const SWITCHES: &[Parameter] = &[
    boolean("ActivityBasedAuthenticationTimeoutEnabled"),
    boolean("AppsForOfficeEnabled"),
    boolean("EnableAuthAdminReadSession"),
    boolean("MapiHttpEnabled"),
    boolean("OAuth2ClientProfileEnabled"),
    boolean("ReadTrackingEnabled"),
];

pub(super) const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-OrganizationConfig",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.GetOrganizationConfig",
        parameters: &[],
        default_set: "",
        access: Access::View,
        process: get,
    },
    Cmdlet {
        name: "Set-OrganizationConfig",
        class: "Microsoft.Exchange.Management.SystemConfigurationTasks.SetOrganizationConfig",
        parameters: SWITCHES,
        default_set: "",
        access: Access::Organisation,
        process: set,
    },
    Cmdlet {
        name: "Get-IRMConfiguration",
        class: "Microsoft.Exchange.Management.RightsManagement.GetIRMConfiguration",
        parameters: &[text("Identity").at(0).piped()],
        default_set: "",
        access: Access::View,
        process: get_rights,
    },
];

/// When the organisation was made: with its first server.
fn made(run: &Run<'_>) -> Timestamp {
    run.world
        .servers
        .values()
        .map(|server| server.installed)
        .min()
        .unwrap_or(run.world.now)
}

fn ad_object(run: &Run<'_>) -> AdObject {
    let at = made(run);
    let domain = ad::configuration(run.world);
    AdObject {
        name: run.world.name.clone(),
        identity: run.world.name.clone(),
        parent: format!("CN=Microsoft Exchange,CN=Services,{domain}"),
        parent_shown: "Microsoft Exchange".to_owned(),
        classes: &["top", "container", "msExchOrganizationContainer"],
        category: "ms-Exch-Organization-Container",
        version: (10, "14.0.100.0"),
        created: at,
        changed: at,
    }
}

fn smtp_address(local: &str, domain: &str) -> PsValue {
    let address = format!("{local}@{domain}");
    let length = i32::try_from(address.len()).unwrap_or(i32::MAX);
    let object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.SmtpAddress",
            "System.ValueType",
            "System.Object",
        ],
        &address,
    )
    .with("Length", PsValue::Int(length))
    .with("Local", PsValue::text(local))
    .with("Domain", PsValue::text(domain))
    .with("Address", PsValue::text(&address))
    .with("IsUTF8", PsValue::Bool(false))
    .with("IsValidAddress", PsValue::Bool(true));
    values::with_payload(object)
}

fn proxy_addresses(local: &str, domain: &str) -> PsValue {
    let address = format!("{local}@{domain}");
    let object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.SmtpProxyAddress",
            "Microsoft.Exchange.Data.ProxyAddress",
            "Microsoft.Exchange.Data.ProxyAddressBase",
            "System.Object",
        ],
        format!("SMTP:{address}"),
    )
    .with("SmtpAddress", PsValue::text(&address))
    .with("AddressString", PsValue::text(&address))
    .with("ProxyAddressString", PsValue::text(format!("SMTP:{address}")))
    .with("Prefix", PsValue::text("SMTP"))
    .with("IsPrimaryAddress", PsValue::Bool(true))
    .with("PrefixString", PsValue::text("SMTP"));
    let of = format!("[[{DATA}ProxyAddress, {}]]", super::object::EXCHANGE_DATA);
    PsValue::List(
        vec![
            format!("{DATA}ProxyAddressCollection").into(),
            format!("{DATA}ProxyAddressBaseCollection`1{of}").into(),
            format!("{DATA}MultiValuedProperty`1{of}").into(),
            format!("{DATA}MultiValuedPropertyBase").into(),
            "System.Object".into(),
        ],
        vec![values::with_payload(object)],
    )
}

fn get(run: &mut Run<'_>) -> Result<(), Stop> {
    let world = &*run.world;
    let own = ad_object(run);
    let build = world
        .servers
        .values()
        .map(display_build)
        .max()
        .unwrap_or([15, 2, 0, 0])
        .map(|part| part.to_string())
        .join(".");
    let local = format!("MicrosoftExchange{}", world.guid("recipient").as_simple());
    let rooms = ["All Rooms", "All Address Lists", "Address Lists Container"];
    let mut rooms_id = values::place_id(world, &rooms);
    if let PsValue::Object(object) = &mut rooms_id {
        object.text = Some("\\All Rooms".to_owned());
    }
    let never = PsValue::Utc("0001-01-01T00:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH));
    let naming = PsObject::new(
        &[
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.DistributionGroupNamingPolicy",
            "System.Object",
        ],
        "",
    )
    .with("PrefixElements", PsValue::Null)
    .with("SuffixElements", PsValue::Null)
    .with("IsEmpty", PsValue::Bool(true));
    let folders = PsObject::new(
        &["Microsoft.Exchange.Data.PublicFolderInformation", "System.Object"],
        "",
    )
    .with("IsValid", PsValue::Bool(false))
    .with("CanUpdate", PsValue::Bool(true))
    .with("HierarchyMailboxGuid", PsValue::Guid(uuid::Uuid::nil()))
    .with("LockedForMigration", PsValue::Bool(false));
    let mut said = vec![
        ("DistributionGroupNamingPolicy", values::with_payload(naming)),
        (
            "MicrosoftExchangeRecipientEmailAddresses",
            proxy_addresses(&local, &world.domain),
        ),
        (
            "MicrosoftExchangeRecipientPrimarySmtpAddress",
            smtp_address(&local, &world.domain),
        ),
        ("LegacyExchangeDN", PsValue::text(format!("/o={}", world.name))),
        ("ResourceAddressLists", values::ad_ids(vec![rooms_id])),
        (
            "PreviousAdminDisplayVersion",
            ad::exchange_version(10, "14.0.100.0"),
        ),
        ("RBACConfigurationVersion", ad::exchange_version(1, &build)),
        ("RootPublicFolderMailbox", PsValue::Object(Box::new(folders))),
        ("AdminDisplayVersion", ad::exchange_version(20, "15.1.0.0")),
        ("DefaultAuthenticationPolicy", PsValue::Null),
        ("FocusedInboxOnLastUpdateTime", never.clone()),
        ("ForestConfigLastRunTime", never),
    ];
    for (name, preset) in ORGANIZATION.properties {
        if let (Preset::Bool(_), Some((_, value))) = (
            preset,
            world
                .config
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name)),
        ) {
            said.push((name, PsValue::Bool(*value)));
        }
    }
    let object = ORGANIZATION.object(run, own.identity.clone(), Some(&own), said);
    run.write(object);
    Ok(())
}

fn set(run: &mut Run<'_>) -> Result<(), Stop> {
    let name = run.world.name.clone();
    if !run.setting(&name)? {
        return Ok(());
    }
    let mut changed = false;
    for parameter in SWITCHES {
        let Some(value) = run.boolean(parameter.name) else {
            continue;
        };
        let own = run
            .world
            .config
            .keys()
            .find(|own| own.eq_ignore_ascii_case(parameter.name))
            .cloned()
            .unwrap_or_else(|| parameter.name.to_owned());
        changed |= run.world.config.insert(own, value) != Some(value);
    }
    if changed { Ok(()) } else { run.unchanged(&name) }
}

fn get_rights(run: &mut Run<'_>) -> Result<(), Stop> {
    let at = made(run);
    let own = AdObject {
        name: "ControlPoint Config".to_owned(),
        identity: "ControlPoint Config".to_owned(),
        parent: format!("CN=Transport Settings,{}", ad::organisation(run.world)),
        parent_shown: "Transport Settings".to_owned(),
        classes: &["top", "container", "msExchContainer", "msExchControlPointConfig"],
        category: "ms-Exch-Control-Point-Config",
        version: (1, "8.0.535.0"),
        created: at,
        changed: at,
    };
    let object = IRM.object(run, own.identity.clone(), Some(&own), Vec::new());
    run.write(object);
    Ok(())
}
