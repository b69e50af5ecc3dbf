//! The server half of NTLM version 2. Source: [MS-NLMP] 3.2.5.1 and 3.3.2.

use std::time::SystemTime;

use rand::RngExt as _;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::message::{self, Authenticate, filetime};
use super::seal::{Rc4, Session, hmac_md5, response_key};
use crate::spnego::Inner;
use crate::{Acceptance, GssError, Mechanism, Protection, Sealed, SecurityContext, Step};

pub(crate) struct Acceptor {
    with: Acceptance,
    state: State,
    peer: Option<String>,
    protection: Protection,
}

enum State {
    Negotiate,
    Authenticate {
        negotiate: Vec<u8>,
        challenge: Vec<u8>,
        nonce: [u8; 8],
    },
    Established(Box<Session>),
    Finished,
}

/// What a client must at least ask for, and in which words a refusal says so.
const NEEDED: [(u32, &str); 2] = [
    (
        message::UNICODE | message::OEM,
        "a client that speaks Unicode or a code page",
    ),
    (
        message::EXTENDED_SESSION_SECURITY,
        "a client with extended session security (NTLM version 2)",
    ),
];

/// What the server grants where it is asked for.
const GRANTED: u32 = message::SIGN
    | message::SEAL
    | message::ALWAYS_SIGN
    | message::BITS_128
    | message::BITS_56
    | message::KEY_EXCHANGE
    | message::UNICODE
    | message::EXTENDED_SESSION_SECURITY;

impl Acceptor {
    pub(crate) fn new(with: Acceptance) -> Result<Self, GssError> {
        if with.accounts.is_none() {
            return Err(GssError::Unsupported {
                what: "accepting NTLM".to_owned(),
                why: "no accounts were given",
            });
        }
        Ok(Self {
            with,
            state: State::Negotiate,
            peer: None,
            protection: Protection::None,
        })
    }

    fn challenge(&mut self, token: &[u8]) -> Result<Step, GssError> {
        let asked = message::read_negotiate(token)?;
        for (flag, expected) in NEEDED {
            if asked & flag == 0 {
                return Err(GssError::token(expected, format!("the flags {asked:#010x}")));
            }
        }
        let mut nonce = [0_u8; 8];
        rand::rng().fill(&mut nonce);
        // Of two ways to write names one is granted.
        let names = if asked & message::UNICODE == 0 {
            message::OEM
        } else {
            0
        };
        let flags = asked & GRANTED
            | names
            | message::NTLM
            | message::TARGET_INFO
            | message::VERSION
            | message::REQUEST_TARGET
            | message::TARGET_TYPE_DOMAIN;
        let challenge =
            message::write_challenge(flags, &nonce, &self.with.names, filetime(SystemTime::now()));
        self.state = State::Authenticate {
            negotiate: token.to_vec(),
            challenge: challenge.clone(),
            nonce,
        };
        Ok(Step {
            token: Some(challenge),
            established: false,
        })
    }

    fn authenticate(
        &mut self,
        negotiate: &[u8],
        challenge: &[u8],
        nonce: [u8; 8],
        token: &[u8],
    ) -> Result<Step, GssError> {
        let said = message::read_authenticate(token)?;
        let denied = || GssError::LogonDenied {
            mechanism: Mechanism::Ntlm,
            user: user(&said),
        };
        let accounts = self.with.accounts.as_ref().ok_or_else(denied)?;
        let hash = accounts.nt_hash(&said.domain, &said.account).ok_or_else(denied)?;

        let response_key = response_key(&hash, &said.account, &said.domain);
        let proof = hmac_md5(response_key.as_slice(), &[&nonce, said.blob]);
        if !bool::from(proof.ct_eq(&said.proof)) {
            return Err(denied());
        }
        let mut exported = Zeroizing::new(hmac_md5(response_key.as_slice(), &[&proof]));
        let key_exchange = said.flags & message::KEY_EXCHANGE != 0;
        if key_exchange {
            let mut key: [u8; 16] = said.session_key.try_into().map_err(|_| {
                GssError::token(
                    "a session key of 16 bytes",
                    format!("one of {}", said.session_key.len()),
                )
            })?;
            Rc4::new(exported.as_slice()).apply(&mut key);
            exported = Zeroizing::new(key);
        }
        if let Some(code) = said.integrity {
            let computed = hmac_md5(
                exported.as_slice(),
                &[negotiate, challenge, &message::without_integrity(token)],
            );
            if !bool::from(computed.ct_eq(&code)) {
                return Err(GssError::token(
                    "three messages of one handshake",
                    "an integrity code of others",
                ));
            }
        }
        match (&self.with.binding, said.binding) {
            (Some(own), Some(sent)) if own.md5() != sent => return Err(GssError::Binding),
            (Some(_), None) if self.with.binding_required => return Err(GssError::Binding),
            _ => {}
        }
        if said.flags & message::SEAL != 0 && said.flags & message::BITS_128 == 0 {
            return Err(GssError::token(
                "sealing with 128 bits",
                format!("the flags {:#010x}", said.flags),
            ));
        }
        self.peer = Some(user(&said));
        self.protection = if said.flags & message::SEAL != 0 {
            Protection::Sealed
        } else if said.flags & message::SIGN != 0 {
            Protection::Signed
        } else {
            Protection::None
        };
        self.state = State::Established(Box::new(Session::of_server(&exported, key_exchange)));
        Ok(Step {
            token: None,
            established: true,
        })
    }
}

fn user(said: &Authenticate<'_>) -> String {
    if said.domain.is_empty() {
        said.account.clone()
    } else {
        format!(r"{}\{}", said.domain, said.account)
    }
}

impl SecurityContext for Acceptor {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        let token = token.unwrap_or_default();
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Negotiate => self.challenge(token),
            State::Authenticate {
                negotiate,
                challenge,
                nonce,
            } => self.authenticate(&negotiate, &challenge, nonce, token),
            State::Established(_) | State::Finished => Err(GssError::FINISHED),
        }
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        match &mut self.state {
            State::Established(session) => Ok(session.seal(plain)),
            _ => Err(GssError::NOT_ESTABLISHED),
        }
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        let State::Established(session) = &mut self.state else {
            return Err(GssError::NOT_ESTABLISHED);
        };
        let opened = session.open(header, data);
        if opened.is_err() {
            self.state = State::Finished;
        }
        opened
    }

    fn protection(&self) -> Protection {
        self.protection
    }

    fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Ntlm
    }
}

impl Inner for Acceptor {
    fn sign_mechanisms(&mut self, list: &[u8]) -> Option<Vec<u8>> {
        match &mut self.state {
            State::Established(session) => Some(session.sign_apart(list)),
            _ => None,
        }
    }

    fn verify_mechanisms(&mut self, list: &[u8], signature: &[u8]) -> Option<bool> {
        match &mut self.state {
            State::Established(session) => Some(session.is_signed_apart(list, signature)),
            _ => None,
        }
    }
}
