//! Distinguished names (RFC 4514): read, written, compared.

/// Where an object is: its name's parts from the top down, as they are compared. Of two names, one that begins with the
/// other lies below it; sorted, everything below an object follows it.
pub(crate) type Place = Vec<String>;

/// A text that is no distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadName;

/// The value of a part, as it is written within a name.
pub(crate) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        let edge = (letter == ' ' && (at == 0 || at == last)) || (letter == '#' && at == 0);
        if edge || matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// `DC=contoso,DC=lab` of `contoso.lab`.
pub(crate) fn of_dns(domain: &str) -> String {
    domain
        .split('.')
        .map(|label| format!("DC={label}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// `contoso.lab` of a name that ends in `DC=contoso,DC=lab`; `None` where it has no such parts.
pub(crate) fn dns_of(place: &Place) -> Option<String> {
    let labels: Vec<&str> = place.iter().map_while(|part| part.strip_prefix("dc=")).collect();
    (!labels.is_empty()).then(|| labels.into_iter().rev().collect::<Vec<_>>().join("."))
}

/// Reads a name.
///
/// # Errors
///
/// A part without `=`, an escape that is none, a value that is not UTF-8.
pub(crate) fn place(text: &str) -> Result<Place, BadName> {
    if text.trim().is_empty() {
        return Ok(Place::new());
    }
    let mut parts = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        let (kind, value) = part(&mut letters)?;
        parts.push(format!("{}={}", kind.to_lowercase(), value.to_lowercase()));
        if letters.next().is_none() {
            break;
        }
    }
    parts.reverse();
    Ok(parts)
}

/// One part; the separator behind it is not taken.
fn part(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(String, String), BadName> {
    let mut kind = String::new();
    loop {
        match letters.next() {
            Some('=') => break,
            Some(letter) if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | ' ') => {
                kind.push(letter);
            }
            _ => return Err(BadName),
        }
    }
    let kind = kind.trim().to_owned();
    if kind.is_empty() {
        return Err(BadName);
    }
    while letters.next_if_eq(&' ').is_some() {}
    let quoted = letters.next_if_eq(&'"').is_some();
    let mut bytes: Vec<u8> = Vec::new();
    // Blanks at the end count only where they are escaped.
    let mut kept = 0;
    let push = |bytes: &mut Vec<u8>, letter: char| {
        let mut buffer = [0; 4];
        bytes.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
    };
    loop {
        match letters.peek().copied() {
            None if quoted => return Err(BadName),
            None => break,
            Some(',' | ';' | '+') if !quoted => break,
            Some('"') if quoted => {
                letters.next();
                kept = bytes.len();
                while letters.next_if_eq(&' ').is_some() {}
                if !matches!(letters.peek(), None | Some(',' | ';')) {
                    return Err(BadName);
                }
                break;
            }
            Some('"') => return Err(BadName),
            Some('\\') => {
                letters.next();
                let first = letters.next().ok_or(BadName)?;
                match (
                    first.to_digit(16),
                    letters.peek().and_then(|next| next.to_digit(16)),
                ) {
                    (Some(high), Some(low)) => {
                        letters.next();
                        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    }
                    _ => push(&mut bytes, first),
                }
                kept = bytes.len();
            }
            Some(letter) => {
                letters.next();
                push(&mut bytes, letter);
                if letter != ' ' || quoted {
                    kept = bytes.len();
                }
            }
        }
    }
    // Names of several values a part are nowhere in this directory.
    if letters.peek() == Some(&'+') {
        return Err(BadName);
    }
    bytes.truncate(kept);
    let value = String::from_utf8(bytes).map_err(|_| BadName)?;
    if value.is_empty() {
        Err(BadName)
    } else {
        Ok((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whatever_their_case_blanks_and_escapes() {
        let own = place(r"CN=Fax\, old,CN=Connections,DC=contoso,DC=lab").unwrap();
        assert_eq!(own, ["dc=lab", "dc=contoso", "cn=connections", "cn=fax, old"]);
        assert_eq!(
            place(r"cn = fax\2c old , CN=connections,dc=Contoso,DC=LAB").unwrap(),
            own
        );
        assert_eq!(
            place("CN=\"Fax, old\",CN=Connections,DC=contoso,DC=lab").unwrap(),
            own
        );
        assert_eq!(dns_of(&own).as_deref(), Some("contoso.lab"));
        assert_eq!(place("").unwrap(), Place::new());
        for wrong in [
            "x",
            "CN",
            "CN=",
            "CN=a,",
            "CN=a\\",
            "CN=\"a",
            "CN=a,b",
            "CN=\\ff,DC=x",
            "=a",
        ] {
            assert_eq!(place(wrong), Err(BadName), "{wrong}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_again() {
        for name in ["Fax, old", " edge ", "#1", "a+b=c\\d\"e<f>g;h", "ü"] {
            assert_eq!(
                place(&format!("CN={}", escaped(name))).unwrap(),
                [format!("cn={}", name.to_lowercase())]
            );
        }
    }
}
