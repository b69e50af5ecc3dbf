//! Virtual directories, Outlook Anywhere and the service connection point: what tells clients a URL or a name.

use std::borrow::Cow;

use exseal_model::inventory::{Server, ServerName, VirtualDirectory};
use exseal_model::{Merge as _, Observed, SourceId};
use exseal_psrp::clixml::{Document, Value};

use super::super::Page;
use super::super::objects::Seen;
use super::kind::class_name;
use super::{add_some, server_name};

pub(super) fn add_scp(server: &mut Server, name: &ServerName, url: Observed<String>, source: SourceId) {
    let mut scp = VirtualDirectory::new(format!("{name}\\Autodiscover SCP"));
    scp.kind = Observed::seen("scp".to_owned(), source);
    scp.internal_url = url;
    add_some(&mut server.virtual_directories, scp, source);
}

/// The cmdlet that shows directories of this class.
pub(super) fn virtual_directory_cmdlet(document: &Document<'_>, value: &Value<'_>) -> Cow<'static, str> {
    let class = class_name(document, value).unwrap_or_default();
    let known = [
        ("ADOwaVirtualDirectory", "Get-OwaVirtualDirectory"),
        ("ADEcpVirtualDirectory", "Get-EcpVirtualDirectory"),
        ("ADWebServicesVirtualDirectory", "Get-WebServicesVirtualDirectory"),
        ("ADMapiVirtualDirectory", "Get-MapiVirtualDirectory"),
        ("ADOabVirtualDirectory", "Get-OabVirtualDirectory"),
        ("ADMobileVirtualDirectory", "Get-ActiveSyncVirtualDirectory"),
        ("ADPowerShellVirtualDirectory", "Get-PowerShellVirtualDirectory"),
        (
            "ADAutodiscoverVirtualDirectory",
            "Get-AutodiscoverVirtualDirectory",
        ),
    ];
    known.iter().find(|(own, _)| *own == class).map_or_else(
        || Cow::Owned(format!("virtual directory ({class})")),
        |(_, cmdlet)| Cow::Borrowed(*cmdlet),
    )
}

/// Whether a recorded export of a real server backs the cmdlet's directories.
pub(super) fn is_recorded(cmdlet: &str) -> bool {
    matches!(
        cmdlet,
        "Get-OwaVirtualDirectory" | "Get-WebServicesVirtualDirectory"
    )
}

fn directory_kind(cmdlet: &str) -> &'static str {
    match cmdlet {
        "Get-OwaVirtualDirectory" => "owa",
        "Get-EcpVirtualDirectory" => "ecp",
        "Get-WebServicesVirtualDirectory" => "ews",
        "Get-MapiVirtualDirectory" => "mapi",
        "Get-OabVirtualDirectory" => "oab",
        "Get-ActiveSyncVirtualDirectory" => "activesync",
        "Get-PowerShellVirtualDirectory" => "powershell",
        "Get-AutodiscoverVirtualDirectory" => "autodiscover",
        _ => "other",
    }
}

fn server_of_directory(seen: Seen<'_, '_>) -> Option<String> {
    seen.plain("Server")
        .map(|server| server.rsplit('/').next().unwrap_or_default().to_owned())
        .or_else(|| seen.server_of_identity())
        .or_else(|| {
            let path = seen.plain("MetabasePath")?;
            path.strip_prefix("IIS://")?.split('/').next().map(str::to_owned)
        })
        .or_else(|| seen.computer())
}

pub(super) fn virtual_directory(page: &mut Page, seen: Seen<'_, '_>, cmdlet: &str) {
    let name = server_name(page, server_of_directory(seen));
    let own = seen
        .plain("Name")
        .or_else(|| seen.plain("Identity"))
        .unwrap_or_default();
    let own = own.rsplit('\\').next().unwrap_or_default();
    let mut directory = VirtualDirectory::new(format!("{name}\\{own}"));
    directory.kind = Observed::seen(directory_kind(cmdlet).to_owned(), seen.source);
    directory.internal_url = seen.text("InternalUrl");
    directory.external_url = seen.text("ExternalUrl");
    directory.extended_protection = seen.text("ExtendedProtectionTokenChecking");
    if cmdlet == "Get-OwaVirtualDirectory" && !seen.text("InstantMessagingCertificateThumbprint").is_unknown()
    {
        let thumbprint = seen.thumbprint(
            page,
            "InstantMessagingCertificateThumbprint",
            "an OWA virtual directory",
        );
        page.inventory
            .organisation
            .instant_messaging_certificate_thumbprint
            .merge(thumbprint);
    }
    let server = page.inventory.server_mut(&name);
    add_some(&mut server.virtual_directories, directory, seen.source);
}

pub(super) fn outlook_anywhere(page: &mut Page, seen: Seen<'_, '_>) {
    let name = server_name(page, server_of_directory(seen));
    let mut directory = VirtualDirectory::new(format!("{name}\\Rpc (Default Web Site)"));
    directory.kind = Observed::seen("outlook-anywhere".to_owned(), seen.source);
    directory.internal_host = seen.text("InternalHostname");
    directory.external_host = seen.text("ExternalHostname");
    directory.extended_protection = seen.text("ExtendedProtectionTokenChecking");
    let server = page.inventory.server_mut(&name);
    add_some(&mut server.virtual_directories, directory, seen.source);
}

pub(super) fn client_access_service(page: &mut Page, seen: Seen<'_, '_>) {
    let name = server_name(
        page,
        seen.plain("Name")
            .map(Cow::into_owned)
            .or_else(|| seen.computer()),
    );
    let url = seen.text("AutoDiscoverServiceInternalUri");
    add_scp(page.inventory.server_mut(&name), &name, url, seen.source);
}
