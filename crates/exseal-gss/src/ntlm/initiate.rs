//! The client half of NTLM version 2. Source: [MS-NLMP] 3.1.5.1 and 3.3.2.

use std::time::SystemTime;

use rand::RngExt as _;
use zeroize::Zeroizing;

use super::message::{self, filetime};
use super::seal::{Rc4, Session, hmac_md5, response_key};
use crate::spnego::Inner;
use crate::{
    ChannelBinding, Credential, GssError, Mechanism, NtHash, Sealed, SecurityContext, Step, Target, UserName,
};

pub(crate) struct Initiator {
    user: UserName,
    hash: NtHash,
    target: String,
    binding: [u8; 16],
    state: State,
}

enum State {
    Negotiate,
    Challenge { negotiate: Vec<u8> },
    Established(Box<Session>),
    Finished,
}

/// What the client asks for; a server that does not grant the second line is refused.
const ASKED: u32 = message::REQUEST_TARGET
    | message::SIGN
    | message::ALWAYS_SIGN
    | message::NTLM
    | message::TARGET_INFO
    | message::VERSION
    | message::BITS_56
    | NEEDED;
const NEEDED: u32 = message::UNICODE
    | message::SEAL
    | message::EXTENDED_SESSION_SECURITY
    | message::BITS_128
    | message::KEY_EXCHANGE;

pub(crate) fn initiator(
    credential: &Credential,
    target: &Target,
    binding: Option<&ChannelBinding>,
) -> Result<Initiator, GssError> {
    let Credential::Password { user, password } = credential else {
        return Err(GssError::Unsupported {
            what: format!("NTLM with {}", credential.describe()),
            why: "NTLM proves a password; give a user and a password, or use Kerberos",
        });
    };
    Ok(Initiator {
        user: user.clone(),
        hash: NtHash::of(password),
        target: target.principal(),
        binding: binding.map_or([0; 16], ChannelBinding::md5),
        state: State::Negotiate,
    })
}

impl Initiator {
    fn authenticate(&mut self, negotiate: &[u8], challenge: &[u8]) -> Result<Step, GssError> {
        let said = message::read_challenge(challenge)?;
        if said.flags & NEEDED != NEEDED {
            return Err(GssError::token(
                "a server that grants sealing with 128 bits, version 2",
                format!("the flags {:#010x}", said.flags),
            ));
        }
        // A name with a realm is one name to NTLM, and its domain is empty.
        let whole = self.user.to_string();
        let (account, domain) = match &self.user.domain {
            Some(domain) if !self.user.is_upn => (self.user.account.as_str(), domain.as_str()),
            Some(_) => (whole.as_str(), ""),
            None => (self.user.account.as_str(), ""),
        };
        let key = response_key(&self.hash, account, domain);
        let mut nonce = [0_u8; 8];
        let mut exported = Zeroizing::new([0_u8; 16]);
        rand::rng().fill(&mut nonce);
        rand::rng().fill(exported.as_mut_slice());
        let time = said.time().unwrap_or_else(|| filetime(SystemTime::now()));
        let blob = said.blob(time, nonce, self.binding, &self.target);
        let proof = hmac_md5(key.as_slice(), &[&said.nonce, &blob]);
        let mut session_key = *exported;
        Rc4::new(&hmac_md5(key.as_slice(), &[&proof])).apply(&mut session_key);

        let response = [&proof[..], &blob].concat();
        let mut token =
            message::write_authenticate(said.flags & ASKED, domain, account, &response, &session_key);
        let code = hmac_md5(exported.as_slice(), &[negotiate, challenge, &token]);
        message::set_integrity(&mut token, code);
        self.state = State::Established(Box::new(Session::of_client(&exported, true)));
        Ok(Step {
            token: Some(token),
            established: true,
        })
    }
}

impl SecurityContext for Initiator {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Negotiate => {
                let negotiate = message::write_negotiate(ASKED);
                self.state = State::Challenge {
                    negotiate: negotiate.clone(),
                };
                Ok(Step {
                    token: Some(negotiate),
                    established: false,
                })
            }
            State::Challenge { negotiate } => self.authenticate(&negotiate, token.unwrap_or_default()),
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

    fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    fn peer(&self) -> Option<&str> {
        None
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Ntlm
    }
}

impl Inner for Initiator {
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
