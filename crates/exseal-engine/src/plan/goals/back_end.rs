//! The https bindings of Exchange Back End, as the goals that mend them see them.

use exseal_model::inventory::Server;
use exseal_model::plan::Change;
use exseal_model::{Endpoint, Thumbprint};

use crate::plan::draft::{Draft, sentence};
use crate::slots::{BACK_END_SITE, Presents, bound};

/// What was not seen: the sentence that says so, with its values.
pub(super) type Unseen = (&'static str, Vec<(&'static str, String)>);

/// One binding.
pub(super) struct Binding {
    /// Where.
    pub(super) endpoint: Endpoint,
    /// What it carries; `None`: nothing.
    pub(super) old: Option<Thumbprint>,
    /// Whether http.sys has no entry for it.
    no_entry: bool,
    /// Why it has to carry another certificate; `None`: it is right.
    pub(super) reason: Option<&'static str>,
}

/// The bindings of a server; `judge` says of the certificate that one carries why it has to go.
pub(super) fn bindings(
    server: &Server,
    judge: impl Fn(Thumbprint) -> Result<Option<&'static str>, Unseen>,
) -> Result<Vec<Binding>, Unseen> {
    if !server.my.is_complete() {
        return Err(("store-unknown", Vec::new()));
    }
    let unseen = server.http_sys.is_unknown();
    let mut all = Vec::new();
    for (endpoint, presents) in bound(server, BACK_END_SITE, 444) {
        let no_entry = !unseen && !server.http_sys.iter().any(|entry| entry.endpoint == endpoint);
        let (old, reason) = match presents {
            Presents::Unknown(because) => return Err(("binding-unknown", vec![("because", because)])),
            Presents::Nothing(_) | Presents::NoMatch(_) => (None, Some("unbound")),
            Presents::Certificate(old, _) => (Some(old), judge(old)?),
        };
        all.push(Binding {
            endpoint,
            old,
            no_entry: no_entry || (old.is_none() && unseen),
            reason,
        });
    }
    Ok(all)
}

/// Binds a certificate where one has to go.
pub(super) fn bind(draft: &mut Draft<'_>, name: &str, new: Thumbprint, all: &[Binding]) {
    for one in all {
        let Some(reason) = one.reason else { continue };
        let change = Change::BindCertificate {
            server: name.to_owned(),
            site: BACK_END_SITE.to_owned(),
            endpoint: one.endpoint.clone(),
            certificate: draft.which(new),
            instead_of: one.old.map(|old| draft.which(old)),
            new_entry: one.no_entry,
        };
        let reason = sentence(&format!("reason.{reason}"), &[]);
        draft.push(change, "why.back-end-bind", &[("reason", reason)]);
    }
}
