//! The directory: what Active Directory holds of all servers, read by one paged search. Reading only.
//!
//! [`look`] asks rootDSE for the configuration naming context, searches it once, and gives one [`Inventory`] whose sources
//! are of [`Channel::Directory`]. Attributes whose name or meaning no document of the
//! vendor and no recorded export backs (facts/active-directory.md 1, tags DC and inf) have a source of their own, marked
//! unrecorded. An attribute that an object lacks is *seen and empty* only where some other object of the same answer shows
//! it; otherwise it may as well be called otherwise or be hidden from this account, and stays unknown.
//!
//! Never asked for: `msExchEdgeSyncCredential` and `msExchAuthAppSecret`, which hold encrypted passwords.

mod attributes;
mod connect;
mod entry;
mod error;
mod name;
mod organisation;
mod servers;
mod transport;

use std::time::Duration;

use exseal_model::inventory::ReadError;
use exseal_model::{Channel, Inventory, Source, SourceId};
use jiff::Timestamp;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, Scope};

pub use connect::{Credentials, Protection, Root, Target, roots};
pub use error::{DirectoryError, Rejection};

use attributes::{ATTRIBUTES, filter};
use entry::{Answer, Entry};

/// How much to take at most, and how long.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Objects of the whole answer; a server with 40 objects is a large one.
    pub entries: usize,
    /// Objects the directory is asked for at once.
    pub page: u16,
    /// From the connection to the last object.
    pub deadline: Duration,
}

impl Default for Limits {
    /// 200,000 objects in pages of 500, within two minutes.
    fn default() -> Self {
        Self {
            entries: 200_000,
            page: 500,
            deadline: Duration::from_secs(120),
        }
    }
}

/// What the directory said.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What it shows, in the order of its objects. Where the answer was cut off, an error entry says so, and no list is
    /// complete.
    pub inventory: Inventory,
    /// The naming context that was searched: `CN=Configuration,DC=example,DC=org`.
    pub configuration: String,
    /// How many objects of Exchange were read.
    pub objects: usize,
    /// Referrals to other naming contexts; they are not followed, because credentials are for the server one named.
    pub referrals: Vec<String>,
}

/// Looks into the directory of `target`. `at` becomes the time of every observation.
///
/// Reading only: bind, one search of rootDSE, one paged search. Doing so twice gives the same.
///
/// # Errors
///
/// [`DirectoryError`]; nothing was changed, whatever it says.
pub async fn look(
    target: &Target,
    credentials: &Credentials,
    limits: &Limits,
    at: Timestamp,
) -> Result<Looked, DirectoryError> {
    let work = async {
        let mut ldap = connect::open(target, credentials).await?;
        let looked = search(&mut ldap, target, limits, at).await;
        // The answer is complete; a directory that does not hear our goodbye changes nothing.
        let _ = ldap.unbind().await;
        looked
    };
    match tokio::time::timeout(limits.deadline, work).await {
        Ok(looked) => looked,
        Err(_) => Err(DirectoryError::Timeout {
            url: target.url(),
            seconds: limits.deadline.as_secs(),
        }),
    }
}

async fn search(
    ldap: &mut Ldap,
    target: &Target,
    limits: &Limits,
    at: Timestamp,
) -> Result<Looked, DirectoryError> {
    let configuration = configuration_context(ldap, target).await?;
    let adapters: Vec<Box<dyn Adapter<'_, &str, Vec<&str>>>> = vec![
        Box::new(EntriesOnly::new()),
        Box::new(PagedResults::new(i32::from(limits.page))),
    ];
    let mut stream = ldap
        .streaming_search_with(
            adapters,
            &configuration,
            Scope::Subtree,
            &filter(),
            ATTRIBUTES.iter().map(|attribute| attribute.name).collect(),
        )
        .await
        .map_err(|error| DirectoryError::of_ldap(target, error))?;
    let mut entries = Vec::new();
    let mut damaged = 0_usize;
    let mut cut = None;
    while let Some(found) = stream
        .next()
        .await
        .map_err(|error| DirectoryError::of_ldap(target, error))?
    {
        if entries.len() >= limits.entries {
            cut = Some(format!("more than {} objects", limits.entries));
            break;
        }
        match Entry::read(found) {
            Some(entry) => entries.push(entry),
            None => damaged += 1,
        }
    }
    let end = stream.finish().await;
    if cut.is_none() {
        match end.rc {
            0 => {}
            // timeLimitExceeded, sizeLimitExceeded, adminLimitExceeded: what came is true and is not all.
            3 | 4 | 11 => cut = Some(format!("{} objects, then: {end}", entries.len())),
            _ => return Err(DirectoryError::of_ldap(target, end.into())),
        }
    }
    tracing::debug!(
        count = entries.len(),
        referrals = end.refs.len(),
        "Search directory"
    );
    let objects = entries.len();
    if cut.is_none() && target.protection == Protection::Kerberos {
        let counted = count(ldap, target, limits, &configuration).await?;
        if counted != objects + damaged {
            cut = Some(format!(
                "{objects} objects, and {counted} when they were counted: some were lost on the sealed connection; \
                 ldaps:// loses none"
            ));
        }
    }
    let mut inventory = recognise(
        &Answer::new(entries, cut.is_none() && damaged == 0),
        &target.url(),
        at,
    )?;
    if damaged > 0 {
        inventory.errors.push(ReadError {
            file: target.url(),
            at: configuration.clone(),
            expected: "objects with a distinguished name and attributes".to_owned(),
            found: format!("{damaged} that have not this form"),
        });
    }
    if let Some(found) = cut {
        inventory.errors.push(ReadError {
            file: target.url(),
            at: configuration.clone(),
            expected: "all objects of Exchange".to_owned(),
            found,
        });
    }
    Ok(Looked {
        inventory,
        configuration,
        objects,
        referrals: end.refs,
    })
}

/// How many objects there are, by a search for names alone.
///
/// The LDAP library takes one message only from a sealed buffer behind which another one stands already, and drops the
/// others in it without a word (ldap3 0.12.1, `LdapCodec::decode`). What it dropped is not likely to be the same twice.
async fn count(
    ldap: &mut Ldap,
    target: &Target,
    limits: &Limits,
    configuration: &str,
) -> Result<usize, DirectoryError> {
    let adapters: Vec<Box<dyn Adapter<'_, &str, Vec<&str>>>> = vec![
        Box::new(EntriesOnly::new()),
        Box::new(PagedResults::new(i32::from(limits.page))),
    ];
    let mut stream = ldap
        .streaming_search_with(adapters, configuration, Scope::Subtree, &filter(), vec!["1.1"])
        .await
        .map_err(|error| DirectoryError::of_ldap(target, error))?;
    let mut counted = 0;
    while stream
        .next()
        .await
        .map_err(|error| DirectoryError::of_ldap(target, error))?
        .is_some()
    {
        counted += 1;
    }
    stream
        .finish()
        .await
        .success()
        .map_err(|error| DirectoryError::of_ldap(target, error))?;
    Ok(counted)
}

/// The naming context of the forest's configuration. Asked for, never built from a domain's name: child domains share it.
async fn configuration_context(ldap: &mut Ldap, target: &Target) -> Result<String, DirectoryError> {
    let attributes = vec!["configurationNamingContext"];
    let (found, _) = ldap
        .search("", Scope::Base, "(objectClass=*)", attributes)
        .await
        .and_then(ldap3::SearchResult::success)
        .map_err(|error| DirectoryError::of_ldap(target, error))?;
    found
        .into_iter()
        .filter_map(Entry::read)
        .find_map(|entry| entry.text("configurationNamingContext").map(str::to_owned))
        .ok_or_else(|| DirectoryError::NotActiveDirectory { url: target.url() })
}

/// What an answer shows.
fn recognise(answer: &Answer, url: &str, at: Timestamp) -> Result<Inventory, DirectoryError> {
    if !answer.of_class("msExchOrganizationContainer").any(|_| true) {
        return Err(DirectoryError::NoExchange { url: url.to_owned() });
    }
    let mut sheet = Sheet {
        answer,
        url,
        at,
        inventory: Inventory::default(),
    };
    organisation::read(&mut sheet);
    servers::read(&mut sheet);
    transport::read(&mut sheet);
    Ok(sheet.inventory)
}

/// What is being written while an answer is read.
struct Sheet<'a> {
    answer: &'a Answer,
    url: &'a str,
    at: Timestamp,
    inventory: Inventory,
}

impl Sheet<'_> {
    /// The source of what is known of a class' objects; `backed`: by the vendor's documents or a recorded export.
    fn source(&mut self, class: &str, backed: bool) -> SourceId {
        let what = if backed {
            class.to_owned()
        } else {
            format!("{class} (unverified attributes)")
        };
        let known = self.inventory.sources.iter().position(|own| own.what == what);
        if let Some(at) = known.and_then(|at| u32::try_from(at).ok()) {
            return SourceId(at);
        }
        self.inventory.add_source(Source {
            channel: Channel::Directory,
            what,
            file: Some(self.url.to_owned()),
            at: Some(self.at),
            unrecorded: !backed,
        })
    }

    /// Notes a value that has not the form it should have.
    fn error(
        &mut self,
        entry: &Entry,
        attribute: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.inventory.errors.push(ReadError {
            file: self.url.to_owned(),
            at: format!("{}, attribute {attribute}", entry.dn),
            expected: expected.into(),
            found: found.into(),
        });
    }
}

#[cfg(test)]
mod tests;
