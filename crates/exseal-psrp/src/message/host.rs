//! Calls to the client's host and their answers: [MS-PSRP] 2.2.2.15, 2.2.2.16, 2.2.2.27, 2.2.2.28 and 2.2.3.17.

use super::MessageError;
use super::records::ErrorRecord;
use super::shape::{Fields, enumeration, list, note};
use crate::clixml::{Document, Object, Value};
use crate::data::Data;
use crate::secret::{Seal, SecretError};

macro_rules! methods {
    ($($name:ident = $number:literal $answered:literal,)*) => {
        /// The methods of a host: .NET's `RemoteHostMethodId`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "PowerShell's own names of its host's methods")]
        pub enum HostMethod { $($name,)* }

        impl HostMethod {
            /// PowerShell's number.
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $number,)* }
            }

            /// PowerShell's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The method of a number.
            pub const fn of_number(number: i32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Whether the server waits for an answer.
            pub const fn is_answered(self) -> bool {
                match self { $(Self::$name => $answered,)* }
            }
        }
    };
}

methods! {
    GetName = 1 true, GetVersion = 2 true, GetInstanceId = 3 true, GetCurrentCulture = 4 true,
    GetCurrentUICulture = 5 true, SetShouldExit = 6 false, EnterNestedPrompt = 7 false, ExitNestedPrompt = 8 false,
    NotifyBeginApplication = 9 false, NotifyEndApplication = 10 false, ReadLine = 11 true,
    ReadLineAsSecureString = 12 true, Write1 = 13 false, Write2 = 14 false, WriteLine1 = 15 false,
    WriteLine2 = 16 false, WriteLine3 = 17 false, WriteErrorLine = 18 false, WriteDebugLine = 19 false,
    WriteProgress = 20 false, WriteVerboseLine = 21 false, WriteWarningLine = 22 false, Prompt = 23 true,
    PromptForCredential1 = 24 true, PromptForCredential2 = 25 true, PromptForChoice = 26 true,
    GetForegroundColor = 27 true, SetForegroundColor = 28 false, GetBackgroundColor = 29 true,
    SetBackgroundColor = 30 false, GetCursorPosition = 31 true, SetCursorPosition = 32 false,
    GetWindowPosition = 33 true, SetWindowPosition = 34 false, GetCursorSize = 35 true, SetCursorSize = 36 false,
    GetBufferSize = 37 true, SetBufferSize = 38 false, GetWindowSize = 39 true, SetWindowSize = 40 false,
    GetWindowTitle = 41 true, SetWindowTitle = 42 false, GetMaxWindowSize = 43 true,
    GetMaxPhysicalWindowSize = 44 true, GetKeyAvailable = 45 true, ReadKey = 46 true, FlushInputBuffer = 47 false,
    SetBufferContents1 = 48 false, SetBufferContents2 = 49 false, GetBufferContents = 50 true,
    ScrollBufferContents = 51 false, PushRunspace = 52 false, PopRunspace = 53 false, GetIsRunspacePushed = 54 true,
    GetRunspace = 55 true, PromptForChoiceMultipleSelection = 56 true,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct HostCall {
    /// Names the call within its pipeline or pool; the answer repeats it.
    pub call_id: i64,
    /// The method.
    pub method: HostMethod,
    /// Its parameters, in order: values of `document`.
    pub parameters: Vec<Value<'static>>,
    /// What the parameters refer to.
    pub document: Document<'static>,
}

/// A question with labelled answers, as ShouldProcess asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoicePrompt {
    /// Its heading.
    pub caption: String,
    /// The question.
    pub message: String,
    /// Label (an ampersand before its key) and help of each answer.
    pub choices: Vec<(String, String)>,
    /// The answer PowerShell would take for Enter; -1 for none. **For a confirmation this is "yes".**
    pub default: i32,
}

impl HostCall {
    /// The question of a `PromptForChoice`; `None` for other methods and other shapes. The answer is the choice's
    /// number.
    pub fn choice_prompt(&self) -> Option<ChoicePrompt> {
        if self.method != HostMethod::PromptForChoice {
            return None;
        }
        let [caption, message, choices, default] = self.parameters.as_slice() else {
            return None;
        };
        let text = |value| self.document.text(value).map(std::borrow::Cow::into_owned);
        let choices = self.document.items(choices)?.iter().map(|choice| {
            let fields = Fields::of(&self.document, Some(choice), "choice");
            (
                fields.text("label").unwrap_or_default(),
                fields.text("helpMessage").unwrap_or_default(),
            )
        });
        Some(ChoicePrompt {
            caption: text(caption).unwrap_or_default(),
            message: text(message).unwrap_or_default(),
            choices: choices.collect(),
            default: self
                .document
                .integer(default)
                .and_then(|number| i32::try_from(number).ok())?,
        })
    }

    pub(super) fn read(document: Document<'static>, place: &'static str) -> Result<Self, MessageError> {
        let fields = Fields::of(&document, document.values.first(), place);
        let call_id = fields.need_integer("ci")?;
        let method = fields.small("mi").and_then(HostMethod::of_number);
        let method = fields.need(method, "mi", "the number of a host method")?;
        let parameters = fields.need(fields.items("mp"), "mp", "a list")?.to_vec();
        Ok(Self {
            call_id,
            method,
            parameters,
            document,
        })
    }

    pub(super) fn write(&self) -> Document<'static> {
        let mut document = Document::default();
        let source = Document {
            values: self.parameters.clone(),
            ..self.document.clone()
        };
        let parameters = document.graft(source);
        let method = method(&mut document, self.method);
        let parameters = list(
            &mut document,
            &["System.Collections.ArrayList", "System.Object"],
            parameters,
        );
        let extended = vec![
            note("ci", Value::I64(self.call_id)),
            note("mi", method),
            note("mp", parameters),
        ];
        let value = document.add(Object {
            extended: Some(extended),
            ..Object::default()
        });
        document.values = vec![value];
        document
    }
}

fn method(document: &mut Document<'static>, method: HostMethod) -> Value<'static> {
    const TYPE: &str = "System.Management.Automation.Remoting.RemoteHostMethodId";
    enumeration(document, TYPE, method.name(), method.number())
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct HostResponse {
    /// The call's.
    pub call_id: i64,
    /// The call's.
    pub method: HostMethod,
    /// What the method returned: a value of `document`. `None` when it failed or returns nothing.
    pub result: Option<Value<'static>>,
    /// How it failed.
    pub error: Option<ErrorRecord>,
    /// The whole body.
    pub document: Document<'static>,
}

impl HostResponse {
    pub(super) fn read(document: Document<'static>, place: &'static str) -> Result<Self, MessageError> {
        let fields = Fields::of(&document, document.values.first(), place);
        let method = fields.small("mi").and_then(HostMethod::of_number);
        let error = fields.value("me").filter(|error| **error != Value::Nil);
        Ok(Self {
            call_id: fields.need_integer("ci")?,
            method: fields.need(method, "mi", "the number of a host method")?,
            result: fields.value("mr").cloned(),
            error: error
                .map(|value| ErrorRecord::read(&document, Some(value)))
                .transpose()?,
            document,
        })
    }

    /// Makes the answer that returns `result`.
    pub(crate) fn returned(call: (i64, HostMethod), result: &Data, seal: &Seal) -> Result<Self, SecretError> {
        let mut document = Document::default();
        let result = result.write(&mut document, seal)?;
        Ok(Self::made(call, document, Some(result), None))
    }

    /// Makes the answer that failed.
    pub(crate) fn failed(call: (i64, HostMethod), error: ErrorRecord) -> Self {
        Self::made(call, Document::default(), None, Some(error))
    }

    fn made(
        (call_id, number): (i64, HostMethod),
        mut document: Document<'static>,
        result: Option<Value<'static>>,
        error: Option<ErrorRecord>,
    ) -> Self {
        let mut extended = Vec::new();
        if let Some(result) = &result {
            extended.push(note("mr", result.clone()));
        }
        if let Some(error) = &error {
            let record = error.write(&mut document);
            extended.push(note("me", record));
        }
        extended.push(note("ci", Value::I64(call_id)));
        let method = method(&mut document, number);
        extended.push(note("mi", method));
        let value = document.add(Object {
            extended: Some(extended),
            ..Object::default()
        });
        document.values = vec![value];
        Self {
            call_id,
            method: number,
            result,
            error,
            document,
        }
    }
}
