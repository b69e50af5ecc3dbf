//! Exchange's maintenance of a server, by the cmdlets Microsoft documents for it ("Manage database availability groups",
//! performing maintenance): Set-ServerComponentState, Set-MailboxServer, Get-MailboxDatabaseCopyStatus.

use exseal_engine::Maintenance;
use exseal_exchange::live::in_words;
use exseal_exchange::session::{Allowed, Item, Session};
use exseal_model::inventory::first_label;
use exseal_probe::{Outcome, Protocol, Target};
use exseal_psrp::clixml::Document;
use exseal_psrp::message::{Command, Pipeline};
use exseal_run::{Effect, Fault, Setting, Turn};

use super::changing::{Changing, PATIENCE, harmless};

/// One object of an answer, by its properties.
struct Shown<'d>(&'d Document<'static>);

impl Shown<'_> {
    /// A property as text; enumerations by their names, which no language changes.
    fn text(&self, name: &str) -> Option<String> {
        let value = self.0.values.first()?;
        let own = self.0.path(value, &[name])?;
        self.0.text(own).map(std::borrow::Cow::into_owned)
    }

    /// A property that has to be there.
    fn needed(&self, cmdlet: &str, name: &str) -> Result<String, Fault> {
        self.text(name)
            .ok_or_else(|| harmless(format!("{cmdlet}: expected the property {name}, found none")))
    }

    fn is(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

impl Changing {
    /// The server's own shell, or that of another server of the run: what is set is the organisation's and the server's, not
    /// the shell's. `Err`: none opens, and why the server's own does not.
    async fn any_shell(&self, server: &str) -> Result<Session, String> {
        let why = match self.shell(server).await {
            Ok(session) => return Ok(session),
            Err(why) => why,
        };
        for other in &self.looking.args.server {
            if first_label(other).eq_ignore_ascii_case(first_label(server)) {
                continue;
            }
            if let Ok(session) = self.shell(other).await {
                return Ok(session);
            }
        }
        Err(why)
    }

    /// Runs one cmdlet in a session; its objects.
    async fn asked(&self, session: &mut Session, command: Command) -> Result<Vec<Document<'static>>, Fault> {
        let name = command.text().to_owned();
        let allowed = Allowed {
            answers: None,
            time: Some(self.looking.command_time(PATIENCE)),
            cancel: self.looking.bounds.stop.clone(),
        };
        let pipeline = Pipeline::new([command]).without_invocation_info();
        let items = session.run(pipeline, &allowed).await.map_err(|error| Fault {
            effect: match error.effect() {
                exseal_exchange::session::Effect::None => Effect::None,
                exseal_exchange::session::Effect::Unknown => Effect::Unknown,
            },
            what: format!("{name}: {}", in_words(&error)),
        })?;
        let unknown = |what: String| Fault {
            effect: Effect::Unknown,
            what: format!("{name}: {what}"),
        };
        let mut objects = Vec::new();
        for item in items {
            match item {
                Item::Output(document) => objects.push(document),
                Item::Error(record) => return Err(unknown(record.to_string())),
                Item::Refused(_) => return Err(unknown("it asked something nobody foresaw".to_owned())),
                Item::Warning(text) => tracing::warn!(cmdlet = name, text, "A cmdlet warns"),
                _ => {}
            }
        }
        Ok(objects)
    }

    pub(super) async fn maintenance_settings(
        &self,
        server: &str,
        maintenance: &Maintenance,
    ) -> Result<Result<Vec<Setting>, String>, Fault> {
        let mut session = match self.any_shell(server).await {
            Ok(session) => session,
            // Where 444 shows nothing the shell is dead and so is what clients want; else its silence has another reason.
            Err(why) if self.back_end_is_silent(server).await => return Ok(Err(why)),
            Err(why) => {
                return Err(harmless(format!(
                    "{why}; 444 presents a certificate, so it is not that the back end is dead"
                )));
            }
        };
        let read = self.read_settings(&mut session, server, maintenance).await;
        ended(session).await;
        read.map(Ok)
    }

    async fn read_settings(
        &self,
        session: &mut Session,
        server: &str,
        maintenance: &Maintenance,
    ) -> Result<Vec<Setting>, Fault> {
        const COMPONENTS: &str = "Get-ServerComponentState";
        const SERVER: &str = "Get-MailboxServer";
        let name = first_label(server);
        let mut settings = Vec::new();
        if maintenance.dag {
            let command = Command::new(SERVER).parameter("Identity", name);
            let objects = self.asked(session, command).await?;
            let [own] = objects.as_slice() else {
                return Err(harmless(format!(
                    "{SERVER}: expected one server {name}, found {}",
                    objects.len()
                )));
            };
            let own = Shown(own);
            let group = own.text("DatabaseAvailabilityGroup");
            if group.is_some_and(|group| !group.is_empty()) {
                let was = own.needed(SERVER, "DatabaseCopyAutoActivationPolicy")?;
                own.needed(SERVER, "DatabaseCopyActivationDisabledAndMoveNow")?;
                if !was.eq_ignore_ascii_case("Blocked") {
                    settings.push(Setting::ActivationPolicy { was });
                }
                if !own.is("DatabaseCopyActivationDisabledAndMoveNow") {
                    settings.push(Setting::MoveDatabases);
                }
            }
        }
        if maintenance.components.is_empty() {
            return Ok(settings);
        }
        let command = Command::new(COMPONENTS).parameter("Identity", name);
        let objects = self.asked(session, command).await?;
        for wished in &maintenance.components {
            let own = objects.iter().map(Shown).find(|own| {
                own.text("Component")
                    .is_some_and(|name| name.eq_ignore_ascii_case(wished))
            });
            let Some(own) = own else {
                return Err(harmless(format!(
                    "{COMPONENTS}: expected the component {wished} on {name}, found none of that name"
                )));
            };
            if own.needed(COMPONENTS, "State")?.eq_ignore_ascii_case("Active") {
                let component = own.needed(COMPONENTS, "Component")?;
                settings.push(Setting::Component { component });
            }
        }
        Ok(settings)
    }

    pub(super) async fn maintenance_set(
        &self,
        server: &str,
        setting: &Setting,
        turn: Turn,
    ) -> Result<(), Fault> {
        let mut session = self.any_shell(server).await.map_err(harmless)?;
        let done = self.asked(&mut session, command(server, setting, turn)).await;
        ended(session).await;
        done.map(|_| ())
    }

    pub(super) async fn movable_databases(&self, server: &str) -> Result<Vec<String>, Fault> {
        const COPIES: &str = "Get-MailboxDatabaseCopyStatus";
        let mut session = self.any_shell(server).await.map_err(harmless)?;
        let name = first_label(server);
        let read = async {
            let command = Command::new(COPIES).parameter("Server", name);
            let mut movable = Vec::new();
            for own in self.asked(&mut session, command).await? {
                let own = Shown(&own);
                if !own.needed(COPIES, "Status")?.eq_ignore_ascii_case("Mounted") {
                    continue;
                }
                let database = own.needed(COPIES, "DatabaseName")?;
                let command = Command::new(COPIES).parameter("Identity", database.as_str());
                let copies = self.asked(&mut session, command).await?;
                // The other copies are Healthy, or wait for something; the only copy of a database stays where it is.
                if copies
                    .iter()
                    .map(Shown)
                    .any(|own| own.text("Status").is_some_and(|own| own == "Healthy"))
                {
                    movable.push(database);
                }
            }
            Ok(movable)
        };
        let read = read.await;
        ended(session).await;
        read
    }

    /// Whether nothing presents a certificate at a server's back end.
    async fn back_end_is_silent(&self, server: &str) -> bool {
        let target = Target::new(server.to_owned(), 444).by(Protocol::Https);
        let (sightings, _) = self.looking.look_at(vec![target]).await;
        !sightings
            .iter()
            .any(|own| matches!(own.outcome, Outcome::Presented))
    }
}

fn command(server: &str, setting: &Setting, turn: Turn) -> Command {
    let name = first_label(server);
    match setting {
        Setting::Component { component } => {
            let state = match turn {
                Turn::Back => "Active",
                Turn::Out if component.eq_ignore_ascii_case("HubTransport") => "Draining",
                Turn::Out => "Inactive",
            };
            Command::new("Set-ServerComponentState")
                .parameter("Identity", name)
                .parameter("Component", component.as_str())
                .parameter("State", state)
                .parameter("Requester", "Maintenance")
        }
        Setting::ActivationPolicy { was } => {
            let policy = match turn {
                Turn::Out => "Blocked",
                Turn::Back => was.as_str(),
            };
            Command::new("Set-MailboxServer")
                .parameter("Identity", name)
                .parameter("DatabaseCopyAutoActivationPolicy", policy)
        }
        Setting::MoveDatabases => Command::new("Set-MailboxServer")
            .parameter("Identity", name)
            .parameter("DatabaseCopyActivationDisabledAndMoveNow", turn == Turn::Out),
    }
}

async fn ended(session: Session) {
    if let Err(error) = session.close().await {
        tracing::debug!(%error, "The server could not be told that the session ended");
    }
}
