//! The verbs with types: a struct each, with the names of the contract, and what each shows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// A verb of the contract with its input.
pub trait Verb: Serialize {
    /// Its name.
    const NAME: &'static str;
    /// What it shows before and after.
    type State: DeserializeOwned;

    /// Its secrets, by the names of their parameters.
    fn secrets(&self) -> BTreeMap<&str, &Secret> {
        BTreeMap::new()
    }
}

macro_rules! verbs {
    ($(
        $(#[$about:meta])*
        $name:ident as $verb:literal shows $state:ty { $($(#[$meta:meta])* $field:ident: $kind:ty,)* }
    )*) => {
        /// The names of all verbs: nothing else is ever called.
        pub const VERBS: &[&str] = &[$($verb, )* ImportCertificate::NAME];

        $(
            $(#[$about])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(rename_all = "PascalCase", deny_unknown_fields)]
            pub struct $name { $($(#[$meta])* pub $field: $kind,)* }

            impl Verb for $name {
                const NAME: &'static str = $verb;
                type State = $state;
            }
        )*
    };
}

fn is_false(value: &bool) -> bool {
    !*value
}

verbs! {
    /// Another certificate on an entry of http.sys; every other value of it stays.
    SetHttpSysCertificate as "Set-ExsealHttpSysCertificate" shows HttpSysEntry {
        /// `0.0.0.0:444`, or with `sni` a name.
        endpoint: String,
        /// Whether it is an entry by name.
        #[serde(default, skip_serializing_if = "is_false")]
        sni: bool,
        /// What it serves now; `None`: nothing.
        expected: Option<String>,
        /// What it is to serve.
        thumbprint: String,
        /// The certificate's store; My where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<String>,
        /// Whether an entry that is not there is added.
        #[serde(default, skip_serializing_if = "is_false")]
        add: bool,
        /// Whose an added entry is; IIS where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app_id: Option<String>,
    }

    /// Takes an entry out of http.sys.
    RemoveHttpSysEntry as "Remove-ExsealHttpSysEntry" shows HttpSysEntry {
        /// As [`SetHttpSysCertificate::endpoint`].
        endpoint: String,
        /// Whether it is an entry by name.
        #[serde(default, skip_serializing_if = "is_false")]
        sni: bool,
        /// What it serves now; `None`: nothing.
        expected: Option<String>,
    }

    /// Lets IIS put a certificate on an existing https binding.
    SetWebBinding as "Set-ExsealWebBinding" shows WebBinding {
        /// 1 Default Web Site, 2 Exchange Back End.
        site_id: i32,
        /// `*:444:`.
        binding_information: String,
        /// What it serves now; `None`: nothing.
        expected: Option<String>,
        /// What it is to serve.
        thumbprint: String,
        /// The certificate's store; My where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<String>,
    }

    /// Starts an application pool.
    StartAppPool as "Start-ExsealAppPool" shows AppPool {
        /// Its name.
        name: String,
    }

    /// Stops an application pool.
    StopAppPool as "Stop-ExsealAppPool" shows AppPool {
        /// Its name.
        name: String,
    }

    /// Recycles an application pool.
    RestartAppPool as "Restart-ExsealAppPool" shows AppPool {
        /// Its name.
        name: String,
    }

    /// Starts a service.
    StartService as "Start-ExsealService" shows Vec<Service> {
        /// Its name, not the one it is shown with.
        name: String,
    }

    /// Stops a service, and of those that need it the named ones.
    StopService as "Stop-ExsealService" shows Vec<Service> {
        /// Its name.
        name: String,
        /// What may be stopped with it, in this order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dependents: Vec<String>,
    }

    /// Restarts a service, and of those that need it the named ones.
    RestartService as "Restart-ExsealService" shows Vec<Service> {
        /// Its name.
        name: String,
        /// What may be restarted with it, in the order of stopping.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dependents: Vec<String>,
    }

    /// Sets how a service starts.
    SetServiceStart as "Set-ExsealServiceStart" shows Vec<Service> {
        /// Its name.
        name: String,
        /// How it starts now: `Auto`, `Manual`, `Disabled`.
        expected: String,
        /// How it is to start.
        start_mode: String,
        /// Whether a disabled one may be changed.
        #[serde(default, skip_serializing_if = "is_false")]
        from_disabled: bool,
    }

    /// Makes a self-signed certificate in My.
    NewCertificate as "New-ExsealCertificate" shows Certificate {
        /// `CN=EX1`.
        subject: String,
        /// The names of its subject alternative name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dns_names: Vec<String>,
        /// The name stores show.
        friendly_name: String,
        /// Lifetime from now.
        days: u32,
        /// 2048 where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_size: Option<u32>,
        /// Whether its key may be exported.
        #[serde(default, skip_serializing_if = "is_false")]
        exportable: bool,
        /// The serial number, chosen at random by the caller: how it is found again.
        serial: String,
    }

    /// Lets an account read a key.
    GrantKeyAccess as "Grant-ExsealKeyAccess" shows KeyAccess {
        /// Whose key.
        thumbprint: String,
        /// The account: `S-1-5-20` is NETWORK SERVICE.
        sid: String,
    }

    /// Takes the right to read a key from an account.
    RevokeKeyAccess as "Revoke-ExsealKeyAccess" shows KeyAccess {
        /// Whose key.
        thumbprint: String,
        /// The account.
        sid: String,
    }

    /// Copies a certificate's public part from My to the authorities.
    CopyCertificate as "Copy-ExsealCertificate" shows Certificate {
        /// Which.
        thumbprint: String,
        /// `Root` or `CA`.
        to: String,
    }

    /// Puts a certificate without key among the authorities.
    AddCertificate as "Add-ExsealCertificate" shows Certificate {
        /// Which.
        thumbprint: String,
        /// The certificate, as Base64.
        der: String,
        /// `Root` or `CA`.
        store: String,
        /// The name stores show.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        friendly_name: String,
    }

    /// Takes a certificate out of a store.
    RemoveCertificate as "Remove-ExsealCertificate" shows Certificate {
        /// The store.
        store: String,
        /// Which.
        thumbprint: String,
        /// Whether its key goes, too: that cannot be taken back.
        delete_key: bool,
    }

    /// Who holds the lock.
    GetLock as "Get-ExsealLock" shows Lock {}

    /// Takes the lock, or renews it.
    TakeLock as "Lock-ExsealServer" shows Lock {
        /// Who works, for those who find it.
        owner: String,
        /// The plan.
        plan: String,
        /// The run: one that goes on has the same.
        run: String,
        /// How long it lasts.
        seconds: u32,
        /// Whether one of somebody else whose time is over is taken.
        #[serde(default, skip_serializing_if = "is_false")]
        take_expired: bool,
    }

    /// Renews the lock.
    RenewLock as "Update-ExsealLock" shows Lock {
        /// The plan.
        plan: String,
        /// The run.
        run: String,
        /// How long it lasts from now.
        seconds: u32,
    }

    /// Gives the lock back.
    ReleaseLock as "Unlock-ExsealServer" shows Lock {
        /// The plan.
        plan: String,
        /// The run.
        run: String,
    }
}

/// Takes a certificate with its key into My.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportCertificate {
    /// The certificate the file has to hold.
    pub thumbprint: String,
    /// The name stores show.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub friendly_name: String,
    /// Whether its key may be exported again.
    #[serde(skip_serializing_if = "is_false")]
    pub exportable: bool,
    /// The file (PKCS#12), as Base64.
    #[serde(skip)]
    pub pfx: Secret,
    /// Its password.
    #[serde(skip)]
    pub password: Secret,
}

impl Verb for ImportCertificate {
    const NAME: &'static str = "Import-ExsealCertificate";
    type State = Certificate;

    fn secrets(&self) -> BTreeMap<&str, &Secret> {
        BTreeMap::from([("Pfx", &self.pfx), ("Password", &self.password)])
    }
}

/// An entry of http.sys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpSysEntry {
    /// Address or name, and port.
    pub endpoint: String,
    /// Whether it is one by name.
    pub sni: bool,
    /// What it serves.
    pub thumbprint: Option<String>,
    /// From which store.
    pub store: Option<String>,
    /// Whose it is.
    pub app_id: Option<String>,
    /// Whether clients are asked for a certificate.
    pub negotiate_client_certificate: bool,
}

/// A binding of IIS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebBinding {
    /// Its site.
    pub site_id: i32,
    /// `https`.
    pub protocol: String,
    /// `*:444:`.
    pub binding_information: String,
    /// What it serves.
    pub certificate_hash: Option<String>,
    /// From which store.
    pub certificate_store_name: Option<String>,
    /// 1: by name.
    pub ssl_flags: i32,
}

/// An application pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPool {
    /// Its name.
    pub name: String,
    /// `Started`, `Stopped`.
    pub state: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `Running`, `Stopped`.
    pub state: Option<String>,
    /// `Auto`, `Manual`, `Disabled`.
    pub start_mode: Option<String>,
}

/// A certificate of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The store.
    pub store: String,
    /// Its thumbprint.
    pub thumbprint: String,
    /// The certificate, as Base64.
    pub der: String,
    /// The name stores show.
    pub friendly_name: Option<String>,
    /// Whether the store knows a key of it.
    pub has_private_key: bool,
    /// Its key.
    pub key: Option<Key>,
}

/// A private key, as far as it may be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Where it is kept.
    pub provider: Option<String>,
    /// 12: CAPI for Schannel; 0: CNG.
    pub provider_type: Option<i32>,
    /// 1: key exchange.
    pub key_spec: Option<i32>,
    /// Whether it may be exported.
    pub exportable: Option<bool>,
    /// Who may read it, by SID.
    pub readers: Option<Vec<String>>,
    /// Why it does not open, as HRESULT.
    pub error: Option<String>,
}

/// Who may read a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAccess {
    /// Whose key.
    pub thumbprint: String,
    /// Where it is kept.
    pub provider: String,
    /// Who, by SID.
    pub readers: Vec<String>,
}

/// A lock of a server. All of it is missing where whoever made the file died before it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who works.
    pub owner: Option<String>,
    /// The plan.
    pub plan: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// Since when.
    pub taken: Option<Timestamp>,
    /// Until when, by the server's clock.
    pub expires: Option<Timestamp>,
    /// Whether that is over, by the server's clock.
    pub expired: bool,
}
