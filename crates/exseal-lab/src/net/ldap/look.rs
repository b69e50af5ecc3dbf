//! Searches: limits, pages, and what goes out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapFilter, LdapPartialAttribute, LdapResult, LdapResultCode, LdapSearchRequest, LdapSearchResultEntry,
    LdapSearchScope,
};
use rand::RngExt as _;
use sha1::{Digest as _, Sha1};

use super::answer;
use crate::net::{Shared, lock};
use crate::tree::dn::Place;
use crate::tree::{self, Asked, Base, Found, Scope, Tree};
use crate::world::{ServerName, World};

/// Flag of the search options control: no referrals.
const DOMAIN_SCOPE: i32 = 1;

/// What a search came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) entries: Vec<LdapSearchResultEntry>,
    pub(super) references: Vec<String>,
    pub(super) result: LdapResult,
    pub(super) controls: Vec<LdapControl>,
}

impl From<LdapResult> for Outcome {
    fn from(result: LdapResult) -> Self {
        Self {
            entries: Vec::new(),
            references: Vec::new(),
            result,
            controls: Vec::new(),
        }
    }
}

/// Searches by pages that are not at their end.
#[derive(Default)]
pub(super) struct Pages(VecDeque<Page>);

struct Page {
    cookie: [u8; 16],
    /// What was asked: another question does not go on with it.
    asked: [u8; 20],
    /// The last object that was shown.
    after: Place,
    /// How many more the client wants of all pages together.
    left: usize,
}

/// What a request's controls say.
struct Wishes {
    page: Option<(usize, Vec<u8>)>,
    references: bool,
}

/// Reads controls.
///
/// # Errors
///
/// One that must be obeyed and cannot be.
fn wishes(controls: &[LdapControl]) -> Result<Wishes, LdapResult> {
    let mut wishes = Wishes {
        page: None,
        references: true,
    };
    for control in controls {
        match control {
            LdapControl::SimplePagedResults { size, cookie } => {
                let size = usize::try_from(*size).map_err(|_| answer::control_error())?;
                wishes.page = Some((size, cookie.clone()));
            }
            LdapControl::SearchOptions { flags, criticality } => {
                if *criticality && *flags & !DOMAIN_SCOPE != 0 {
                    return Err(answer::control_error());
                }
                wishes.references &= flags & DOMAIN_SCOPE == 0;
            }
            LdapControl::ShowDeleted { .. } | LdapControl::SdFlags { .. } => {}
            LdapControl::Unknown { oid, .. } if oid == "1.2.840.113556.1.4.1339" => wishes.references = false,
            LdapControl::Unknown {
                criticality: false, ..
            }
            | LdapControl::ManageDsaIT { criticality: false }
            | LdapControl::PasswordPolicyRequest { criticality: false }
            | LdapControl::ExtendedDn {
                criticality: false, ..
            }
            | LdapControl::SyncRequest {
                criticality: false, ..
            }
            // Whether it must be obeyed, the library does not tell; without an answer nothing is sorted.
            | LdapControl::ServerSort { .. } => {}
            _ => return Err(answer::control_error()),
        }
    }
    Ok(wishes)
}

/// Looks. The pages are the connection's own.
pub(super) async fn search(
    shared: &Arc<Shared>,
    controller: &ServerName,
    is_logged_on: bool,
    mechanisms: &[&str],
    request: LdapSearchRequest,
    controls: &[LdapControl],
    pages: &mut Pages,
) -> Outcome {
    let wishes = match wishes(controls) {
        Ok(wishes) => wishes,
        Err(refused) => return refused.into(),
    };
    if tree::filter_size(&request.filter) > shared.limits.filter {
        return answer::too_complex().into();
    }
    let scope = match request.scope {
        LdapSearchScope::Base => Scope::Base,
        LdapSearchScope::OneLevel => Scope::OneLevel,
        LdapSearchScope::Subtree => Scope::Subtree,
        LdapSearchScope::Children => return answer::protocol_error("Invalid search scope").into(),
    };
    let limits = {
        let world = lock(&shared.world);
        if request.base.is_empty() && scope == Scope::Base {
            return root(&world, controller, mechanisms, &request);
        }
        if !is_logged_on && world.directory_limits.log_on_needed {
            return answer::not_bound().into();
        }
        world.directory_limits.clone()
    };
    let seconds = match u32::try_from(request.timelimit) {
        Ok(wanted) if wanted > 0 => wanted.min(limits.max_query_seconds),
        _ => limits.max_query_seconds,
    };
    let deadline = Instant::now() + Duration::from_secs(seconds.into());
    let most = usize::try_from(limits.max_page_size).unwrap_or(usize::MAX);
    let wanted = usize::try_from(request.sizelimit)
        .ok()
        .filter(|wanted| *wanted > 0)
        .unwrap_or(usize::MAX);

    let asked = fingerprint(&request);
    let (mut after, mut left) = (None, wanted);
    if let Some((size, cookie)) = wishes.page.as_ref().filter(|(_, cookie)| !cookie.is_empty()) {
        let Some(page) = pages.take(cookie, &asked) else {
            return answer::control_error().into();
        };
        if *size == 0 {
            // The client has seen enough.
            return Outcome {
                controls: vec![done(Vec::new())],
                ..answer::success().into()
            };
        }
        (after, left) = (Some(page.after), page.left);
    }
    let room = match &wishes.page {
        Some((size, _)) if *size > 0 => most.min(*size),
        _ => most,
    };
    let limit = room.min(left);
    let is_first = after.is_none();
    let (found, references) = match look(shared, controller, request, scope, after, limit, deadline).await {
        Ok(found) => found,
        Err(refused) => return refused.into(),
    };
    let references = if wishes.references { references } else { Vec::new() };
    let shown = found.entries.len();
    let mut outcome = Outcome {
        entries: found.entries,
        references: Vec::new(),
        result: answer::success(),
        controls: Vec::new(),
    };
    if found.out_of_time {
        outcome.result = answer::result(LdapResultCode::TimeLimitExceeded, "");
        return outcome;
    }
    let cookie = match found.more {
        None => {
            outcome.references = references;
            Vec::new()
        }
        Some(_) if wishes.page.is_none() || shown >= left => {
            outcome.result = answer::result(LdapResultCode::SizeLimitExceeded, "");
            Vec::new()
        }
        Some(after) => pages.keep(shared.limits.pages, asked, after, left.saturating_sub(shown)),
    };
    if wishes.page.is_some() {
        outcome.controls = vec![done(cookie)];
    }
    tracing::debug!(server = %controller, count = shown, is_first, "Search directory");
    outcome
}

/// Makes the tree and looks through it, on a thread for that.
async fn look(
    shared: &Arc<Shared>,
    controller: &ServerName,
    request: LdapSearchRequest,
    scope: Scope,
    after: Option<Place>,
    limit: usize,
    deadline: Instant,
) -> Result<(Found, Vec<String>), LdapResult> {
    let (shared, controller) = (Arc::clone(shared), controller.clone());
    let work = move || {
        let tree = {
            let world = lock(&shared.world);
            let own = world.controller(&controller).ok_or_else(answer::not_bound)?;
            Tree::new(&world, own)
        };
        let base = match tree.base(&request.base) {
            Base::Object(base) => base,
            Base::Missing(above) => return Err(answer::no_such_object(above)),
            Base::Elsewhere(address) => return Err(answer::elsewhere(address)),
            Base::Malformed => return Err(answer::bad_name(&request.base)),
        };
        let references = tree.references(&base, scope);
        let asked = Asked {
            base,
            scope,
            filter: &request.filter,
            attributes: &request.attrs,
            types_only: request.typesonly,
            after,
            limit,
            deadline,
        };
        Ok((tree.search(&asked), references))
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(answer::result(LdapResultCode::Other, "the search broke off")))
}

/// Whether a filter means the root DSE: as a rule it asks that anything is there, and in many ways.
fn is_root_meant(filter: &LdapFilter, has: &dyn Fn(&str) -> bool) -> bool {
    match filter {
        LdapFilter::And(parts) => parts.iter().all(|part| is_root_meant(part, has)),
        LdapFilter::Or(parts) => parts.iter().any(|part| is_root_meant(part, has)),
        LdapFilter::Not(part) => !is_root_meant(part, has),
        LdapFilter::Present(name) => has(name),
        _ => false,
    }
}

/// What the root DSE says.
fn root(world: &World, controller: &ServerName, mechanisms: &[&str], request: &LdapSearchRequest) -> Outcome {
    let Some(own) = world.controller(controller) else {
        return answer::not_bound().into();
    };
    let all: Vec<LdapPartialAttribute> = tree::root(world, own, mechanisms);
    let is_meant = is_root_meant(&request.filter, &|name| {
        name.eq_ignore_ascii_case("objectClass") || all.iter().any(|own| own.atype.eq_ignore_ascii_case(name))
    });
    let everything = request.attrs.is_empty()
        || request
            .attrs
            .iter()
            .any(|name| matches!(name.as_str(), "*" | "+"));
    let attributes = all
        .iter()
        .filter(|own| {
            !own.vals.is_empty()
                && (everything
                    || request
                        .attrs
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(&own.atype)))
        })
        .map(|own| LdapPartialAttribute {
            atype: own.atype.clone(),
            vals: if request.typesonly {
                Vec::new()
            } else {
                own.vals.clone()
            },
        })
        .collect();
    let entry = LdapSearchResultEntry {
        dn: String::new(),
        attributes,
    };
    Outcome {
        entries: is_meant.then_some(entry).into_iter().collect(),
        ..answer::success().into()
    }
}

fn done(cookie: Vec<u8>) -> LdapControl {
    LdapControl::SimplePagedResults { size: 0, cookie }
}

fn fingerprint(request: &LdapSearchRequest) -> [u8; 20] {
    let text = format!(
        "{:?}",
        (
            request.base.to_lowercase(),
            &request.scope,
            &request.filter,
            &request.attrs,
            request.typesonly
        )
    );
    Sha1::digest(text.as_bytes()).into()
}

impl Pages {
    /// Remembers where a search is; the oldest goes where there are too many.
    fn keep(&mut self, most: usize, asked: [u8; 20], after: Place, left: usize) -> Vec<u8> {
        let mut cookie = [0; 16];
        rand::rng().fill(&mut cookie);
        while self.0.len() >= most.max(1) {
            self.0.pop_front();
        }
        self.0.push_back(Page {
            cookie,
            asked,
            after,
            left,
        });
        cookie.to_vec()
    }

    /// The search a cookie stands for; `None`: another one, one that ended, or one that is too old.
    fn take(&mut self, cookie: &[u8], asked: &[u8; 20]) -> Option<Page> {
        let at = self.0.iter().position(|page| page.cookie == cookie)?;
        self.0.remove(at).filter(|page| page.asked == *asked)
    }
}
