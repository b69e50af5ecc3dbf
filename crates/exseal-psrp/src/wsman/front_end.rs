//! The errors Exchange's front end puts before, or in place of, a WSMan answer.

use std::fmt;

/// What Exchange says in front of an error text:
/// `[ClientAccessServer=…,BackEndServer=…,RequestId=…,TimeStamp=…] [FailureCategory=…] text`.
///
/// It comes as the whole body of an HTTP error (labelled as XML, which it is not) and within the message of a SOAP
/// fault (facts/powershell-remoting.md 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontEndError {
    /// `FailureCategory`, as `Cafe-SendFailure` or `AuthZ-CmdletAccessDeniedException`; empty when it is not named.
    pub category: String,
    /// The fields in the order they came, the category left out.
    pub fields: Vec<(String, String)>,
    /// The words behind the brackets, trimmed. For people; decide by the category.
    pub text: String,
}

impl FrontEndError {
    /// Recognises the brackets at the beginning of `text`; `None` when it does not begin with fields of this kind.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_start().trim_start_matches('\u{feff}');
        let mut category = String::new();
        let mut fields = Vec::new();
        while let Some((inside, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            // A bracket without a field belongs to the words.
            if !inside.contains('=') {
                break;
            }
            for field in inside.split(',') {
                let Some((name, value)) = field.split_once('=') else {
                    continue;
                };
                let (name, value) = (name.trim(), value.trim());
                if name.eq_ignore_ascii_case("FailureCategory") {
                    value.clone_into(&mut category);
                } else {
                    fields.push((name.to_owned(), value.to_owned()));
                }
            }
            rest = behind.trim_start();
        }
        let known = [
            "ClientAccessServer",
            "BackEndServer",
            "RequestId",
            "Server",
            "AuthZRequestId",
        ];
        let ours = !category.is_empty()
            || fields
                .iter()
                .any(|(name, _)| known.iter().any(|known| name.eq_ignore_ascii_case(known)));
        ours.then(|| Self {
            category,
            fields,
            text: rest.trim_end().to_owned(),
        })
    }

    /// The value of a field, as `BackEndServer` or `RequestId`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the front end says it could not reach the back end (the `Cafe-` categories): the certificate or the
    /// listener of port 444 is the first to look at.
    pub fn is_proxy_failure(&self) -> bool {
        self.category.starts_with("Cafe-")
    }

    /// Whether the caller's roles are what is missing (the `AuthZ-` categories).
    pub fn is_authorization_failure(&self) -> bool {
        self.category.starts_with("AuthZ-")
    }
}

impl fmt::Display for FrontEndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let category = if self.category.is_empty() {
            "no category"
        } else {
            &self.category
        };
        write!(f, "the Exchange front end reports {category}")?;
        if let Some(server) = self.field("BackEndServer") {
            write!(f, " for back end {server}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}
