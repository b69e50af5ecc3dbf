//! Exchange's value types, as they cross the wire: domains, addresses, sizes, name pairs, identities of servers.

use std::borrow::Cow;
use std::net::IpAddr;

use super::object::{EXCHANGE_DATA, EXCHANGE_DIRECTORY, MSCORLIB, PsObject, PsValue, Remoting};
use super::run::Run;
use super::shapes::{DATA, DIRECTORY};
use super::{ad, payload};
use crate::world::{ServerName, World, name_pair};

/// A value of one of Exchange's own types.
fn value(types: &[&str], text: impl Into<String>) -> PsObject {
    let full = |name: &str| {
        if name.starts_with("System.") {
            name.to_owned()
        } else {
            format!("{DATA}{name}")
        }
    };
    PsObject {
        types: types
            .iter()
            .copied()
            .chain(["System.Object"])
            .map(|name| Cow::Owned(full(name)))
            .collect(),
        ..PsObject::new(&[], text)
    }
}

fn boxed(object: PsObject) -> PsValue {
    PsValue::Object(Box::new(object))
}

/// A value of one of Exchange's own types that carries a payload, as they all do.
pub(crate) fn with_payload(mut object: PsObject) -> PsValue {
    let class = object.types.first().cloned().unwrap_or_default();
    object.payload = Some(payload::simple("Microsoft.Exchange.Data", &class, &[]));
    boxed(object)
}

/// An enumeration of a namespace.
pub(crate) fn enumeration(space: &str, of: &str, name: impl Into<Cow<'static, str>>, number: i32) -> PsValue {
    PsValue::Enum(Cow::Owned(format!("{space}{of}")), name.into(), number)
}

/// Flags: the names of the set bits, least first.
pub(crate) fn flags(space: &str, of: &str, known: &[(i32, &str)], set: i32) -> PsValue {
    let names: Vec<&str> = known
        .iter()
        .filter(|(bit, _)| *bit != 0 && set & bit == *bit)
        .map(|(_, name)| *name)
        .collect();
    let shown = if names.is_empty() {
        "None".to_owned()
    } else {
        names.join(", ")
    };
    enumeration(space, of, shown, set)
}

/// An ADMultiValuedProperty of a type of an assembly.
pub(crate) fn ad_list(of: &str, assembly: &str, items: Vec<PsValue>) -> PsValue {
    PsValue::List(
        vec![
            format!("{DIRECTORY}ADMultiValuedProperty`1[[{of}, {assembly}]]").into(),
            format!("{DATA}MultiValuedProperty`1[[{of}, {assembly}]]").into(),
            format!("{DATA}MultiValuedPropertyBase").into(),
            "System.Object".into(),
        ],
        items,
    )
}

/// A list of one of Exchange's value types.
fn list(of: &str, items: Vec<PsValue>) -> PsValue {
    PsValue::multi(&format!("{DATA}{of}"), EXCHANGE_DATA, items)
}

/// A domain name where a host name is meant.
pub(crate) fn fqdn(name: &str) -> PsValue {
    with_payload(value(&["Fqdn", "SmtpDomain"], name).with("Domain", PsValue::text(name)))
}

/// A domain name.
pub(crate) fn domain(name: &str) -> PsValue {
    with_payload(value(&["SmtpDomain"], name).with("Domain", PsValue::text(name)))
}

/// A domain name that may begin with `*.`, or is `*`.
pub(crate) fn domain_with_subdomains(name: &str) -> PsValue {
    let bare = name.strip_prefix("*.");
    let domain = bare.unwrap_or(name);
    let star = name == "*";
    with_payload(
        value(&["SmtpDomainWithSubdomains"], name)
            .with("Address", PsValue::text(name))
            .with("IncludeSubDomains", PsValue::Bool(star || bare.is_some()))
            .with("Domain", PsValue::text(domain))
            .with(
                "SmtpDomain",
                if star {
                    PsValue::Null
                } else {
                    PsValue::text(domain)
                },
            )
            .with("IsStar", PsValue::Bool(star)),
    )
}

/// Domains of the hybrid configuration.
pub(crate) fn hybrid_domains<'d>(names: impl IntoIterator<Item = &'d str>) -> PsValue {
    let items = names
        .into_iter()
        .map(|name| {
            let (autodiscover, domain) = name
                .strip_prefix("autod:")
                .map_or((false, name), |domain| (true, domain));
            with_payload(
                value(&["AutoDiscoverSmtpDomain", "SmtpDomain"], name)
                    .with("AutoDiscover", PsValue::Bool(autodiscover))
                    .with("Domain", PsValue::text(domain)),
            )
        })
        .collect();
    list("AutoDiscoverSmtpDomain", items)
}

/// A name pair, `<I>issuer<S>subject`; `None` is null. What is no pair is shown as it is, with nothing read from it.
pub(crate) fn identifier(text: Option<&str>) -> PsValue {
    let Some(text) = text else {
        return PsValue::Null;
    };
    let (issuer, subject) = name_pair(text).unwrap_or_default();
    let common = subject
        .split(',')
        .map(str::trim)
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(&subject)
        .to_owned();
    with_payload(
        value(&["SmtpX509Identifier"], text)
            .with("CertificateSubject", PsValue::text(&subject))
            .with("CertificateIssuer", PsValue::text(&issuer))
            .with("SubjectCommonName", PsValue::text(common)),
    )
}

/// A number of bytes in the unit Exchange shows it in.
fn shown_size(bytes: u64) -> String {
    let digits = bytes.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let (unit, power) = match bytes {
        0..1_024 => ("B", 0),
        1_024..1_048_576 => ("KB", 10),
        1_048_576..1_073_741_824 => ("MB", 20),
        1_073_741_824..1_099_511_627_776 => ("GB", 30),
        _ => ("TB", 40),
    };
    let whole = bytes >> power;
    let left = bytes - (whole << power);
    // Four decimals at most, without trailing zeros.
    let decimals = ((u128::from(left) * 10_000) >> power).to_string();
    let decimals = format!("{decimals:0>4}");
    let decimals = decimals.trim_end_matches('0');
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{whole}{point}{decimals} {unit} ({grouped} bytes)")
}

/// A ByteQuantifiedSize.
pub(crate) fn size(bytes: u64) -> PsValue {
    with_payload(value(
        &["ByteQuantifiedSize", "System.ValueType"],
        shown_size(bytes),
    ))
}

fn unlimited(of: &str, assembly: &str, shown: Option<String>) -> PsObject {
    let none = shown.is_none();
    value(
        &[&format!("Unlimited`1[[{of}, {assembly}]]"), "System.ValueType"],
        shown.unwrap_or_else(|| "Unlimited".to_owned()),
    )
    .with("IsUnlimited", PsValue::Bool(none))
}

/// A number of bytes, or `None`: unlimited.
pub(crate) fn maybe_size(bytes: Option<u64>) -> PsValue {
    let shown = bytes.map(shown_size);
    let mut object = unlimited(&format!("{DATA}ByteQuantifiedSize"), EXCHANGE_DATA, shown.clone());
    if let Some(shown) = shown {
        object = object.with("Value", PsValue::text(shown));
    }
    with_payload(object)
}

/// A number, or `None`: unlimited.
pub(crate) fn maybe_int(number: Option<i32>) -> PsValue {
    let mut object = unlimited("System.Int32", MSCORLIB, number.map(|own| own.to_string()));
    if let Some(number) = number {
        object = object.with("Value", PsValue::Int(number));
    }
    with_payload(object)
}

/// A path below the installation's folder.
pub(crate) fn path(below: &str) -> PsValue {
    let path = format!("C:\\Program Files\\Microsoft\\Exchange Server\\V15\\{below}");
    with_payload(
        value(&["LocalLongFullPath", "LongPath"], &path)
            .with("PathName", PsValue::text(&path))
            .with("IsLocalFull", PsValue::Bool(true))
            .with("IsUnc", PsValue::Bool(false))
            .with("DriveName", PsValue::text("C:")),
    )
}

/// An EnhancedTimeSpan.
pub(crate) fn time_span(seconds: i64) -> PsValue {
    let part = |number: i64| PsValue::Int(i32::try_from(number).unwrap_or(0));
    // Whole seconds below a year fit a float without loss.
    let total = f64::from(i32::try_from(seconds).unwrap_or(i32::MAX));
    let mut object = PsObject::new(
        &[
            "Microsoft.Exchange.Data.EnhancedTimeSpan",
            "System.ValueType",
            "System.Object",
        ],
        super::object::span(seconds),
    )
    .with("Days", part(seconds / 86_400))
    .with("Hours", part(seconds / 3600 % 24))
    .with("Milliseconds", part(0))
    .with("Minutes", part(seconds / 60 % 60))
    .with("Seconds", part(seconds % 60))
    .with("Ticks", PsValue::Long(seconds.saturating_mul(10_000_000)))
    .with("TotalDays", PsValue::Double(total / 86_400.0))
    .with("TotalHours", PsValue::Double(total / 3600.0))
    .with("TotalMilliseconds", PsValue::Double(total * 1000.0))
    .with("TotalMinutes", PsValue::Double(total / 60.0))
    .with("TotalSeconds", PsValue::Double(total))
    .with("Sign", part(seconds.signum()));
    object.payload = Some(payload::simple(
        "Microsoft.Exchange.Data",
        "Microsoft.Exchange.Data.EnhancedTimeSpan",
        &[],
    ));
    PsValue::Object(Box::new(object))
}

/// A System.Net.IPAddress.
pub(crate) fn address(ip: IpAddr) -> PsValue {
    let object = PsObject::new(&["System.Net.IPAddress", "System.Object"], ip.to_string());
    let mut object = match ip {
        IpAddr::V4(own) => object
            .with(
                "Address",
                PsValue::Long(i64::from(u32::from_le_bytes(own.octets()))),
            )
            .with("AddressFamily", PsValue::text("InterNetwork")),
        IpAddr::V6(_) => object
            .with("AddressFamily", PsValue::text("InterNetworkV6"))
            .with("ScopeId", PsValue::Long(0)),
    };
    for name in [
        "IsIPv6Multicast",
        "IsIPv6LinkLocal",
        "IsIPv6SiteLocal",
        "IsIPv6Teredo",
        "IsIPv4MappedToIPv6",
    ] {
        object = object.with(name, PsValue::Bool(false));
    }
    object.remoting = Remoting::Except(&["IPAddressToString"]);
    boxed(object.with("IPAddressToString", PsValue::text(ip.to_string())))
}

/// `address:port`, IPv6 addresses in brackets.
pub(crate) fn split_binding(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.parse().ok()?, port.parse().ok()?))
}

/// Bindings of a connector.
pub(crate) fn bindings(texts: &[String]) -> PsValue {
    let items = texts
        .iter()
        .filter_map(|text| split_binding(text).map(|own| (text, own)))
        .map(|(text, (ip, port))| {
            let family = if ip.is_ipv4() {
                "InterNetwork"
            } else {
                "InterNetworkV6"
            };
            with_payload(
                value(
                    &["IPBinding", "System.Net.IPEndPoint", "System.Net.EndPoint"],
                    text,
                )
                .with("Port", PsValue::Int(i32::from(port)))
                .with("AddressFamily", PsValue::text(family))
                .with("Address", address(ip)),
            )
        })
        .collect();
    list("IPBinding", items)
}

/// First and last address of a range: one address, `low-high`, or `address/bits`.
pub(crate) fn split_range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((low, high)) = text.split_once('-') {
        let (low, high): (IpAddr, IpAddr) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        return (low.is_ipv4() == high.is_ipv4() && low <= high).then_some((low, high));
    }
    let Some((ip, bits)) = text.split_once('/') else {
        let ip = text.trim().parse().ok()?;
        return Some((ip, ip));
    };
    let bits: u32 = bits.parse().ok()?;
    match ip.parse().ok()? {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            let low = u32::from(ip) & mask;
            Some((IpAddr::V4(low.into()), IpAddr::V4((low | !mask).into())))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
            let low = u128::from(ip) & mask;
            Some((IpAddr::V6(low.into()), IpAddr::V6((low | !mask).into())))
        }
    }
}

/// Ranges of addresses.
pub(crate) fn ranges(texts: &[String]) -> PsValue {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    };
    let items = texts
        .iter()
        .filter_map(|text| split_range(text).map(|own| (text, own)))
        .map(|(text, (low, high))| {
            let format = if text.contains('-') {
                "LoHi"
            } else if text.contains('/') {
                "CIDR"
            } else {
                "SingleAddress"
            };
            let count = (number(high) - number(low)).saturating_add(1);
            with_payload(
                value(&["IPRange"], text)
                    .with("LowerBound", PsValue::text(low.to_string()))
                    .with("UpperBound", PsValue::text(high.to_string()))
                    .with("RangeFormat", PsValue::text(format))
                    .with("Size", PsValue::text(std::net::Ipv6Addr::from(count).to_string()))
                    .with("Expression", PsValue::text(text)),
            )
        })
        .collect();
    list("IPRange", items)
}

/// Capabilities of domains, `domain:Capability`.
pub(crate) fn domain_capabilities(texts: &[String]) -> PsValue {
    let items = texts
        .iter()
        .map(|text| {
            let (domain, capability) = text.rsplit_once(':').unwrap_or((text, "None"));
            with_payload(
                value(&["SmtpReceiveDomainCapabilities"], text)
                    .with("Domain", PsValue::text(domain))
                    .with("Capabilities", PsValue::text(capability))
                    .with("SmtpX509Identifier", PsValue::Null),
            )
        })
        .collect();
    list("SmtpReceiveDomainCapabilities", items)
}

/// Hosts a send connector hands mail to.
pub(crate) fn smart_hosts(names: &[String]) -> PsValue {
    let items = names
        .iter()
        .map(|name| {
            let ip = name
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<IpAddr>();
            let host = if ip.is_ok() {
                PsValue::Null
            } else {
                PsValue::text(name)
            };
            with_payload(
                value(&["SmartHost"], name)
                    .with(
                        "Address",
                        address(ip.clone().unwrap_or(IpAddr::from([0, 0, 0, 0]))),
                    )
                    .with("IsIPAddress", PsValue::Bool(ip.is_ok()))
                    .with("Domain", host),
            )
        })
        .collect();
    list("SmartHost", items)
}

/// `type:address;cost` as Exchange writes it, whatever of it was left out.
pub(crate) fn address_space(text: &str) -> (String, String, i32) {
    let (kind, rest) = text.split_once(':').unwrap_or(("SMTP", text));
    let (address, cost) = rest.split_once(';').unwrap_or((rest, "1"));
    (
        kind.to_uppercase(),
        address.to_owned(),
        cost.trim().parse().unwrap_or(1),
    )
}

/// Address spaces of a send connector.
pub(crate) fn address_spaces(texts: &[String]) -> PsValue {
    let items = texts
        .iter()
        .map(|text| {
            let (kind, address, cost) = address_space(text);
            let smtp = kind == "SMTP";
            with_payload(
                value(&["AddressSpace"], format!("{kind}:{address};{cost}"))
                    .with("Address", PsValue::text(&address))
                    .with("Type", PsValue::text(&kind))
                    .with("Cost", PsValue::Int(cost))
                    .with("IncludeSubDomains", PsValue::Bool(address.starts_with('*')))
                    .with(
                        "Domain",
                        PsValue::text(address.strip_prefix("*.").unwrap_or(&address)),
                    )
                    .with("IsSmtpType", PsValue::Bool(smtp))
                    .with("IsX400Type", PsValue::Bool(kind == "X400"))
                    .with("X400Address", PsValue::Null),
            )
        })
        .collect();
    list("AddressSpace", items)
}

/// The identity of a server.
pub(crate) fn server_id(world: &World, name: &ServerName) -> PsValue {
    let name = name.as_str().to_uppercase();
    let place = format!("CN={name},{}", ad::servers(world));
    ad::id(world, &name, &place, "Servers", world.guid(&place))
}

/// Identities of servers.
pub(crate) fn server_ids(run: &Run<'_>, names: &[ServerName]) -> PsValue {
    ad_ids(names.iter().map(|name| server_id(run.world, name)).collect())
}

/// Identities of objects of the directory.
pub(crate) fn ad_ids(items: Vec<PsValue>) -> PsValue {
    ad_list(&format!("{DIRECTORY}ADObjectId"), EXCHANGE_DIRECTORY, items)
}

/// The identity of something at a place below the organisation, given as relative names, innermost first.
pub(crate) fn place_id(world: &World, relative: &[&str]) -> PsValue {
    let names: Vec<String> = relative.iter().map(|name| format!("CN={name}")).collect();
    let place = format!("{},{}", names.join(","), ad::organisation(world));
    let own = relative.first().copied().unwrap_or_default();
    let parent = relative.get(1).copied().unwrap_or(&world.name);
    ad::id(world, own, &place, parent, world.guid(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_in_the_greatest_unit_it_reaches() {
        assert_eq!(shown_size(0), "0 B (0 bytes)");
        assert_eq!(shown_size(262_144), "256 KB (262,144 bytes)");
        assert_eq!(shown_size(37_748_736), "36 MB (37,748,736 bytes)");
        assert_eq!(shown_size(1_572_864), "1.5 MB (1,572,864 bytes)");
    }

    #[test]
    fn a_range_is_one_address_two_or_a_prefix() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");

        assert_eq!(
            split_range("10.0.0.0/24"),
            Some((ip("10.0.0.0"), ip("10.0.0.255")))
        );
        assert_eq!(split_range("::/0").map(|(low, _)| low), Some(ip("::")));
        assert_eq!(split_range("10.0.0.7"), Some((ip("10.0.0.7"), ip("10.0.0.7"))));
        assert_eq!(split_range("10.0.0.9-10.0.0.1"), None);
        assert_eq!(split_range("10.0.0.0/33"), None);
    }

    #[test]
    fn an_address_space_has_its_type_and_cost_even_where_they_were_left_out() {
        assert_eq!(
            address_space("*.contoso.lab"),
            ("SMTP".to_owned(), "*.contoso.lab".to_owned(), 1)
        );
        assert_eq!(address_space("smtp:*;100").2, 100);
    }
}
