//! The sample organisation as it stands: Kiefer Möbel AG, three servers, a dozen faults.
//!
//! Everything is invented; the names end in `.example`, the authorities exist nowhere.

use super::x509::{Authority, Hash, Made, Wanted, make};
use crate::Result;

/// The moment at which the sample is looked at.
pub(super) const NOW: &str = "2026-11-24T09:00:00Z";

/// The faults that are in the sample on purpose: where, and what; the page of the sample lists them.
pub(super) const FAULTS: &[(&str, &str)] = &[
    ("EX1, EX2", "the certificate of the front end ends in twelve days"),
    ("EX1", "127.0.0.1:443 presents another certificate than *:443"),
    (
        "EX1",
        "the public certificate is the internal transport certificate",
    ),
    (
        "EX1",
        "receive connector `Relay EX1`: TlsCertificateName lost its `<I>` and `<S>`",
    ),
    (
        "EX2",
        "the back end is bound to a certificate that is no longer in the store",
    ),
    (
        "EX2",
        "POP and IMAP use a certificate with a key of 1,024 bits, signed with SHA-1",
    ),
    (
        "EX2",
        "receive connector `Default Frontend EX2` names a certificate that is not there",
    ),
    ("EX3", "the certificate of the back end ended in October"),
    (
        "EX3",
        "the front end's certificate lacks owa.kiefer.example, which OWA's external URL uses",
    ),
    (
        "EX3",
        "the internal transport certificate does not hold the server's FQDN",
    ),
    (
        "EX3",
        "receive connector `Default Frontend EX3` names two certificates at once",
    ),
    (
        "EX3",
        "the next Auth certificate is not there: another site, which Exchange does not copy it to",
    ),
    ("organisation", "the current Auth certificate ends in 22 days"),
];

/// All certificates of the sample.
pub(super) struct Certificates {
    pub(super) mail_old: Made,
    pub(super) mail_new: Made,
    pub(super) pop: Made,
    pub(super) ex1: Made,
    pub(super) ex2: Made,
    /// The one that EX2's back end still names; it is in no file.
    pub(super) ex2_removed: Made,
    pub(super) ex3_old: Made,
    pub(super) ex3_short: Made,
    pub(super) auth_current: Made,
    pub(super) auth_next: Made,
    pub(super) management: [Made; 3],
    pub(super) azure: Made,
}

const MAIL: &str = "CN=mail.kiefer.example, O=Kiefer Möbel AG, L=Jena, C=DE";
const MAIL_NAMES: &[&str] = &[
    "mail.kiefer.example",
    "autodiscover.kiefer.example",
    "imap.kiefer.example",
];
const AUTH: &str = "CN=Microsoft Exchange Server Auth Certificate";

impl Certificates {
    /// Makes all of them; takes some seconds for the keys.
    pub(super) fn make() -> Result<Self> {
        let public = Authority::new("CN=Nordlicht TLS CA R3, O=Nordlicht Trust Services, C=DE")?;
        let internal = Authority::new("CN=Kiefer Issuing CA 2, DC=kiefer, DC=example")?;
        let mut serial = 0_u8;
        let mut new = |subject: &str, names: &[&str], from: &str, to: &str, by: Option<&Authority>| {
            serial += 1;
            let mut number = [0x4b; 16];
            number[15] = serial;
            let wanted = Wanted {
                subject,
                names,
                from,
                to,
                bits: 2048,
                hash: Hash::Sha256,
                serial: number,
            };
            make(&wanted, by)
        };

        Ok(Self {
            mail_old: new(
                MAIL,
                MAIL_NAMES,
                "2025-12-05T00:00:00",
                "2026-12-06T23:59:59",
                Some(&public),
            )?,
            mail_new: new(
                MAIL,
                MAIL_NAMES,
                "2026-11-16T00:00:00",
                "2027-06-03T23:59:59",
                Some(&public),
            )?,
            ex1: own(&mut new, "EX1", "2025-09-02T07:12:44", "2030-09-02T07:12:44")?,
            ex2: own(&mut new, "EX2", "2023-02-14T15:30:09", "2028-02-14T15:30:09")?,
            ex2_removed: own(&mut new, "EX2", "2022-03-01T10:00:00", "2027-03-01T10:00:00")?,
            ex3_old: own(&mut new, "EX3", "2021-10-04T11:48:30", "2026-10-04T11:48:30")?,
            ex3_short: new(
                "CN=EX3",
                &["EX3"],
                "2026-09-28T06:20:11",
                "2031-09-28T06:20:11",
                None,
            )?,
            auth_current: new(AUTH, &[], "2022-01-12T08:05:51", "2026-12-17T08:05:51", None)?,
            auth_next: new(AUTH, &[], "2026-11-10T13:44:02", "2031-11-10T13:44:02", None)?,
            management: [
                new(
                    "CN=WMSvc-SHA2-EX1",
                    &["WMSvc-SHA2-EX1"],
                    "2025-09-02T06:58:00",
                    "2035-08-31T06:58:00",
                    None,
                )?,
                new(
                    "CN=WMSvc-SHA2-EX2",
                    &["WMSvc-SHA2-EX2"],
                    "2023-02-14T14:02:00",
                    "2033-02-11T14:02:00",
                    None,
                )?,
                new(
                    "CN=WMSvc-SHA2-EX3",
                    &["WMSvc-SHA2-EX3"],
                    "2021-10-04T10:31:00",
                    "2031-10-02T10:31:00",
                    None,
                )?,
            ],
            azure: new(
                "DC=Windows Azure CRP Certificate Generator",
                &[],
                "2021-10-04T10:05:00",
                "2022-10-04T10:05:00",
                None,
            )?,
            pop: make(
                &Wanted {
                    subject: "CN=pop.kiefer.example",
                    names: &["pop.kiefer.example", "imap.kiefer.example"],
                    from: "2024-03-01T08:00:00",
                    to: "2027-09-01T08:00:00",
                    bits: 1024,
                    hash: Hash::Sha1,
                    serial: [0x12; 16],
                },
                Some(&internal),
            )?,
        })
    }
}

/// A self-signed certificate as setup makes it: host name and FQDN.
fn own(
    new: &mut impl FnMut(&str, &[&str], &str, &str, Option<&Authority>) -> Result<Made>,
    host: &str,
    from: &str,
    to: &str,
) -> Result<Made> {
    let fqdn = format!("{}.kiefer.example", host.to_lowercase());
    new(&format!("CN={host}"), &[host, &fqdn], from, to, None)
}

/// One server of the sample and what its files show.
pub(super) struct Server<'c> {
    pub(super) name: &'static str,
    pub(super) fqdn: String,
    pub(super) site: &'static str,
    /// As Exchange shows it.
    pub(super) build: &'static str,
    /// Certificate, friendly name, services, sites bound to it: newest first, as Exchange lists them.
    pub(super) store: Vec<(&'c Made, &'static str, i32, &'static [u32])>,
    pub(super) internal_transport: &'c Made,
    /// `address:port` and the hash that http.sys holds.
    pub(super) bindings: Vec<(&'static str, &'c Made)>,
    /// `TlsCertificateName` by connector; those that are not here have none.
    pub(super) connector_names: Vec<(&'static str, String)>,
    /// The host of OWA's external URL; all other URLs are at mail.kiefer.example.
    pub(super) owa_host: &'static str,
    /// `X509CertificateName` of POP and IMAP.
    pub(super) pop_host: &'static str,
}

const IIS: i32 = 8;
const SMTP: i32 = 16;
const POP_IMAP: i32 = 3;

/// The three servers.
pub(super) fn servers(certificates: &Certificates) -> [Server<'_>; 3] {
    let c = certificates;
    let [management1, management2, management3] = &c.management;
    [
        Server {
            name: "EX1",
            fqdn: "ex1.kiefer.example".to_owned(),
            site: "Jena",
            build: "Version 15.2 (Build 2562.17)",
            store: vec![
                (&c.auth_next, "Microsoft Exchange Server Auth Certificate", 0, &[]),
                (&c.mail_old, "mail 2025", IIS | SMTP | POP_IMAP, &[1]),
                (&c.ex1, "Microsoft Exchange", IIS | SMTP, &[1, 2]),
                (management1, "WMSVC-SHA2", 0, &[]),
                (
                    &c.auth_current,
                    "Microsoft Exchange Server Auth Certificate",
                    SMTP,
                    &[],
                ),
            ],
            internal_transport: &c.mail_old,
            bindings: vec![
                ("0.0.0.0:443", &c.mail_old),
                ("127.0.0.1:443", &c.ex1),
                ("0.0.0.0:444", &c.ex1),
            ],
            connector_names: vec![
                ("Default Frontend EX1", c.mail_old.name_pair()),
                (
                    "Relay EX1",
                    format!("{}{}", c.mail_old.issuer, c.mail_old.subject),
                ),
            ],
            owa_host: "mail.kiefer.example",
            pop_host: "imap.kiefer.example",
        },
        Server {
            name: "EX2",
            fqdn: "ex2.kiefer.example".to_owned(),
            site: "Jena",
            build: "Version 15.2 (Build 1748.10)",
            store: vec![
                (&c.auth_next, "Microsoft Exchange Server Auth Certificate", 0, &[]),
                (&c.mail_old, "mail 2025", IIS | SMTP, &[1]),
                (&c.pop, "POP und IMAP", POP_IMAP, &[]),
                (&c.ex2, "Microsoft Exchange", SMTP, &[]),
                (management2, "WMSVC-SHA2", 0, &[]),
                (
                    &c.auth_current,
                    "Microsoft Exchange Server Auth Certificate",
                    SMTP,
                    &[],
                ),
            ],
            internal_transport: &c.ex2,
            bindings: vec![
                ("0.0.0.0:443", &c.mail_old),
                ("127.0.0.1:443", &c.mail_old),
                ("0.0.0.0:444", &c.ex2_removed),
            ],
            connector_names: vec![(
                "Default Frontend EX2",
                c.mail_old.name_pair().replace("TLS CA R3", "TLS CA R2"),
            )],
            owa_host: "mail.kiefer.example",
            pop_host: "pop.kiefer.example",
        },
        Server {
            name: "EX3",
            fqdn: "ex3.kiefer.example".to_owned(),
            site: "Azure-Nord",
            build: "Version 15.2 (Build 1748.10)",
            store: vec![
                (&c.mail_new, "mail 2026", IIS | SMTP | POP_IMAP, &[1]),
                (&c.ex3_short, "Microsoft Exchange", SMTP, &[]),
                (&c.mail_old, "mail 2025", 0, &[]),
                (
                    &c.auth_current,
                    "Microsoft Exchange Server Auth Certificate",
                    SMTP,
                    &[],
                ),
                (&c.ex3_old, "Microsoft Exchange", IIS, &[2]),
                (management3, "WMSVC-SHA2", 0, &[]),
                (&c.azure, "", 0, &[]),
            ],
            internal_transport: &c.ex3_short,
            bindings: vec![
                ("0.0.0.0:443", &c.mail_new),
                ("127.0.0.1:443", &c.mail_new),
                ("0.0.0.0:444", &c.ex3_old),
            ],
            connector_names: vec![("Default Frontend EX3", c.mail_new.name_pair())],
            owa_host: "owa.kiefer.example",
            pop_host: "imap.kiefer.example",
        },
    ]
}
