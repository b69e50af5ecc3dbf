//! Kerberos by the system's library (SSPI on Windows, libkrb5 elsewhere), with the tickets of whoever is logged on.

use cross_krb5::{ClientCtx, InitiateFlags, K5Ctx as _, PendingClientCtx, Step as Krb5Step};

use crate::kerberos::Order;
use crate::refusal::Refusal;
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
    Established(ClientCtx, Order),
    Finished,
}

/// Which refusal a library's error is: by libkrb5's numbers, since its words are in the user's language.
#[cfg(unix)]
fn refusal_of<E>(error: &E) -> Refusal
where
    E: AsRef<dyn std::error::Error + Send + Sync>,
{
    use libgssapi::error::Error;
    // ERROR_TABLE_BASE_krb5: below 128 behind it are the codes of RFC 4120, then those of the library.
    const BASE: u32 = 0x96c7_3a00;
    let Some(Error { major, minor }) = error.as_ref().downcast_ref() else {
        return Refusal::Other;
    };
    match minor.wrapping_sub(BASE) {
        code @ 1..=127 => Refusal::of_code(code),
        // KRB5_REALM_UNKNOWN, KRB5_KDC_UNREACH, KRB5_REALM_CANT_RESOLVE
        154 | 156 | 220 => Refusal::Unreachable,
        // GSS_S_NO_CRED, GSS_S_CREDENTIALS_EXPIRED: numbers, not flags (RFC 2744 3.9.1).
        _ if matches!(major.bits() >> 16 & 0xff, 7 | 11) => Refusal::NoTicket,
        _ => Refusal::Other,
    }
}

/// On Windows the library's words say it, in the user's language.
#[cfg(windows)]
fn refusal_of<E>(_: &E) -> Refusal {
    Refusal::Other
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
                    refusal: refusal_of(&error),
                    why: format!("{error:#}"),
                })?;
                self.state = State::Reply(pending);
                Ok(Step {
                    token: Some(token.to_vec()),
                    established: false,
                })
            }
            State::Reply(pending) => {
                match pending
                    .step(token.unwrap_or_default())
                    .map_err(|error| match refusal_of(&error) {
                        Refusal::Other => GssError::library(
                            Mechanism::Kerberos,
                            "checking the server's answer",
                            format!("{error:#}"),
                        ),
                        refusal => GssError::TicketRefused {
                            target: self.target.clone(),
                            refusal,
                            why: format!("{error:#}"),
                        },
                    })? {
                    Krb5Step::Finished((context, token)) => {
                        self.state = State::Established(context, Order::default());
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
            State::Established(..) | State::Finished => Err(GssError::FINISHED),
        }
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        let State::Established(context, _) = &mut self.state else {
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
        let State::Established(context, order) = &mut self.state else {
            return Err(GssError::NOT_ESTABLISHED);
        };
        let opened = context
            .unwrap(&[header, data].concat())
            .map_err(|error| GssError::Message(format!("{error:#}")))
            .and_then(|plain| order.follows(header).map(|()| plain.to_vec()));
        if opened.is_err() {
            self.state = State::Finished;
        }
        opened
    }

    fn is_established(&self) -> bool {
        matches!(self.state, State::Established(..))
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
