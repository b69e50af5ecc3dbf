//! Logging on.

use std::sync::Arc;

use exseal_gss::{
    Acceptance, Accounts, ChannelBinding, GssError, NtHash, Password, Protection, Scheme, SecurityContext,
    ServerNames, acceptor,
};
use ldap3_proto::proto::{LdapResult, LdapResultCode};

use super::wire::Layer;
use super::{answer, cover};
use crate::connect_file::net_bios;
use crate::net::place::Key;
use crate::net::{Shared, lock};
use crate::world::World;

/// The people of the lab, for NTLM.
struct People(Arc<Shared>);

impl Accounts for People {
    fn nt_hash(&self, domain: &str, account: &str) -> Option<NtHash> {
        let world = lock(&self.0.world);
        let full = if domain.is_empty() || account.contains('@') {
            account.to_owned()
        } else {
            format!("{domain}\\{account}")
        };
        let name = account_of(&world, &full).or_else(|| domain.is_empty().then_some(full))?;
        let user = world
            .users()
            .iter()
            .find(|own| own.name.eq_ignore_ascii_case(&name))?;
        Some(NtHash::of(&Password::new(user.password.clone())))
    }
}

/// A log-on of several steps.
pub(super) struct Steps {
    context: Box<dyn SecurityContext>,
    scheme: Scheme,
    stage: Stage,
}

/// Where it is; beyond the context's own tokens there is more in GSSAPI alone.
enum Stage {
    Context,
    /// The client waits for the layers that are offered.
    Offer,
    /// The client says which it takes.
    Choice {
        user: String,
        layers: u8,
    },
}

/// Bits of GSSAPI's layers (RFC 4752 3.3). Signing alone is not offered: Kerberos seals here.
const NO_LAYER: u8 = 1;
const SEALS: u8 = 4;

/// What came of a step.
pub(super) enum Stepped {
    /// Not yet: send this.
    More(Vec<u8>),
    /// Somebody is logged on; send this along. The context protects what follows, if it was agreed so.
    Established {
        user: String,
        token: Option<Vec<u8>>,
        layer: Option<Layer>,
    },
    /// Nobody is.
    Refused(LdapResult),
}

impl Steps {
    /// Begins. `leaf`: the certificate of the TLS around it, to which it may be bound.
    pub(super) fn begin(
        scheme: Scheme,
        shared: &Arc<Shared>,
        key: &Key,
        leaf: Option<&[u8]>,
    ) -> Result<Self, LdapResult> {
        let dns_domain = lock(&shared.world).domain().to_owned();
        let computer = key.server.as_str();
        let with = Acceptance {
            accounts: Some(Arc::new(People(Arc::clone(shared)))),
            keytab: shared.keytab.clone(),
            names: ServerNames {
                netbios_domain: net_bios(&dns_domain),
                netbios_computer: computer.to_uppercase(),
                dns_computer: format!("{}.{dns_domain}", computer.to_lowercase()),
                dns_domain,
            },
            binding: leaf.and_then(|der| ChannelBinding::tls_server_end_point(der).ok()),
            binding_required: false,
        };
        match acceptor(scheme, with) {
            Ok(context) => Ok(Self {
                context,
                scheme,
                stage: Stage::Context,
            }),
            Err(_) => Err(answer::no_such_method()),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Takes a client's token; what comes back beside the outcome goes on.
    pub(super) fn step(mut self, shared: &Shared, token: &[u8], is_tls: bool) -> (Stepped, Option<Self>) {
        match self.stage {
            Stage::Context => {}
            Stage::Offer => return self.offer(shared, is_tls),
            Stage::Choice { user, layers } => return choice(self.context, user, layers, token),
        }
        let stepped = match self.context.step(Some(token)) {
            Ok(stepped) => stepped,
            Err(error) => {
                tracing::debug!(%error, "A log-on is refused");
                let result = match error {
                    GssError::NoMechanism { .. } => answer::no_such_method(),
                    // Active Directory says that it was the binding.
                    GssError::Binding => answer::log_on_failed("80090346"),
                    _ => answer::log_on_failed("52e"),
                };
                return (Stepped::Refused(result), None);
            }
        };
        if !stepped.established {
            return (Stepped::More(stepped.token.unwrap_or_default()), Some(self));
        }
        if self.scheme == Scheme::Kerberos {
            // GSSAPI goes on with the layer (RFC 4752 3.1).
            self.stage = Stage::Offer;
            return (Stepped::More(stepped.token.unwrap_or_default()), Some(self));
        }
        // Not before: whoever proves an account looks into the world.
        let world = lock(&shared.world);
        let Some(user) = self.user(&world) else {
            return (Stepped::Refused(answer::log_on_failed("525")), None);
        };
        let protection = self.context.protection();
        tracing::debug!(user, ?protection, is_tls, "Log on");
        let is_protected = protection != Protection::None;
        if is_tls && is_protected {
            return (Stepped::Refused(answer::no_layer_within_tls()), None);
        }
        if world.directory_limits.require_signing && !is_tls && !is_protected {
            return (Stepped::Refused(answer::signing_needed()), None);
        }
        let established = Stepped::Established {
            user,
            token: stepped.token,
            layer: is_protected.then_some(Layer {
                context: self.context,
                most: usize::MAX,
            }),
        };
        (established, None)
    }

    /// Who the context proved, as the lab calls them.
    fn user(&self, world: &World) -> Option<String> {
        let peer = self.context.peer()?;
        let bare = peer.rsplit('\\').next().unwrap_or(peer);
        let bare = bare.split('@').next().unwrap_or(bare);
        let own = world
            .users()
            .iter()
            .find(|own| own.name.eq_ignore_ascii_case(bare))?;
        Some(own.name.clone())
    }

    /// Says which layers there are: seals, or none; within TLS none.
    fn offer(mut self, shared: &Shared, is_tls: bool) -> (Stepped, Option<Self>) {
        let world = lock(&shared.world);
        let Some(user) = self.user(&world) else {
            return (Stepped::Refused(answer::log_on_failed("525")), None);
        };
        let layers = match (is_tls, world.directory_limits.require_signing) {
            (true, _) => NO_LAYER,
            (false, true) => SEALS,
            (false, false) => NO_LAYER | SEALS,
        };
        let [_, most @ ..] = u32::try_from(shared.limits.message)
            .unwrap_or(u32::MAX)
            .min(0xFF_FFFF)
            .to_be_bytes();
        let offer = [&[layers][..], &most].concat();
        match cover::cover(self.context.as_mut(), &offer) {
            Ok(token) => {
                self.stage = Stage::Choice { user, layers };
                (Stepped::More(token), Some(self))
            }
            Err(error) => {
                tracing::debug!(%error, "A log-on is refused");
                (Stepped::Refused(answer::log_on_failed("52e")), None)
            }
        }
    }
}

/// Takes the client's choice among the layers that were offered.
fn choice(
    mut context: Box<dyn SecurityContext>,
    user: String,
    layers: u8,
    token: &[u8],
) -> (Stepped, Option<Steps>) {
    // A layer, and so many bytes a buffer in three more.
    let said = cover::open(context.as_mut(), token)
        .inspect_err(|error| tracing::debug!(%error, "A log-on is refused"))
        .ok()
        .and_then(|opened| opened.first_chunk::<4>().copied())
        .filter(|[chosen, ..]| chosen.count_ones() == 1 && chosen & layers != 0);
    let Some([chosen, most @ ..]) = said else {
        return (Stepped::Refused(answer::log_on_failed("52e")), None);
    };
    let most = most
        .iter()
        .fold(0_usize, |most, byte| (most << 8) | usize::from(*byte));
    tracing::debug!(user, chosen, "Log on");
    let established = Stepped::Established {
        user,
        token: None,
        layer: (chosen == SEALS).then_some(Layer { context, most }),
    };
    (established, None)
}

/// The code of a result, as Sicily's answers carry it.
pub(super) fn code(result: &LdapResult) -> u8 {
    match result.code {
        LdapResultCode::Success => 0,
        LdapResultCode::AuthMethodNotSupported => 7,
        LdapResultCode::StrongerAuthRequired => 8,
        LdapResultCode::UnwillingToPerform => 53,
        _ => 49,
    }
}

/// Who a simple bind means: `DOMAIN\user`, `user@domain`, or a distinguished name.
///
/// # Errors
///
/// Nobody of that name, or another password; the diagnostic says which, as Active Directory's does.
pub(super) fn simple(world: &World, name: &str, password: &str) -> Result<String, LdapResult> {
    let person = account_of(world, name)
        .and_then(|account| {
            world
                .users()
                .iter()
                .find(|user| user.name.eq_ignore_ascii_case(&account))
        })
        .ok_or_else(|| answer::log_on_failed("525"))?;
    if person.password == password {
        Ok(person.name.clone())
    } else {
        Err(answer::log_on_failed("52e"))
    }
}

/// The account of a name; `None`: a name of another domain, or none at all.
fn account_of(world: &World, name: &str) -> Option<String> {
    let domain = world.domain();
    if let Some((prefix, account)) = name.split_once('\\') {
        let is_here = prefix.eq_ignore_ascii_case(&net_bios(domain)) || prefix.eq_ignore_ascii_case(domain);
        return is_here.then(|| account.to_owned());
    }
    if let Some((account, suffix)) = name.rsplit_once('@') {
        return suffix.eq_ignore_ascii_case(domain).then(|| account.to_owned());
    }
    let place = crate::tree::dn::place(name).ok()?;
    let users = crate::tree::dn::place(&format!("CN=Users,{}", crate::tree::dn::of_dns(domain))).ok()?;
    let own = place.strip_prefix(users.as_slice())?;
    match own {
        [one] => Some(one.strip_prefix("cn=")?.to_owned()),
        _ => None,
    }
}
