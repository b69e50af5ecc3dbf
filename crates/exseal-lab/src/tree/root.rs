//! The root DSE: what a domain controller says of itself to everybody ([MS-ADTS] 3.1.1.3.2).

use ldap3_proto::proto::LdapPartialAttribute;

use super::{Names, time};
use crate::world::{Controller, World};

/// Controls that are understood.
const CONTROLS: [&str; 4] = [
    // Pages.
    "1.2.840.113556.1.4.319",
    // No referrals to other naming contexts.
    "1.2.840.113556.1.4.1339",
    // Parts of security descriptors, which no object here has.
    "1.2.840.113556.1.4.801",
    // Deleted objects, which nobody keeps here.
    "1.2.840.113556.1.4.417",
];

/// Extended operations that are understood: StartTLS, Who am I.
pub(crate) const EXTENSIONS: [&str; 2] = ["1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.3"];

/// What the root DSE holds.
pub(crate) fn root(world: &World, controller: &Controller, mechanisms: &[&str]) -> Vec<LdapPartialAttribute> {
    let names = Names::of(world);
    let site = world
        .sites
        .get(controller.site)
        .map_or("", |site| site.name.as_str());
    let server = format!(
        "CN={},CN=Servers,CN={},CN=Sites,{}",
        controller.name.as_str(),
        super::dn::escaped(site),
        names.configuration
    );
    let limits = &world.directory_limits;
    let one = |name: &str, value: String| LdapPartialAttribute {
        atype: name.to_owned(),
        vals: vec![value.into_bytes()],
    };
    let many = |name: &str, values: &[&str]| LdapPartialAttribute {
        atype: name.to_owned(),
        vals: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
    };
    vec![
        one("currentTime", time(world.now)),
        one("dsServiceName", format!("CN=NTDS Settings,{server}")),
        many(
            "namingContexts",
            &[&names.domain, &names.configuration, &names.schema],
        ),
        one("defaultNamingContext", names.domain.clone()),
        one("schemaNamingContext", names.schema.clone()),
        one("configurationNamingContext", names.configuration.clone()),
        one("rootDomainNamingContext", names.domain.clone()),
        many("supportedControl", &CONTROLS),
        many("supportedExtension", &EXTENSIONS),
        many("supportedLDAPVersion", &["3"]),
        many("supportedLDAPPolicies", &["MaxPageSize", "MaxQueryDuration"]),
        many("supportedSASLMechanisms", mechanisms),
        one("dnsHostName", controller.fqdn.clone()),
        one(
            "ldapServiceName",
            format!(
                "{}:{}$@{}",
                world.domain,
                controller.name.as_str().to_lowercase(),
                world.domain.to_uppercase()
            ),
        ),
        one("serverName", server),
        // Active Directory; it signs; the versions after 2003, 2008, 2008 R2 and 2012.
        many(
            "supportedCapabilities",
            &[
                "1.2.840.113556.1.4.800",
                "1.2.840.113556.1.4.1791",
                "1.2.840.113556.1.4.1670",
                "1.2.840.113556.1.4.1935",
                "1.2.840.113556.1.4.2080",
                "1.2.840.113556.1.4.2237",
            ],
        ),
        many("isSynchronized", &["TRUE"]),
        many("isGlobalCatalogReady", &["TRUE"]),
        many("domainFunctionality", &["7"]),
        many("forestFunctionality", &["7"]),
        many("domainControllerFunctionality", &["7"]),
        one(
            "vendorName",
            format!(
                "exseal lab, a simulation (pages of {}, queries of {} s)",
                limits.max_page_size, limits.max_query_seconds
            ),
        ),
    ]
}
