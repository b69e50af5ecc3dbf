//! The records of the streams: errors, warnings, progress, information. [MS-PSRP] 2.2.3.15 to 2.2.3.17.

use std::fmt;

use super::MessageError;
use super::shape::{Fields, enumeration, list, note, optional_text, text};
use crate::clixml::{Document, Object, PsString, Value};

macro_rules! categories {
    ($($name:ident = $number:literal,)*) => {
        /// The kind of an error: .NET's `ErrorCategory`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "PowerShell's own names, which say what they mean")]
        pub enum ErrorCategory { $($name,)* /** A number PowerShell has no name for. */ Other(i32) }

        impl ErrorCategory {
            /// PowerShell's number.
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $number,)* Self::Other(number) => number }
            }

            /// The category of a number.
            pub const fn of_number(number: i32) -> Self {
                match number { $($number => Self::$name,)* other => Self::Other(other) }
            }
        }
    };
}

categories! {
    NotSpecified = 0, OpenError = 1, CloseError = 2, DeviceError = 3, DeadlockDetected = 4, InvalidArgument = 5,
    InvalidData = 6, InvalidOperation = 7, InvalidResult = 8, InvalidType = 9, MetadataError = 10,
    NotImplemented = 11, NotInstalled = 12, ObjectNotFound = 13, OperationStopped = 14, OperationTimeout = 15,
    SyntaxError = 16, ParserError = 17, PermissionDenied = 18, ResourceBusy = 19, ResourceExists = 20,
    ResourceUnavailable = 21, ReadError = 22, WriteError = 23, FromStdErr = 24, SecurityError = 25,
    ProtocolError = 26, ConnectionError = 27, AuthenticationError = 28, LimitsExceeded = 29, QuotaExceeded = 30,
    NotEnabled = 31,
}

/// PowerShell's `CategoryInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryInfo {
    /// The kind.
    pub category: ErrorCategory,
    /// The cmdlet or activity.
    pub activity: String,
    /// The exception's short type name, as a rule.
    pub reason: String,
    /// What it was about.
    pub target_name: String,
    /// And its type.
    pub target_type: String,
}

/// An error of PowerShell. Decide by [`CategoryInfo::reason`] and [`Self::fully_qualified_error_id`]; the message is
/// for people and in the server's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRecord {
    /// What went wrong, in words: `ErrorDetails` when there are, else the exception's.
    pub message: String,
    /// Error id and cmdlet, as `NamedParameterNotFound,Microsoft.PowerShell.Commands.GetItemCommand`.
    pub fully_qualified_error_id: String,
    /// Its category.
    pub category: CategoryInfo,
    /// The exception's type names, most specific first.
    pub exception_types: Vec<String>,
    /// The text of the object it was about.
    pub target: Option<String>,
    /// `ErrorDetails.RecommendedAction`.
    pub recommended_action: Option<String>,
    /// Where in a script it was thrown.
    pub script_stack_trace: Option<String>,
}

impl fmt::Display for ErrorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}, {})",
            self.message, self.category, self.fully_qualified_error_id
        )
    }
}

impl fmt::Display for CategoryInfo {
    /// As PowerShell prints it: `ObjectNotFound: (tn:tt) [Reading], Why`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: ({}:{}) [{}], {}",
            self.category, self.target_name, self.target_type, self.activity, self.reason
        )
    }
}

impl ErrorRecord {
    /// Makes the record a server sends.
    pub fn new(message: &str, fully_qualified_error_id: &str, category: ErrorCategory, reason: &str) -> Self {
        Self {
            message: message.to_owned(),
            fully_qualified_error_id: fully_qualified_error_id.to_owned(),
            category: CategoryInfo {
                category,
                activity: String::new(),
                reason: reason.to_owned(),
                target_name: String::new(),
                target_type: String::new(),
            },
            exception_types: vec![
                "System.Management.Automation.RuntimeException".to_owned(),
                "System.SystemException".to_owned(),
                "System.Exception".to_owned(),
                "System.Object".to_owned(),
            ],
            target: None,
            recommended_action: None,
            script_stack_trace: None,
        }
    }

    /// Reads the record a value is.
    ///
    /// # Errors
    ///
    /// [`MessageError::Field`] when it has neither an exception nor an error id.
    pub fn read(document: &Document<'static>, value: Option<&Value<'static>>) -> Result<Self, MessageError> {
        let fields = Fields::of(document, value, "ErrorRecord");
        let exception = fields.value("Exception");
        if !fields.is_there() || (exception.is_none() && fields.value("FullyQualifiedErrorId").is_none()) {
            return Err(MessageError::Field {
                message: "ErrorRecord",
                field: "Exception",
                expected: "there, or FullyQualifiedErrorId",
            });
        }
        let of_exception = fields.inner("Exception");
        let words = [
            fields.text("ErrorDetails_Message"),
            of_exception.text("Message"),
            exception
                .and_then(|value| document.text(value))
                .map(std::borrow::Cow::into_owned),
            value
                .and_then(|value| document.text(value))
                .map(std::borrow::Cow::into_owned),
        ];
        let text = |name| fields.text(name).unwrap_or_default();
        Ok(Self {
            message: words
                .into_iter()
                .flatten()
                .find(|words| !words.is_empty())
                .unwrap_or_default(),
            fully_qualified_error_id: text("FullyQualifiedErrorId"),
            category: CategoryInfo {
                category: ErrorCategory::of_number(fields.small("ErrorCategory_Category").unwrap_or(0)),
                activity: text("ErrorCategory_Activity"),
                reason: text("ErrorCategory_Reason"),
                target_name: text("ErrorCategory_TargetName"),
                target_type: text("ErrorCategory_TargetType"),
            },
            exception_types: exception
                .and_then(|value| document.object(value))
                .map(|object| {
                    document
                        .types(object)
                        .iter()
                        .map(|name| name.to_text().into_owned())
                        .collect()
                })
                .unwrap_or_default(),
            target: fields.text("TargetObject"),
            recommended_action: fields.text("ErrorDetails_RecommendedAction"),
            script_stack_trace: fields.text("ErrorDetails_ScriptStackTrace"),
        })
    }

    /// Adds the record to a document, in PowerShell's shape.
    pub fn write(&self, document: &mut Document<'static>) -> Value<'static> {
        let types: Vec<PsString<'static>> = self
            .exception_types
            .iter()
            .map(|name| PsString::from(name.clone()))
            .collect();
        document.type_names.push(types);
        let exception_types = Some(document.type_names.len() - 1);
        let exception = document.add(Object {
            types: exception_types,
            to_string: Some(PsString::from(self.message.clone())),
            adapted: Some(vec![
                note("Message", text(self.message.clone())),
                note("InnerException", Value::Nil),
                note("StackTrace", Value::Nil),
            ]),
            ..Object::default()
        });
        let category = &self.category;
        let mut extended = vec![
            note("Exception", exception),
            note("TargetObject", optional_text(self.target.as_deref())),
            note(
                "FullyQualifiedErrorId",
                text(self.fully_qualified_error_id.clone()),
            ),
            note("InvocationInfo", Value::Nil),
            note("ErrorCategory_Category", Value::I32(category.category.number())),
            note("ErrorCategory_Activity", text(category.activity.clone())),
            note("ErrorCategory_Reason", text(category.reason.clone())),
            note("ErrorCategory_TargetName", text(category.target_name.clone())),
            note("ErrorCategory_TargetType", text(category.target_type.clone())),
            note("ErrorCategory_Message", text(category.to_string())),
        ];
        if let Some(action) = &self.recommended_action {
            extended.push(note("ErrorDetails_Message", text(self.message.clone())));
            extended.push(note("ErrorDetails_RecommendedAction", text(action.clone())));
        }
        if let Some(trace) = &self.script_stack_trace {
            extended.push(note("ErrorDetails_ScriptStackTrace", text(trace.clone())));
        }
        extended.push(note("SerializeExtendedInfo", Value::Bool(false)));
        let types = document.add_types(&["System.Management.Automation.ErrorRecord", "System.Object"]);
        document.add(Object {
            types: Some(types),
            to_string: Some(PsString::from(self.message.clone())),
            extended: Some(extended),
            ..Object::default()
        })
    }
}

/// A debug, verbose or warning message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InformationalRecord {
    /// The words.
    pub message: String,
}

impl InformationalRecord {
    pub(super) fn read(document: &Document<'static>, place: &'static str) -> Result<Self, MessageError> {
        let value = document.values.first();
        let fields = Fields::of(document, value, place);
        let message = fields.text("InformationalRecord_Message").or_else(|| {
            value
                .and_then(|value| document.text(value))
                .map(std::borrow::Cow::into_owned)
        });
        Ok(Self {
            message: fields.need(message, "InformationalRecord_Message", "text")?,
        })
    }

    pub(super) fn write(&self, document: &mut Document<'static>, type_name: &'static str) -> Value<'static> {
        let types = document.add_types(&[
            type_name,
            "System.Management.Automation.InformationalRecord",
            "System.Object",
        ]);
        document.add(Object {
            types: Some(types),
            to_string: Some(PsString::from(self.message.clone())),
            extended: Some(vec![
                note("InformationalRecord_Message", text(self.message.clone())),
                note("InformationalRecord_SerializeInvocationInfo", Value::Bool(false)),
            ]),
            ..Object::default()
        })
    }
}

/// How far a pipeline is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressRecord {
    /// What is being done.
    pub activity: String,
    /// Names the activity.
    pub activity_id: i32,
    /// The activity this is a part of; -1 when of none.
    pub parent_activity_id: i32,
    /// Its status in words.
    pub status: String,
    /// The operation within it.
    pub current_operation: Option<String>,
    /// 0 to 100; -1 when not known.
    pub percent_complete: i32,
    /// -1 when not known.
    pub seconds_remaining: i32,
    /// Whether the activity has ended.
    pub completed: bool,
}

impl ProgressRecord {
    pub(super) fn read(document: &Document<'static>) -> Result<Self, MessageError> {
        let fields = Fields::of(document, document.values.first(), "PROGRESS_RECORD");
        Ok(Self {
            activity: fields.need_text("Activity")?,
            activity_id: fields.need_small("ActivityId")?,
            parent_activity_id: fields.small("ParentActivityId").unwrap_or(-1),
            status: fields.text("StatusDescription").unwrap_or_default(),
            current_operation: fields.text("CurrentOperation"),
            percent_complete: fields.small("PercentComplete").unwrap_or(-1),
            seconds_remaining: fields.small("SecondsRemaining").unwrap_or(-1),
            completed: fields.small("Type") == Some(1),
        })
    }

    pub(super) fn write(&self, document: &mut Document<'static>) -> Value<'static> {
        let (name, number) = if self.completed {
            ("Completed", 1)
        } else {
            ("Processing", 0)
        };
        let kind = enumeration(
            document,
            "System.Management.Automation.ProgressRecordType",
            name,
            number,
        );
        let extended = vec![
            note("Activity", text(self.activity.clone())),
            note("ActivityId", Value::I32(self.activity_id)),
            note("StatusDescription", text(self.status.clone())),
            note(
                "CurrentOperation",
                optional_text(self.current_operation.as_deref()),
            ),
            note("ParentActivityId", Value::I32(self.parent_activity_id)),
            note("PercentComplete", Value::I32(self.percent_complete)),
            note("Type", kind),
            note("SecondsRemaining", Value::I32(self.seconds_remaining)),
        ];
        document.add(Object {
            extended: Some(extended),
            ..Object::default()
        })
    }
}

/// A message of the information stream; what `Write-Host` says is one with the tag `PSHOST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InformationRecord {
    /// The text of what was written.
    pub message: String,
    /// Who wrote it, as `Write-Information`.
    pub source: String,
    /// When, as written.
    pub time_generated: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// As whom.
    pub user: String,
    /// Where.
    pub computer: String,
}

impl InformationRecord {
    pub(super) fn read(document: &Document<'static>) -> Result<Self, MessageError> {
        let fields = Fields::of(document, document.values.first(), "INFORMATION_RECORD");
        if fields.value("MessageData").is_none() {
            return Err(MessageError::Field {
                message: "INFORMATION_RECORD",
                field: "MessageData",
                expected: "there",
            });
        }
        let message = fields
            .inner("MessageData")
            .text("Message")
            .or_else(|| fields.text("MessageData"));
        Ok(Self {
            message: message.unwrap_or_default(),
            source: fields.text("Source").unwrap_or_default(),
            time_generated: fields.text("TimeGenerated").unwrap_or_default(),
            tags: fields
                .items("Tags")
                .unwrap_or_default()
                .iter()
                .filter_map(|tag| document.text(tag))
                .map(std::borrow::Cow::into_owned)
                .collect(),
            user: fields.text("User").unwrap_or_default(),
            computer: fields.text("Computer").unwrap_or_default(),
        })
    }

    pub(super) fn write(&self, document: &mut Document<'static>) -> Value<'static> {
        let tags = self.tags.iter().map(|tag| text(tag.clone())).collect();
        let tags = list(
            document,
            &[
                "System.Collections.Generic.List`1[[System.String]]",
                "System.Object",
            ],
            tags,
        );
        let extended = vec![
            note("MessageData", text(self.message.clone())),
            note("Source", text(self.source.clone())),
            note(
                "TimeGenerated",
                Value::DateTime(self.time_generated.clone().into()),
            ),
            note("Tags", tags),
            note("User", text(self.user.clone())),
            note("Computer", text(self.computer.clone())),
            note("ProcessId", Value::U32(0)),
            note("NativeThreadId", Value::U32(0)),
            note("ManagedThreadId", Value::U32(0)),
        ];
        document.add(Object {
            extended: Some(extended),
            ..Object::default()
        })
    }
}
