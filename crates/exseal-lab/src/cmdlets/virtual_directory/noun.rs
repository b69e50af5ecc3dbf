//! Which directory a cmdlet is about, and what its object looks like.

use super::super::shapes::{
    ACTIVE_SYNC, AUTODISCOVER, ECP, EWS, MAPI, OAB, OUTLOOK_ANYWHERE, OWA, POWERSHELL, Shape,
};

/// What a noun is about: the directory's name in the world, what its object is called, its shape, its class and its
/// category in the schema.
pub(super) struct Noun {
    pub(super) directory: &'static str,
    pub(super) shape: &'static Shape,
    pub(super) classes: &'static [&'static str],
    pub(super) category: &'static str,
}

/// Of a cmdlet's name.
pub(super) fn noun(cmdlet: &str) -> Noun {
    let noun = cmdlet.split_once('-').map_or(cmdlet, |(_, noun)| noun);
    let (directory, shape, classes, category): (_, &'static Shape, &'static [&'static str], _) = match noun {
        "OwaVirtualDirectory" => (
            "owa",
            &OWA,
            &["top", "msExchVirtualDirectory", "msExchOWAVirtualDirectory"],
            "ms-Exch-OWA-Virtual-Directory",
        ),
        "EcpVirtualDirectory" => (
            "ecp",
            &ECP,
            &["top", "msExchVirtualDirectory", "msExchECPVirtualDirectory"],
            "ms-Exch-ECP-Virtual-Directory",
        ),
        "WebServicesVirtualDirectory" => (
            "EWS",
            &EWS,
            &[
                "top",
                "msExchVirtualDirectory",
                "msExchWebServicesVirtualDirectory",
            ],
            "ms-Exch-Web-Services-Virtual-Directory",
        ),
        "MapiVirtualDirectory" => (
            "mapi",
            &MAPI,
            &["top", "msExchVirtualDirectory", "msExchMapiVirtualDirectory"],
            "ms-Exch-Mapi-Virtual-Directory",
        ),
        "ActiveSyncVirtualDirectory" => (
            "Microsoft-Server-ActiveSync",
            &ACTIVE_SYNC,
            &["top", "msExchVirtualDirectory", "msExchMobileVirtualDirectory"],
            "ms-Exch-Mobile-Virtual-Directory",
        ),
        "OabVirtualDirectory" => (
            "OAB",
            &OAB,
            &["top", "msExchVirtualDirectory", "msExchOABVirtualDirectory"],
            "ms-Exch-OAB-Virtual-Directory",
        ),
        "PowerShellVirtualDirectory" => (
            "PowerShell",
            &POWERSHELL,
            &[
                "top",
                "msExchVirtualDirectory",
                "msExchPowerShellVirtualDirectory",
            ],
            "ms-Exch-Power-Shell-Virtual-Directory",
        ),
        "AutodiscoverVirtualDirectory" => (
            "Autodiscover",
            &AUTODISCOVER,
            &[
                "top",
                "msExchVirtualDirectory",
                "msExchAutoDiscoverVirtualDirectory",
            ],
            "ms-Exch-Auto-Discover-Virtual-Directory",
        ),
        _ => (
            "Rpc",
            &OUTLOOK_ANYWHERE,
            &["top", "msExchVirtualDirectory", "msExchRpcHttpVirtualDirectory"],
            "ms-Exch-Rpc-Http-Virtual-Directory",
        ),
    };
    Noun {
        directory,
        shape,
        classes,
        category,
    }
}
