//! Logging on.

use ldap3_proto::proto::LdapResult;

use super::answer;
use crate::connect_file::net_bios;
use crate::world::World;

/// Who a simple bind means: `DOMAIN\user`, `user@domain`, or a distinguished name.
///
/// # Errors
///
/// Nobody of that name, or another password; the diagnostic says which, as Active Directory's does.
pub(super) fn simple(world: &World, name: &str, password: &str) -> Result<String, LdapResult> {
    let person = account(world, name)
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
fn account(world: &World, name: &str) -> Option<String> {
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
