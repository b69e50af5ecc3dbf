//! Pipelines: what the client asks becomes a [`Call`], what comes of it goes into the streams.

use std::sync::Arc;
use std::time::Duration;

use exseal_psrp::clixml::{Document, Value};
use exseal_psrp::data::Data;
use exseal_psrp::message::{
    CommandCall, CreatePipeline, ErrorCategory, ErrorRecord, HostInfo, HostMethod, HostResponse,
    InformationRecord, ProgressRecord,
};
use exseal_psrp::server::Server;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Service;
use super::shell::Shell;
use crate::call::{Answer, Call, Command, End, Endpoint, Interruption, Item, Outcome, Prompt};
use crate::net::{Door, lock};

/// Objects a client may send into a pipeline.
const INPUT: usize = 100_000;
/// The longest a simulated work takes.
const LONGEST: Duration = Duration::from_secs(3_600);

/// A pipeline of a shell.
pub(super) struct Running {
    asked: Asked,
    input: Vec<Document<'static>>,
    /// Ends waiting; what is written afterwards goes nowhere.
    ended: CancellationToken,
    question: Option<oneshot::Sender<HostResponse>>,
    has_started: bool,
    is_cut: bool,
}

#[derive(Clone)]
enum Asked {
    Pipeline(Box<CreatePipeline>),
    Metadata(Document<'static>),
}

impl Running {
    fn new(asked: Asked) -> Self {
        Self {
            asked,
            input: Vec::new(),
            ended: CancellationToken::new(),
            question: None,
            has_started: false,
            is_cut: false,
        }
    }

    pub(super) fn waiting(request: CreatePipeline) -> Self {
        Self::new(Asked::Pipeline(Box::new(request)))
    }

    pub(super) fn metadata(document: Document<'static>) -> Self {
        Self::new(Asked::Metadata(document))
    }

    pub(super) fn has_all_input(&self) -> bool {
        match &self.asked {
            Asked::Pipeline(request) => request.no_input,
            Asked::Metadata(_) => true,
        }
    }

    pub(super) fn input(&mut self, document: Document<'static>) {
        if self.input.len() < INPUT {
            self.input.push(document);
        }
    }

    pub(super) fn stop(&mut self) {
        self.ended.cancel();
        self.question = None;
    }

    pub(super) fn answered(&mut self, response: HostResponse) {
        if let Some(question) = self.question.take() {
            let _ = question.send(response);
        }
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The error a stopped pipeline ends with.
pub(super) fn stopped() -> ErrorRecord {
    ErrorRecord::new(
        "The pipeline has been stopped.",
        "PipelineStopped",
        ErrorCategory::OperationStopped,
        "PipelineStoppedException",
    )
}

fn scripts_not_allowed() -> ErrorRecord {
    ErrorRecord::new(
        "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
        "ScriptsNotAllowed",
        ErrorCategory::InvalidOperation,
        "RuntimeException",
    )
}

/// Runs a pipeline, once its input is there; a second time does nothing.
pub(super) fn start(service: &Arc<Service>, shell: &Arc<Shell>, id: Uuid) {
    let prepared = {
        let mut state = lock(&shell.state);
        let pool_host = state.host;
        let state = &mut *state;
        let Some(running) = state.pipelines.get_mut(&id) else {
            return;
        };
        if running.has_started {
            return;
        }
        running.has_started = true;
        let input = std::mem::take(&mut running.input);
        let ended = running.ended.clone();
        match &running.asked {
            Asked::Metadata(document) => Ok((vec![metadata(document, shell)], false, ended, true)),
            Asked::Pipeline(request) => {
                let has_host = match request.host {
                    HostInfo::None => false,
                    HostInfo::OfPool => !matches!(pool_host, HostInfo::None | HostInfo::OfPool),
                    HostInfo::Prompts | HostInfo::Other => true,
                };
                let has_script = request
                    .statements
                    .iter()
                    .flatten()
                    .any(|command| command.is_script);
                if has_script && shell.door == Door::Exchange {
                    Err(Box::new(scripts_not_allowed()))
                } else {
                    calls(&state.pool, request, input, shell.runspace())
                        .map(|calls| (calls, has_host, ended, false))
                }
            }
        }
    };
    let (calls, has_host, ended, is_metadata) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            finish(shell, id, End::Failed(error));
            return;
        }
    };
    let work = Work {
        service: Arc::clone(service),
        shell: Arc::clone(shell),
        id,
        has_host,
        ended,
    };
    tokio::spawn(async move {
        let ended = work.ended.clone();
        tokio::select! {
            () = work.all(calls, is_metadata) => {}
            () = ended.cancelled() => {}
        }
    });
}

/// The names whose metadata a client asks for, as a call.
fn metadata(document: &Document<'static>, shell: &Shell) -> Call {
    let names = document.values.first().and_then(|value| {
        let object = document.object(value)?;
        let names = document.property(object, "Name")?;
        let items = document.items(names)?;
        Some(
            items
                .iter()
                .filter_map(|item| document.text(item))
                .map(std::borrow::Cow::into_owned)
                .collect::<Vec<_>>(),
        )
    });
    let mut command = Command::new("Get-Command");
    if let Some(names) = names.filter(|names| !names.is_empty()) {
        command = command.with("Name", Data::strings(names));
    }
    Call {
        runspace: Some(shell.runspace()),
        ..Call::from(command)
    }
}

/// The statements as calls, the input with the first.
fn calls(
    pool: &Server,
    request: &CreatePipeline,
    input: Vec<Document<'static>>,
    runspace: Uuid,
) -> Result<Vec<Call>, Box<ErrorRecord>> {
    let mut input = Some(input);
    request
        .statements
        .iter()
        .map(|commands| {
            let commands = commands
                .iter()
                .map(|command| as_command(pool, &request.document, command))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Call {
                commands,
                input: input.take().unwrap_or_default(),
                runspace: Some(runspace),
                ..Call::default()
            })
        })
        .collect()
}

fn as_command(
    pool: &Server,
    document: &Document<'static>,
    command: &CommandCall,
) -> Result<Command, Box<ErrorRecord>> {
    let arguments = command
        .arguments
        .iter()
        .map(|(name, value)| Ok((name.clone(), argument(pool, document, value)?)))
        .collect::<Result<Vec<_>, Box<ErrorRecord>>>()?;
    Ok(Command {
        text: command.text.clone(),
        is_script: command.is_script,
        arguments,
    })
}

/// A value as it came; secure strings in the clear of this process, switches as what they say.
fn argument(
    pool: &Server,
    document: &Document<'static>,
    value: &Value<'static>,
) -> Result<Data, Box<ErrorRecord>> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Box::new(ErrorRecord::new(
            &error.to_string(),
            "SecureStringNotDecrypted",
            ErrorCategory::SecurityError,
            "PSInvalidOperationException",
        ))
    };
    let reveal = |value: &Value<'static>| match value {
        Value::SecureString(text) => pool.reveal(text).map(Some).map_err(|error| unreadable(&error)),
        _ => Ok(None),
    };
    if let Some(secret) = reveal(value)? {
        return Ok(Data::Secret(secret));
    }
    let Some(object) = document.object(value) else {
        return Ok(Data::Value(value.clone()));
    };
    if let Some(set) = document
        .property(object, "IsPresent")
        .and_then(|set| document.boolean(set))
    {
        return Ok(Data::from(set));
    }
    if document.is_a(object, "System.Management.Automation.PSCredential")
        && let Some(user) = document
            .property(object, "UserName")
            .and_then(|user| document.text(user))
        && let Some(password) = document.property(object, "Password")
        && let Some(password) = reveal(password)?
    {
        return Ok(Data::Credential {
            user: user.into_owned(),
            password,
        });
    }
    let mut own = document.clone();
    own.values = vec![value.clone()];
    Ok(Data::Document(Box::new(own)))
}

struct Work {
    service: Arc<Service>,
    shell: Arc<Shell>,
    id: Uuid,
    has_host: bool,
    ended: CancellationToken,
}

impl Work {
    fn endpoint(&self) -> Endpoint {
        match self.shell.door {
            Door::Exchange => Endpoint::Exchange {
                full: self.shell.full,
            },
            Door::Windows => Endpoint::Windows,
        }
    }

    async fn all(&self, calls: Vec<Call>, is_metadata: bool) {
        let last = calls.len().saturating_sub(1);
        for (at, call) in calls.into_iter().enumerate() {
            let mut outcome = self.run(call).await;
            if is_metadata {
                count_first(&mut outcome);
            }
            loop {
                tokio::time::sleep(outcome.delay.min(LONGEST)).await;
                self.write(outcome.items);
                match outcome.end {
                    End::Prompt(prompt) => outcome = self.ask(&prompt).await,
                    End::Completed if at < last => break,
                    End::Interrupted(how) => {
                        self.interrupt(how).await;
                        return;
                    }
                    end => {
                        finish(&self.shell, self.id, end);
                        return;
                    }
                }
            }
        }
        finish(&self.shell, self.id, End::Completed);
    }

    async fn run(&self, call: Call) -> Outcome {
        let call = Call {
            life: Some(self.shell.life),
            ..call
        };
        let commands = Arc::clone(&self.service.commands);
        let (server, user) = (self.shell.server.clone(), self.shell.user.clone());
        let endpoint = self.endpoint();
        of_thread(move || commands.run(&server, endpoint, &user, &call)).await
    }

    async fn ask(&self, prompt: &Prompt) -> Outcome {
        let answer = if self.has_host {
            self.ask_host(prompt).await
        } else {
            Answer::NoHost
        };
        let commands = Arc::clone(&self.service.commands);
        let id = prompt.id;
        of_thread(move || commands.answer(id, answer)).await
    }

    /// The question on the client's host; its refusal is the same as having none.
    async fn ask_host(&self, prompt: &Prompt) -> Answer {
        let choices = prompt.choices.iter().map(|(label, help)| {
            Data::object([
                ("label", Data::from(label.as_str())),
                ("helpMessage", Data::from(help.as_str())),
            ])
        });
        let parameters = [
            Data::from(prompt.caption.as_str()),
            Data::from(prompt.message.as_str()),
            Data::list(choices),
            Data::from(i32::try_from(prompt.default).unwrap_or(-1)),
        ];
        let (tell, told) = oneshot::channel();
        {
            let mut state = lock(&self.shell.state);
            let called = state
                .pool
                .call_host(Some(self.id), HostMethod::PromptForChoice, &parameters);
            if called.is_err() {
                return Answer::NoHost;
            }
            if let Some(running) = state.pipelines.get_mut(&self.id) {
                running.question = Some(tell);
            }
            state.pump();
        }
        self.shell.changed.notify_waiters();
        let Ok(response) = told.await else {
            return Answer::NoHost;
        };
        response
            .result
            .as_ref()
            .and_then(|value| response.document.integer(value))
            .and_then(|choice| usize::try_from(choice).ok())
            .map_or(Answer::NoHost, Answer::Choice)
    }

    fn write(&self, items: Vec<Item>) {
        let mut state = lock(&self.shell.state);
        for item in items {
            let pool = &mut state.pool;
            let written = match item {
                Item::Output(document) => pool.write_output(self.id, &Data::Document(Box::new(document))),
                Item::Secret(secret) => pool.write_output(self.id, &Data::Secret(secret)),
                Item::Error(record) => pool.write_error(self.id, *record),
                Item::Warning(text) => pool.write_warning(self.id, &text),
                Item::Verbose(text) => pool.write_verbose(self.id, &text),
                Item::Debug(text) => pool.write_debug(self.id, &text),
                Item::Information(text) => pool.write_information(self.id, information(text, &self.shell)),
                Item::Progress {
                    activity,
                    status,
                    percent,
                } => pool.write_progress(self.id, progress(activity, status, percent)),
            };
            if let Err(error) = written {
                // The pipeline was stopped or forgotten meanwhile.
                tracing::debug!(%error, "Output goes nowhere");
                return;
            }
        }
        state.pump();
        drop(state);
        self.shell.changed.notify_waiters();
    }

    async fn interrupt(&self, how: Interruption) {
        match how {
            Interruption::DropBefore | Interruption::LoseReply => {
                if let Some(running) = lock(&self.shell.state).pipelines.get_mut(&self.id) {
                    running.is_cut = true;
                }
                self.shell.changed.notify_waiters();
            }
            Interruption::Reboot => self.service.restart(&self.shell.server),
            // Whoever waits is told "nothing yet" until they give up or stop it.
            Interruption::Hang | Interruption::HangAfter => self.ended.cancelled().await,
        }
    }
}

/// Commands may compute: not on the threads that serve sockets.
async fn of_thread(work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome {
            items: Vec::new(),
            end: End::Failed(Box::new(ErrorRecord::new(
                &format!("a bug of the simulation: {error}"),
                "SimulationBug",
                ErrorCategory::NotSpecified,
                "Exception",
            ))),
            delay: Duration::ZERO,
        },
    }
}

/// A client that asks for metadata is told first how many there are.
fn count_first(outcome: &mut Outcome) {
    let count = outcome.output().count();
    let object = exseal_psrp::clixml::Object {
        extended: Some(vec![exseal_psrp::clixml::Property {
            name: "Count".into(),
            value: Value::I32(i32::try_from(count).unwrap_or(i32::MAX)),
        }]),
        ..Default::default()
    };
    let mut document = Document::default();
    let types = [
        "Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo",
        "System.Object",
    ];
    let types = document.add_types(&types);
    let value = document.add(exseal_psrp::clixml::Object {
        types: Some(types),
        ..object
    });
    document.values = vec![value];
    outcome.items.insert(0, Item::Output(document));
}

fn information(text: String, shell: &Shell) -> InformationRecord {
    InformationRecord {
        message: text,
        source: "Write-Information".to_owned(),
        time_generated: "2020-01-01T00:00:00.0000000Z".to_owned(),
        tags: Vec::new(),
        user: shell.user.clone(),
        computer: shell.server.as_str().to_owned(),
    }
}

fn progress(activity: String, status: String, percent: i32) -> ProgressRecord {
    ProgressRecord {
        activity,
        activity_id: 0,
        parent_activity_id: -1,
        status,
        current_operation: None,
        percent_complete: percent,
        seconds_remaining: -1,
        completed: percent >= 100,
    }
}

fn finish(shell: &Arc<Shell>, id: Uuid, end: End) {
    let mut state = lock(&shell.state);
    let said = match end {
        End::Failed(record) => state.pool.fail(id, *record),
        _ => state.pool.complete(id),
    };
    if let Err(error) = said {
        tracing::debug!(%error, "A pipeline's end goes nowhere");
    }
    state.pump();
    drop(state);
    shell.changed.notify_waiters();
}
