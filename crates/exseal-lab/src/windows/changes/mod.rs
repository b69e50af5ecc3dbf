//! The verbs of the helper's changing half, on the world: what each takes, what it gives, with which code it ends.

mod given;
mod http_sys;
mod iis;
mod keys;
mod lock;
mod making;
mod services;
mod stores;

use exseal_psrp::message::{ErrorCategory, ErrorRecord};
use serde_json::{Value, json};

pub(crate) use self::given::{Given, bind};
use self::given::{
    Parameter, chance, flag, hash, maybe_hash, number, of_numbers, one_of, secret, text, texts,
};
use crate::certificate::Thumbprint;
use crate::organisation::StoreName;
use crate::world::{Server, ServerName, Stored, World};

/// How a verb acts: on a server of the world, with what it was given.
type Act = fn(&mut World, &ServerName, &Given) -> Result<Done, Refused>;

/// A verb of the contract.
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) act: Act,
}

/// What a verb gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Done {
    changed: bool,
    before: Value,
    after: Value,
}

impl Done {
    fn unchanged(state: Value) -> Self {
        Self {
            changed: false,
            before: state.clone(),
            after: state,
        }
    }

    const fn changed(before: Value, after: Value) -> Self {
        Self {
            changed: true,
            before,
            after,
        }
    }

    pub(crate) fn value(self) -> Value {
        json!({ "changed": self.changed, "before": self.before, "after": self.after })
    }
}

/// An error of the contract.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    code: &'static str,
    effect: &'static str,
    expected: Box<str>,
    found: Box<str>,
    hresult: Option<&'static str>,
    holder: Value,
}

impl Refused {
    /// Nothing was changed.
    fn new(code: &'static str, expected: impl Into<Box<str>>, found: impl Into<Box<str>>) -> Self {
        Self {
            code,
            effect: "none",
            expected: expected.into(),
            found: found.into(),
            hresult: None,
            holder: Value::Null,
        }
    }

    /// A failure of Windows; `acting`: nobody knows what came of it.
    pub(crate) fn windows(hresult: &'static str, exception: &str, acting: bool) -> Self {
        Self {
            effect: if acting { "unknown" } else { "none" },
            hresult: Some(hresult),
            ..Self::new("Windows", "success", format!("{hresult} {exception}"))
        }
    }

    /// A failure for no reason of the world's.
    pub(crate) fn thrown() -> Self {
        Self::windows("0x800705AA", "System.Runtime.InteropServices.COMException", true)
    }

    fn disk_full() -> Self {
        Self::windows("0x80070070", "System.IO.IOException", true)
    }

    fn no_iis() -> Self {
        Self::windows("0x80070002", "System.IO.FileNotFoundException", false)
    }

    /// The record it goes over the wire as.
    pub(crate) fn record(&self, verb: &str) -> ErrorRecord {
        let text = format!("{}: expected {}, found {}", self.code, self.expected, self.found);
        let mut record = ErrorRecord::new(
            &text,
            &format!("{},{verb}", self.code),
            ErrorCategory::InvalidOperation,
            "InvalidOperationException",
        );
        verb.clone_into(&mut record.category.activity);
        "String".clone_into(&mut record.category.target_type);
        record.target = Some(
            json!({
                "code": self.code, "effect": self.effect, "expected": self.expected, "found": self.found,
                "hresult": self.hresult, "holder": self.holder,
            })
            .to_string(),
        );
        record
    }
}

const ENDPOINT: Parameter = text("Endpoint", given::is_endpoint).required();
const SNI: Parameter = flag("Sni");
const EXPECTED: Parameter = maybe_hash("Expected");
const THUMBPRINT: Parameter = hash("Thumbprint");
const SERVING: Parameter = one_of("Store", &["MY", "WebHosting"]).or("MY");
const POOL: Parameter = text("Name", given::is_pool).required();
const SERVICE: Parameter = text("Name", given::is_service).required();
const DEPENDENTS: Parameter = texts("Dependents", given::is_service);
const POOL_TIMEOUT: Parameter = number("TimeoutSeconds", 1, 600).or_number(60);
const TIMEOUT: Parameter = number("TimeoutSeconds", 1, 1800).or_number(300);
const MODES: &[&str] = &["Auto", "Manual", "Disabled"];
const FRIENDLY_NAME: Parameter = text("FriendlyName", given::is_short);
const AUTHORITIES: &[&str] = &["Root", "CA"];
const SID: Parameter = text("Sid", given::is_sid).required();
const PLAN: Parameter = text("Plan", given::is_id).required();
const RUN: Parameter = text("Run", given::is_id).required();
const SECONDS: Parameter = number("Seconds", 1, 86_400).required();

const VERBS: &[Verb] = &[
    Verb {
        name: "Set-ExsealHttpSysCertificate",
        parameters: &[
            ENDPOINT,
            SNI,
            EXPECTED,
            THUMBPRINT,
            SERVING,
            flag("Add"),
            text("AppId", given::is_app_id).or(crate::world::IIS_APP_ID),
        ],
        act: http_sys::set,
    },
    Verb {
        name: "Remove-ExsealHttpSysEntry",
        parameters: &[ENDPOINT, SNI, EXPECTED],
        act: http_sys::remove,
    },
    Verb {
        name: "Set-ExsealWebBinding",
        parameters: &[
            number("SiteId", i32::MIN as i64, i32::MAX as i64).required(),
            text("BindingInformation", given::is_binding).required(),
            EXPECTED,
            THUMBPRINT,
            SERVING,
        ],
        act: iis::bind,
    },
    Verb {
        name: "Start-ExsealAppPool",
        parameters: &[POOL, POOL_TIMEOUT],
        act: iis::start,
    },
    Verb {
        name: "Stop-ExsealAppPool",
        parameters: &[POOL, POOL_TIMEOUT],
        act: iis::stop,
    },
    Verb {
        name: "Restart-ExsealAppPool",
        parameters: &[POOL, POOL_TIMEOUT],
        act: iis::recycle,
    },
    Verb {
        name: "Start-ExsealService",
        parameters: &[SERVICE, TIMEOUT],
        act: services::start,
    },
    Verb {
        name: "Stop-ExsealService",
        parameters: &[SERVICE, DEPENDENTS, TIMEOUT],
        act: services::stop,
    },
    Verb {
        name: "Restart-ExsealService",
        parameters: &[SERVICE, DEPENDENTS, TIMEOUT],
        act: services::restart,
    },
    Verb {
        name: "Set-ExsealServiceStart",
        parameters: &[
            SERVICE,
            one_of("Expected", MODES).required(),
            one_of("StartMode", MODES).required(),
            flag("FromDisabled"),
        ],
        act: services::set_start,
    },
    Verb {
        name: "New-ExsealCertificate",
        parameters: &[
            text("Subject", given::is_subject).required(),
            texts("DnsNames", given::is_dns_name),
            text("FriendlyName", given::is_friendly_name).required(),
            number("Days", 1, 3650).required(),
            of_numbers("KeySize", &[2048, 4096]).or_number(2048),
            flag("Exportable"),
            text("Serial", given::is_serial).required(),
        ],
        act: making::new,
    },
    Verb {
        name: "Import-ExsealCertificate",
        parameters: &[
            THUMBPRINT,
            FRIENDLY_NAME,
            flag("Exportable"),
            secret("Pfx"),
            secret("Password"),
        ],
        act: making::import,
    },
    Verb {
        name: "Grant-ExsealKeyAccess",
        parameters: &[THUMBPRINT, SID],
        act: keys::grant,
    },
    Verb {
        name: "Revoke-ExsealKeyAccess",
        parameters: &[THUMBPRINT, SID],
        act: keys::revoke,
    },
    Verb {
        name: "Copy-ExsealCertificate",
        parameters: &[THUMBPRINT, one_of("To", AUTHORITIES).required()],
        act: stores::copy,
    },
    Verb {
        name: "Add-ExsealCertificate",
        parameters: &[
            THUMBPRINT,
            text("Der", given::is_base64).required(),
            one_of("Store", AUTHORITIES).required(),
            FRIENDLY_NAME,
        ],
        act: stores::add,
    },
    Verb {
        name: "Remove-ExsealCertificate",
        parameters: &[
            one_of("Store", &["My", "Root", "CA", "WebHosting", "REQUEST"]).required(),
            THUMBPRINT,
            chance("DeleteKey"),
        ],
        act: stores::remove,
    },
    Verb {
        name: "Get-ExsealLock",
        parameters: &[],
        act: lock::get,
    },
    Verb {
        name: "Lock-ExsealServer",
        parameters: &[
            text("Owner", given::is_owner).required(),
            PLAN,
            RUN,
            SECONDS,
            flag("TakeExpired"),
        ],
        act: lock::take,
    },
    Verb {
        name: "Update-ExsealLock",
        parameters: &[PLAN, RUN, SECONDS],
        act: lock::renew,
    },
    Verb {
        name: "Unlock-ExsealServer",
        parameters: &[PLAN, RUN],
        act: lock::release,
    },
];

/// The verb of a name, without regard to case.
pub(crate) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name.eq_ignore_ascii_case(name))
}

/// The server a verb runs on; it was there a moment ago.
fn server<'w>(world: &'w mut World, at: &ServerName) -> Result<&'w mut Server, Refused> {
    world
        .servers
        .get_mut(at)
        .ok_or_else(|| Refused::new("NotFound", at.to_string(), "none"))
}

/// A hash as errors show it.
fn shown(hash: Option<Thumbprint>) -> String {
    hash.map_or_else(|| "none".to_owned(), |hash| hash.to_string())
}

/// The error of a value that is not the expected one; `None`: it is.
fn moved(expected: Option<Thumbprint>, found: Option<Thumbprint>) -> Result<(), Refused> {
    if expected == found {
        Ok(())
    } else {
        Err(Refused::new("Moved", shown(expected), shown(found)))
    }
}

/// The one certificate of a store, as the module looks for it.
fn one(
    server: &Server,
    store: StoreName,
    name: &str,
    thumbprint: Thumbprint,
) -> Result<Option<Stored>, Refused> {
    let mut found = server
        .store(store)
        .iter()
        .filter(|stored| stored.certificate.thumbprint() == thumbprint);
    let first = found.next().cloned();
    match found.count() {
        0 => Ok(first),
        more => Err(Refused::new(
            "Ambiguous",
            format!("one certificate {thumbprint} in {name}"),
            (more + 1).to_string(),
        )),
    }
}

/// The one certificate that is in a store.
fn present(server: &Server, store: StoreName, name: &str, thumbprint: Thumbprint) -> Result<Stored, Refused> {
    one(server, store, name, thumbprint)?
        .ok_or_else(|| Refused::new("NotFound", format!("certificate {thumbprint} in {name}"), "none"))
}

/// The one certificate that is in a store with a key that opens.
fn serving(server: &Server, store: StoreName, name: &str, thumbprint: Thumbprint) -> Result<Stored, Refused> {
    let stored = present(server, store, name, thumbprint)?;
    let problem = match &stored.key {
        None => "no private key",
        // NTE_BAD_KEYSET.
        Some(key) if key.container_lost => "a private key that does not open: 0x80090016",
        Some(_) => return Ok(stored),
    };
    Err(Refused::new(
        "NoPrivateKey",
        format!("certificate {thumbprint} with a private key"),
        problem,
    ))
}

/// A certificate as verbs show it.
fn certificate(store: StoreName, stored: &Stored) -> Value {
    let mut shown = super::readings::stored(stored);
    if let Value::Object(fields) = &mut shown {
        fields.insert("store".to_owned(), store.as_str().into());
    }
    shown
}
