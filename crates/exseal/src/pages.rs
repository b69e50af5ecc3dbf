//! Pages and sample files that the program carries with it.

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page of a finding.
pub(crate) fn finding(name: &str) -> Option<&'static str> {
    FINDINGS
        .iter()
        .find(|(own, _)| *own == name)
        .map(|(_, page)| *page)
}

/// The name most like `name`, if one is near: most common words, then the shortest.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let words: Vec<&str> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    FINDINGS
        .iter()
        .map(|(own, _)| {
            let common = own
                .split('-')
                .filter(|own| words.iter().any(|word| word.eq_ignore_ascii_case(own)))
                .count();
            (common, std::cmp::Reverse(own.len()), *own)
        })
        .filter(|(common, _, _)| *common > 0)
        .max()
        .map(|(_, _, own)| own)
}
