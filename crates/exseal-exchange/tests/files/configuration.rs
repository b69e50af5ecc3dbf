//! Sites and bindings: applicationHost.config, Get-Website and Get-WebBinding as CLIXML.

use exseal_model::inventory::WebSite;

use crate::input::{LEAF_THUMBPRINT, document, errors, not_recognised, object, read_bytes, s};

const CONFIGURATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment with <site name="No Site"> in it -->
<configuration>
  <configSections><sectionGroup name="system.applicationHost"><section name="sites" /></sectionGroup></configSections>
  <system.applicationHost>
    <applicationPools>
      <add name="MSExchangeOWAAppPool" managedRuntimeVersion="v4.0" />
      <add name="MSExchangeECPAppPool"><processModel identityType="LocalSystem" /></add>
      <applicationPoolDefaults />
    </applicationPools>
    <sites>
      <site name="Default Web Site" id="1" serverAutoStart="true">
        <application path="/"><virtualDirectory path="/" physicalPath="C:\inetpub\wwwroot" /></application>
        <bindings>
          <binding protocol="http" bindingInformation="*:80:" />
          <binding protocol="https" bindingInformation=":443:" />
          <binding protocol="https" bindingInformation="127.0.0.1:443:" />
          <binding protocol="https" bindingInformation="*:443:a&amp;b.example.org" sslFlags="1" />
          <binding protocol="net.pipe" bindingInformation="*" />
        </bindings>
      </site>
      <site name="Exchange Back End" id="2">
        <bindings><binding protocol="https" bindingInformation="*:444:" /></bindings>
      </site>
      <site name="Empty" id="3" />
    </sites>
  </system.applicationHost>
  <location path="Default Web Site/owa"><system.webServer><bindings /></system.webServer></location>
</configuration>
"#;

fn sites(text: &str) -> Vec<WebSite> {
    read_bytes(text.as_bytes()).inventory.servers[0]
        .sites
        .items
        .clone()
}

fn endpoints(site: &WebSite) -> Vec<String> {
    site.bindings
        .iter()
        .filter(|binding| binding.is_https())
        .filter_map(exseal_model::inventory::SiteBinding::endpoint)
        .map(|endpoint| endpoint.to_string())
        .collect()
}

#[test]
fn the_configuration_of_iis_gives_sites_bindings_and_pools_and_no_hashes() {
    let file = read_bytes(CONFIGURATION.as_bytes());
    assert_eq!(file.holds.as_deref(), Some("applicationHost.config"));
    assert_eq!(errors(&file), [""; 0]);
    let server = &file.inventory.servers[0];
    let names: Vec<_> = server.sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["Default Web Site", "Exchange Back End", "Empty"]);
    let front = &server.sites.items[0];
    assert_eq!(front.id.value(), Some(&1));
    assert_eq!(front.bindings.items.len(), 5);
    assert_eq!(
        endpoints(front),
        ["*:443", "127.0.0.1:443", "*:443/a&b.example.org"],
        "setup writes :443: for every address"
    );
    assert_eq!(front.bindings.items[3].ssl_flags.value(), Some(&1));
    assert!(
        front.bindings.iter().all(|binding| binding.thumbprint.reasons()
            == ["applicationHost.config does not hold certificate hashes"])
    );
    assert!(server.sites.items[2].bindings.is_complete(), "seen to have none");
    let pools: Vec<_> = server.app_pools.iter().map(|pool| pool.name.as_str()).collect();
    assert_eq!(pools, ["MSExchangeOWAAppPool", "MSExchangeECPAppPool"]);
}

#[test]
fn a_wrong_end_is_an_error_and_what_stands_behind_it_is_read() {
    let damaged = CONFIGURATION.replace("</sectionGroup>", "");
    let file = read_bytes(damaged.as_bytes());
    assert_eq!(
        errors(&file),
        ["line 4, byte 210: expected </sectionGroup>, found </configSections>"]
    );
    assert_eq!(file.inventory.servers[0].sites.items.len(), 3);
}

#[test]
fn a_configuration_that_breaks_off_keeps_what_stood_before() {
    let cut = CONFIGURATION.find("127.0.0.1").unwrap();
    let file = read_bytes(&CONFIGURATION.as_bytes()[..cut]);
    let errors = errors(&file);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("line 17"), "{errors:?}");
    let sites = &file.inventory.servers[0].sites;
    assert_eq!(endpoints(&sites.items[0]), ["*:443"]);
}

#[test]
fn a_document_type_and_deep_nesting_are_refused() {
    let with_type = CONFIGURATION.replace(
        "<configuration>",
        "<!DOCTYPE a [<!ENTITY b \"cccccccccc\">]><configuration>",
    );
    assert!(errors(&read_bytes(with_type.as_bytes()))[0].contains("a configuration without a document type"));
    let deep = format!("<configuration><system.applicationHost>{}", "<a>".repeat(100_000));
    assert!(errors(&read_bytes(deep.as_bytes()))[0].contains("at most 200 elements within each other"));
}

#[test]
fn another_configuration_is_not_taken_for_that_of_iis() {
    let file = read_bytes(b"<?xml version=\"1.0\"?><configuration><appSettings /></configuration>");
    assert_eq!(file.holds, None);
    assert_eq!(errors(&file), [""; 0]);
    assert_eq!(not_recognised(&file).len(), 1);
    let empty =
        read_bytes(b"<configuration><system.applicationHost></system.applicationHost></configuration>");
    assert_eq!(
        errors(&empty),
        ["the file: expected <sites> with at least one <site>, found none"]
    );
}

fn binding(protocol: &str, information: &str, hash: &str, path: Option<&str>) -> String {
    let mut properties = vec![
        s("protocol", protocol),
        s("bindingInformation", information),
        s("certificateHash", hash),
        s("certificateStoreName", if hash.is_empty() { "" } else { "My" }),
        "<I64 N=\"sslFlags\">0</I64>".to_owned(),
    ];
    properties.extend(path.map(|path| s("ItemXPath", path)));
    object(
        "Microsoft.IIs.PowerShell.Framework.ConfigurationElement#bindings#binding",
        &properties,
    )
}

const FRONT: &str = "/system.applicationHost/sites/site[@name='Default Web Site' and @id='1']";

#[test]
fn bindings_name_their_site_in_their_path() {
    let file = read_bytes(&document(&[
        binding("http", "*:80:", "", Some(FRONT)),
        binding("https", ":443:", LEAF_THUMBPRINT, Some(FRONT)),
        binding(
            "https",
            "*:444:",
            "",
            Some("/system.applicationHost/sites/site[@name='Exchange Back End' and @id='2']"),
        ),
        binding("https", "*:445:", "", None),
    ]));
    assert_eq!(file.holds.as_deref(), Some("Get-WebBinding"));
    assert_eq!(
        errors(&file),
        ["object 4: expected ItemXPath, which names the binding's site, found a binding without it"]
    );
    let sites = &file.inventory.servers[0].sites;
    assert_eq!(sites.items.len(), 2);
    assert!(!sites.is_complete(), "a site without bindings is not shown");
    assert_eq!(sites.items[1].id.value(), Some(&2));
    let front = &sites.items[0].bindings.items[1];
    assert_eq!(front.thumbprint.value().unwrap().to_string(), LEAF_THUMBPRINT);
    assert_eq!(front.store.value().map(String::as_str), Some("My"));
    let back = &sites.items[1].bindings.items[0];
    assert!(
        back.thumbprint.is_absent() && back.store.is_absent(),
        "seen to have none"
    );
}

#[test]
fn a_site_whose_export_was_not_deep_enough_says_so_and_keeps_what_is_left() {
    let site = |bindings: &str| {
        object(
            "Microsoft.IIs.PowerShell.Framework.ConfigurationElement#site",
            &[
                s("name", "Default Web Site"),
                "<I64 N=\"id\">1</I64>".to_owned(),
                s("state", "Started"),
                "<B N=\"serverAutoStart\">true</B>".to_owned(),
                bindings.to_owned(),
            ],
        )
    };
    let texts = "<Obj N=\"bindings\"><Props><Obj N=\"Collection\"><LST><S>http *:80:</S>\
                 <S>https *:443: sslFlags=0</S></LST></Obj></Props></Obj>";
    let file = read_bytes(&document(&[site(texts)]));
    assert_eq!(file.holds.as_deref(), Some("Get-Website"));
    assert_eq!(errors(&file), [""; 0]);
    let kept = &file.inventory.servers[0].sites.items[0];
    assert_eq!(endpoints(kept), ["*:443"]);
    assert_eq!(
        kept.bindings.items[1].thumbprint.reasons(),
        ["the export was not deep enough to hold certificateHash"]
    );

    let cut = s(
        "bindings",
        "Microsoft.IIs.PowerShell.Framework.ConfigurationElement",
    );
    let file = read_bytes(&document(&[site(&cut)]));
    assert_eq!(
        errors(&file),
        [
            "object 1, property bindings: expected a list of bindings (Export-Clixml -Depth 4), found none: the export \
             was not deep enough"
        ]
    );
    assert!(file.inventory.servers[0].sites.items[0].bindings.is_unknown());
}

#[test]
fn the_same_configuration_read_twice_is_the_same() {
    assert_eq!(sites(CONFIGURATION), sites(&format!("\u{feff}{CONFIGURATION}")));
}
