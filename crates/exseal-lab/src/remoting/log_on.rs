//! Logging on: one security context a connection.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exseal_gss::{
    Acceptance, Accounts, ChannelBinding, NtHash, Password, Scheme, SecurityContext, ServerNames, acceptor,
};
use exseal_psrp::multipart::Protocol;

use super::{Commands, Guard};
use crate::net::{Arrival, Door};

/// The people of the lab, for NTLM.
struct People(Arc<dyn Commands>);

impl Accounts for People {
    fn nt_hash(&self, _domain: &str, account: &str) -> Option<NtHash> {
        let (_, password) = self.0.account(account)?;
        Some(NtHash::of(&Password::new(password)))
    }
}

/// What a request's log-on came to.
pub(super) enum Entry {
    /// Who it is; the token to send along, if there is one more.
    As { user: String, token: Option<String> },
    /// Not yet: answer 401 with this.
    Challenge(Vec<String>),
}

/// The log-on of one connection.
pub(super) struct LogOn {
    context: Option<(Scheme, Box<dyn SecurityContext>)>,
    offers: Vec<(Option<Scheme>, String)>,
    acceptance: Acceptance,
    commands: Arc<dyn Commands>,
}

impl LogOn {
    pub(super) fn new(commands: &Arc<dyn Commands>, guard: &Guard, arrival: &Arrival) -> Self {
        let is_tls = arrival.certificate.is_some();
        let mut offers = Vec::new();
        let negotiate = (Some(Scheme::Negotiate), "Negotiate".to_owned());
        let kerberos = guard
            .keytab
            .is_some()
            .then(|| (Some(Scheme::Kerberos), "Kerberos".to_owned()));
        match arrival.door {
            Door::Exchange => {
                offers.extend(kerberos);
                offers.extend(guard.negotiate_at_exchange.then_some(negotiate));
            }
            Door::Windows => {
                offers.push(negotiate);
                offers.extend(kerberos);
            }
        }
        let allowed = arrival.door == Door::Windows || commands.takes_basic(&arrival.server);
        if ((is_tls && guard.basic) || guard.basic_over_http) && allowed {
            offers.push((None, "Basic realm=\"exseal lab, a simulation\"".to_owned()));
        }
        let (netbios_domain, dns_domain) = commands.domain();
        let computer = arrival.server.as_str();
        let acceptance = Acceptance {
            accounts: Some(Arc::new(People(Arc::clone(commands)))),
            keytab: guard.keytab.clone(),
            names: ServerNames {
                netbios_domain,
                netbios_computer: computer.to_uppercase(),
                dns_computer: format!("{}.{dns_domain}", computer.to_lowercase()),
                dns_domain,
            },
            binding: arrival
                .certificate
                .as_deref()
                .and_then(|der| ChannelBinding::tls_server_end_point(der).ok()),
            binding_required: false,
        };
        Self {
            context: None,
            offers,
            acceptance,
            commands: Arc::clone(commands),
        }
    }

    /// Takes a request's `Authorization`; none: whoever logged on before on this connection.
    pub(super) fn enter(&mut self, authorization: Option<&str>) -> Entry {
        let Some(given) = authorization else {
            return self
                .established()
                .map_or_else(|| self.refuse(), |user| Entry::As { user, token: None });
        };
        let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
        if scheme.eq_ignore_ascii_case("Basic") {
            return self.basic(token);
        }
        let offered = self
            .offers
            .iter()
            .find_map(|(own, word)| own.filter(|_| word.eq_ignore_ascii_case(scheme)));
        let (Some(scheme), Ok(token)) = (offered, BASE64.decode(token.trim())) else {
            return self.refuse();
        };
        self.step(scheme, &token)
    }

    fn step(&mut self, scheme: Scheme, token: &[u8]) -> Entry {
        // A further token for a context that stands begins another log-on.
        let goes_on =
            matches!(&self.context, Some((own, context)) if *own == scheme && !context.is_established());
        if !goes_on {
            match acceptor(scheme, self.acceptance.clone()) {
                Ok(context) => self.context = Some((scheme, context)),
                Err(error) => {
                    tracing::debug!(%error, "No acceptor");
                    return self.refuse();
                }
            }
        }
        let Some((_, context)) = &mut self.context else {
            return self.refuse();
        };
        let stepped = match context.step(Some(token)) {
            Ok(stepped) => stepped,
            Err(error) => {
                tracing::debug!(%error, "A log-on is refused");
                self.context = None;
                return self.refuse();
            }
        };
        let token = stepped
            .token
            .map(|token| format!("{} {}", scheme.name(), BASE64.encode(token)));
        if !stepped.established {
            return token.map_or_else(|| self.refuse(), |token| Entry::Challenge(vec![token]));
        }
        match self.established() {
            Some(user) => Entry::As { user, token },
            // Proven, and nobody of the lab.
            None => {
                self.context = None;
                self.refuse()
            }
        }
    }

    fn basic(&self, token: &str) -> Entry {
        let is_offered = self.offers.iter().any(|(scheme, _)| scheme.is_none());
        let found = is_offered
            .then(|| BASE64.decode(token.trim()).ok())
            .flatten()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| {
                let (name, password) = text.split_once(':')?;
                self.commands.account(name).filter(|(_, own)| own == password)
            });
        found.map_or_else(|| self.refuse(), |(user, _)| Entry::As { user, token: None })
    }

    /// Who the context proved, as the lab calls them.
    fn established(&self) -> Option<String> {
        let (_, context) = self.context.as_ref()?;
        let peer = context.is_established().then(|| context.peer())??;
        self.commands.account(peer).map(|(user, _)| user)
    }

    fn refuse(&self) -> Entry {
        Entry::Challenge(self.offers.iter().map(|(_, word)| word.clone()).collect())
    }

    /// What seals on this connection.
    pub(super) fn seal(&mut self) -> Option<(Protocol, &mut Box<dyn SecurityContext>)> {
        let (scheme, context) = self.context.as_mut()?;
        if !context.is_established() {
            return None;
        }
        let protocol = match scheme {
            Scheme::Kerberos => Protocol::Kerberos,
            Scheme::Negotiate | Scheme::Ntlm => Protocol::Spnego,
        };
        Some((protocol, context))
    }
}
