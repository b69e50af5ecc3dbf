//! The client half of NTLM, on `sspi`.

use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, DataRepresentation, EncryptionFlags,
    Ntlm, SecurityBuffer, SecurityBufferRef, Sspi as _, SspiImpl as _, Username,
};

use crate::spnego::Inner;
use crate::{ChannelBinding, Credential, GssError, Mechanism, Sealed, SecurityContext, Step};

pub(crate) struct Initiator {
    context: Ntlm,
    identity: Option<AuthIdentityBuffers>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Negotiate,
    Challenge,
    Established,
    Finished,
}

const SIGNATURE_LENGTH: usize = 16;

pub(crate) fn initiator(
    credential: Credential,
    binding: Option<ChannelBinding>,
) -> Result<Initiator, GssError> {
    let Credential::Password { user, password } = credential else {
        return Err(GssError::Unsupported {
            what: format!("NTLM with {}", credential.describe()),
            why: "NTLM proves a password; give a user and a password, or use Kerberos",
        });
    };
    let username = if user.is_upn {
        Username::parse(&user.to_string())
    } else {
        Username::new(&user.account, user.domain.as_deref())
    }
    .map_err(|error| GssError::token("a user as NTLM can name it", error.to_string()))?;
    let identity = AuthIdentity {
        username,
        password: password.reveal().to_owned().into(),
    };
    let mut context = Ntlm::new();
    if let Some(binding) = binding {
        context.set_channel_bindings(binding.application_data());
    }
    Ok(Initiator {
        context,
        identity: Some(identity.into()),
        state: State::Negotiate,
    })
}

fn failed(doing: &'static str) -> impl FnOnce(sspi::Error) -> GssError {
    move |error| GssError::library(Mechanism::Ntlm, doing, error)
}

impl SecurityContext for Initiator {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        let (next, doing) = match self.state {
            State::Negotiate => (State::Challenge, "writing the first message"),
            State::Challenge => (State::Established, "answering the server's challenge"),
            State::Established | State::Finished => return Err(GssError::FINISHED),
        };
        self.state = State::Finished;
        let mut input = [SecurityBuffer::new(
            token.unwrap_or_default().to_vec(),
            BufferType::Token,
        )];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = self
            .context
            .initialize_security_context()
            .with_credentials_handle(&mut self.identity)
            .with_context_requirements(ClientRequestFlags::CONFIDENTIALITY | ClientRequestFlags::INTEGRITY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        self.context
            .initialize_security_context_impl(&mut builder)
            .and_then(|mut generator| generator.resolve_to_result())
            .map_err(failed(doing))?;
        if next == State::Established {
            self.context.complete_auth_token(&mut []).map_err(failed(doing))?;
        }
        self.state = next;
        let [output] = output;
        Ok(Step {
            token: Some(output.buffer),
            established: next == State::Established,
        })
    }

    fn seal(&mut self, plain: &[u8]) -> Result<Sealed, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        let mut header = vec![0; SIGNATURE_LENGTH];
        let mut data = plain.to_vec();
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut header),
            SecurityBufferRef::data_buf(&mut data),
        ];
        self.context
            .encrypt_message(EncryptionFlags::empty(), &mut buffers)
            .map_err(failed("sealing a message"))?;
        Ok(Sealed { header, data })
    }

    fn open(&mut self, header: &[u8], data: &[u8]) -> Result<Vec<u8>, GssError> {
        if self.state != State::Established {
            return Err(GssError::NOT_ESTABLISHED);
        }
        let mut header = header.to_vec();
        let mut plain = data.to_vec();
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut header),
            SecurityBufferRef::data_buf(&mut plain),
        ];
        if let Err(error) = self.context.decrypt_message(&mut buffers) {
            self.state = State::Finished;
            return Err(GssError::Message(error.description));
        }
        Ok(plain)
    }

    fn is_established(&self) -> bool {
        self.state == State::Established
    }

    fn peer(&self) -> Option<&str> {
        None
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Ntlm
    }
}

// The list of mechanisms is signed on a copy of the context: the session's own keys and numbers stay where they are,
// as [MS-SPNG] 3.3.5.1 demands.
impl Inner for Initiator {
    fn sign_mechanisms(&mut self, list: &[u8]) -> Option<Vec<u8>> {
        let mut copy = self.context.clone();
        let mut signature = vec![0; SIGNATURE_LENGTH];
        let mut list = list.to_vec();
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut signature),
            SecurityBufferRef::data_buf(&mut list),
        ];
        copy.make_signature(0, &mut buffers, 0).ok()?;
        Some(signature)
    }

    fn verify_mechanisms(&mut self, list: &[u8], signature: &[u8]) -> Option<bool> {
        let mut copy = self.context.clone();
        let mut signature = signature.to_vec();
        let mut list = list.to_vec();
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut signature),
            SecurityBufferRef::data_buf(&mut list),
        ];
        Some(copy.verify_signature(&mut buffers, 0).is_ok())
    }
}
