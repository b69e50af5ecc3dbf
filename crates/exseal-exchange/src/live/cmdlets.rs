//! Exchange's cmdlets: always of one server, `Select-Object` there, only the properties the readers take.

use exseal_psrp::data::Data;
use exseal_psrp::message::{Command, Pipeline};

use super::{Asked, Read, Shell, Unanswered};
use crate::files::answers::{self, About, ByName, Question};

/// What is asked once for the organisation, of whichever server answers first.
const ORGANISATION: &[Question] = &[
    answers::AUTH_CONFIG,
    answers::SEND_CONNECTORS,
    answers::HYBRID,
    answers::ACCEPTED_DOMAINS,
    answers::FEDERATION_TRUSTS,
    answers::EDGE_SUBSCRIPTIONS,
    answers::SETTING_OVERRIDES,
    answers::PARTNER_APPLICATIONS,
    answers::ORGANIZATION_CONFIG,
];

/// What is asked of each server about itself. Certificates first: a session that breaks has told what counts.
const SERVER: &[Question] = &[
    answers::CERTIFICATES,
    answers::RECEIVE_CONNECTORS,
    answers::TRANSPORT_SERVICE,
    answers::POP,
    answers::IMAP,
    answers::OWA,
    answers::ECP,
    answers::EWS,
    answers::MAPI,
    answers::OAB,
    answers::ACTIVE_SYNC,
    answers::POWERSHELL,
    answers::AUTODISCOVER,
    answers::OUTLOOK_ANYWHERE,
    answers::CLIENT_ACCESS_SERVICE,
    answers::MAILBOX_SERVER,
    answers::COMPONENT_STATES,
    answers::SERVICE_HEALTH,
    answers::QUEUES,
];

/// What an Edge server is asked: it has no mailboxes, no web and no directory of the organisation.
const EDGE: &[Question] = &[
    answers::CERTIFICATES,
    answers::RECEIVE_CONNECTORS,
    answers::TRANSPORT_SERVICE,
    answers::COMPONENT_STATES,
    answers::SERVICE_HEALTH,
    answers::QUEUES,
];

/// Asks for the servers of the organisation.
pub async fn servers(shell: &mut impl Shell, asked: Asked<'_>) -> Read {
    ask_all(shell, asked, None, &[answers::SERVERS]).await
}

/// Asks for what belongs to the organisation as a whole.
pub async fn organisation(shell: &mut impl Shell, asked: Asked<'_>) -> Read {
    ask_all(shell, asked, None, ORGANISATION).await
}

/// Asks for what belongs to one server. What answers about another server is left out and noted.
///
/// `name` is the server as the organisation calls it; `edge`: whether it is an Edge server.
pub async fn server(shell: &mut impl Shell, asked: Asked<'_>, name: &str, edge: bool) -> Read {
    ask_all(shell, asked, Some(name), if edge { EDGE } else { SERVER }).await
}

/// One question among those that are asked of a server or the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Get-ExchangeCertificate of the server.
    Certificates,
    /// Get-TransportService of the server.
    TransportService,
    /// Get-EdgeSubscription.
    EdgeSubscriptions,
}

/// Asks one question alone. `name` as in [`server`].
pub async fn part(shell: &mut impl Shell, asked: Asked<'_>, name: &str, part: Part) -> Read {
    match part {
        Part::Certificates => ask_all(shell, asked, Some(name), &[answers::CERTIFICATES]).await,
        Part::TransportService => ask_all(shell, asked, Some(name), &[answers::TRANSPORT_SERVICE]).await,
        Part::EdgeSubscriptions => ask_all(shell, asked, None, &[answers::EDGE_SUBSCRIPTIONS]).await,
    }
}

async fn ask_all(
    shell: &mut impl Shell,
    asked: Asked<'_>,
    server: Option<&str>,
    questions: &[Question],
) -> Read {
    let mut read = Read::new();
    for question in questions {
        let selected = pipeline(question, server, true);
        let objects = one(shell, asked, server, question, &selected, &mut read).await;
        if objects > 0 && answers::are_half_empty(question, &read.inventory) {
            // With an Auth certificate that is no good properties come back empty, and RawData alone survives.
            let plain = pipeline(question, server, false);
            one(shell, asked, server, question, &plain, &mut read).await;
        }
        if read.broken.is_some() {
            break;
        }
    }
    read
}

/// Asks one question and gives the number of objects that came.
async fn one(
    shell: &mut impl Shell,
    asked: Asked<'_>,
    server: Option<&str>,
    question: &Question,
    pipeline: &Pipeline,
    read: &mut Read,
) -> usize {
    match shell.run(pipeline).await {
        Ok(answer) => {
            let about = About {
                address: asked.address,
                at: asked.at,
                server,
                channel: super::channel_of(false),
            };
            for record in &answer.errors {
                read.failed(asked, question.cmdlet, record);
            }
            let whole = answer.errors.is_empty();
            read.take(answers::read(question, about, &answer.objects, whole));
            read.answered += 1;
            return answer.objects.len();
        }
        Err(Unanswered::Failed(record)) => read.failed(asked, question.cmdlet, &record),
        Err(Unanswered::Gone(why)) => read.broken = Some(why),
    }
    0
}

/// The pipeline of a question: the cmdlet about the server, then `Select-Object` there.
fn pipeline(question: &Question, server: Option<&str>, selected: bool) -> Pipeline {
    let mut command = Command::new(question.cmdlet);
    match (question.by, server) {
        (ByName::Server, Some(server)) => command = command.parameter("Server", server),
        (ByName::Identity, Some(server)) => command = command.parameter("Identity", server),
        (ByName::Organisation, _) | (_, None) => {}
    }
    if question.unlimited {
        command = command.parameter("ResultSize", "Unlimited");
    }
    let mut commands = vec![command];
    if selected {
        let properties = Data::strings(question.properties.iter().copied());
        commands.push(Command::new("Select-Object").parameter("Property", properties));
    }
    Pipeline::new(commands).without_invocation_info()
}
