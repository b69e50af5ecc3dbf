//! Writing CLIXML the way PowerShell does.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::text::PsString;
use super::value::{ContainerKind, Document, Object, ObjectId, Value};

impl Document<'_> {
    /// Encodes the document: within `<Objs>` when [`in_objs`](Document::in_objs) says so, without line breaks.
    ///
    /// The first mention of an object is written whole, every further one as `Ref`; so are lists of type names. What is
    /// decoded again is equal but for the places of objects and lists that nobody refers to.
    ///
    /// Objects that mention each other in a long row, each before the next is known, come to stand within each other:
    /// beyond [`Limits::depth`](super::Limits::depth) of them the default limits refuse to read what was written.
    /// PowerShell never writes such a document.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut writer = Writer {
            document: self,
            out: String::new(),
            objects: HashMap::new(),
            types: HashMap::new(),
        };
        if self.in_objs {
            writer.out.push_str(
                "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">",
            );
        }
        for value in &self.values {
            writer.value(value, None);
        }
        if self.in_objs {
            writer.close("Objs");
        }
        writer.out
    }
}

struct Writer<'d, 'a> {
    document: &'d Document<'a>,
    out: String,
    objects: HashMap<usize, usize>,
    types: HashMap<usize, usize>,
}

/// What is left to write; a stack of these instead of recursion, so that deep documents are no danger.
enum Job<'d, 'a> {
    Value(&'d Value<'a>, Option<&'d PsString<'a>>),
    Entry(&'d Value<'a>, &'static str),
    Text(&'static str),
    Close(&'static str),
}

impl<'d, 'a> Writer<'d, 'a> {
    fn value(&mut self, value: &'d Value<'a>, name: Option<&'d PsString<'a>>) {
        let mut jobs = vec![Job::Value(value, name)];
        while let Some(job) = jobs.pop() {
            match job {
                Job::Value(value, name) => {
                    let name = name.map(|name| escaped(name, true));
                    self.one(value, name.as_deref(), &mut jobs);
                }
                Job::Entry(value, name) => self.one(value, Some(name), &mut jobs),
                Job::Text(text) => self.out.push_str(text),
                Job::Close(element) => self.close(element),
            }
        }
    }

    fn one(&mut self, value: &'d Value<'a>, name: Option<&str>, jobs: &mut Vec<Job<'d, 'a>>) {
        let (element, text) = match value {
            Value::Nil => return self.leaf("Nil", name, ""),
            Value::Object(id) => return self.object(*id, name, jobs),
            Value::String(text) => ("S", escaped(text, false)),
            Value::Char(unit) => ("C", unit.to_string()),
            Value::Bool(value) => ("B", value.to_string()),
            Value::DateTime(text) => ("DT", escaped(&PsString::from(&**text), false)),
            Value::TimeSpan(text) => ("TS", escaped(&PsString::from(&**text), false)),
            Value::U8(number) => ("By", number.to_string()),
            Value::I8(number) => ("SB", number.to_string()),
            Value::U16(number) => ("U16", number.to_string()),
            Value::I16(number) => ("I16", number.to_string()),
            Value::U32(number) => ("U32", number.to_string()),
            Value::I32(number) => ("I32", number.to_string()),
            Value::U64(number) => ("U64", number.to_string()),
            Value::I64(number) => ("I64", number.to_string()),
            Value::F32(number) => ("Sg", float(f64::from(*number), &format!("{number:e}"), 7)),
            Value::F64(number) => ("Db", float(*number, &format!("{number:e}"), 15)),
            Value::Decimal(text) => ("D", escaped(&PsString::from(&**text), false)),
            Value::Bytes(bytes) => ("BA", BASE64.encode(bytes)),
            Value::Guid(text) => ("G", escaped(&PsString::from(&**text), false)),
            Value::Uri(text) => ("URI", escaped(text, false)),
            Value::Version(text) => ("Version", escaped(&PsString::from(&**text), false)),
            Value::Xml(text) => ("XD", escaped(text, false)),
            Value::ScriptBlock(text) => ("SBK", escaped(text, false)),
            Value::SecureString(text) => ("SS", escaped(&PsString::from(&*text.0), false)),
        };
        self.leaf(element, name, &text);
    }

    /// Ends an element whose opening tag was written whole: as one tag where nothing stands in it.
    fn close(&mut self, element: &str) {
        let open = self.out.strip_suffix('>').and_then(|before| {
            let (_, tag) = before.rsplit_once('<')?;
            let name = tag.split(' ').next()?;
            (name == element && !tag.ends_with('/')).then_some(before.len())
        });
        match open {
            Some(length) => {
                self.out.truncate(length);
                self.out.push_str(" />");
            }
            None => {
                let _ = write!(self.out, "</{element}>");
            }
        }
    }

    fn leaf(&mut self, element: &str, name: Option<&str>, text: &str) {
        self.begin(element, name);
        // An empty text keeps its closing tag, nothing else that is empty does.
        if text.is_empty() && element != "S" {
            self.out.push_str(" />");
        } else {
            let _ = write!(self.out, ">{text}</{element}>");
        }
    }

    fn begin(&mut self, element: &str, name: Option<&str>) {
        let _ = write!(self.out, "<{element}");
        if let Some(name) = name {
            let _ = write!(self.out, " N=\"{name}\"");
        }
    }

    fn object(&mut self, id: ObjectId, name: Option<&str>, jobs: &mut Vec<Job<'d, 'a>>) {
        let Some(object) = self.document.objects.get(id.0) else {
            return self.leaf("Nil", name, "");
        };
        if let Some(number) = self.objects.get(&id.0) {
            let number = *number;
            self.begin("Ref", name);
            let _ = write!(self.out, " RefId=\"{number}\" />");
            return;
        }
        let number = self.objects.len();
        self.objects.insert(id.0, number);
        self.begin("Obj", name);
        let _ = write!(self.out, " RefId=\"{number}\">");
        self.types(object);
        if let Some(text) = &object.to_string {
            let text = escaped(text, false);
            self.leaf("ToString", None, &text);
        }

        // The stack is last in, first out: what comes last is put there first.
        jobs.push(Job::Close("Obj"));
        for (members, element, opening) in [
            (&object.extended, "MS", "<MS>"),
            (&object.adapted, "Props", "<Props>"),
        ] {
            if let Some(members) = members {
                jobs.push(Job::Close(element));
                jobs.extend(
                    members
                        .iter()
                        .rev()
                        .map(|member| Job::Value(&member.value, Some(&member.name))),
                );
                jobs.push(Job::Text(opening));
            }
        }
        if let Some(container) = &object.container {
            jobs.push(Job::Close(container.kind.element()));
            if container.kind == ContainerKind::Dictionary {
                let (pairs, _) = container.items.as_chunks::<2>();
                for [key, value] in pairs.iter().rev() {
                    jobs.extend([
                        Job::Close("En"),
                        Job::Entry(value, "Value"),
                        Job::Entry(key, "Key"),
                        Job::Text("<En>"),
                    ]);
                }
            } else {
                jobs.extend(container.items.iter().rev().map(|item| Job::Value(item, None)));
            }
            jobs.push(Job::Text(match container.kind {
                ContainerKind::Stack => "<STK>",
                ContainerKind::Queue => "<QUE>",
                ContainerKind::List => "<LST>",
                ContainerKind::Enumerable => "<IE>",
                ContainerKind::Dictionary => "<DCT>",
            }));
        }
        if let Some(base) = &object.base {
            jobs.push(Job::Value(base, None));
        }
    }

    fn types(&mut self, object: &Object<'a>) {
        let Some(place) = object.types else { return };
        if let Some(number) = self.types.get(&place) {
            let _ = write!(self.out, "<TNRef RefId=\"{number}\" />");
            return;
        }
        let number = self.types.len();
        self.types.insert(place, number);
        let _ = write!(self.out, "<TN RefId=\"{number}\">");
        for name in self.document.type_names.get(place).into_iter().flatten() {
            let name = escaped(name, false);
            self.leaf("T", None, &name);
        }
        self.close("TN");
    }
}

/// .NET's round-trip text of a float, given Rust's shortest one in scientific form; `plain_digits` is how many digits the
/// type writes before it takes an exponent.
fn float(value: f64, shortest: &str, plain_digits: usize) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "INF" } else { "-INF" }.to_owned();
    }
    let (sign, shortest) = shortest
        .strip_prefix('-')
        .map_or(("", shortest), |rest| ("-", rest));
    let (digits, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let digits = digits.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let whole = usize::try_from(exponent.saturating_add(1));
    let most = plain_digits.max(digits.len());
    match whole {
        Ok(whole) if whole <= most && whole > 0 => match digits.split_at_checked(whole) {
            Some((before, after)) if !after.is_empty() => format!("{sign}{before}.{after}"),
            _ => format!("{sign}{digits:0<whole$}"),
        },
        _ if (-4..0).contains(&exponent) => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
            format!("{sign}0.{:0<zeros$}{digits}", "")
        }
        _ => {
            let (first, after) = digits.split_at_checked(1).unwrap_or(("0", ""));
            let point = if after.is_empty() { "" } else { "." };
            let way = if exponent < 0 { '-' } else { '+' };
            format!("{sign}{first}{point}{after}E{way}{:02}", exponent.unsigned_abs())
        }
    }
}

/// Text as PowerShell escapes it: `_xHHHH_` for control characters, surrogates and a literal `_x`, references for XML's
/// own characters.
fn escaped(text: &PsString<'_>, attribute: bool) -> String {
    let units = text.units();
    let mut out = String::with_capacity(units.len() + 8);
    for (at, &unit) in units.iter().enumerate() {
        match unit {
            0..=0x1f | 0x7f..=0x9f | 0xd800..=0xdfff => {
                let _ = write!(out, "_x{unit:04X}_");
            }
            // A literal underscore before x (either case, as PowerShell does) would read as an escape.
            0x5f if matches!(units.get(at + 1), Some(0x78 | 0x58)) => out.push_str("_x005F_"),
            0x26 => out.push_str("&amp;"),
            0x3c => out.push_str("&lt;"),
            0x3e => out.push_str("&gt;"),
            0x22 if attribute => out.push_str("&quot;"),
            0xfffe | 0xffff => {
                let _ = write!(out, "&#x{unit:X};");
            }
            _ => out.extend(char::from_u32(u32::from(unit))),
        }
    }
    out
}
