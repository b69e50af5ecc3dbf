//! What is wanted: thresholds, issuers, namespaces.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use exseal_model::Certificate;

use crate::conduct::ApplyPolicy;

/// What an organisation wants of its certificates; read from `exseal.toml`, or built in by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[derive(Default)]
pub struct Policy {
    /// When an end that comes near is said.
    pub expiry: Expiry,
    /// What is expected on the client-facing slots.
    pub front_end: FrontEnd,
    /// How the Auth certificate is decided about.
    pub auth: AuthPolicy,
    /// How changes are made.
    pub change: ChangePolicy,
    /// How a run treats the servers it changes.
    pub apply: ApplyPolicy,
    /// Certificates that are left alone, by a part of their subject, without regard to case.
    pub ignore: Vec<String>,
}

/// When an end that comes near is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Expiry {
    /// A warning.
    pub warning: Threshold,
    /// An error: now or never.
    pub error: Threshold,
}

/// A share of the certificate's lifetime, held between two numbers of days.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Threshold {
    /// Share of the lifetime that is left, from 0 to 1.
    pub share: f64,
    /// Never later than this many days before the end.
    pub at_least_days: u32,
    /// Never earlier than this many days before the end.
    pub at_most_days: u32,
}

/// What is expected on the client-facing slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[derive(Default)]
pub struct FrontEnd {
    /// Whether a self-signed certificate on 443 is fine (hybrid management only).
    pub self_signed: bool,
    /// Names the certificate must cover besides those of the URLs.
    pub namespaces: Vec<String>,
    /// A part of the issuer's name that is expected; empty: any CA.
    pub issuers: Vec<String>,
}

/// How the Auth certificate is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthRule {
    /// Unknown is not expired, the last day is not over, a valid next is published rather than replaced.
    Careful,
    /// Exactly what Microsoft's MonitorExchangeAuthCertificate.ps1 decides (facts/exchange.md 2.6).
    Microsoft,
}

/// How the Auth certificate is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct AuthPolicy {
    /// Which rule decides.
    pub rule: AuthRule,
    /// Days before the end of current from which a next one is staged.
    pub stage_days: i64,
    /// Days before the end of next from which it no longer counts as one that will do.
    pub next_days: i64,
    /// Decide although a server could not be asked.
    pub ignore_unreachable: bool,
    /// Decide although there is a hybrid configuration that has to be told by hand.
    pub ignore_hybrid: bool,
    /// Always stage a new next one.
    pub enforce_new_next: bool,
}

impl Default for Expiry {
    /// A third of the lifetime, 7 to 60 days, is a warning; a tenth, 3 to 14 days, an error. Right for certificates of
    /// 47 days and of five years.
    fn default() -> Self {
        Self {
            warning: Threshold {
                share: 1.0 / 3.0,
                at_least_days: 7,
                at_most_days: 60,
            },
            error: Threshold {
                share: 0.1,
                at_least_days: 3,
                at_most_days: 14,
            },
        }
    }
}

impl Default for AuthPolicy {
    fn default() -> Self {
        Self {
            rule: AuthRule::Careful,
            stage_days: 60,
            next_days: 120,
            ignore_unreachable: false,
            ignore_hybrid: false,
            enforce_new_next: false,
        }
    }
}

/// How changes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ChangePolicy {
    /// Lifetime of self-signed certificates that are made, in days.
    pub lifetime_days: u32,
    /// Size of their RSA keys in bits.
    pub key_bits: u32,
    /// Whether their public part is copied to Root, as setup does it.
    pub copy_to_root: CopyToRoot,
    /// Days for which a certificate has to have been seen unused before `cleanup` takes it away.
    pub unused_days: u32,
}

impl ChangePolicy {
    fn check(self, text: &str) -> Result<(), PolicyError> {
        // Windows and Exchange take these sizes (facts/exchange.md 2.1); ten years is what its own longest one has.
        if ![2048, 4096].contains(&self.key_bits) {
            return Err(PolicyError {
                message: format!("expected 2048 or 4096 bits, found {}", self.key_bits),
                span: find(text, "key-bits"),
            });
        }
        if !(1..=3650).contains(&self.lifetime_days) {
            return Err(PolicyError {
                message: format!("expected 1 to 3650 days, found {}", self.lifetime_days),
                span: find(text, "lifetime-days"),
            });
        }
        Ok(())
    }
}

/// Whether the public part of a new certificate is copied to Root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CopyToRoot {
    /// Where its predecessor has a copy there.
    AsBefore,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Default for ChangePolicy {
    /// Five years and 2048 bits as setup makes them, Root as before, two weeks.
    fn default() -> Self {
        Self {
            lifetime_days: 1825,
            key_bits: 2048,
            copy_to_root: CopyToRoot::AsBefore,
            unused_days: 14,
        }
    }
}

/// A policy that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    /// What is wrong.
    pub message: String,
    /// The bytes of the text that are meant, if the reader knows them.
    pub span: Option<Range<usize>>,
}

impl Policy {
    /// The names of the built-in ones.
    pub const BUILT_IN: [&str; 3] = ["default", "baseline", "hybrid-management-only"];

    /// A built-in policy by name.
    ///
    /// `baseline` does what Microsoft's tools do: HealthChecker's 60 and 30 days, whatever the lifetime, and the decision of
    /// MonitorExchangeAuthCertificate. `hybrid-management-only` takes a self-signed certificate on 443 as fine.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::default()),
            "baseline" => Some(Self {
                expiry: Expiry {
                    warning: Threshold {
                        share: 1.0,
                        at_least_days: 60,
                        at_most_days: 60,
                    },
                    error: Threshold {
                        share: 1.0,
                        at_least_days: 30,
                        at_most_days: 30,
                    },
                },
                auth: AuthPolicy {
                    rule: AuthRule::Microsoft,
                    ..AuthPolicy::default()
                },
                ..Self::default()
            }),
            "hybrid-management-only" => Some(Self {
                front_end: FrontEnd {
                    self_signed: true,
                    ..FrontEnd::default()
                },
                ..Self::default()
            }),
            _ => None,
        }
    }

    /// Reads a policy; what it does not say is as in `default`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the place: no TOML, a key or a value that no policy has, a share that is none.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text).map_err(|error| PolicyError {
            // Rust's names of numbers mean nothing to the reader.
            message: error
                .message()
                .replace("expected f64", "expected a number")
                .replace("expected u32", "expected a whole number, 0 or above")
                .replace("expected i64", "expected a whole number"),
            span: error.span(),
        })?;
        for threshold in [policy.expiry.warning, policy.expiry.error] {
            if !(0.0..=1.0).contains(&threshold.share) {
                let message = format!("expected a share from 0 to 1, found {}", threshold.share);
                return Err(PolicyError {
                    message,
                    span: find(text, "share"),
                });
            }
            if threshold.at_least_days > threshold.at_most_days {
                let message = format!(
                    "expected at-least-days not above at-most-days, found {} and {}",
                    threshold.at_least_days, threshold.at_most_days
                );
                return Err(PolicyError {
                    message,
                    span: find(text, "at-least-days"),
                });
            }
        }
        policy.change.check(text)?;
        if let Some((key, message)) = policy.apply.wrong() {
            return Err(PolicyError {
                message,
                span: find(text, key),
            });
        }
        Ok(policy)
    }

    /// Whether a certificate is one that this policy leaves alone.
    #[must_use]
    pub fn ignores(&self, certificate: &Certificate) -> bool {
        let subject = certificate.subject.to_lowercase();
        self.ignore
            .iter()
            .any(|part| subject.contains(&part.to_lowercase()))
    }
}

fn find(text: &str, what: &str) -> Option<Range<usize>> {
    text.find(what).map(|at| at..at + what.len())
}

impl Threshold {
    /// The time before the end from which it holds, for a certificate's lifetime.
    #[must_use]
    pub fn before_end(self, certificate: &Certificate) -> SignedDuration {
        const DAY: i64 = 86_400;
        let lifetime = certificate.not_after.duration_since(certificate.not_before);
        let share = lifetime.as_secs_f64() * self.share;
        let least = i64::from(self.at_least_days) * DAY;
        let most = i64::from(self.at_most_days) * DAY;
        // A lifetime is a number of seconds that a float holds exactly.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seconds of a lifetime are far below 2^53"
        )]
        let seconds = (share as i64).clamp(least, most);
        SignedDuration::from_secs(seconds)
    }

    /// Whether the end is that near at `now`.
    #[must_use]
    pub fn reached(self, certificate: &Certificate, now: Timestamp) -> bool {
        certificate.not_after.duration_since(now) <= self.before_end(certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_policy_is_there_and_reads_as_it_writes() {
        for name in Policy::BUILT_IN {
            let policy = Policy::built_in(name).unwrap();
            let written = toml::to_string(&policy).unwrap();
            assert_eq!(Policy::from_toml(&written).unwrap(), policy, "{name}");
        }
        assert_eq!(Policy::built_in("nothing"), None);
    }

    #[test]
    fn what_no_policy_has_is_refused_with_its_place() {
        let text = "[expiry.warning]\nshare = 2.0\nat-least-days = 1\nat-most-days = 5\n";
        let error = Policy::from_toml(text).unwrap_err();
        assert_eq!(error.span.and_then(|span| text.get(span)), Some("share"));
        let text = "[front-end]\nself-sined = true\n";
        let error = Policy::from_toml(text).unwrap_err();
        assert_eq!(error.span.and_then(|span| text.get(span)), Some("self-sined"));
    }
}
