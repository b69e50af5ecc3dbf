//! Whether two messages say the same, and which differences are expected.

use std::collections::BTreeMap;

use exseal_psrp::clixml::{Document, Limits, Object, Property, Value};
use exseal_psrp::message::Message;

/// Differences that are expected, by their words.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    pub(super) counts: BTreeMap<&'static str, usize>,
}

impl Differences {
    /// How many kinds of them there were.
    pub(crate) fn kinds(&self) -> usize {
        self.counts.len()
    }
}

/// The expected ones: a place in the message, and why it may differ. Ids of pool, pipeline, objects and fragments are
/// not compared at all.
const EXPECTED: [(&str, &str); 5] = [
    (
        "protocolversion",
        "protocolversion: 2.3 is announced unless the caller says otherwise",
    ),
    ("PSVersion", "PSVersion: the version of the client's PowerShell"),
    ("TimeZone", "TimeZone: a .NET object of the client's machine"),
    ("HostInfo", "HostInfo: there is no console behind our client"),
    (
        "ApplicationArguments/PSVersionTable",
        "PSVersionTable: the client's own versions",
    ),
];
const ASSEMBLY: &str = "type name of a list: the assembly version of the client's PowerShell";

/// Compares two messages of one kind.
pub(super) fn compare(theirs: &Message, ours: &Message, differences: &mut Differences) -> Result<(), String> {
    let (their_wire, our_wire) = (theirs.encode(), ours.encode());
    let body = |wire: &[u8]| {
        let text = String::from_utf8_lossy(wire.get(Message::HEADER_LEN..).unwrap_or_default()).into_owned();
        text.trim_start_matches('\u{feff}').to_owned()
    };
    let (theirs, ours) = (body(&their_wire), body(&our_wire));
    if theirs.is_empty() || ours.is_empty() {
        return if theirs == ours {
            Ok(())
        } else {
            Err("one body is empty".to_owned())
        };
    }
    let read = |text: &str| Document::decode(text, &Limits::default()).map(Document::into_owned);
    let (theirs, ours) = (
        read(&theirs).map_err(|error| error.to_string())?,
        read(&ours).map_err(|error| error.to_string())?,
    );
    let mut walk = Walk {
        theirs: &theirs,
        ours: &ours,
        path: Vec::new(),
        depth: 0,
        differences,
    };
    match (theirs.values.as_slice(), ours.values.as_slice()) {
        ([their], [our]) => walk.value(their, our),
        _ => Err("expected one value".to_owned()),
    }
}

struct Walk<'d> {
    theirs: &'d Document<'static>,
    ours: &'d Document<'static>,
    path: Vec<String>,
    depth: usize,
    differences: &'d mut Differences,
}

impl Walk<'_> {
    fn wrong(&mut self, expected: &impl std::fmt::Debug, found: &impl std::fmt::Debug) -> Result<(), String> {
        let path = self.path.join("/");
        let known = EXPECTED
            .iter()
            .find(|(place, _)| path.split('/').any(|part| part == *place) || path.contains(place));
        if let Some((_, why)) = known {
            *self.differences.counts.entry(why).or_default() += 1;
            return Ok(());
        }
        Err(format!("{path}: expected {expected:?}, found {found:?}"))
    }

    fn value(&mut self, their: &Value<'static>, our: &Value<'static>) -> Result<(), String> {
        match (their, our) {
            (Value::Object(_), Value::Object(_)) => {}
            _ if their == our => return Ok(()),
            _ => return self.wrong(their, our),
        }
        let (Some(their), Some(our)) = (self.theirs.object(their), self.ours.object(our)) else {
            return Err("an object that is not there".to_owned());
        };
        self.depth += 1;
        if self.depth > 200 {
            self.depth -= 1;
            return Ok(()); // a circle, equal so far
        }
        let result = self.object(their, our);
        self.depth -= 1;
        result
    }

    fn object(&mut self, their: &Object<'static>, our: &Object<'static>) -> Result<(), String> {
        let (theirs, ours) = (self.theirs, self.ours);
        let (their_types, our_types) = (theirs.types(their), ours.types(our));
        if their_types != our_types {
            let bare = |names: &[exseal_psrp::clixml::PsString<'static>]| -> Vec<String> {
                names
                    .iter()
                    .map(|name| without_versions(&name.to_text()))
                    .collect()
            };
            if bare(their_types) != bare(our_types) {
                self.wrong(&their_types, &our_types)?;
            } else {
                *self.differences.counts.entry(ASSEMBLY).or_default() += 1;
            }
        }
        if their.to_string != our.to_string {
            self.wrong(&their.to_string, &our.to_string)?;
        }
        match (&their.base, &our.base) {
            (None, None) => {}
            (Some(their), Some(our)) => self.value(their, our)?,
            (their, our) => self.wrong(their, our)?,
        }
        match (&their.container, &our.container) {
            (None, None) => {}
            (Some(their), Some(our)) if their.kind == our.kind && their.items.len() == our.items.len() => {
                for (at, (their, our)) in their.items.iter().zip(&our.items).enumerate() {
                    self.path.push(at.to_string());
                    let result = self.value(their, our);
                    self.path.pop();
                    result?;
                }
            }
            (their, our) => self.wrong(their, our)?,
        }
        self.members(their.adapted.as_deref(), our.adapted.as_deref())?;
        self.members(their.extended.as_deref(), our.extended.as_deref())
    }

    fn members(
        &mut self,
        their: Option<&[Property<'static>]>,
        our: Option<&[Property<'static>]>,
    ) -> Result<(), String> {
        let (their, our) = (their.unwrap_or_default(), our.unwrap_or_default());
        for member in their {
            self.path.push(member.name.to_text().into_owned());
            let result = match our.iter().find(|own| own.name == member.name) {
                Some(own) => self.value(&member.value, &own.value),
                None => self.wrong(&member.value, &"nothing"),
            };
            self.path.pop();
            result?;
        }
        for member in our
            .iter()
            .filter(|own| their.iter().all(|member| member.name != own.name))
        {
            self.path.push(member.name.to_text().into_owned());
            let result = self.wrong(&"nothing", &member.value);
            self.path.pop();
            result?;
        }
        Ok(())
    }
}

/// A type name without the versions of assemblies.
fn without_versions(name: &str) -> String {
    name.split(", ")
        .filter(|part| !part.starts_with("Version="))
        .collect::<Vec<_>>()
        .join(", ")
}
