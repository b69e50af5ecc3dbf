//! Typed looks at the properties of a decoded object.

use std::borrow::Cow;

use exseal_model::{Build, Observed, SourceId, Thumbprint};
use exseal_psrp::clixml::{Document, Value};
use jiff::Timestamp;

use super::Page;

/// One object with the source its values come from.
#[derive(Clone, Copy)]
pub(super) struct Seen<'d, 'a> {
    pub(super) document: &'d Document<'a>,
    pub(super) value: &'d Value<'a>,
    pub(super) source: SourceId,
}

impl<'d, 'a> Seen<'d, 'a> {
    /// A property's value; `None` when the object has no such property.
    pub(super) fn property(&self, name: &str) -> Option<&'d Value<'a>> {
        self.document.property(self.document.object(self.value)?, name)
    }

    /// A property's text; `None` when it is not there, null or empty.
    pub(super) fn plain(&self, name: &str) -> Option<Cow<'d, str>> {
        self.property(name)
            .and_then(|value| self.document.text(value))
            .filter(|text| !text.is_empty())
    }

    /// What `read` makes of a property: null and the empty text are seen and empty, what it cannot read is unknown.
    fn observed<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl Fn(&'d Value<'a>) -> Option<T>,
    ) -> Observed<T> {
        let Some(value) = self.property(name) else {
            return Observed::default();
        };
        if matches!(value, Value::Nil) {
            return Observed::absent(self.source);
        }
        match read(value) {
            Some(read) => Observed::seen(read, self.source),
            None if self
                .document
                .text(value)
                .is_some_and(|text| text.trim().is_empty()) =>
            {
                Observed::absent(self.source)
            }
            None => Observed::unknown(format!("{name} is there and is no {wanted}")),
        }
    }

    /// A text; null and the empty text are both seen and empty.
    pub(super) fn text(&self, name: &str) -> Observed<String> {
        self.observed(name, "text", |value| {
            self.document
                .text(value)
                .map(Cow::into_owned)
                .filter(|text| !text.is_empty())
        })
    }

    /// A truth value.
    pub(super) fn flag(&self, name: &str) -> Observed<bool> {
        self.observed(name, "truth value", |value| self.boolean(value))
    }

    fn boolean(&self, value: &Value<'a>) -> Option<bool> {
        self.document.boolean(value).or_else(|| {
            let text = self.document.text(value)?;
            match text.trim() {
                word if word.eq_ignore_ascii_case("true") => Some(true),
                word if word.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            }
        })
    }

    /// A whole number.
    pub(super) fn number<T: TryFrom<i128>>(&self, name: &str) -> Observed<T> {
        self.observed(name, "number in its range", |value| {
            let number = self
                .document
                .integer(value)
                .or_else(|| self.document.text(value)?.trim().parse().ok())?;
            T::try_from(number).ok()
        })
    }

    /// A list of texts; null is a list that was seen and is empty. A single value is a list of one.
    pub(super) fn list(&self, name: &str) -> Observed<Vec<String>> {
        match self.property(name) {
            None => Observed::default(),
            Some(value) => Observed::seen(self.texts(value), self.source),
        }
    }

    /// The texts of a value that is a list, one text, or null.
    pub(super) fn texts(&self, value: &'d Value<'a>) -> Vec<String> {
        match self.document.items(value) {
            Some(items) => items
                .iter()
                .filter_map(|item| self.document.text(item))
                .map(Cow::into_owned)
                .collect(),
            None => self
                .document
                .text(value)
                .filter(|text| !text.is_empty())
                .map(Cow::into_owned)
                .into_iter()
                .collect(),
        }
    }

    /// The names of a flags enum; `None` alone is an empty list.
    pub(super) fn flags(&self, name: &str) -> Observed<Vec<String>> {
        self.observed(name, "list of names", |value| {
            let text = self.document.text(value)?;
            Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty() && *name != "None")
                    .map(str::to_owned)
                    .collect(),
            )
        })
    }

    /// A thumbprint; null and the empty text are seen and empty, anything else that is none is noted as an error.
    pub(super) fn thumbprint(&self, page: &mut Page, name: &str, at: &str) -> Observed<Thumbprint> {
        let Some(value) = self.property(name) else {
            return Observed::default();
        };
        let Some(text) = self.document.text(value).filter(|text| !text.trim().is_empty()) else {
            return Observed::absent(self.source);
        };
        match text.parse() {
            Ok(thumbprint) => Observed::seen(thumbprint, self.source),
            Err(error) => {
                page.error(
                    format!("{at}, property {name}"),
                    "a thumbprint of 40 hex digits",
                    error.to_string(),
                );
                Observed::unknown(format!("{name} is no thumbprint"))
            }
        }
    }

    /// A build in any of Exchange's forms.
    pub(super) fn build(&self, page: &mut Page, name: &str, at: &str) -> Observed<Build> {
        let Some(value) = self.property(name) else {
            return Observed::default();
        };
        let Some(text) = self.document.text(value).filter(|text| !text.is_empty()) else {
            return Observed::absent(self.source);
        };
        match text.parse() {
            Ok(build) => Observed::seen(build, self.source),
            Err(error) => {
                page.error(format!("{at}, property {name}"), "a build", error.to_string());
                Observed::unknown(format!("{name} is no build"))
            }
        }
    }

    /// A point in time; one without offset cannot be placed and is noted as an error.
    pub(super) fn time(&self, page: &mut Page, name: &str, at: &str) -> Observed<Timestamp> {
        let Some(value) = self.property(name) else {
            return Observed::default();
        };
        let Some(text) = self.document.text(value).filter(|text| !text.is_empty()) else {
            return Observed::absent(self.source);
        };
        match text.parse() {
            Ok(time) => Observed::seen(time, self.source),
            Err(_) => {
                page.error(
                    format!("{at}, property {name}"),
                    "a date with its offset from UTC",
                    text.into_owned(),
                );
                Observed::unknown(format!("{name} has no offset from UTC"))
            }
        }
    }

    /// The text of the object itself.
    pub(super) fn itself(&self) -> Option<String> {
        self.document.text(self.value).map(Cow::into_owned)
    }

    /// The server's name in front of the first backslash of an identity.
    pub(super) fn server_of_identity(&self) -> Option<String> {
        let identity = self.plain("Identity")?;
        identity
            .split_once('\\')
            .map(|(server, _)| server.to_owned())
            .filter(|server| !server.is_empty())
    }

    /// Where the command ran, which remoting writes into every object.
    pub(super) fn computer(&self) -> Option<String> {
        self.plain("PSComputerName")
            .map(Cow::into_owned)
            .filter(|name| name != "localhost" && name != ".")
    }
}
