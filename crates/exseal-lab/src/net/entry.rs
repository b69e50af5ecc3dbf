//! Who enters a virtual directory of a front end: what its settings offer, one security context a connection, channel
//! binding as Extended Protection says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exseal_gss::{
    Acceptance, Accounts, ChannelBinding, NtHash, Password, Scheme, SecurityContext, ServerNames, acceptor,
};

use super::{Shared, lock};
use crate::connect_file::net_bios;
use crate::world::ServerName;

/// ExtendedProtectionTokenChecking, the stricter the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protection {
    /// A channel binding is not looked at.
    None,
    /// One that is sent has to be this connection's.
    Allow,
    /// One has to be sent.
    Require,
}

/// How a virtual directory lets in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    windows: bool,
    basic: bool,
    protection: Protection,
}

const BASIC: &str = "Basic realm=\"exseal lab, a simulation\"";

impl Ways {
    /// As the directory's settings say, in the view of the server's site; `None`: there is no such directory.
    pub(super) fn of(shared: &Shared, server: &ServerName, name: &str) -> Option<Self> {
        let world = lock(&shared.world);
        let site = world.server(server.as_str())?.site;
        let own = world
            .directory()
            .virtual_directories(site)
            .find(|own| own.server == *server && own.name.eq_ignore_ascii_case(name))?;
        Some(Self {
            windows: own.windows,
            basic: own.basic,
            protection: match own.extended_protection.as_str() {
                "Require" => Protection::Require,
                "Allow" => Protection::Allow,
                _ => Protection::None,
            },
        })
    }

    fn words(self) -> Vec<String> {
        let mut words = Vec::new();
        if self.windows {
            words.extend(["Negotiate".to_owned(), "NTLM".to_owned()]);
        }
        if self.basic {
            words.push(BASIC.to_owned());
        }
        words
    }
}

/// What a request's log-on came to.
pub(super) enum Said {
    /// Who it is; the token to send along, if there is one more.
    As { user: String, token: Option<String> },
    /// Not yet, or not at all: answer 401 with these.
    Challenge(Vec<String>),
}

/// The people of the lab, for NTLM.
struct People(Arc<Shared>);

impl Accounts for People {
    fn nt_hash(&self, _domain: &str, account: &str) -> Option<NtHash> {
        let (_, password) = account_of(&self.0, account)?;
        Some(NtHash::of(&Password::new(password)))
    }
}

/// Name and password of a user; `DOMAIN\name` and `name@domain` are names as well.
pub(super) fn account_of(shared: &Shared, name: &str) -> Option<(String, String)> {
    let bare = name.rsplit('\\').next().unwrap_or(name);
    let bare = bare.split('@').next().unwrap_or(bare);
    lock(&shared.world)
        .users()
        .iter()
        .find(|user| user.name.eq_ignore_ascii_case(bare))
        .map(|user| (user.name.clone(), user.password.clone()))
}

/// The log-on of one connection.
pub(super) struct Entry {
    shared: Arc<Shared>,
    server: ServerName,
    leaf: Option<Vec<u8>>,
    /// The scheme, what was demanded of it, and the context.
    context: Option<(Scheme, Protection, Box<dyn SecurityContext>)>,
}

impl Entry {
    pub(super) fn new(shared: &Arc<Shared>, server: &ServerName, leaf: Option<Vec<u8>>) -> Self {
        Self {
            shared: Arc::clone(shared),
            server: server.clone(),
            leaf,
            context: None,
        }
    }

    /// Takes a request's `Authorization`; none: whoever logged on before on this connection, where that was as strict as
    /// this directory is.
    pub(super) fn enter(&mut self, ways: Ways, authorization: Option<&str>) -> Said {
        let Some(given) = authorization else {
            return match self.established() {
                Some((user, protection)) if ways.windows && protection >= ways.protection => {
                    Said::As { user, token: None }
                }
                _ => Said::Challenge(ways.words()),
            };
        };
        let (word, token) = given.split_once(' ').unwrap_or((given, ""));
        let Ok(token) = BASE64.decode(token.trim()) else {
            return Said::Challenge(ways.words());
        };
        let scheme = [Scheme::Negotiate, Scheme::Ntlm]
            .into_iter()
            .find(|scheme| word.eq_ignore_ascii_case(scheme.name()));
        match scheme {
            Some(scheme) if ways.windows => self.step(ways, scheme, &token),
            None if ways.basic && word.eq_ignore_ascii_case("Basic") => self.basic(ways, token),
            _ => Said::Challenge(ways.words()),
        }
    }

    fn basic(&self, ways: Ways, token: Vec<u8>) -> Said {
        let user = String::from_utf8(token).ok().and_then(|text| {
            let (name, password) = text.split_once(':')?;
            account_of(&self.shared, name).filter(|(_, own)| own == password)
        });
        match user {
            Some((user, _)) => Said::As { user, token: None },
            None => Said::Challenge(ways.words()),
        }
    }

    fn step(&mut self, ways: Ways, scheme: Scheme, token: &[u8]) -> Said {
        // A further token for a context that stands begins another log-on.
        let goes_on = self.context.as_ref().is_some_and(|(own, protection, context)| {
            *own == scheme && *protection == ways.protection && !context.is_established()
        });
        if !goes_on {
            self.context = match acceptor(scheme, self.acceptance(ways.protection)) {
                Ok(context) => Some((scheme, ways.protection, context)),
                Err(error) => {
                    tracing::debug!(%error, "No acceptor");
                    None
                }
            };
        }
        let Some((_, _, context)) = &mut self.context else {
            return Said::Challenge(ways.words());
        };
        let stepped = match context.step(Some(token)) {
            Ok(stepped) => stepped,
            Err(error) => {
                tracing::debug!(%error, "A log-on is refused");
                self.context = None;
                return Said::Challenge(ways.words());
            }
        };
        let token = stepped
            .token
            .map(|token| format!("{} {}", scheme.name(), BASE64.encode(token)));
        if !stepped.established {
            return Said::Challenge(token.map_or_else(|| ways.words(), |token| vec![token]));
        }
        match self.established() {
            Some((user, _)) => Said::As { user, token },
            // Proven, and nobody of the lab.
            None => {
                self.context = None;
                Said::Challenge(ways.words())
            }
        }
    }

    fn established(&self) -> Option<(String, Protection)> {
        let (_, protection, context) = self.context.as_ref()?;
        let peer = context.is_established().then(|| context.peer())??;
        account_of(&self.shared, peer).map(|(user, _)| (user, *protection))
    }

    fn acceptance(&self, protection: Protection) -> Acceptance {
        let dns_domain = lock(&self.shared.world).domain().to_owned();
        let computer = self.server.as_str();
        Acceptance {
            accounts: Some(Arc::new(People(Arc::clone(&self.shared)))),
            keytab: self.shared.keytab.clone(),
            names: ServerNames {
                netbios_domain: net_bios(&dns_domain),
                netbios_computer: computer.to_uppercase(),
                dns_computer: format!("{}.{dns_domain}", computer.to_lowercase()),
                dns_domain,
            },
            binding: self
                .leaf
                .as_deref()
                .filter(|_| protection != Protection::None)
                .and_then(|der| ChannelBinding::tls_server_end_point(der).ok()),
            binding_required: protection == Protection::Require,
        }
    }
}
