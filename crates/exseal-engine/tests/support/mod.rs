//! A healthy organisation to damage, and certificates of any kind to do it with.
//!
//! The certificates are well-formed and signed by nobody: the engine reads them and never verifies a signature, so no key
//! is needed, and their thumbprints are the same on every run.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    unused_macros,
    missing_docs,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it, and a test may fail by panicking"
)]

pub mod shapes;

/// One damage and its findings, kept under the test's name.
macro_rules! damage {
    ($test:ident, $names:expr, $damage:expr) => {
        #[test]
        fn $test() {
            insta::with_settings!({ snapshot_suffix => stringify!($test) }, {
                insta::assert_json_snapshot!($names[0], $crate::support::gives(&$names, $damage));
            });
        }
    };
}
pub(crate) use damage;

use exseal_engine::{Diagnosis, Policy, diagnose, merge};
use exseal_model::inventory::{
    EdgeSubscription, ReceiveConnector, Role, SendConnector, Server, ServerName, SiteBinding, StoreEntry,
    VirtualDirectory, WebSite, WindowsService,
};
use exseal_model::{Build, Certificate, Channel, Inventory, Listing, Observed, Source, SourceId, Thumbprint};
use jiff::Timestamp;

pub const NOW: &str = "2026-11-24T09:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A certificate to be made.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub subject: Vec<(&'static str, String)>,
    pub issuer: Vec<(&'static str, String)>,
    pub names: Vec<String>,
    pub not_before: &'static str,
    pub not_after: &'static str,
    pub signature: &'static str,
    pub bits: usize,
    pub serial: u8,
    /// A key on the curve P-256 instead of an RSA one.
    pub elliptic: bool,
}

pub const SHA256: &str = "1.2.840.113549.1.1.11";
pub const SHA1: &str = "1.2.840.113549.1.1.5";

/// The parts of a name, the least specific first, as certificates encode it.
pub fn common_name(name: &str) -> Vec<(&'static str, String)> {
    vec![("2.5.4.3", name.to_owned())]
}

pub fn ca() -> Vec<(&'static str, String)> {
    vec![
        ("2.5.4.6", "DE".to_owned()),
        ("2.5.4.10", "Nordlicht".to_owned()),
        ("2.5.4.3", "Nordlicht CA 3".to_owned()),
    ]
}

impl Recipe {
    pub fn self_signed(name: &str, names: &[&str]) -> Self {
        Self {
            subject: common_name(name),
            issuer: common_name(name),
            names: names.iter().map(ToString::to_string).collect(),
            not_before: "2024-05-01T00:00:00Z",
            not_after: "2029-05-01T00:00:00Z",
            signature: SHA256,
            bits: 2048,
            serial: 1,
            elliptic: false,
        }
    }

    pub fn issued(name: &str, names: &[&str]) -> Self {
        Self {
            issuer: ca(),
            not_before: "2026-09-01T00:00:00Z",
            not_after: "2027-03-15T00:00:00Z",
            ..Self::self_signed(name, names)
        }
    }

    pub fn ends(self, not_after: &'static str) -> Self {
        Self { not_after, ..self }
    }

    pub fn begins(self, not_before: &'static str) -> Self {
        Self { not_before, ..self }
    }

    pub fn serial(self, serial: u8) -> Self {
        Self { serial, ..self }
    }

    pub fn make(&self) -> Certificate {
        Certificate::from_der(&self.der()).unwrap()
    }

    fn der(&self) -> Vec<u8> {
        let algorithm = sequence(&[oid(self.signature), vec![5, 0]]);
        let validity = sequence(&[time(self.not_before), time(self.not_after)]);
        let mut modulus = vec![0xb5; self.bits / 8];
        modulus.insert(0, 0);
        let key = sequence(&[element(2, &modulus), element(2, &[1, 0, 1])]);
        let rsa = sequence(&[
            sequence(&[oid("1.2.840.113549.1.1.1"), vec![5, 0]]),
            element(3, &[&[0], key.as_slice()].concat()),
        ]);
        let point = [&[0, 4][..], &[0x5a; 64]].concat();
        let curve = sequence(&[oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")]);
        let spki = if self.elliptic {
            sequence(&[curve, element(3, &point)])
        } else {
            rsa
        };
        let mut tbs = vec![
            element(0xa0, &element(2, &[2])),
            element(2, &[self.serial]),
            algorithm.clone(),
            name(&self.issuer),
            validity,
            name(&self.subject),
            spki,
        ];
        if !self.names.is_empty() {
            let names: Vec<u8> = self
                .names
                .iter()
                .flat_map(|name| element(0x82, name.as_bytes()))
                .collect();
            let san = sequence(&[oid("2.5.29.17"), element(4, &element(0x30, &names))]);
            tbs.push(element(0xa3, &sequence(&[san])));
        }
        sequence(&[sequence(&tbs), algorithm, element(3, &[0, 0xb5, 0xb5])])
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=127 => out.push(length as u8),
        length @ 128..=255 => out.extend([0x81, length as u8]),
        length => {
            out.push(0x82);
            out.extend((length as u16).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn oid(text: &str) -> Vec<u8> {
    let numbers: Vec<u32> = text.split('.').map(|number| number.parse().unwrap()).collect();
    let mut content = vec![(numbers[0] * 40 + numbers[1]) as u8];
    for &number in &numbers[2..] {
        let groups = (0..5)
            .rev()
            .map(|group| (number >> (7 * group)) & 0x7f)
            .skip_while(|&group| group == 0);
        let groups: Vec<u32> = groups.collect();
        let last = groups.len().saturating_sub(1);
        content.extend(groups.iter().enumerate().map(|(at, &group)| {
            if at < last {
                group as u8 | 0x80
            } else {
                group as u8
            }
        }));
        if groups.is_empty() {
            content.push(0);
        }
    }
    element(6, &content)
}

fn name(parts: &[(&str, String)]) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = parts
        .iter()
        .map(|(kind, value)| element(0x31, &sequence(&[oid(kind), element(0x0c, value.as_bytes())])))
        .collect();
    sequence(&rdns)
}

fn time(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    element(0x18, format!("{digits}Z").as_bytes())
}

/// The organisation while a test works on it.
pub struct Organisation {
    pub inventory: Inventory,
    pub store: SourceId,
    pub cmdlet: SourceId,
    pub iis: SourceId,
    pub public: Thumbprint,
    pub auth: Thumbprint,
    pub back: Vec<Thumbprint>,
}

pub const HOST: &str = "mail.kiefer.example";

/// `count` mailbox servers behind one name: every slot as it should be.
pub fn healthy(count: usize) -> Organisation {
    let mut inventory = Inventory::default();
    let mut source = |channel, what: &str| {
        inventory.add_source(Source {
            channel,
            what: what.to_owned(),
            file: Some(format!("{what}.xml")),
            at: None,
            unrecorded: false,
        })
    };
    let iis = source(Channel::Server, "Get-WebBinding");
    let store = source(Channel::Exchange, "Get-ExchangeCertificate");
    let cmdlet = source(Channel::Exchange, "Get-ExchangeServer");
    let public = inventory.keep(Recipe::issued(HOST, &[HOST, "autodiscover.kiefer.example"]).make());
    let auth = Recipe::self_signed("Microsoft Exchange Server Auth Certificate", &[]);
    let auth = inventory.keep(auth.make());
    let config = &mut inventory.organisation.auth_config;
    config.current = Observed::seen(auth, cmdlet);
    config.next = Observed::absent(cmdlet);
    config.previous = Observed::absent(cmdlet);
    inventory.organisation.hybrid.present = Observed::seen(false, cmdlet);
    inventory.organisation.edge_subscriptions = Listing::of([] as [EdgeSubscription; 0], cmdlet, true);
    let mut send = SendConnector::new("Internet".to_owned());
    send.tls_certificate_name = Observed::absent(cmdlet);
    inventory.organisation.send_connectors = Listing::of([send], cmdlet, true);

    let mut organisation = Organisation {
        inventory,
        store,
        cmdlet,
        iis,
        public,
        auth,
        back: Vec::new(),
    };
    for number in 1..=count {
        add_server(&mut organisation, number);
    }
    organisation
}

fn add_server(organisation: &mut Organisation, number: usize) {
    let (short, full) = (format!("EX{number}"), format!("ex{number}.kiefer.example"));
    let (store, cmdlet, iis) = (organisation.store, organisation.cmdlet, organisation.iis);
    let back = organisation
        .inventory
        .keep(Recipe::self_signed(&short, &[&short, &full]).make());
    organisation.back.push(back);
    let mut server = Server::new(ServerName::new(short.clone()));
    server.fqdn = Observed::seen(full.clone(), cmdlet);
    server.roles = Observed::seen(vec![Role::Mailbox], cmdlet);
    server.site = Observed::seen("Jena".to_owned(), cmdlet);
    server.build = Observed::seen(Build(15, 2, 1748, 10), cmdlet);
    server.internal_transport = Observed::seen(back, cmdlet);
    let entries = [
        (organisation.public, vec!["IIS", "SMTP"], "ThirdParty"),
        (back, vec!["IIS", "SMTP"], "Registry"),
        (organisation.auth, vec!["SMTP"], "None"),
    ];
    let entries = entries.map(|(thumbprint, services, root)| {
        let mut entry = StoreEntry::new(thumbprint);
        entry.services = Observed::seen(services.into_iter().map(str::to_owned).collect(), store);
        entry.status = Observed::seen("Valid".to_owned(), store);
        entry.root_ca_type = Observed::seen(root.to_owned(), store);
        entry.has_private_key = Observed::seen(true, store);
        entry.whole = Observed::seen(true, store);
        entry
    });
    server.my = Listing::of(entries, store, true);
    let site = |name: &str, bindings: &[(&str, Thumbprint)]| {
        let mut site = WebSite::new(name.to_owned());
        let bindings: Vec<SiteBinding> = bindings
            .iter()
            .map(|(information, thumbprint)| {
                let mut binding = SiteBinding::new("https".to_owned(), (*information).to_owned());
                binding.thumbprint = Observed::seen(*thumbprint, iis);
                binding
            })
            .collect();
        site.bindings = Listing::of(bindings, iis, true);
        site
    };
    let sites = [
        site(
            "Default Web Site",
            &[
                ("*:443:", organisation.public),
                ("127.0.0.1:443:", organisation.public),
            ],
        ),
        site("Exchange Back End", &[("*:444:", back)]),
    ];
    server.sites = Listing::of(sites, iis, true);
    let mut owa = VirtualDirectory::new(format!("{short}\\owa (Default Web Site)"));
    owa.kind = Observed::seen("owa".to_owned(), cmdlet);
    owa.internal_url = Observed::seen(format!("https://{HOST}/owa"), cmdlet);
    owa.external_url = Observed::seen(format!("https://{HOST}/owa"), cmdlet);
    server.virtual_directories = Listing::of([owa], cmdlet, false);
    let mut connector = ReceiveConnector::new(format!("Default Frontend {short}"));
    connector.identity = Observed::seen(format!("{short}\\Default Frontend {short}"), cmdlet);
    connector.fqdn = Observed::seen(full, cmdlet);
    connector.tls_certificate_name = Observed::absent(cmdlet);
    server.receive_connectors = Listing::of([connector], cmdlet, true);
    organisation.inventory.servers.push(server);
}

impl Organisation {
    pub fn server(&mut self, at: usize) -> &mut Server {
        &mut self.inventory.servers[at]
    }

    /// Puts a certificate into a server's store with the services Exchange shows for it.
    pub fn put(&mut self, at: usize, recipe: &Recipe, services: &[&str]) -> Thumbprint {
        let thumbprint = self.inventory.keep(recipe.make());
        let store = self.store;
        let mut entry = StoreEntry::new(thumbprint);
        entry.services = Observed::seen(services.iter().map(ToString::to_string).collect(), store);
        entry.has_private_key = Observed::seen(true, store);
        entry.whole = Observed::seen(true, store);
        entry.by = vec![store];
        self.server(at).my.items.push(entry);
        thumbprint
    }

    /// Takes a certificate out of a server's store.
    pub fn take(&mut self, at: usize, thumbprint: Thumbprint) {
        self.server(at)
            .my
            .items
            .retain(|entry| entry.thumbprint != thumbprint);
    }

    /// Binds a certificate, or nothing.
    pub fn bind(&mut self, at: usize, information: &str, thumbprint: Option<Thumbprint>) {
        let iis = self.iis;
        let bindings = self
            .server(at)
            .sites
            .items
            .iter_mut()
            .flat_map(|site| &mut site.bindings.items);
        let binding = bindings
            .into_iter()
            .find(|binding| binding.information == information)
            .unwrap();
        binding.thumbprint = Observed::looked(thumbprint, iis);
    }

    pub fn connector(&mut self, at: usize) -> &mut ReceiveConnector {
        &mut self.server(at).receive_connectors.items[0]
    }

    pub fn diagnose(self) -> Diagnosis {
        self.diagnose_by(&Policy::default())
    }

    pub fn diagnose_by(self, policy: &Policy) -> Diagnosis {
        diagnose(&merge([self.inventory]), policy, now())
    }
}

/// One damage to two healthy servers gives findings of these names, of the first server or the organisation; returns them.
pub fn gives(names: &[&str], damage: impl FnOnce(&mut Organisation)) -> Vec<exseal_model::Finding> {
    let mut organisation = healthy(2);
    damage(&mut organisation);
    let diagnosis = organisation.diagnose();
    let mut found: Vec<&str> = diagnosis
        .findings
        .iter()
        .map(|finding| finding.name.as_str())
        .collect();
    found.sort_unstable();
    found.dedup();
    let mut wanted = names.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    for finding in &diagnosis.findings {
        let check = exseal_engine::checks::ALL
            .iter()
            .find(|check| check.name == finding.name)
            .expect("a check of that name");
        assert!(
            check.severities.contains(&finding.severity),
            "{} gives {}",
            finding.name,
            finding.severity
        );
        assert!(!finding.evidence.is_empty(), "{} has evidence", finding.name);
        let sentences = [
            &finding.wanted,
            &finding.found,
            &finding.consequence.text,
            &finding.cause,
            &finding.fix,
        ];
        for sentence in sentences {
            assert!(
                !sentence.is_empty() && !sentence.contains(['{', '}']),
                "{}: {sentence}",
                finding.name
            );
        }
        // What follows from it may show on other servers too; the damage itself is the first server's.
        if finding.server.is_some() && finding.name == names[0] {
            assert_eq!(
                finding.server.as_deref(),
                Some("ex1.kiefer.example"),
                "{}",
                finding.name
            );
        }
    }
    diagnosis.findings
}

/// The one send connector.
pub fn send(o: &mut Organisation) -> &mut SendConnector {
    &mut o.inventory.organisation.send_connectors.items[0]
}

/// The first server's services, seen whole: name, status and start type.
pub fn services(o: &mut Organisation, states: &[(&str, &str, &str)]) {
    let cmdlet = o.cmdlet;
    let services = states.iter().map(|(name, status, start)| {
        let mut service = WindowsService::new((*name).to_owned());
        service.status = Observed::seen((*status).to_owned(), cmdlet);
        service.start_type = Observed::seen((*start).to_owned(), cmdlet);
        service
    });
    o.server(0).services = Listing::of(services, cmdlet, true);
}
