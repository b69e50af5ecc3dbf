//! LDAP as a domain controller speaks it (RFC 4511 to 4513, [MS-ADTS]): log-on, StartTLS, searches. Nothing is written
//! over it.
//!
//! What the directory holds is [`crate::tree`]'s; here are the session and its bounds. Not spoken: filters whose values are
//! no UTF-8, which the protocol's library does not read; such a search is a protocol error.

mod answer;
mod cover;
mod log_on;
mod look;
mod wire;

use std::io;
use std::sync::Arc;

use exseal_gss::Scheme;
use ldap3_proto::LdapMsg;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapBindResponse, LdapCompareRequest, LdapExtendedRequest,
    LdapExtendedResponse, LdapFilter, LdapOp, LdapResult, LdapResultCode, LdapSearchResultReference,
};

use super::place::Key;
use super::{Io, Shared, lock, tls};
use crate::connect_file::net_bios;
use crate::tree::{self, Base, EXTENSIONS, Tree};
use crate::world::Listener;
use log_on::{Stepped, Steps};
use look::Pages;
use wire::{Layer, Sicily, Taken, Wire};

/// Ways to log on beside the simple one: Kerberos alone, and Negotiate around it and NTLM.
const MECHANISMS: [(&str, Scheme); 2] = [("GSSAPI", Scheme::Kerberos), ("GSS-SPNEGO", Scheme::Negotiate)];

/// Those that are offered: Kerberos where there is a keytab.
fn mechanisms(shared: &Shared) -> impl Iterator<Item = (&'static str, Scheme)> {
    let has_keytab = shared.keytab.is_some();
    MECHANISMS
        .into_iter()
        .filter(move |(_, scheme)| has_keytab || *scheme != Scheme::Kerberos)
}

/// A client's connection.
struct Session<'s> {
    shared: &'s Arc<Shared>,
    key: &'s Key,
    wire: Wire,
    /// The certificate of the TLS that is in place.
    leaf: Option<Vec<u8>>,
    /// Who logged on; `None`: nobody.
    user: Option<String>,
    /// A log-on that is not at its end.
    steps: Option<Steps>,
    pages: Pages,
}

/// Whether the connection goes on.
enum Next {
    Request,
    End,
    StartTls,
}

/// Serves a connection. `leaf`: the certificate presented, where TLS is in place already.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    key: &Key,
    io: Box<dyn Io>,
    leaf: Option<Vec<u8>>,
) -> io::Result<()> {
    let mut session = Session {
        shared,
        key,
        wire: Wire::new(io, shared.limits),
        leaf,
        user: None,
        steps: None,
        pages: Pages::default(),
    };
    loop {
        let next = session.turn().await?;
        session.wire.flush().await?;
        match next {
            Next::Request => {}
            Next::End => {
                session.wire.close().await;
                return Ok(());
            }
            Next::StartTls => {
                let io = session.wire.into_io()?;
                let (io, leaf) = tls::accept(shared, key, io, |_| Listener::Ldaps).await?;
                session.wire = Wire::new(io, shared.limits);
                session.leaf = Some(leaf);
            }
        }
    }
}

impl Session<'_> {
    async fn turn(&mut self) -> io::Result<Next> {
        let message = match self.wire.next().await? {
            Taken::Message(message) => message,
            Taken::Sicily { id, step } => return self.sicily(id, step).await,
            Taken::Malformed { id, operation } => {
                let result = answer::protocol_error("Error decoding ldap message");
                return self.respond(id, operation, result).await;
            }
            Taken::Garbage(why) => {
                tracing::debug!(server = %self.key.server, why, "Disconnect");
                // Under a layer that broke nothing can be said any more.
                if !self.wire.is_protected() {
                    self.send(0, answer::disconnection(why)).await?;
                }
                return Ok(Next::End);
            }
            Taken::End => return Ok(Next::End),
        };
        let id = message.msgid;
        match message.op {
            LdapOp::UnbindRequest => return Ok(Next::End),
            // Requests are answered one after the other: there is nothing left to abandon.
            LdapOp::AbandonRequest(_) => {}
            LdapOp::BindRequest(request) => return self.bind(id, &request).await,
            LdapOp::SearchRequest(request) => {
                let outcome = look::search(
                    self.shared,
                    &self.key.server,
                    self.user.is_some(),
                    &mechanisms(self.shared).map(|(name, _)| name).collect::<Vec<_>>(),
                    request,
                    &message.ctrl,
                    &mut self.pages,
                )
                .await;
                for entry in outcome.entries {
                    self.send(id, LdapOp::SearchResultEntry(entry)).await?;
                }
                for address in outcome.references {
                    let reference = LdapSearchResultReference { uris: vec![address] };
                    self.send(id, LdapOp::SearchResultReference(reference)).await?;
                }
                let done = LdapMsg {
                    msgid: id,
                    op: LdapOp::SearchResultDone(outcome.result),
                    ctrl: outcome.controls,
                };
                self.wire.send(done).await?;
            }
            LdapOp::CompareRequest(request) => {
                let result = self.compare(&request);
                self.respond(id, 14, result).await?;
            }
            LdapOp::ExtendedRequest(request) => return self.extended(id, &request).await,
            LdapOp::ModifyRequest(_) => return self.refuse(id, 6).await,
            LdapOp::AddRequest(_) => return self.refuse(id, 8).await,
            LdapOp::DelRequest(_) => return self.refuse(id, 10).await,
            LdapOp::ModifyDNRequest(_) => return self.refuse(id, 12).await,
            // Responses are no requests, and were not let through.
            _ => return Ok(Next::End),
        }
        Ok(Next::Request)
    }

    async fn send(&mut self, id: i32, op: LdapOp) -> io::Result<()> {
        let message = LdapMsg {
            msgid: id,
            op,
            ctrl: Vec::new(),
        };
        self.wire.send(message).await
    }

    async fn respond(&mut self, id: i32, operation: u64, result: LdapResult) -> io::Result<Next> {
        if let Some(op) = answer::response(operation, result) {
            self.send(id, op).await?;
        }
        Ok(Next::Request)
    }

    async fn refuse(&mut self, id: i32, operation: u64) -> io::Result<Next> {
        let result = if self.user.is_some() {
            answer::read_only()
        } else {
            answer::not_bound()
        };
        self.respond(id, operation, result).await
    }

    /// A log-on. Whatever comes of it, who was logged on before is not any more (RFC 4511 4.2.1).
    async fn bind(&mut self, id: i32, request: &LdapBindRequest) -> io::Result<Next> {
        self.user = None;
        let result = match &request.cred {
            _ if request.version != 3 => answer::protocol_error("Invalid protocol version"),
            _ if self.wire.is_protected() => answer::bound_already(),
            LdapBindCred::Simple(password) => self.simple(&request.dn, password),
            LdapBindCred::SASL(sasl) => {
                match mechanisms(self.shared).find(|(name, _)| *name == sasl.mechanism) {
                    Some((_, scheme)) => return self.sasl(id, scheme, &sasl.credentials).await,
                    None => answer::no_such_method(),
                }
            }
            LdapBindCred::Unsupported => answer::no_such_method(),
        };
        self.steps = None;
        self.respond(id, 0, result).await
    }

    /// A step of GSSAPI or GSS-SPNEGO ([MS-ADTS] 5.1.1.1.2).
    async fn sasl(&mut self, id: i32, scheme: Scheme, token: &[u8]) -> io::Result<Next> {
        let (result, token, layer) = match self.step(scheme, token, false) {
            Stepped::More(token) => (
                answer::result(LdapResultCode::SaslBindInProgress, ""),
                Some(token),
                None,
            ),
            Stepped::Established { user, token, layer } => {
                self.user = Some(user);
                (answer::success(), token, layer)
            }
            Stepped::Refused(result) => (result, None, None),
        };
        let response = LdapBindResponse {
            res: result,
            saslcreds: token,
        };
        self.send(id, LdapOp::BindResponse(response)).await?;
        self.protect(layer).await
    }

    async fn sicily(&mut self, id: i32, step: Sicily) -> io::Result<Next> {
        self.user = None;
        if self.wire.is_protected() {
            return self.respond(id, 0, answer::bound_already()).await;
        }
        let (token, is_first) = match step {
            Sicily::Discovery => {
                self.wire.send_sicily(id, 0, b"NTLM".to_vec(), "").await?;
                return Ok(Next::Request);
            }
            Sicily::Negotiate(token) => (token, true),
            Sicily::Response(token) => (token, false),
        };
        match self.step(Scheme::Ntlm, &token, is_first) {
            Stepped::More(token) => {
                self.wire.send_sicily(id, 0, token, "").await?;
                Ok(Next::Request)
            }
            Stepped::Established { user, token, layer } => {
                self.user = Some(user);
                let token = token.unwrap_or_default();
                self.wire.send_sicily(id, 0, token, "").await?;
                self.protect(layer).await
            }
            Stepped::Refused(result) => {
                let code = log_on::code(&result);
                self.wire
                    .send_sicily(id, code, Vec::new(), &result.message)
                    .await?;
                Ok(Next::Request)
            }
        }
    }

    /// Takes a token of a log-on that goes on, or begins one.
    fn step(&mut self, scheme: Scheme, token: &[u8], afresh: bool) -> Stepped {
        let going = self.steps.take().filter(|own| own.scheme() == scheme && !afresh);
        let steps = match going {
            Some(steps) => steps,
            None => match Steps::begin(scheme, self.shared, self.key, self.leaf.as_deref()) {
                Ok(steps) => steps,
                Err(refused) => return Stepped::Refused(refused),
            },
        };
        let (stepped, goes_on) = steps.step(self.shared, token, self.leaf.is_some());
        self.steps = goes_on;
        stepped
    }

    async fn protect(&mut self, layer: Option<Layer>) -> io::Result<Next> {
        if let Some(mut layer) = layer {
            let own = lock(&self.shared.world).directory_limits.sealed_buffer;
            layer.most = layer.most.min(usize::try_from(own).unwrap_or(usize::MAX));
            self.wire.protect(layer).await?;
        }
        Ok(Next::Request)
    }

    fn simple(&mut self, name: &str, password: &str) -> LdapResult {
        // A name without a password is nobody (RFC 4513 5.1.2).
        if password.is_empty() {
            return answer::success();
        }
        let world = lock(&self.shared.world);
        if world.directory_limits.require_signing && self.leaf.is_none() {
            return answer::signing_needed();
        }
        match log_on::simple(&world, name, password) {
            Ok(user) => {
                tracing::debug!(server = %self.key.server, user, "Log on");
                self.user = Some(user);
                answer::success()
            }
            Err(refused) => refused,
        }
    }

    fn compare(&self, request: &LdapCompareRequest) -> LdapResult {
        if self.user.is_none() {
            return answer::not_bound();
        }
        let world = lock(&self.shared.world);
        let Some(controller) = world.controller(&self.key.server) else {
            return answer::not_bound();
        };
        let tree = Tree::new(&world, controller);
        let place = match tree.base(&request.dn) {
            Base::Object(place) => place,
            Base::Missing(above) => return answer::no_such_object(above),
            Base::Elsewhere(address) => return answer::elsewhere(address),
            Base::Malformed => return answer::bad_name(&request.dn),
        };
        let Some(attribute) = tree::schema::attribute(&request.atype) else {
            return answer::result(LdapResultCode::UndefinedAttributeType, "");
        };
        let Some(entry) = tree.entry(&place) else {
            return answer::no_such_object(String::new());
        };
        if entry.values(attribute).next().is_none() {
            return answer::result(LdapResultCode::NoSuchAttribute, "");
        }
        let value = String::from_utf8_lossy(&request.val).into_owned();
        let is_equal = tree::matches(&LdapFilter::Equality(request.atype.clone(), value), entry);
        answer::result(
            if is_equal == Some(true) {
                LdapResultCode::CompareTrue
            } else {
                LdapResultCode::CompareFalse
            },
            "",
        )
    }

    async fn extended(&mut self, id: i32, request: &LdapExtendedRequest) -> io::Result<Next> {
        let [start_tls, who_am_i] = EXTENSIONS;
        let (result, value, next) = if request.name == start_tls {
            if self.leaf.is_some() || self.wire.is_protected() {
                (answer::tls_not_now(), None, Next::Request)
            } else {
                (answer::success(), None, Next::StartTls)
            }
        } else if request.name == who_am_i {
            let domain = net_bios(lock(&self.shared.world).domain());
            let who = self
                .user
                .as_ref()
                .map_or_else(String::new, |user| format!("u:{domain}\\{user}"));
            (answer::success(), Some(who.into_bytes()), Next::Request)
        } else {
            (answer::unknown_extension(), None, Next::Request)
        };
        let response = LdapExtendedResponse {
            name: (request.name == start_tls).then(|| start_tls.to_owned()),
            res: result,
            value,
        };
        self.send(id, LdapOp::ExtendedResponse(response)).await?;
        Ok(next)
    }
}
