//! MIT's keytab files: version 0x0502, as `ktutil`, `ktpass` and `samba-tool` write them.
//!
//! Source: the format's description in MIT Kerberos' documentation ("Keytab file format").

use std::fmt;

use zeroize::Zeroizing;

/// The keys of a keytab; wiped when dropped.
#[derive(Clone)]
pub struct Keytab {
    entries: Vec<Entry>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) realm: String,
    pub(crate) components: Vec<String>,
    pub(crate) version: u32,
    pub(crate) encryption: u16,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// AES-256 and AES-128 with SHA-1, the types this program can use; the higher number is the stronger one.
pub(crate) const USABLE: [u16; 2] = [18, 17];

/// A file that is no keytab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a keytab: expected {expected} at byte {at}")]
pub struct KeytabError {
    /// What should have stood there.
    pub expected: &'static str,
    /// Counted from 0.
    pub at: usize,
}

impl Keytab {
    /// Reads a whole file's bytes. Deleted entries are skipped.
    ///
    /// # Errors
    /// Another version, or an entry that goes past its length.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeytabError> {
        if !bytes.starts_with(&[5, 2]) {
            return Err(KeytabError {
                expected: "the version 05 02",
                at: 0,
            });
        }
        let mut whole = Cursor { bytes, at: 2 };
        let mut entries = Vec::new();
        while whole.at < bytes.len() {
            let length = i32::from_be_bytes(whole.array("the length of an entry")?);
            let size = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
            let from = whole.at;
            let entry = whole.take(size, "a whole entry")?;
            if length > 0 {
                entries.push(Entry::parse(entry).map_err(|error| KeytabError {
                    at: from + error.at,
                    ..error
                })?);
            }
        }
        Ok(Self { entries })
    }

    /// The principals in the file, `service/host@REALM`, each once, in the order of the file.
    pub fn principals(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for entry in &self.entries {
            let name = format!("{}@{}", entry.components.join("/"), entry.realm);
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// For each principal its best and newest key that this program can use.
    pub(crate) fn usable(&self) -> Vec<&Entry> {
        let mut best: Vec<&Entry> = Vec::new();
        for entry in self
            .entries
            .iter()
            .filter(|entry| USABLE.contains(&entry.encryption))
        {
            match best
                .iter_mut()
                .find(|b| b.components == entry.components && b.realm == entry.realm)
            {
                Some(known) if (entry.version, entry.encryption) > (known.version, known.encryption) => {
                    *known = entry;
                }
                Some(_) => {}
                None => best.push(entry),
            }
        }
        best
    }
}

impl fmt::Debug for Keytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keytab").field(&self.principals()).finish()
    }
}

impl Entry {
    fn parse(bytes: &[u8]) -> Result<Self, KeytabError> {
        let mut from = Cursor { bytes, at: 0 };
        let count = u16::from_be_bytes(from.array("the number of components")?);
        let realm = from.text("the realm")?;
        let mut components = Vec::new();
        for _ in 0..count {
            components.push(from.text("a component")?);
        }
        from.take(8, "name type and time")?;
        let short = from.take(1, "the key's version")?.first().copied().unwrap_or(0);
        let encryption = u16::from_be_bytes(from.array("the encryption type")?);
        let length = usize::from(u16::from_be_bytes(from.array("the key's length")?));
        let key = Zeroizing::new(from.take(length, "the key")?.to_vec());
        let version = match from.array("a long version") {
            Ok(long) if long != [0; 4] => u32::from_be_bytes(long),
            _ => u32::from(short),
        };
        Ok(Self {
            realm,
            components,
            version,
            encryption,
            key,
        })
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize, expected: &'static str) -> Result<&'a [u8], KeytabError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let found = end
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or(KeytabError {
                expected,
                at: self.at,
            })?;
        self.at += length;
        Ok(found)
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], KeytabError> {
        let at = self.at;
        self.take(N, expected)?
            .try_into()
            .map_err(|_| KeytabError { expected, at })
    }

    fn text(&mut self, expected: &'static str) -> Result<String, KeytabError> {
        let length = usize::from(u16::from_be_bytes(self.array(expected)?));
        let at = self.at;
        let bytes = self.take(length, expected)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| KeytabError { expected, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[&str], version: u8, encryption: u16, key: &[u8]) -> Vec<u8> {
        let mut body = u16::try_from(name.len()).unwrap().to_be_bytes().to_vec();
        for text in std::iter::once("EXAMPLE.ORG").chain(name.iter().copied()) {
            body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            body.extend(text.as_bytes());
        }
        body.extend([0; 8]);
        body.push(version);
        body.extend(encryption.to_be_bytes());
        body.extend(u16::try_from(key.len()).unwrap().to_be_bytes());
        body.extend(key);
        let mut whole = i32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        whole.extend(body);
        whole
    }

    #[test]
    fn the_newest_and_strongest_key_of_each_principal_is_used_and_deleted_entries_are_skipped() {
        let mut file = vec![5, 2];
        file.extend(entry(&["HTTP", "ex1"], 1, 18, &[1; 32]));
        file.extend(entry(&["HTTP", "ex1"], 2, 17, &[2; 16]));
        file.extend((-6_i32).to_be_bytes());
        file.extend([9; 6]);
        file.extend(entry(&["HTTP", "ex1"], 2, 18, &[3; 32]));
        file.extend(entry(&["HTTP", "ex1"], 3, 23, &[4; 16]));
        let keytab = Keytab::parse(&file).unwrap();
        assert_eq!(keytab.principals(), ["HTTP/ex1@EXAMPLE.ORG"]);
        let usable = keytab.usable();
        assert_eq!(usable.len(), 1);
        assert_eq!(
            usable[0].key.as_slice(),
            [3; 32],
            "RC4 is not used, and AES-256 goes before AES-128"
        );
        assert!(!format!("{keytab:?}").contains('3'), "a key is never shown");
    }

    #[test]
    fn a_file_that_ends_within_an_entry_says_where() {
        let mut file = vec![5, 2];
        file.extend(entry(&["HTTP", "ex1"], 1, 18, &[1; 32]));
        for end in 2..file.len() {
            if let Err(error) = Keytab::parse(&file[..end]) {
                assert!(error.at <= end, "{error}");
            } else {
                assert_eq!(end, 2, "only an empty keytab is whole");
            }
        }
        assert_eq!(
            Keytab::parse(b"PK").unwrap_err().to_string(),
            "not a keytab: expected the version 05 02 at byte 0"
        );
    }
}
