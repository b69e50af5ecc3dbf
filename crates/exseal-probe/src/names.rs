//! Where names lead: addresses inside and outside, the way a client walks to Autodiscover, TLSA records of mail hosts.
//!
//! Inside is the system's resolver with its hosts file; outside is a resolver given by address. Only what is asked for is
//! looked at; everything found is data, and what is wrong about it is said in `remarks`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use exseal_engine::Policy;
use exseal_model::Severity;
use hickory_resolver::proto::rr::{RData, RecordType};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::dialogue::shown;
use crate::dns::Asker;
pub use crate::dns::Dnssec;
use crate::sighting::{Outcome, Remark, Sighting};
use crate::tlsa::{Tlsa, hex};
use crate::{Options, Protocol, Target, probe};

/// What is to be asked.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names whose addresses are asked for.
    pub names: Vec<String>,
    /// Mail domains whose way to Autodiscover is walked.
    pub autodiscover: Vec<String>,
    /// Mail domains whose MX hosts are looked at.
    pub mail: Vec<String>,
    /// Resolvers besides the system's.
    pub resolvers: Vec<SocketAddr>,
    /// A file of trust anchors (DNSKEY or DS in zone format) instead of the root's.
    pub trust_anchor: Option<PathBuf>,
    /// Time for one question.
    pub patience: Duration,
}

/// What was found. Each list in the order it was asked in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Names {
    /// Addresses of names, by each resolver.
    pub resolved: Vec<Resolved>,
    /// Ways to Autodiscover.
    pub autodiscover: Vec<Autodiscover>,
    /// MX hosts.
    pub mail: Vec<MailDomain>,
}

/// The addresses of a name by one resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    /// The name.
    pub name: String,
    /// `system`, or the resolver's address.
    pub resolver: String,
    /// Sorted; empty and no `problem`: the name has none.
    pub addresses: Vec<String>,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The way a client walks to Autodiscover of a mail domain, without the service connection point inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Autodiscover {
    /// The mail domain.
    pub domain: String,
    /// The resolver: `system`, or its address.
    pub resolver: String,
    /// The steps in the client's order. A client stops at the first that answers as Autodiscover; all are looked at.
    pub steps: Vec<Step>,
    /// What is wrong on the way, worst first.
    pub remarks: Vec<Remark>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// `root-domain`, `autodiscover-host`, `http-redirect`, `srv`.
    pub by: String,
    /// The URL that is asked for; of `srv` the record's name.
    pub url: String,
    /// What came of it, in words.
    pub says: String,
    /// Where a redirect or an SRV record leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<String>,
    /// What the host presented, where it came to TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sighting: Option<Sighting>,
}

/// A mail domain's hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MailDomain {
    /// The domain.
    pub domain: String,
    /// The resolver: `system`, or its address.
    pub resolver: String,
    /// State of the MX records.
    pub dnssec: Dnssec,
    /// The hosts, the preferred first.
    pub hosts: Vec<MailHost>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What is wrong, worst first.
    pub remarks: Vec<Remark>,
}

/// A host that takes mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MailHost {
    /// Its name.
    pub name: String,
    /// The smaller, the sooner.
    pub preference: u16,
    /// TLSA records of `_25._tcp`.
    pub tlsa: Vec<Tlsa>,
    /// State of the TLSA records; of their absence where there are none.
    pub dnssec: Dnssec,
    /// What it presents on 25.
    pub sighting: Option<Sighting>,
}

/// Asks for everything that is wanted, resolver by resolver, the system's first.
///
/// # Errors
///
/// A resolver that cannot be set up: no configuration of the system's can be read, or the trust anchors are none.
pub async fn look(
    wanted: &Wanted,
    options: &Options,
    policy: &Policy,
    now: Timestamp,
) -> Result<Names, String> {
    let mut askers = Vec::new();
    for server in std::iter::once(None).chain(wanted.resolvers.iter().copied().map(Some)) {
        match Asker::new(server, wanted).await {
            Ok(asker) => askers.push(Arc::new(asker)),
            // Without a configuration of its own the system has nothing to say; another resolver still has.
            Err(_) if server.is_none() && !wanted.resolvers.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    let mut names = Names::default();
    for name in &wanted.names {
        for asker in &askers {
            names.resolved.push(asker.resolve(name, options).await);
        }
    }
    // Where an outside resolver is given, mail and Autodiscover are judged as the outside sees them.
    let outside = askers.iter().skip(usize::from(askers.len() > 1));
    for asker in outside {
        for domain in &wanted.autodiscover {
            names
                .autodiscover
                .push(autodiscover(asker, domain, options, policy, now).await);
        }
        for domain in &wanted.mail {
            names.mail.push(mail(asker, domain, options, policy, now).await);
        }
    }
    Ok(names)
}

const PATH: &str = "/autodiscover/autodiscover.xml";

async fn autodiscover(
    asker: &Asker,
    domain: &str,
    options: &Options,
    policy: &Policy,
    now: Timestamp,
) -> Autodiscover {
    let mut steps = Vec::new();
    let mut remarks = Vec::new();
    let host = format!("autodiscover.{domain}");
    for (by, name) in [("root-domain", domain), ("autodiscover-host", host.as_str())] {
        steps.push(https_step(asker, by, name, options, policy, now).await);
    }
    steps.push(redirect_step(asker, &host, options).await);
    let record = format!("_autodiscover._tcp.{domain}");
    let (answer, _) = asker.ask(&record, RecordType::SRV).await;
    match answer {
        Err(reason) => steps.push(step("srv", &record, format!("not known: {reason}"))),
        Ok(records) => {
            let best = records
                .iter()
                .filter_map(|record| match &record.data {
                    RData::SRV(srv) => Some(srv),
                    _ => None,
                })
                .min_by_key(|srv| (srv.priority, srv.weight));
            match best {
                None => steps.push(step("srv", &record, "there is none".to_owned())),
                Some(srv) => {
                    let target = srv.target.to_string().trim_end_matches('.').to_ascii_lowercase();
                    let mut led = https_step(asker, "srv", &target, options, policy, now).await;
                    led.leads_to = Some(format!("{target}:{}", srv.port));
                    led.url = record;
                    steps.push(led);
                }
            }
        }
    }

    // A wildcard record answers for an Autodiscover host nobody entered.
    let nobody = format!("exseal-asks-for-no-such-name.{domain}");
    if !asker.resolve(&nobody, options).await.addresses.is_empty() {
        remarks.push(Remark {
            severity: Severity::Notice,
            name: "wildcard-dns".to_owned(),
            text: format!("{domain} answers for every name, so {host} may be whoever answers for all"),
        });
    }

    // A root domain that answers on 443 with a certificate for something else is the warning people report.
    if let Some(sighting) = steps.first().and_then(|step| step.sighting.as_ref())
        && let Some(presented) = &sighting.presented
        && (presented.covers == Some(false) || presented.trusted == Some(false))
    {
        let names = presented
            .leaf
            .as_ref()
            .map(|leaf| leaf.names.join(", "))
            .unwrap_or_default();
        remarks.push(Remark {
            severity: Severity::Warning,
            name: "root-domain-answers".to_owned(),
            text: format!(
                "https://{domain} answers with a certificate for {names}: Outlook asks there first and may warn; it is usually the web hoster's"
            ),
        });
    }
    let answers = |step: &Step| {
        step.leads_to.is_some()
            || step.sighting.as_ref().is_some_and(|sighting| {
                sighting
                    .presented
                    .as_ref()
                    .is_some_and(|presented| presented.covers == Some(true))
            })
    };
    if !steps.iter().any(answers) {
        remarks.push(Remark {
            severity: Severity::Warning,
            name: "no-way-to-autodiscover".to_owned(),
            text: format!(
                "none of the four ways to Autodiscover of {domain} leads to a host with a certificate for its name; clients inside may still find it by the service connection point"
            ),
        });
    }
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    Autodiscover {
        domain: domain.to_owned(),
        resolver: asker.label.clone(),
        steps,
        remarks,
    }
}

fn step(by: &str, url: &str, says: String) -> Step {
    Step {
        by: by.to_owned(),
        url: url.to_owned(),
        says,
        leads_to: None,
        sighting: None,
    }
}

async fn https_step(
    asker: &Asker,
    by: &str,
    name: &str,
    options: &Options,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let own = asker.options_for(name, options).await;
    let url = format!("https://{name}{PATH}");
    if asker.label != "system" && own.place(name, 443).is_none() {
        return step(by, &url, "the name has no address".to_owned());
    }
    let mut found = probe(vec![Target::new(name, 443)], own, policy.clone(), now).await;
    let Some(sighting) = found.pop() else {
        return step(by, &url, "nothing was looked at".to_owned());
    };
    let says = match &sighting.presented {
        Some(presented) => {
            let subject = presented
                .leaf
                .as_ref()
                .map_or("unreadable", |leaf| leaf.subject.as_str());
            let covers = match presented.covers {
                Some(true) => "covers the name",
                Some(false) => "does not cover the name",
                None => "cannot be held against the name",
            };
            format!("presents {subject}, which {covers}")
        }
        None => sighting.outcome.to_string(),
    };
    Step {
        sighting: Some(sighting),
        ..step(by, &url, says)
    }
}

/// What port 80 of the Autodiscover host says: a redirect is followed by clients after a question to the person.
async fn redirect_step(asker: &Asker, host: &str, options: &Options) -> Step {
    let own = asker.options_for(host, options).await;
    let url = format!("http://{host}{PATH}");
    let asked = timeout(options.deadline, async {
        let mut stream = match own.place(host, 80) {
            Some(socket) => TcpStream::connect(socket).await,
            None if asker.label == "system" => TcpStream::connect((host, 80)).await,
            None => return Ok(None),
        }?;
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: exseal-probe\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        let mut buffer = [0_u8; 2048];
        while head.len() < 16 << 10 && !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
        Ok::<_, std::io::Error>(Some(String::from_utf8_lossy(&head).into_owned()))
    })
    .await;
    match asked {
        Err(_) => step("http-redirect", &url, "timed out".to_owned()),
        Ok(Err(error)) => step("http-redirect", &url, error.to_string()),
        Ok(Ok(None)) => step("http-redirect", &url, "the name has no address".to_owned()),
        Ok(Ok(Some(head))) => {
            let status = head.lines().next().unwrap_or_default();
            let location = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("location").then(|| shown(value.trim()))
            });
            let redirect = status
                .split_whitespace()
                .nth(1)
                .is_some_and(|code| code.starts_with('3'));
            Step {
                leads_to: location.filter(|_| redirect),
                ..step("http-redirect", &url, shown(status))
            }
        }
    }
}

async fn mail(asker: &Asker, domain: &str, options: &Options, policy: &Policy, now: Timestamp) -> MailDomain {
    let (answer, dnssec) = asker.ask(domain, RecordType::MX).await;
    let mut found = MailDomain {
        domain: domain.to_owned(),
        resolver: asker.label.clone(),
        dnssec,
        hosts: Vec::new(),
        problem: None,
        remarks: Vec::new(),
    };
    let mut hosts: Vec<(u16, String)> = match answer {
        Err(reason) => {
            found.problem = Some(reason);
            return found;
        }
        Ok(records) => records
            .iter()
            .filter_map(|record| match &record.data {
                RData::MX(mx) => Some((
                    mx.preference,
                    mx.exchange.to_string().trim_end_matches('.').to_ascii_lowercase(),
                )),
                _ => None,
            })
            .collect(),
    };
    hosts.sort();
    if hosts.is_empty() {
        found.problem = Some("there are no MX records".to_owned());
    }
    for (preference, name) in hosts {
        let (answer, dnssec) = asker.ask(&format!("_25._tcp.{name}"), RecordType::TLSA).await;
        let mut tlsa: Vec<Tlsa> = answer
            .unwrap_or_default()
            .iter()
            .filter_map(|record| match &record.data {
                RData::TLSA(tlsa) => Some(Tlsa {
                    usage: tlsa.cert_usage.into(),
                    selector: tlsa.selector.into(),
                    matching: tlsa.matching.into(),
                    data: hex(&tlsa.cert_data),
                    fits: None,
                }),
                _ => None,
            })
            .collect();
        let own = asker.options_for(&name, options).await;
        let sighting = probe(
            vec![Target::new(&name, 25).by(Protocol::Smtp)],
            own,
            policy.clone(),
            now,
        )
        .await
        .pop();
        let chain: Vec<Vec<u8>> = sighting
            .iter()
            .filter_map(|sighting| sighting.presented.as_ref())
            .flat_map(|presented| &presented.chain)
            .filter_map(|link| link.certificate.as_ref())
            .map(|certificate| certificate.der.to_vec())
            .collect();
        for record in &mut tlsa {
            record.fits = record.matches(&chain);
        }
        let host = MailHost {
            name,
            preference,
            tlsa,
            dnssec,
            sighting,
        };
        found.remarks.extend(of_host(&host));
        found.hosts.push(host);
    }
    found
        .remarks
        .sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    found
}

/// What is wrong about a mail host and its TLSA records.
fn of_host(host: &MailHost) -> Vec<Remark> {
    let mut said = Vec::new();
    let mut say = |severity, name: &str, text: String| {
        said.push(Remark {
            severity,
            name: name.to_owned(),
            text,
        });
    };
    if host.tlsa.is_empty() {
        return said;
    }
    let usable: Vec<&Tlsa> = host.tlsa.iter().filter(|record| record.is_for_mail()).collect();
    if usable.is_empty() {
        say(
            Severity::Warning,
            "tlsa-not-for-mail",
            format!(
                "{} has TLSA records, and none of a usage mail servers take (2 or 3)",
                host.name
            ),
        );
        return said;
    }
    match host.dnssec {
        Dnssec::Secure => {}
        Dnssec::Bogus => say(
            Severity::Error,
            "tlsa-bogus",
            format!(
                "the signatures of {}'s TLSA records are wrong: senders that check them defer mail",
                host.name
            ),
        ),
        Dnssec::Insecure => say(
            Severity::Notice,
            "tlsa-not-signed",
            format!("{}'s TLSA records are not signed, so nobody uses them", host.name),
        ),
        Dnssec::Unknown => say(
            Severity::Notice,
            "tlsa-not-proven",
            format!(
                "whether {}'s TLSA records are signed cannot be told by this resolver",
                host.name
            ),
        ),
    }
    let offered = host
        .sighting
        .as_ref()
        .map(|sighting| &sighting.outcome)
        .is_some_and(|outcome| matches!(outcome, Outcome::Presented));
    if offered && usable.iter().all(|record| record.fits == Some(false)) {
        say(
            Severity::Error,
            "tlsa-does-not-fit",
            format!(
                "no TLSA record of {} fits what it presents on 25: senders that use DANE defer mail",
                host.name
            ),
        );
    } else if matches!(
        host.sighting.as_ref().map(|sighting| &sighting.outcome),
        Some(Outcome::NotOffered { .. })
    ) {
        say(
            Severity::Error,
            "tlsa-without-starttls",
            format!(
                "{} has TLSA records and does not offer STARTTLS: senders that use DANE defer mail",
                host.name
            ),
        );
    }
    said
}
