//! DER: just enough to write certificates and to read what a stand-in must keep.

/// An element: tag and content, and the bytes of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Splits the first element off; `None` when it is cut short or its length has no plain form.
pub(crate) fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        let length = digits
            .iter()
            .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some((Element { tag, content, whole }, rest))
}

/// The elements of a constructed one's content, as far as they can be read.
pub(crate) fn children(content: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let mut rest = content;
    while let Some((element, behind)) = split(rest) {
        found.push(element);
        rest = behind;
    }
    found
}

/// One element of a tag.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut written = vec![tag];
    let length = content.len();
    if length < 0x80 {
        written.push(u8::try_from(length).unwrap_or(0x7f));
    } else {
        let digits = length.to_be_bytes();
        let from = digits
            .iter()
            .position(|digit| *digit != 0)
            .unwrap_or(digits.len() - 1);
        let digits = digits.get(from..).unwrap_or_default();
        written.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
        written.extend_from_slice(digits);
    }
    written.extend_from_slice(content);
    written
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub(crate) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &parts.concat())
}

/// An object identifier from its dotted form; parts that are no numbers are left out.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').filter_map(|arc| arc.parse().ok()).collect();
    let mut content = Vec::new();
    let first = arcs.first().copied().unwrap_or(0) * 40 + arcs.get(1).copied().unwrap_or(0);
    for arc in std::iter::once(first).chain(arcs.iter().skip(2).copied()) {
        let mut digits = vec![u8::try_from(arc & 0x7f).unwrap_or(0)];
        let mut rest = arc >> 7;
        while rest > 0 {
            digits.push(0x80 | u8::try_from(rest & 0x7f).unwrap_or(0));
            rest >>= 7;
        }
        content.extend(digits.iter().rev());
    }
    element(6, &content)
}

/// The dotted form of an object identifier's content.
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut value = 0_u64;
    for byte in content {
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (value / 40).min(2);
                arcs.push(first);
                arcs.push(value - first * 40);
            } else {
                arcs.push(value);
            }
            value = 0;
        }
    }
    arcs.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// A non-negative whole number, big-endian.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let from = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let mut content = bytes.get(from..).unwrap_or_default().to_vec();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(2, &content)
}

pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    let mut content = vec![0];
    content.extend_from_slice(bytes);
    element(3, &content)
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 4.1.2.5).
pub(crate) fn time(at: jiff::Timestamp) -> Vec<u8> {
    let civil = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    if (1950..2050).contains(&civil.year()) {
        element(23, civil.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        element(24, civil.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}

/// The instant an element of time says.
pub(crate) fn instant(element: Element<'_>) -> Option<jiff::Timestamp> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    let text = if element.tag == 23 {
        let year: u32 = text.get(..2)?.parse().ok()?;
        format!("{}{text}", if year < 50 { "20" } else { "19" })
    } else {
        text.to_owned()
    };
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_reads_as_it_was_written() {
        for dotted_form in ["2.5.29.17", "1.2.840.113549.1.1.11", "1.3.6.1.4.1.311.17.1"] {
            let written = oid(dotted_form);
            let (element, rest) = split(&written).expect("an element");

            assert!(rest.is_empty());
            assert_eq!(dotted(element.content), dotted_form);
        }
    }

    #[test]
    fn a_time_reads_as_it_was_written() {
        for text in ["2026-11-24T09:00:00Z", "2120-01-02T03:04:05Z"] {
            let at: jiff::Timestamp = text.parse().expect("a time");
            let written = time(at);
            let (element, _) = split(&written).expect("an element");

            assert_eq!(instant(element), Some(at), "{text}");
        }
    }
}
