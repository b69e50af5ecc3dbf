//! Distinguished names, as far as a reader needs them (RFC 4514).

/// The value of the first part: `EX1` of `CN=EX1,CN=Servers,…`. Empty for a name that has none.
pub(super) fn leaf(dn: &str) -> String {
    let (first, _) = split(dn);
    first
        .split_once('=')
        .map(|(_, value)| unescaped(value.trim()))
        .unwrap_or_default()
}

/// The name without its first part; `None` at the top.
pub(super) fn parent(dn: &str) -> Option<&str> {
    split(dn).1
}

/// A name to compare by: without regard to case, and to blanks behind commas.
pub(super) fn compared(dn: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = Some(dn);
    while let Some(name) = rest {
        let (first, behind) = split(name);
        parts.push(first.trim().to_lowercase());
        rest = behind;
    }
    parts.join(",")
}

/// The first part and what is behind its comma; a comma behind a backslash belongs to the part.
fn split(dn: &str) -> (&str, Option<&str>) {
    let mut escaped = false;
    for (at, letter) in dn.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                let (first, rest) = dn.split_at(at);
                return (first, rest.get(1..));
            }
            _ => {}
        }
    }
    (dn, None)
}

/// Takes the backslashes out: `\,` and the form of two hex digits, whose bytes are UTF-8.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        match rest {
            [high, low, behind @ ..] if let (Some(high), Some(low)) = (hex(high), hex(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = behind;
            }
            [letter, behind @ ..] => {
                bytes.push(*letter);
                rest = behind;
            }
            [] => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_a_name_is_read_with_its_escapes() {
        assert_eq!(leaf("CN=EX1,CN=Servers,DC=x"), "EX1");
        assert_eq!(leaf(r"CN=Relay\, old \C3\BC\2B,CN=Connections"), "Relay, old ü+");
        assert_eq!(leaf("nothing"), "");
        assert_eq!(parent(r"CN=a\,b,CN=c,DC=d"), Some("CN=c,DC=d"));
        assert_eq!(parent("DC=d"), None);
        assert_eq!(compared("CN=A, cn=b"), compared("cn=a,CN=B"));
    }
}
