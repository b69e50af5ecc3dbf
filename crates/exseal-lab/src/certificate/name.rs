//! X.500 names as .NET prints them: most specific part first, `, ` between the parts.

use super::der;

/// A distinguished name. Kept as DER, so that a name read is written again byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

const KEYWORDS: [(&str, &str); 14] = [
    ("CN", "2.5.4.3"),
    ("OU", "2.5.4.11"),
    ("O", "2.5.4.10"),
    ("L", "2.5.4.7"),
    ("S", "2.5.4.8"),
    ("C", "2.5.4.6"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("E", "1.2.840.113549.1.9.1"),
    ("STREET", "2.5.4.9"),
    ("T", "2.5.4.12"),
    ("G", "2.5.4.42"),
    ("I", "2.5.4.43"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
];

/// A text that is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name such as `CN=mail.example.org, O=Example, C=DE`, found {found:?}")]
pub struct NameError {
    /// The part that could not be read.
    pub found: String,
}

impl Name {
    /// The name of one common name.
    #[must_use]
    pub fn common(name: &str) -> Self {
        Self::of_parts(&[("CN".to_owned(), name.to_owned())]).unwrap_or_else(|_| Self(der::sequence(&[])))
    }

    /// Reads `CN=…, O=…`, most specific first. Values may stand in quotation marks; `ST` is understood for `S`.
    ///
    /// # Errors
    ///
    /// [`NameError`] with the part that has no `=`, or whose keyword is unknown.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut parts = Vec::new();
        for part in split_parts(text) {
            let (keyword, value) = part
                .split_once('=')
                .ok_or_else(|| NameError { found: part.clone() })?;
            let value = value.trim();
            let value = match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
                Some(inner) => inner.replace("\"\"", "\""),
                None => value.to_owned(),
            };
            parts.push((keyword.trim().to_owned(), value));
        }
        if parts.is_empty() {
            return Err(NameError {
                found: text.to_owned(),
            });
        }
        Self::of_parts(&parts)
    }

    fn of_parts(parts: &[(String, String)]) -> Result<Self, NameError> {
        let mut written = Vec::new();
        for (keyword, value) in parts.iter().rev() {
            let upper = keyword.to_ascii_uppercase();
            let upper = if upper == "ST" { "S".to_owned() } else { upper };
            let dotted = KEYWORDS
                .iter()
                .find(|(own, _)| *own == upper)
                .map(|(_, dotted)| (*dotted).to_owned())
                .or_else(|| upper.strip_prefix("OID.").map(str::to_owned))
                .ok_or_else(|| NameError {
                    found: format!("{keyword}={value}"),
                })?;
            let tag = match upper.as_str() {
                "DC" | "E" => 22,
                _ if value.bytes().all(printable) => 19,
                _ => 12,
            };
            let pair = der::sequence(&[der::oid(&dotted), der::element(tag, value.as_bytes())]);
            written.push(der::set(&[pair]));
        }
        Ok(Self(der::sequence(&written)))
    }

    pub(crate) fn of_der(der: &[u8]) -> Self {
        Self(der.to_vec())
    }

    /// The name in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The value of the most specific common name.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        self.parts()
            .into_iter()
            .find(|(keyword, _)| keyword == "CN")
            .map(|(_, value)| value)
    }

    /// Keyword and value of each part, most specific first.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, String)> {
        let Some((name, _)) = der::split(&self.0) else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        for set in der::children(name.content).into_iter().rev() {
            for pair in der::children(set.content) {
                let [kind, value, ..] = der::children(pair.content)[..] else {
                    continue;
                };
                let dotted = der::dotted(kind.content);
                let keyword = KEYWORDS
                    .iter()
                    .find(|(_, own)| *own == dotted)
                    .map_or_else(|| format!("OID.{dotted}"), |(keyword, _)| (*keyword).to_owned());
                let text = if value.tag == 30 {
                    let (pairs, _) = value.content.as_chunks::<2>();
                    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
                    String::from_utf16_lossy(&units)
                } else {
                    String::from_utf8_lossy(value.content).into_owned()
                };
                parts.push((keyword, text));
            }
        }
        parts
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (keyword, value)) in self.parts().iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            let quoted = value.is_empty()
                || value.starts_with(' ')
                || value.ends_with(' ')
                || value.contains([',', '+', '=', '"', '\n', '<', '>', '#', ';']);
            if quoted {
                write!(f, "{keyword}=\"{}\"", value.replace('"', "\"\""))?;
            } else {
                write!(f, "{keyword}={value}")?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Name({self})")
    }
}

fn printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// Cuts at commas and semicolons outside of quotation marks.
fn split_parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                if let Some(part) = parts.last_mut() {
                    part.push(character);
                }
            }
            ',' | ';' if !quoted => parts.push(String::new()),
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(character);
                }
            }
        }
    }
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_prints_as_it_was_written() {
        for text in [
            "CN=mail.contoso.com",
            "CN=GeoTrust TLS RSA CA G1, OU=www.digicert.com, O=DigiCert Inc, C=US",
            "CN=\"Müller, Söhne\", O=\"a \"\"b\"\" c\", C=DE",
            "DC=Windows Azure CRP Certificate Generator",
        ] {
            assert_eq!(Name::parse(text).expect("a name").to_string(), text);
        }
    }

    #[test]
    fn a_part_without_a_keyword_is_refused() {
        let error = Name::parse("mail.example.org").expect_err("no name");

        assert_eq!(error.found, "mail.example.org");
    }
}
