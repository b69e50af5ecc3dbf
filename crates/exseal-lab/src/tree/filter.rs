//! Whether an object matches a filter (RFC 4511 4.5.1.7, [MS-ADTS] 3.1.1.3.1.3).

use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapSubstringFilter};

use super::Entry;
use super::dn;
use super::schema::{self, Attribute, Syntax};

/// LDAP_MATCHING_RULE_BIT_AND.
const ALL_BITS: &str = "1.2.840.113556.1.4.803";
/// LDAP_MATCHING_RULE_BIT_OR.
const ANY_BIT: &str = "1.2.840.113556.1.4.804";

/// How many parts a filter has.
pub(crate) fn size(filter: &LdapFilter) -> usize {
    match filter {
        LdapFilter::And(parts) | LdapFilter::Or(parts) => 1 + parts.iter().map(size).sum::<usize>(),
        LdapFilter::Not(part) => 1 + size(part),
        LdapFilter::Substring(_, pieces) => 1 + pieces.any.len(),
        _ => 1,
    }
}

/// Whether an object matches; `None`: undefined, because the schema knows an attribute or a rule not. An object is found
/// only where it is `Some(true)`.
pub(crate) fn matches(filter: &LdapFilter, entry: &Entry) -> Option<bool> {
    match filter {
        LdapFilter::And(parts) => {
            let mut all = Some(true);
            for part in parts {
                match matches(part, entry) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => all = None,
                }
            }
            all
        }
        LdapFilter::Or(parts) => {
            let mut any = Some(false);
            for part in parts {
                match matches(part, entry) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            any
        }
        LdapFilter::Not(part) => matches(part, entry).map(|own| !own),
        LdapFilter::Present(name) => {
            let attribute = schema::attribute(name)?;
            Some(entry.values(attribute).next().is_some())
        }
        // Active Directory takes approximate for equal.
        LdapFilter::Equality(name, wanted) | LdapFilter::Approx(name, wanted) => {
            let attribute = schema::attribute(name)?;
            let is_equal = equal(attribute, wanted)?;
            Some(entry.values(attribute).any(is_equal))
        }
        LdapFilter::GreaterOrEqual(name, wanted) => ordered(name, wanted, entry, std::cmp::Ordering::is_ge),
        LdapFilter::LessOrEqual(name, wanted) => ordered(name, wanted, entry, std::cmp::Ordering::is_le),
        LdapFilter::Substring(name, pieces) => {
            let attribute = schema::attribute(name)?;
            // Names and categories have no parts to look for, there or here.
            if matches!(
                attribute.syntax,
                Syntax::Name | Syntax::Category | Syntax::Number | Syntax::Flag | Syntax::Time
            ) {
                return Some(false);
            }
            Some(entry.values(attribute).any(|value| {
                std::str::from_utf8(value).is_ok_and(|text| contains(&text.to_lowercase(), pieces))
            }))
        }
        LdapFilter::Extensible(assertion) => by_rule(assertion, entry),
    }
}

/// Whether a value is the wanted one.
type IsEqual<'f> = Box<dyn Fn(&[u8]) -> bool + 'f>;

/// How a value is found equal to `wanted`; `None`: `wanted` is no value of the attribute.
fn equal<'f>(attribute: &'static Attribute, wanted: &'f str) -> Option<IsEqual<'f>> {
    let text = |value: &[u8]| std::str::from_utf8(value).unwrap_or_default().to_lowercase();
    Some(match attribute.syntax {
        Syntax::Text | Syntax::Class => {
            let wanted = wanted.trim().to_lowercase();
            Box::new(move |value| text(value) == wanted)
        }
        Syntax::Flag => Box::new(move |value| text(value) == wanted.to_lowercase()),
        Syntax::Number => {
            let wanted = number(wanted.as_bytes())?;
            Box::new(move |value| number(value) == Some(wanted))
        }
        Syntax::Time => {
            let wanted = time(wanted.as_bytes())?;
            Box::new(move |value| time(value) == Some(wanted.clone()))
        }
        Syntax::Bytes => Box::new(move |value| value == wanted.as_bytes()),
        Syntax::Name => {
            let wanted = dn::place(wanted).ok()?;
            Box::new(move |value| dn::place(&text(value)).is_ok_and(|own| own == wanted))
        }
        Syntax::Category => {
            if !wanted.contains('=') {
                // A class stands for its category.
                let wanted = format!("cn={}", schema::object_class(wanted)?.category.to_lowercase());
                return Some(Box::new(move |value| {
                    dn::place(&text(value)).is_ok_and(|own| own.last() == Some(&wanted))
                }));
            }
            let wanted = dn::place(wanted).ok()?;
            Box::new(move |value| dn::place(&text(value)).is_ok_and(|own| own == wanted))
        }
    })
}

fn ordered(name: &str, wanted: &str, entry: &Entry, holds: fn(std::cmp::Ordering) -> bool) -> Option<bool> {
    let attribute = schema::attribute(name)?;
    let values = entry.values(attribute);
    Some(match attribute.syntax {
        Syntax::Number => {
            let wanted = number(wanted.as_bytes())?;
            let mut values = values.filter_map(number);
            values.any(|own| holds(own.cmp(&wanted)))
        }
        Syntax::Time => {
            let wanted = time(wanted.as_bytes())?;
            let mut values = values.filter_map(time);
            values.any(|own| holds(own.cmp(&wanted)))
        }
        Syntax::Text => {
            let wanted = wanted.to_lowercase();
            let mut values = values.filter_map(|value| std::str::from_utf8(value).ok());
            values.any(|own| holds(own.to_lowercase().cmp(&wanted)))
        }
        Syntax::Bytes => {
            let mut values = values;
            values.any(|own| holds(own.cmp(wanted.as_bytes())))
        }
        Syntax::Name | Syntax::Category | Syntax::Class | Syntax::Flag => return None,
    })
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Fourteen digits of a GeneralizedTime; fractions are always zero here.
fn time(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let digits = text.split('.').next().unwrap_or(text);
    (digits.len() == 14 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.to_owned())
}

/// Whether the pieces stand in `text`, in their order and without overlap. Both are in lower case.
fn contains(text: &str, pieces: &LdapSubstringFilter) -> bool {
    let mut rest = text;
    if let Some(initial) = &pieces.initial {
        let Some(behind) = rest.strip_prefix(&initial.to_lowercase()) else {
            return false;
        };
        rest = behind;
    }
    for piece in &pieces.any {
        let Some((_, behind)) = rest.split_once(&piece.to_lowercase()) else {
            return false;
        };
        rest = behind;
    }
    pieces
        .final_
        .as_ref()
        .is_none_or(|last| rest.ends_with(&last.to_lowercase()))
}

fn by_rule(assertion: &LdapMatchingRuleAssertion, entry: &Entry) -> Option<bool> {
    let attribute = schema::attribute(assertion.type_.as_deref()?)?;
    let Some(rule) = assertion.matching_rule.as_deref() else {
        let is_equal = equal(attribute, &assertion.match_value)?;
        return Some(entry.values(attribute).any(is_equal));
    };
    if attribute.syntax != Syntax::Number {
        return None;
    }
    let wanted = number(assertion.match_value.as_bytes())?;
    let holds: fn(i64, i64) -> bool = match rule {
        ALL_BITS => |own, wanted| own & wanted == wanted,
        ANY_BIT => |own, wanted| own & wanted != 0,
        _ => return None,
    };
    let mut values = entry.values(attribute).filter_map(number);
    Some(values.any(|own| holds(own, wanted)))
}

#[cfg(test)]
mod tests {
    use ldap3_proto::parse_ldap_filter_str;

    use super::*;

    fn server() -> Entry {
        let mut entry = Entry::default();
        entry.put("objectClass", ["top", "server", "msExchExchangeServer"]);
        entry.put(
            "objectCategory",
            ["CN=ms-Exch-Exchange-Server,CN=Schema,CN=Configuration,DC=contoso,DC=lab"],
        );
        entry.put("cn", ["EX1"]);
        entry.put("msExchCurrentServerRoles", ["16423"]);
        entry.put("networkAddress", ["netbios:EX1", "ncacn_ip_tcp:ex1.contoso.lab"]);
        entry.put("whenCreated", ["20260101120000.0Z"]);
        entry.put("msExchServerSite", [r"CN=A\, b,DC=contoso,DC=lab"]);
        entry
    }

    #[test]
    fn filters_find_what_they_name() {
        for (filter, found) in [
            ("(cn=ex1)", Some(true)),
            ("(CN=EX2)", Some(false)),
            ("(objectClass=Server)", Some(true)),
            ("(objectCategory=msExchExchangeServer)", Some(true)),
            ("(objectCategory=server)", Some(false)),
            ("(objectCategory=noSuchClass)", None),
            ("(msExchCurrentServerRoles=16423)", Some(true)),
            ("(msExchCurrentServerRoles:1.2.840.113556.1.4.803:=3)", Some(true)),
            (
                "(msExchCurrentServerRoles:1.2.840.113556.1.4.803:=66)",
                Some(false),
            ),
            (
                "(msExchCurrentServerRoles:1.2.840.113556.1.4.804:=66)",
                Some(true),
            ),
            (
                "(msExchCurrentServerRoles:1.2.840.113556.1.4.804:=64)",
                Some(false),
            ),
            ("(msExchCurrentServerRoles:9.9:=1)", None),
            ("(cn:1.2.840.113556.1.4.803:=1)", None),
            ("(msExchCurrentServerRoles>=16423)", Some(true)),
            ("(msExchCurrentServerRoles<=16422)", Some(false)),
            ("(msExchCurrentServerRoles=x)", None),
            ("(whenCreated>=20251231000000.0Z)", Some(true)),
            ("(whenCreated<=20251231000000.0Z)", Some(false)),
            ("(networkAddress=ncacn_ip_tcp:*)", Some(true)),
            ("(networkAddress=*ex1*lab)", Some(true)),
            ("(networkAddress=*ex1*ex1*)", Some(false)),
            ("(networkAddress=*)", Some(true)),
            ("(serialNumber=*)", Some(false)),
            ("(!(cn=EX2))", Some(true)),
            ("(!(noSuchAttribute=1))", None),
            ("(&(cn=EX1)(noSuchAttribute=1))", None),
            ("(&(cn=EX2)(noSuchAttribute=1))", Some(false)),
            ("(|(cn=EX1)(noSuchAttribute=1))", Some(true)),
        ] {
            let parsed = parse_ldap_filter_str(filter).expect("a filter");
            assert_eq!(matches(&parsed, &server()), found, "{filter}");
        }
        // The library's reader of texts takes no equals sign within a value; the wire has it.
        for (attribute, name, found) in [
            (
                "objectCategory",
                "cn=MS-Exch-Exchange-Server,cn=schema,CN=Configuration,DC=contoso,DC=lab",
                Some(true),
            ),
            ("msExchServerSite", r"cn=a\2c b,dc=CONTOSO,dc=lab", Some(true)),
            ("msExchServerSite", r"cn=a,dc=CONTOSO,dc=lab", Some(false)),
            ("msExchServerSite", r"cn=a, b,dc=CONTOSO,dc=lab", None),
        ] {
            let parsed = LdapFilter::Equality(attribute.to_owned(), name.to_owned());
            assert_eq!(matches(&parsed, &server()), found, "{attribute}={name}");
        }
    }
}
