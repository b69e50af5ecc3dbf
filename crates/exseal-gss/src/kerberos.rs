//! Kerberos on `sspi`: a client with password or keytab, a server with a keytab. Source: RFC 4120, RFC 4121,
//! [MS-KILE] 3.4.5.4.1 for the layout of sealed messages.

use std::time::Duration;

use picky_krb::crypto::CipherSuite;
use sspi::generator::GeneratorState;
use sspi::kerberos::ServerProperties;
use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, Credentials, CredentialsBuffers,
    DataRepresentation, EncryptionFlags, Kerberos, KerberosConfig, KeytabIdentity, SecurityBuffer,
    SecurityBufferRef, SecurityStatus, ServerRequestFlags, Sspi as _, SspiImpl as _, Username,
};

use crate::bound;
use crate::keytab::Keytab;
use crate::refusal::{self, Refusal};
use crate::spnego::Inner;
use crate::{
    Acceptance, ChannelBinding, Credential, GssError, Mechanism, Sealed, SecurityContext, Step, Target,
};

/// Carries a question to a key distribution centre and brings its answer: the caller's sockets.
pub trait KdcExchange: Send {
    /// Asks the centre of `realm` (or the host that `krb5.conf` names for another realm). Both messages are without
    /// the four bytes of length that TCP puts before them. May block.
    ///
    /// # Errors
    /// No centre could be reached; the context fails with [`GssError::Ticket`].
    fn ask(&mut self, realm: &str, request: &[u8]) -> Result<Vec<u8>, KdcUnreachable>;
}

/// No answer came from any key distribution centre.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KdcUnreachable(pub String);

/// How far two clocks may differ: Windows' and MIT's default.
const SKEW: Duration = Duration::from_secs(300);

pub(crate) fn initiator(
    credential: Credential,
    target: &Target,
    binding: Option<ChannelBinding>,
    kdc: Option<Box<dyn KdcExchange>>,
) -> Result<Box<dyn Inner>, GssError> {
    if matches!(credential, Credential::LogonSession) {
        #[cfg(any(feature = "gssapi", windows))]
        return Ok(Box::new(crate::system::Initiator::new(target, binding.as_ref())));
        #[cfg(not(any(feature = "gssapi", windows)))]
        return Err(GssError::Unsupported {
            what: "Kerberos with the log-on session's tickets".to_owned(),
            why: "this build is without the system's Kerberos library (feature gssapi); give a keytab or a password",
        });
    }
    let Some(kdc) = kdc else {
        return Err(GssError::Unsupported {
            what: format!("Kerberos with {}", credential.describe()),
            why: "nothing was given that reaches a key distribution centre",
        });
    };
    Initiator::new(&credential, target, binding, kdc).map(|context| Box::new(context) as Box<dyn Inner>)
}

struct Initiator {
    context: Kerberos,
    credentials: Option<CredentialsBuffers>,
    user: String,
    target: String,
    binding: Option<ChannelBinding>,
    kdc: Box<dyn KdcExchange>,
    state: State,
    messages: Order,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Reply,
    Established,
    Finished,
}

fn failed(doing: &'static str) -> impl FnOnce(sspi::Error) -> GssError {
    move |error| GssError::library(Mechanism::Kerberos, doing, error)
}

impl Initiator {
    fn new(
        credential: &Credential,
        target: &Target,
        binding: Option<ChannelBinding>,
        kdc: Box<dyn KdcExchange>,
    ) -> Result<Self, GssError> {
        let user = match credential {
            Credential::Password { user, .. } | Credential::Keytab { user, .. } => user,
            Credential::LogonSession => return Err(GssError::FINISHED),
        };
        let Some(realm) = &user.domain else {
            return Err(GssError::Unsupported {
                what: format!("Kerberos for {user}"),
                why: "a realm is needed: write user@REALM or DOMAIN\\user",
            });
        };
        let credentials = match credential {
            Credential::Password { password, .. } => Credentials::AuthIdentity(AuthIdentity {
                username: named(Username::new(&user.account, Some(realm)))?,
                password: password.reveal().to_owned().into(),
            }),
            Credential::Keytab { keytab, .. } => {
                let wanted = |entry: &&crate::keytab::Entry| {
                    entry.components.join("/").eq_ignore_ascii_case(&user.account)
                        && entry.realm.eq_ignore_ascii_case(realm)
                };
                let usable = keytab.usable();
                let entry = usable
                    .iter()
                    .copied()
                    .find(wanted)
                    .ok_or_else(|| GssError::Ticket {
                        target: target.principal(),
                        refusal: Refusal::Other,
                        why: format!(
                            "the keytab has no AES key of {user}, only of {}",
                            keytab.principals().join(", ")
                        ),
                    })?;
                Credentials::Keytab(KeytabIdentity {
                    principal: named(Username::new(&user.account, Some(realm)))?,
                    key: entry.key.to_vec().into(),
                    key_enctype: suite(entry.encryption)?,
                })
            }
            Credential::LogonSession => return Err(GssError::FINISHED),
        };
        let config = KerberosConfig::new_with_kdc_url(
            &format!("tcp://{}:88", realm.to_lowercase()),
            target.host.clone(),
        );
        let mut context = Kerberos::new_client_from_config(config).map_err(failed("beginning"))?;
        let handle = context
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&credentials)
            .execute(&mut context)
            .map_err(failed("taking the credential"))?;
        Ok(Self {
            context,
            credentials: handle.credentials_handle,
            user: user.to_string(),
            target: target.principal(),
            binding,
            kdc,
            state: State::First,
            messages: Order::default(),
        })
    }
}

fn named<E: std::fmt::Display>(user: Result<Username, E>) -> Result<Username, GssError> {
    user.map_err(|error| GssError::token("a Kerberos user", error.to_string()))
}

fn suite(encryption: u16) -> Result<CipherSuite, GssError> {
    Ok(match encryption {
        17 => CipherSuite::Aes128CtsHmacSha196,
        18 => CipherSuite::Aes256CtsHmacSha196,
        other => return Err(GssError::token("an AES key", format!("encryption type {other}"))),
    })
}

impl SecurityContext for Initiator {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        guarded("reading an answer", || {
            match self.state {
                State::First | State::Reply => {}
                State::Established | State::Finished => return Err(GssError::FINISHED),
            }
            let before = std::mem::replace(&mut self.state, State::Finished);
            if let Some(code) = refusal::code_in_token(token.unwrap_or_default()) {
                return Err(GssError::TicketRefused {
                    target: self.target.clone(),
                    refusal: Refusal::of_code(code),
                    why: format!("KRB-ERROR {code}"),
                });
            }
            let mut input = vec![SecurityBuffer::new(
                token.unwrap_or_default().to_vec(),
                BufferType::Token,
            )];
            if let Some(binding) = &self.binding {
                input.push(SecurityBuffer::new(
                    binding.sec_channel_bindings(),
                    BufferType::ChannelBindings,
                ));
            }
            let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
            let flags = ClientRequestFlags::MUTUAL_AUTH
                | ClientRequestFlags::INTEGRITY
                | ClientRequestFlags::CONFIDENTIALITY
                | ClientRequestFlags::SEQUENCE_DETECT
                | ClientRequestFlags::REPLAY_DETECT;
            // What the centre said last, and whether it said anything.
            let mut last = Some(Refusal::Other);
            let mut wrong_password = false;
            let (user, target) = (&self.user, &self.target);
            let ticket = |error: sspi::Error, last: Option<Refusal>, wrong_password: bool| {
                if wrong_password {
                    return GssError::LogonDenied {
                        mechanism: Mechanism::Kerberos,
                        user: user.clone(),
                    };
                }
                GssError::Ticket {
                    target: target.clone(),
                    refusal: last.unwrap_or(Refusal::Unreachable),
                    why: error.description,
                }
            };
            let mut builder = self
                .context
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(flags)
                .with_target_data_representation(DataRepresentation::Native)
                .with_target_name(&self.target)
                .with_input(&mut input)
                .with_output(&mut output);
            let status = {
                let mut generator = self
                    .context
                    .initialize_security_context_impl(&mut builder)
                    .map_err(|error| ticket(error, last, false))?;
                let mut state = generator.start();
                loop {
                    match state {
                        GeneratorState::Suspended(request) => {
                            let realm = request.url.host_str().unwrap_or_default();
                            let answer = match request.data.get(4..) {
                                Some(question) => self.kdc.ask(realm, question),
                                None => Err(KdcUnreachable("a question without a length".to_owned())),
                            };
                            state = generator.resume(match answer {
                                Ok(answer) => {
                                    let code = refusal::code(&answer);
                                    wrong_password = code == Some(refusal::WRONG_PASSWORD);
                                    last = Some(code.map_or(Refusal::Other, Refusal::of_code));
                                    let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
                                    Ok([&length.to_be_bytes()[..], &answer].concat())
                                }
                                Err(error) => {
                                    last = None;
                                    Err(sspi::Error::new(
                                        sspi::ErrorKind::NoAuthenticatingAuthority,
                                        error.0,
                                    ))
                                }
                            });
                        }
                        GeneratorState::Completed(result) => break result.map(|done| done.status),
                    }
                }
            };
            let doing = "checking the server's answer";
            let status = status.map_err(|error| {
                if before == State::First {
                    ticket(error, last, wrong_password)
                } else {
                    failed(doing)(error)
                }
            })?;
            let established = status == SecurityStatus::Ok;
            self.state = if established {
                State::Established
            } else {
                State::Reply
            };
            let [output] = output;
            let mut token = Some(output.buffer).filter(|token| !token.is_empty());
            if let (State::First, Some(request), Some(_)) = (before, &token, &self.binding) {
                let doing = "binding the request to the connection";
                let key = self.context.query_context_session_key().map_err(failed(doing))?;
                let right = bound::put_right(request, key.session_key.as_ref())
                    .map_err(|why| GssError::library(Mechanism::Kerberos, doing, why))?;
                token = Some(right);
            }
            Ok(Step { token, established })
        })
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        seal(&mut self.context, plain)
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        let opened = open(&mut self.context, &mut self.messages, header, data);
        if opened.is_err() {
            self.state = State::Finished;
        }
        opened
    }

    fn is_established(&self) -> bool {
        self.state == State::Established
    }

    fn peer(&self) -> Option<&str> {
        self.is_established().then_some(self.target.as_str())
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Kerberos
    }
}

impl Inner for Initiator {}

/// A Kerberos server; knows each principal of the keytab.
pub(crate) struct Acceptor {
    context: Kerberos,
    state: State,
    peer: Option<String>,
    messages: Order,
}

pub(crate) fn acceptor(with: Acceptance) -> Result<Acceptor, GssError> {
    let missing = GssError::Unsupported {
        what: "accepting Kerberos".to_owned(),
        why: "no keytab was given",
    };
    let Some(keytab) = with.keytab else {
        return Err(missing);
    };
    Acceptor::new(&keytab)
}

impl Acceptor {
    fn new(keytab: &Keytab) -> Result<Self, GssError> {
        let usable = keytab.usable();
        let Some((first, others)) = usable.split_first() else {
            return Err(GssError::Unsupported {
                what: "accepting Kerberos".to_owned(),
                why: "the keytab has no AES key",
            });
        };
        let name: Vec<&str> = first.components.iter().map(String::as_str).collect();
        let mut properties = ServerProperties::new(&name, None, SKEW, Some(first.key.to_vec().into()))
            .map_err(failed("reading the keytab"))?;
        for entry in others {
            let name: Vec<&str> = entry.components.iter().map(String::as_str).collect();
            properties
                .add_service_key(&name, entry.key.to_vec().into())
                .map_err(failed("reading the keytab"))?;
        }
        let config = KerberosConfig::new_with_kdc_url("tcp://unused.invalid:88", String::new());
        let context = Kerberos::new_server_from_config(config, properties).map_err(failed("beginning"))?;
        Ok(Self {
            context,
            state: State::First,
            peer: None,
            messages: Order::default(),
        })
    }
}

impl SecurityContext for Acceptor {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        guarded("reading a ticket", || {
            if self.state != State::First {
                return Err(GssError::FINISHED);
            }
            self.state = State::Finished;
            let mut handle = None;
            let mut input = [SecurityBuffer::new(
                token.unwrap_or_default().to_vec(),
                BufferType::Token,
            )];
            let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
            let builder = self
                .context
                .accept_security_context()
                .with_credentials_handle(&mut handle)
                .with_context_requirements(
                    ServerRequestFlags::MUTUAL_AUTH | ServerRequestFlags::CONFIDENTIALITY,
                )
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            let result = self
                .context
                .accept_security_context_impl(builder)
                .and_then(|mut generator| generator.resolve_to_result())
                .map_err(failed("reading a ticket"))?;
            if result.status != SecurityStatus::Ok {
                return Err(GssError::token(
                    "one Kerberos token that is enough",
                    "one that needs a second",
                ));
            }
            self.peer = self
                .context
                .query_context_names()
                .ok()
                .map(|names| names.username.inner().to_owned());
            self.state = State::Established;
            let [output] = output;
            Ok(Step {
                token: Some(output.buffer).filter(|token| !token.is_empty()),
                established: true,
            })
        })
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        seal(&mut self.context, plain)
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        let opened = open(&mut self.context, &mut self.messages, header, data);
        if opened.is_err() {
            self.state = State::Finished;
        }
        opened
    }

    fn open_token(&mut self, token: &[u8]) -> Result<Vec<u8>, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        let opened = open_token(&mut self.context, &mut self.messages, token);
        if opened.is_err() {
            self.state = State::Finished;
        }
        opened
    }

    fn is_established(&self) -> bool {
        self.state == State::Established
    }

    fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Kerberos
    }
}

impl Inner for Acceptor {}

fn seal(context: &mut Kerberos, plain: &[u8]) -> Result<Sealed, GssError> {
    let trailer = context
        .query_context_sizes()
        .map_err(failed("sealing a message"))?
        .security_trailer;
    let mut header = vec![0; usize::try_from(trailer).unwrap_or(0)];
    let mut data = plain.to_vec();
    let mut buffers = [
        SecurityBufferRef::token_buf(&mut header),
        SecurityBufferRef::data_buf(&mut data),
    ];
    context
        .encrypt_message(EncryptionFlags::empty(), &mut buffers)
        .map_err(failed("sealing a message"))?;
    Ok(Sealed { header, data })
}

fn open(context: &mut Kerberos, order: &mut Order, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
    if header.len() < 60 {
        return Err(GssError::Message(format!(
            "expected 60 bytes of signature or more, found {}",
            header.len()
        )));
    }
    let mut token = header.to_vec();
    let mut plain = data.to_vec();
    let mut buffers = [
        SecurityBufferRef::token_buf(&mut token),
        SecurityBufferRef::data_buf(&mut plain),
    ];
    guarded("opening a message", || {
        context
            .decrypt_message(&mut buffers)
            .map_err(|error| GssError::Message(error.description))
    })?;
    order.follows(header)?;
    Ok(plain)
}

/// Opens a whole token (RFC 4121 4.2.4). Of a sealed one, `sspi` takes one rotation alone, by 28 and EC: other tokens are
/// turned so.
fn open_token(context: &mut Kerberos, order: &mut Order, token: &[u8]) -> Result<Vec<u8>, GssError> {
    const SEALED: u8 = 2;
    const ROTATION: u16 = 28;

    let Some((header, body)) = token
        .split_first_chunk::<16>()
        .filter(|(_, body)| !body.is_empty())
    else {
        return Err(GssError::Message(format!(
            "expected a token of more than 16 bytes, found {}",
            token.len()
        )));
    };
    let (mut header, mut body) = (*header, body.to_vec());
    // Two bytes of kind, flags, a filler, EC, RRC; then the number.
    let [_, _, flags, _, ec0, ec1, rrc0, rrc1, ..] = header;
    if flags & SEALED != 0 {
        let length = body.len();
        let filler = u16::from_be_bytes([ec0, ec1]);
        body.rotate_left(usize::from(u16::from_be_bytes([rrc0, rrc1])) % length);
        body.rotate_right(usize::from(ROTATION.saturating_add(filler)) % length);
        header[6..8].copy_from_slice(&ROTATION.to_be_bytes());
    }
    let mut first = header;
    let mut buffers = [
        SecurityBufferRef::token_buf(&mut first),
        SecurityBufferRef::data_buf(&mut body),
    ];
    guarded("opening a message", || {
        context
            .decrypt_message(&mut buffers)
            .map_err(|error| GssError::Message(error.description))
    })?;
    let [_, data] = &buffers;
    let plain = data.data().to_vec();
    order.follows(&header)?;
    Ok(plain)
}

/// What `sspi` makes of a peer's bytes. It panics over some of them (lengths of DER that overflow): an error then, and
/// the context is not used again.
fn guarded<T>(doing: &'static str, work: impl FnOnce() -> Result<T, GssError>) -> Result<T, GssError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(GssError::library(
            Mechanism::Kerberos,
            doing,
            "it does not bear these bytes",
        ))
    })
}

/// The order of a peer's messages, which `sspi` and `cross-krb5` leave to their caller: each number is one more than the
/// last.
#[derive(Default)]
pub(crate) struct Order {
    last: Option<u64>,
}

impl Order {
    pub(crate) fn follows(&mut self, header: &[u8]) -> Result<(), GssError> {
        let number = header
            .get(8..16)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_be_bytes);
        if let Some(last) = self.last
            && number != last.wrapping_add(1)
        {
            return Err(GssError::Message(format!(
                "expected the sequence number {}, found {number}",
                last.wrapping_add(1)
            )));
        }
        self.last = Some(number);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Password, UserName, initiator as begin};

    /// A centre whose answer begins with a length that overflows.
    struct Hostile;

    impl KdcExchange for Hostile {
        fn ask(&mut self, _: &str, _: &[u8]) -> Result<Vec<u8>, KdcUnreachable> {
            Ok([&[0x7e, 0x88][..], &[0xff; 200]].concat())
        }
    }

    #[test]
    fn an_answer_the_library_does_not_bear_is_an_error() {
        let credential = Credential::Password {
            user: UserName::parse("alice@CONTOSO.COM").expect("a user"),
            password: Password::new("x".to_owned()),
        };
        let target = Target::http("ex1.contoso.com");
        let mut client = begin(
            crate::Scheme::Kerberos,
            credential,
            &target,
            None,
            Some(Box::new(Hostile)),
        )
        .expect("a client");
        assert!(client.step(None).is_err());
        assert!(client.step(None).is_err(), "a refused context stays refused");
        assert!(!client.is_established());
    }
}
