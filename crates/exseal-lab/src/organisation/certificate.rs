//! Certificates as the file describes them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::yes;

/// The kind of a certificate's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyName {
    /// RSA of 2048 bits.
    #[default]
    Rsa2048,
    /// RSA of 4096 bits.
    Rsa4096,
    /// The curve P-256.
    P256,
}

/// Where the root of a CA came from: what `RootCAType` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub enum RootKind {
    /// A public CA of the third-party list.
    #[default]
    ThirdParty,
    /// An enterprise root of the directory.
    Enterprise,
    /// Put into the machine's root store by hand or by setup.
    Registry,
    /// By group policy.
    GroupPolicy,
}

/// Who signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerRef {
    /// Itself.
    #[serde(rename = "self")]
    Itself,
    /// The simulated public CA: root and intermediate, trusted everywhere.
    #[default]
    PublicCa,
    /// Another intermediate of the same public root.
    PublicCa2,
    /// The simulated CA of the organisation (AD CS), trusted everywhere.
    InternalCa,
    /// A CA nobody trusts.
    UnknownCa,
    /// A certificate of the file, by id, with `ca = true`.
    #[serde(untagged)]
    Id(String),
}

/// A certificate. Its private key is made by the simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRecipe {
    /// How stores refer to it.
    pub id: String,
    /// A certificate in DER, base64, to stand in for: same names, dates and flags, own key. Nothing else is needed then.
    #[serde(default)]
    pub der: Option<String>,
    /// Subject, as Exchange prints it; absent: the first name as CN.
    #[serde(default)]
    pub subject: Option<String>,
    /// DNS names of the SAN.
    #[serde(default)]
    pub names: Vec<String>,
    /// Who signs.
    #[serde(default)]
    pub issuer: IssuerRef,
    /// Valid from; absent: `age_days` before now.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Valid until; absent: `days_left` after now.
    #[serde(default)]
    pub not_after: Option<Timestamp>,
    /// Days since it was made.
    #[serde(default)]
    pub age_days: Option<i32>,
    /// Days until it ends; negative: ended.
    #[serde(default)]
    pub days_left: Option<i32>,
    /// Its key.
    #[serde(default)]
    pub key: KeyName,
    /// The friendly name stores show.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// Whether it is a CA.
    #[serde(default)]
    pub ca: bool,
    /// Of a CA: what kind of root.
    #[serde(default)]
    pub root: RootKind,
    /// Of a CA: whether every server trusts it.
    #[serde(default = "yes")]
    pub trusted: bool,
}

impl CertificateRecipe {
    /// A certificate of the simulated public CA for some names, valid since 30 days and for 60 more.
    #[must_use]
    pub fn public(id: &str, names: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            der: None,
            subject: None,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            issuer: IssuerRef::PublicCa,
            not_before: None,
            not_after: None,
            age_days: None,
            days_left: None,
            key: KeyName::Rsa2048,
            friendly_name: None,
            ca: false,
            root: RootKind::ThirdParty,
            trusted: true,
        }
    }
}
