//! CREATE_PIPELINE, [MS-PSRP] 2.2.2.10 and 2.2.3.11 to 2.2.3.13.

use super::MessageError;
use super::body::HostInfo;
use super::shape::{Fields, enumeration, list, note, notes, optional_text, text};
use crate::clixml::{Document, Value};
use crate::data::Data;
use crate::secret::{Seal, SecretError};

/// What a client asks to run: one statement of commands, or several one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    statements: Vec<Vec<Command>>,
    takes_input: bool,
    /// `RemoteStreamOptions`: 15 puts the invocation into every record.
    stream_options: i32,
    add_to_history: bool,
    redirect_shell_error: bool,
}

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    text: String,
    is_script: bool,
    arguments: Vec<(Option<String>, Data)>,
    use_local_scope: Option<bool>,
    /// `PipelineResultTypes` in the order of [`MERGES`].
    merges: [i32; 8],
}

impl Command {
    /// A cmdlet or function by name.
    pub fn new(name: impl Into<String>) -> Self {
        Self::made(name.into(), false)
    }

    /// Script text. **Never for Exchange's own sessions**, which refuse it; for a server's or a local PowerShell, when
    /// the caller means it.
    pub fn script(text: impl Into<String>) -> Self {
        Self::made(text.into(), true)
    }

    const fn made(text: String, is_script: bool) -> Self {
        Self {
            text,
            is_script,
            arguments: Vec::new(),
            use_local_scope: None,
            merges: [0; 8],
        }
    }

    /// Adds a parameter, its name without the dash.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Data>) -> Self {
        self.arguments.push((Some(name.into()), value.into()));
        self
    }

    /// Adds a switch that is on.
    #[must_use]
    pub fn switch(self, name: impl Into<String>) -> Self {
        self.parameter(name, true)
    }

    /// Adds an argument by position.
    #[must_use]
    pub fn argument(mut self, value: impl Into<Data>) -> Self {
        self.arguments.push((None, value.into()));
        self
    }

    /// The name, or the script.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is script text.
    pub const fn is_script(&self) -> bool {
        self.is_script
    }

    /// Names without dash (`None` for those by position) and values, in order.
    pub fn arguments(&self) -> &[(Option<String>, Data)] {
        &self.arguments
    }
}

impl From<Command> for Pipeline {
    fn from(command: Command) -> Self {
        Self::new([command])
    }
}

impl Pipeline {
    /// One statement: each command's output is the next one's input.
    pub fn new(commands: impl IntoIterator<Item = Command>) -> Self {
        Self {
            statements: vec![commands.into_iter().collect()],
            takes_input: false,
            stream_options: 15,
            add_to_history: false,
            redirect_shell_error: true,
        }
    }

    /// Adds a further statement, which runs after the ones before.
    #[must_use]
    pub fn then(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        self.statements.push(commands.into_iter().collect());
        self
    }

    /// Says that objects will be sent to the first command.
    #[must_use]
    pub const fn with_input(mut self) -> Self {
        self.takes_input = true;
        self
    }

    /// Leaves the invocation out of each record: less to receive.
    #[must_use]
    pub const fn without_invocation_info(mut self) -> Self {
        self.stream_options = 0;
        self
    }

    /// The statements, each with its commands.
    pub fn statements(&self) -> &[Vec<Command>] {
        &self.statements
    }

    /// Whether objects will be sent.
    pub const fn takes_input(&self) -> bool {
        self.takes_input
    }

    /// Whether any command is script text, which sessions in no-language mode refuse.
    pub fn has_script(&self) -> bool {
        self.statements.iter().flatten().any(|command| command.is_script)
    }

    /// Whether any argument needs a session key.
    pub fn has_secret(&self) -> bool {
        self.statements
            .iter()
            .flatten()
            .flat_map(|command| &command.arguments)
            .any(|(_, value)| value.has_secret())
    }

    /// The body of CREATE_PIPELINE, as PowerShell's own client writes it.
    pub(crate) fn write(&self, seal: &Seal) -> Result<Document<'static>, SecretError> {
        let mut document = Document::default();
        let mut statements = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            let mut commands = Vec::with_capacity(statement.len());
            for command in statement {
                commands.push(write_command(&mut document, command, seal)?);
            }
            statements.push(commands);
        }
        let first = statements.first().cloned().unwrap_or_default();
        let mut power_shell = Vec::new();
        if statements.len() > 1 {
            let mut extra = Vec::with_capacity(statements.len());
            for commands in statements {
                let commands = list(&mut document, &OBJECTS, commands);
                extra.push(notes(&mut document, vec![note("Cmds", commands)]));
            }
            let extra = list(&mut document, &OBJECTS, extra);
            power_shell.push(note("ExtraCmds", extra));
        }
        let commands = list(&mut document, &OBJECTS, first);
        power_shell.extend([
            note("Cmds", commands),
            note("IsNested", Value::Bool(false)),
            note("History", Value::Nil),
            note(
                "RedirectShellErrorOutputPipe",
                Value::Bool(self.redirect_shell_error),
            ),
        ]);
        let power_shell = notes(&mut document, power_shell);
        let apartment = enumeration(&mut document, "System.Threading.ApartmentState", "Unknown", 2);
        let name = match self.stream_options {
            15 => "AddInvocationInfo".to_owned(),
            0 => "None".to_owned(),
            number => number.to_string(),
        };
        let streams = enumeration(
            &mut document,
            "System.Management.Automation.RemoteStreamOptions",
            &name,
            self.stream_options,
        );
        let host = HostInfo::OfPool.write(&mut document);
        let body = vec![
            note("PowerShell", power_shell),
            note("NoInput", Value::Bool(!self.takes_input)),
            note("ApartmentState", apartment),
            note("RemoteStreamOptions", streams),
            note("AddToHistory", Value::Bool(self.add_to_history)),
            note("HostInfo", host),
            note("IsNested", Value::Bool(false)),
        ];
        let body = notes(&mut document, body);
        document.values = vec![body];
        Ok(document)
    }
}

/// The list type of commands, in the version of Windows PowerShell 3.0 and later.
const OBJECTS: [&str; 2] = [
    "System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, \
     Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]",
    "System.Object",
];

/// What of a command's streams goes where.
const MERGES: [&str; 8] = [
    "MergeMyResult",
    "MergeToResult",
    "MergePreviousResults",
    "MergeError",
    "MergeWarning",
    "MergeVerbose",
    "MergeDebug",
    "MergeInformation",
];

/// The names of `PipelineResultTypes`.
const RESULT_TYPES: [&str; 9] = [
    "None",
    "Output",
    "Error",
    "Warning",
    "Verbose",
    "Debug",
    "Information",
    "All",
    "Null",
];

fn write_command(
    document: &mut Document<'static>,
    command: &Command,
    seal: &Seal,
) -> Result<Value<'static>, SecretError> {
    let mut arguments = Vec::with_capacity(command.arguments.len());
    for (name, value) in &command.arguments {
        let value = value.write(document, seal)?;
        let name = optional_text(name.as_deref());
        arguments.push(notes(document, vec![note("N", name), note("V", value)]));
    }
    let mut properties = vec![
        note("Cmd", text(command.text.clone())),
        note("IsScript", Value::Bool(command.is_script)),
        note(
            "UseLocalScope",
            command.use_local_scope.map_or(Value::Nil, Value::Bool),
        ),
    ];
    for (merge, number) in MERGES.into_iter().zip(command.merges) {
        let name = usize::try_from(number)
            .ok()
            .and_then(|number| RESULT_TYPES.get(number))
            .unwrap_or(&"None");
        let kind = enumeration(
            document,
            "System.Management.Automation.Runspaces.PipelineResultTypes",
            name,
            number,
        );
        properties.push(note(merge, kind));
    }
    let arguments = list(document, &OBJECTS, arguments);
    properties.push(note("Args", arguments));
    Ok(notes(document, properties))
}

/// A pipeline as the server reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePipeline {
    /// The statements in order, each a list of commands.
    pub statements: Vec<Vec<CommandCall>>,
    /// Whether no input will come.
    pub no_input: bool,
    /// Whether it runs within another one.
    pub is_nested: bool,
    /// The client's host for this pipeline.
    pub host: HostInfo,
    /// What the arguments refer to: the whole body.
    pub document: Document<'static>,
}

/// A command as the server reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandCall {
    /// The name, or the script.
    pub text: String,
    /// Whether it is script text.
    pub is_script: bool,
    /// Names (`None` for those by position) and values in order; values of [`CreatePipeline::document`].
    ///
    /// A leading dash and a trailing colon, which some clients write, are taken off.
    pub arguments: Vec<(Option<String>, Value<'static>)>,
    /// Whether it runs in a scope of its own; `None` when that was not said.
    pub use_local_scope: Option<bool>,
    merges: [i32; 8],
}

impl CommandCall {
    /// The value of a parameter, without regard to ASCII case.
    pub fn parameter(&self, name: &str) -> Option<&Value<'static>> {
        self.arguments
            .iter()
            .find(|(own, _)| own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value)
    }
}

impl CreatePipeline {
    pub(crate) fn read(document: Document<'static>) -> Result<Self, MessageError> {
        let fields = Fields::of(&document, document.values.first(), "CREATE_PIPELINE");
        let power_shell = fields.inner("PowerShell");
        if !power_shell.is_there() {
            return Err(MessageError::Field {
                message: "CREATE_PIPELINE",
                field: "PowerShell",
                expected: "an object",
            });
        }
        let statements = match power_shell.items("ExtraCmds") {
            Some(extra) if !extra.is_empty() => extra
                .iter()
                .map(|statement| read_statement(Fields::of(&document, Some(statement), "ExtraCmds")))
                .collect::<Result<_, _>>()?,
            _ => vec![read_statement(power_shell)?],
        };
        Ok(Self {
            statements,
            no_input: fields.boolean("NoInput").unwrap_or(true),
            is_nested: fields.boolean("IsNested").unwrap_or(false),
            host: HostInfo::read(fields.inner("HostInfo")),
            document,
        })
    }

    /// The pipeline a client would say this with: the same commands and arguments.
    ///
    /// Secure strings stay as they are written, so they mean something in the same session only.
    pub fn to_pipeline(&self) -> Pipeline {
        let command = |call: &CommandCall| Command {
            text: call.text.clone(),
            is_script: call.is_script,
            use_local_scope: call.use_local_scope,
            merges: call.merges,
            arguments: call
                .arguments
                .iter()
                .map(|(name, value)| {
                    let alone = Document {
                        values: vec![value.clone()],
                        ..self.document.clone()
                    };
                    (name.clone(), Data::Document(Box::new(alone)))
                })
                .collect(),
        };
        let fields = Fields::of(&self.document, self.document.values.first(), "CREATE_PIPELINE");
        Pipeline {
            statements: self
                .statements
                .iter()
                .map(|calls| calls.iter().map(command).collect())
                .collect(),
            takes_input: !self.no_input,
            stream_options: fields.small("RemoteStreamOptions").unwrap_or(0),
            add_to_history: fields.boolean("AddToHistory").unwrap_or(false),
            redirect_shell_error: fields
                .inner("PowerShell")
                .boolean("RedirectShellErrorOutputPipe")
                .unwrap_or(true),
        }
    }
}

fn read_statement(fields: Fields<'_>) -> Result<Vec<CommandCall>, MessageError> {
    let document = fields.document();
    let commands = fields.need(fields.items("Cmds"), "Cmds", "a list")?;
    commands
        .iter()
        .map(|command| read_command(Fields::of(document, Some(command), "Cmds")))
        .collect()
}

fn read_command(fields: Fields<'_>) -> Result<CommandCall, MessageError> {
    let document = fields.document();
    let arguments = fields.items("Args").unwrap_or_default().iter().map(|argument| {
        let argument = Fields::of(document, Some(argument), "Args");
        let name = argument.text("N").map(|name| {
            name.strip_prefix('-')
                .unwrap_or(&name)
                .trim_end_matches(':')
                .to_owned()
        });
        (
            name.filter(|name| !name.is_empty()),
            argument.value("V").cloned().unwrap_or(Value::Nil),
        )
    });
    Ok(CommandCall {
        text: fields.need_text("Cmd")?,
        is_script: fields.boolean("IsScript").unwrap_or(false),
        use_local_scope: fields.boolean("UseLocalScope"),
        merges: MERGES.map(|merge| fields.small(merge).unwrap_or(0)),
        arguments: arguments.collect(),
    })
}
