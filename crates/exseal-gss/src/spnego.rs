//! The negotiation around a mechanism. Source: RFC 4178 and [MS-SPNG].

mod token;

pub(crate) use token::{take, tlv};

use crate::{
    Acceptance, ChannelBinding, Credential, GssError, KdcExchange, Mechanism, Protection, Sealed,
    SecurityContext, Step, Target,
};
use crate::{kerberos, ntlm};
use token::{Init, NegState, Response};

/// A mechanism within the negotiation.
pub(crate) trait Inner: SecurityContext {
    /// Signs the list of mechanisms; none: this mechanism cannot.
    fn sign_mechanisms(&mut self, _list: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Whether the peer signed the list so; none: this mechanism cannot tell.
    fn verify_mechanisms(&mut self, _list: &[u8], _signature: &[u8]) -> Option<bool> {
        None
    }
}

const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// Kerberos with the number an old Windows wrote by mistake; every Windows still offers it first.
const KERBEROS_OF_WINDOWS: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];

fn mechanism_of(oid: &[u8]) -> Option<Mechanism> {
    match oid {
        KERBEROS | KERBEROS_OF_WINDOWS => Some(Mechanism::Kerberos),
        NTLM => Some(Mechanism::Ntlm),
        _ => None,
    }
}

/// A client: Kerberos first where it is possible, then NTLM.
pub(crate) struct Initiator {
    inner: Box<dyn Inner>,
    /// What follows when the first mechanism is not to be had.
    fallback: Option<ntlm::Initiator>,
    offered: Vec<Vec<u8>>,
    state: State,
    /// Whether the server chose another mechanism than the one tried first, so that the list must be proven.
    switched: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Reply,
    /// This side is done; the server's last word may still come.
    Established,
    Finished,
}

impl Initiator {
    pub(crate) fn new(
        credential: Credential,
        target: &Target,
        binding: Option<ChannelBinding>,
        kdc: Option<Box<dyn KdcExchange>>,
    ) -> Result<Self, GssError> {
        let mut fallback = match &credential {
            Credential::Password { .. } => Some(ntlm::initiator(&credential, target, binding.as_ref())?),
            _ => None,
        };
        let has_realm = !matches!(&credential, Credential::Password { user, .. } if user.domain.is_none());
        let inner = match (kdc, fallback.take()) {
            // Without a realm or a way to its centre there is nothing to try but NTLM.
            (kdc, Some(ntlm)) if kdc.is_none() || !has_realm => Box::new(ntlm),
            (kdc, ntlm) => {
                fallback = ntlm;
                kerberos::initiator(credential, target, binding, kdc)?
            }
        };
        Ok(Self {
            inner,
            fallback,
            offered: Vec::new(),
            state: State::First,
            switched: false,
        })
    }

    fn first(&mut self) -> Result<Step, GssError> {
        let first = match (self.inner.step(None), self.fallback.take()) {
            (Ok(step), fallback) => {
                self.fallback = fallback;
                step
            }
            (Err(GssError::Ticket { .. }), Some(ntlm)) => {
                self.inner = Box::new(ntlm);
                self.inner.step(None)?
            }
            (Err(error), _) => return Err(error),
        };
        if self.inner.mechanism() == Mechanism::Kerberos {
            self.offered
                .extend([KERBEROS.to_vec(), KERBEROS_OF_WINDOWS.to_vec()]);
        }
        if self.fallback.is_some() || self.inner.mechanism() == Mechanism::Ntlm {
            self.offered.push(NTLM.to_vec());
        }
        self.state = State::Reply;
        let init = Init {
            mechanisms: self.offered.clone(),
            token: first.token,
            list_signature: None,
        };
        Ok(Step {
            token: Some(init.encode()),
            established: false,
        })
    }

    fn reply(&mut self, token: &[u8]) -> Result<Step, GssError> {
        let said = Response::decode(token)?;
        if said.state == Some(NegState::Reject) {
            // The mechanism's own token may say why.
            if let (Some(token), false) = (&said.token, self.inner.is_established()) {
                self.inner.step(Some(token))?;
            }
            return Err(GssError::LogonDenied {
                mechanism: self.inner.mechanism(),
                user: String::new(),
            });
        }
        if let Some(chosen) = said.mechanism.as_deref() {
            let wanted =
                mechanism_of(chosen).filter(|_| self.offered.iter().any(|offered| offered == chosen));
            if wanted != Some(self.inner.mechanism()) {
                return self.switch(chosen, wanted);
            }
        }
        let mut answer = None;
        if !self.inner.is_established() {
            answer = self
                .inner
                .step(Some(said.token.as_deref().unwrap_or_default()))?
                .token;
        }
        if !self.inner.is_established() {
            self.state = State::Reply;
            return Ok(Step {
                token: answer.map(Response::carrying),
                established: false,
            });
        }
        let list = token::mechanism_list(&self.offered);
        let completed = said.state == Some(NegState::AcceptCompleted);
        self.check(said.list_signature.as_deref(), &list, completed)?;
        self.state = State::Established;
        let list_signature = if completed {
            None
        } else {
            self.inner.sign_mechanisms(&list)
        };
        if answer.is_none() && list_signature.is_none() {
            return Ok(Step {
                token: None,
                established: true,
            });
        }
        let response = Response {
            state: None,
            mechanism: None,
            token: answer,
            list_signature,
        };
        Ok(Step {
            token: Some(response.encode()),
            established: true,
        })
    }

    fn switch(&mut self, chosen: &[u8], wanted: Option<Mechanism>) -> Result<Step, GssError> {
        match (wanted, self.fallback.take()) {
            (Some(Mechanism::Ntlm), Some(ntlm)) if self.state == State::Reply => {
                self.inner = Box::new(ntlm);
                self.switched = true;
                let token = self.inner.step(None)?.token;
                Ok(Step {
                    token: token.map(Response::carrying),
                    established: false,
                })
            }
            _ => Err(GssError::NoMechanism {
                offered: wanted.map_or_else(
                    || format!("an identifier of {} bytes", chosen.len()),
                    |m| format!("{m:?}"),
                ),
                have: format!("{:?}", self.inner.mechanism()),
            }),
        }
    }

    /// The server's last word: it may sign the list, and may still reject.
    fn last_word(&mut self, token: &[u8]) -> Result<Step, GssError> {
        let said = Response::decode(token)?;
        if said.state == Some(NegState::Reject) {
            return Err(GssError::LogonDenied {
                mechanism: self.inner.mechanism(),
                user: String::new(),
            });
        }
        let list = token::mechanism_list(&self.offered);
        self.check(said.list_signature.as_deref(), &list, true)?;
        Ok(Step {
            token: None,
            established: true,
        })
    }

    /// The server's signature of our list, demanded where it chose another mechanism and says that it is done.
    fn check(&mut self, signature: Option<&[u8]>, list: &[u8], completed: bool) -> Result<(), GssError> {
        match signature {
            Some(signature) if self.inner.verify_mechanisms(list, signature) == Some(false) => {
                Err(GssError::token(
                    "the server's signature of our mechanisms",
                    "another one: the list was altered",
                ))
            }
            None if self.switched && completed => Err(GssError::token(
                "the server's signature of our mechanisms",
                "none, after it chose another one",
            )),
            _ => Ok(()),
        }
    }
}

impl SecurityContext for Initiator {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        let before = self.state;
        let result = match before {
            State::First => self.first(),
            State::Reply => self.reply(token.unwrap_or_default()),
            State::Established => self.last_word(token.unwrap_or_default()),
            State::Finished => Err(GssError::FINISHED),
        };
        if result.is_err() {
            self.state = State::Finished;
        }
        result
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        if self.is_established() {
            self.inner.seal(plain)
        } else {
            Err(GssError::NOT_ESTABLISHED)
        }
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        if self.is_established() {
            self.inner.open(header, data)
        } else {
            Err(GssError::NOT_ESTABLISHED)
        }
    }

    fn is_established(&self) -> bool {
        self.state == State::Established
    }

    fn peer(&self) -> Option<&str> {
        self.inner.peer()
    }

    fn mechanism(&self) -> Mechanism {
        self.inner.mechanism()
    }
}

/// A server: takes the first mechanism of the client's list that it has.
pub(crate) struct Acceptor {
    with: Acceptance,
    inner: Option<Box<dyn Inner>>,
    /// Tokens come bare, without a negotiation around them.
    bare: bool,
    list: Vec<u8>,
    /// Whether the client's first choice was not taken, so that it must sign its list.
    must_sign: bool,
    done: bool,
    failed: bool,
}

impl Acceptor {
    pub(crate) fn new(with: Acceptance) -> Result<Self, GssError> {
        if with.accounts.is_none() && with.keytab.is_none() {
            return Err(GssError::Unsupported {
                what: "accepting Negotiate".to_owned(),
                why: "neither accounts nor a keytab were given",
            });
        }
        Ok(Self {
            with,
            inner: None,
            bare: false,
            list: Vec::new(),
            must_sign: false,
            done: false,
            failed: false,
        })
    }

    fn has(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Ntlm => self.with.accounts.is_some(),
            Mechanism::Kerberos => self.with.keytab.is_some(),
        }
    }

    fn begin(&self, mechanism: Mechanism) -> Result<Box<dyn Inner>, GssError> {
        Ok(match mechanism {
            Mechanism::Ntlm => Box::new(ntlm::Acceptor::new(self.with.clone())?),
            Mechanism::Kerberos => Box::new(kerberos::acceptor(self.with.clone())?),
        })
    }

    fn first(&mut self, token: &[u8]) -> Result<Step, GssError> {
        let bare = if token.starts_with(ntlm::SIGNATURE) {
            Some(Mechanism::Ntlm)
        } else {
            token::bare_mechanism(token).and_then(mechanism_of)
        };
        if let Some(mechanism) = bare {
            self.bare = true;
            let inner = self.inner.insert(self.begin(mechanism)?);
            let step = inner.step(Some(token))?;
            self.done = step.established;
            return Ok(step);
        }
        let init = Init::decode(token)?;
        self.list = token::mechanism_list(&init.mechanisms);
        let chosen = init.mechanisms.iter().enumerate().find_map(|(at, oid)| {
            mechanism_of(oid)
                .filter(|mechanism| self.has(*mechanism))
                .map(|mechanism| (at, oid.clone(), mechanism))
        });
        let Some((at, oid, mechanism)) = chosen else {
            return Err(GssError::NoMechanism {
                offered: format!("{} others", init.mechanisms.len()),
                have: [Mechanism::Kerberos, Mechanism::Ntlm]
                    .into_iter()
                    .filter(|m| self.has(*m))
                    .map(|m| format!("{m:?}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        };
        // The token that came along is the first mechanism's; both numbers of Kerberos are one mechanism.
        let is_first = init.mechanisms.first().and_then(|oid| mechanism_of(oid)) == Some(mechanism);
        self.must_sign = !is_first;
        let optimistic = init.token.filter(|_| is_first || at == 0);
        self.inner = Some(self.begin(mechanism)?);
        match optimistic {
            Some(token) => self.inner_step(&token, Some(oid), init.list_signature.as_deref()),
            None => {
                let state = if self.must_sign {
                    NegState::RequestMic
                } else {
                    NegState::AcceptIncomplete
                };
                let response = Response {
                    state: Some(state),
                    mechanism: Some(oid),
                    token: None,
                    list_signature: None,
                };
                Ok(Step {
                    token: Some(response.encode()),
                    established: false,
                })
            }
        }
    }

    fn next(&mut self, token: &[u8]) -> Result<Step, GssError> {
        if self.bare {
            let inner = self.inner.as_mut().ok_or(GssError::FINISHED)?;
            let step = inner.step(Some(token))?;
            self.done = step.established;
            return Ok(step);
        }
        let said = Response::decode(token)?;
        self.inner_step(
            said.token.as_deref().unwrap_or_default(),
            None,
            said.list_signature.as_deref(),
        )
    }

    fn inner_step(
        &mut self,
        token: &[u8],
        chosen: Option<Vec<u8>>,
        signature: Option<&[u8]>,
    ) -> Result<Step, GssError> {
        let inner = self.inner.as_mut().ok_or(GssError::FINISHED)?;
        let step = inner.step(Some(token))?;
        let mut response = Response {
            state: None,
            mechanism: chosen,
            token: step.token,
            list_signature: None,
        };
        if step.established {
            match signature {
                Some(signature) => {
                    if inner.verify_mechanisms(&self.list, signature) == Some(false) {
                        return Err(GssError::token(
                            "the client's signature of its mechanisms",
                            "another one",
                        ));
                    }
                    response.list_signature = inner.sign_mechanisms(&self.list);
                }
                None if self.must_sign => {
                    return Err(GssError::token(
                        "the client's signature of its mechanisms",
                        "none",
                    ));
                }
                None => {}
            }
            self.done = true;
        }
        response.state = Some(if step.established {
            NegState::AcceptCompleted
        } else {
            NegState::AcceptIncomplete
        });
        Ok(Step {
            token: Some(response.encode()),
            established: step.established,
        })
    }
}

impl SecurityContext for Acceptor {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        if self.done || self.failed {
            return Err(GssError::FINISHED);
        }
        let token = token.unwrap_or_default();
        let result = if self.inner.is_none() {
            self.first(token)
        } else {
            self.next(token)
        };
        self.failed = result.is_err();
        result
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        match &mut self.inner {
            Some(inner) if self.done => inner.seal(plain),
            _ => Err(GssError::NOT_ESTABLISHED),
        }
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        match &mut self.inner {
            Some(inner) if self.done => inner.open(header, data),
            _ => Err(GssError::NOT_ESTABLISHED),
        }
    }

    fn open_token(&mut self, token: &[u8]) -> Result<Vec<u8>, GssError> {
        match &mut self.inner {
            Some(inner) if self.done => inner.open_token(token),
            _ => Err(GssError::NOT_ESTABLISHED),
        }
    }

    fn protection(&self) -> Protection {
        self.inner
            .as_ref()
            .map_or(Protection::None, |inner| inner.protection())
    }

    fn is_established(&self) -> bool {
        self.done && self.inner.as_ref().is_some_and(|inner| inner.is_established())
    }

    fn peer(&self) -> Option<&str> {
        self.inner
            .as_ref()
            .filter(|_| self.done)
            .and_then(|inner| inner.peer())
    }

    fn mechanism(&self) -> Mechanism {
        self.inner.as_ref().map_or(
            if self.with.keytab.is_some() {
                Mechanism::Kerberos
            } else {
                Mechanism::Ntlm
            },
            |inner| inner.mechanism(),
        )
    }
}
