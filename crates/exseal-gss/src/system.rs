//! Kerberos by the system's library (SSPI on Windows, libkrb5 elsewhere), with the tickets of whoever is logged on.

use cross_krb5::{ClientCtx, InitiateFlags, K5Ctx as _, PendingClientCtx, Step as Krb5Step};

use crate::spnego::Inner;
use crate::{ChannelBinding, GssError, Mechanism, Sealed, SecurityContext, Step, Target};

pub(crate) struct Initiator {
    target: String,
    binding: Option<Vec<u8>>,
    state: State,
}

enum State {
    First,
    Reply(PendingClientCtx),
    Established(ClientCtx),
    Finished,
}

/// How far RFC 4121's trailer is rotated to the front when a message is encrypted ([MS-KILE] 3.4.5.4.1).
#[cfg(unix)]
const ROTATION: u16 = 28;

impl Initiator {
    pub(crate) fn new(target: &Target, binding: Option<&ChannelBinding>) -> Self {
        Self {
            target: target.principal(),
            binding: binding.map(|binding| binding.application_data().to_vec()),
            state: State::First,
        }
    }
}

impl SecurityContext for Initiator {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::First => {
                let (pending, token) = ClientCtx::new(
                    InitiateFlags::empty(),
                    None,
                    &self.target,
                    self.binding.as_deref(),
                )
                .map_err(|error| GssError::Ticket {
                    target: self.target.clone(),
                    why: format!("{error:#}"),
                })?;
                self.state = State::Reply(pending);
                Ok(Step {
                    token: Some(token.to_vec()),
                    established: false,
                })
            }
            State::Reply(pending) => {
                let failed = |error| {
                    GssError::library(
                        Mechanism::Kerberos,
                        "checking the server's answer",
                        format!("{error:#}"),
                    )
                };
                match pending.step(token.unwrap_or_default()).map_err(failed)? {
                    Krb5Step::Finished((context, token)) => {
                        self.state = State::Established(context);
                        Ok(Step {
                            token: token.map(|token| token.to_vec()),
                            established: true,
                        })
                    }
                    Krb5Step::Continue((pending, token)) => {
                        self.state = State::Reply(pending);
                        Ok(Step {
                            token: Some(token.to_vec()),
                            established: false,
                        })
                    }
                }
            }
            State::Established(_) | State::Finished => Err(GssError::FINISHED),
        }
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        let State::Established(context) = &mut self.state else {
            return Err(GssError::NOT_ESTABLISHED);
        };
        let mut header = context
            .wrap(true, plain)
            .map_err(|error| {
                GssError::library(Mechanism::Kerberos, "sealing a message", format!("{error:#}"))
            })?
            .to_vec();
        #[cfg(unix)]
        rotate(&mut header)?;
        let split = header.len().checked_sub(plain.len()).ok_or_else(|| {
            GssError::library(
                Mechanism::Kerberos,
                "sealing a message",
                "the token is shorter than its content",
            )
        })?;
        let data = header.split_off(split);
        Ok(Sealed { header, data })
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        let State::Established(context) = &mut self.state else {
            return Err(GssError::NOT_ESTABLISHED);
        };
        match context.unwrap(&[header, data].concat()) {
            Ok(plain) => Ok(plain.to_vec()),
            Err(error) => {
                self.state = State::Finished;
                Err(GssError::Message(format!("{error:#}")))
            }
        }
    }

    fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    fn peer(&self) -> Option<&str> {
        self.is_established().then_some(self.target.as_str())
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Kerberos
    }
}

impl Inner for Initiator {}

/// libkrb5 writes wrap tokens unrotated; WSMan wants the 60 bytes that are not data in front.
#[cfg(unix)]
fn rotate(token: &mut [u8]) -> Result<(), GssError> {
    let short = || {
        GssError::library(
            Mechanism::Kerberos,
            "sealing a message",
            "the token has no header of 16 bytes",
        )
    };
    let (header, body) = token.split_at_mut_checked(16).ok_or_else(short)?;
    let done = u16::from_be_bytes([header[6], header[7]]);
    if done == 0 && body.len() >= usize::from(ROTATION) {
        body.rotate_right(usize::from(ROTATION));
        header[6..8].copy_from_slice(&ROTATION.to_be_bytes());
    }
    Ok(())
}
