//! One definition of each change: what is read before, what holds afterwards, what must not move, and how it is taken back.

use exseal_model::inventory::{Server, Store};
use exseal_model::plan::{Change, Condition, Guard, Interruption, Inverse, Proof, StartType, Step, Which};
use exseal_model::{Endpoint, Slot, Thumbprint};

use super::command;
use super::draft::{Draft, sentence};
use crate::slots::{BACK_END_SITE, FRONT_END_SITE, Presents, bound};

/// The step of a change, as the draft's inventory stands.
pub(super) fn of(draft: &Draft<'_>, number: u32, change: Change, why: String) -> Step {
    let own = Own {
        draft,
        server: change.server().to_owned(),
    };
    let Parts {
        preconditions,
        effects,
        keeps,
        proofs,
        inverse,
        interrupts,
        fails,
    } = own.parts(&change, number);
    let call = command::call(&change);
    Step {
        number,
        command: command::text(&call, &change),
        call,
        why,
        preconditions,
        effects,
        keeps,
        proofs,
        only_after: Vec::new(),
        inverse,
        interrupts,
        if_it_fails: sentence(&format!("fails.{fails}"), &[]),
        change,
    }
}

struct Parts {
    preconditions: Vec<Condition>,
    effects: Vec<Condition>,
    keeps: Vec<Guard>,
    proofs: Vec<Proof>,
    inverse: Inverse,
    interrupts: Vec<Interruption>,
    fails: &'static str,
}

struct Own<'d, 'i> {
    draft: &'d Draft<'i>,
    server: String,
}

impl Own<'_, '_> {
    #[expect(clippy::too_many_lines, reason = "one definition a change, side by side")]
    fn parts(&self, change: &Change, number: u32) -> Parts {
        let server = || self.server.clone();
        let opens = Condition::ServerChannelOpens { server: server() };
        match change {
            Change::CreateCertificate { .. } => {
                let certificate = Which::MadeBy(number);
                Parts {
                    preconditions: vec![opens],
                    effects: vec![self.in_my(certificate)],
                    keeps: self.bindings(None),
                    proofs: Vec::new(),
                    inverse: Inverse::Change(Box::new(Change::DiscardCertificate {
                        server: server(),
                        certificate,
                    })),
                    interrupts: Vec::new(),
                    fails: "create",
                }
            }
            Change::BindCertificate {
                site,
                endpoint,
                certificate,
                ..
            } => {
                let now = self.bound_now(endpoint);
                let slot = slot_of(site, endpoint);
                let mut proofs = vec![Proof::Presents {
                    server: server(),
                    slot: slot.clone(),
                    certificate: *certificate,
                }];
                if matches!(slot, Slot::BackEnd(_)) {
                    proofs.push(Proof::ShellOpens { server: server() });
                }
                Parts {
                    preconditions: vec![
                        opens,
                        self.in_my(*certificate),
                        Condition::Bound {
                            server: server(),
                            endpoint: endpoint.clone(),
                            certificate: now.map(|now| self.draft.which(now)),
                        },
                    ],
                    effects: vec![Condition::Bound {
                        server: server(),
                        endpoint: endpoint.clone(),
                        certificate: Some(*certificate),
                    }],
                    keeps: self.bindings(Some(endpoint)),
                    proofs,
                    inverse: match now.filter(|now| self.works(*now)) {
                        Some(now) => Inverse::Change(Box::new(Change::BindCertificate {
                            server: server(),
                            site: site.clone(),
                            endpoint: endpoint.clone(),
                            certificate: self.draft.which(now),
                            instead_of: Some(*certificate),
                            new_entry: false,
                        })),
                        None => Inverse::Nothing(sentence("inverse.nothing-worked", &[])),
                    },
                    interrupts: Vec::new(),
                    fails: "bind",
                }
            }
            Change::EnableSmtp {
                certificate,
                internal_transport,
                ..
            } => self.enable_smtp(*certificate, *internal_transport),
            Change::CopyCertificate {
                store, certificate, ..
            } => Parts {
                preconditions: vec![
                    opens,
                    self.in_my(*certificate),
                    Condition::NotInStore {
                        server: server(),
                        store: *store,
                        certificate: *certificate,
                    },
                ],
                effects: vec![self.in_store(*store, *certificate, false)],
                keeps: Vec::new(),
                proofs: Vec::new(),
                inverse: Inverse::Change(Box::new(Change::RemoveCertificate {
                    server: server(),
                    store: *store,
                    certificate: *certificate,
                })),
                interrupts: Vec::new(),
                fails: "copy",
            },
            Change::RemoveCertificate {
                store, certificate, ..
            } => {
                let key = *store == Store::My;
                let backup = self
                    .draft
                    .backup_of(change.server(), *certificate)
                    .filter(|_| key);
                Parts {
                    preconditions: [
                        opens,
                        self.in_store(*store, *certificate, false),
                        Condition::NotReferredTo {
                            certificate: *certificate,
                        },
                    ]
                    .into_iter()
                    .chain(backup.clone().map(|file| Condition::BackedUp {
                        certificate: *certificate,
                        file,
                    }))
                    .collect(),
                    effects: vec![Condition::NotInStore {
                        server: server(),
                        store: *store,
                        certificate: *certificate,
                    }],
                    keeps: self.bindings(None),
                    proofs: self.answers(),
                    inverse: if let Some(file) = backup {
                        Inverse::Change(Box::new(Change::RestoreCertificate {
                            server: server(),
                            certificate: *certificate,
                            friendly_name: self.friendly_name(*certificate),
                            file,
                        }))
                    } else if key {
                        Inverse::Irreversible(sentence("inverse.key-is-gone", &[]))
                    } else if certificate.known().is_some_and(|own| self.holds(own)) {
                        Inverse::Change(Box::new(Change::CopyCertificate {
                            server: server(),
                            store: *store,
                            certificate: *certificate,
                        }))
                    } else {
                        Inverse::Irreversible(sentence("inverse.copy-is-gone", &[]))
                    },
                    interrupts: Vec::new(),
                    fails: "remove",
                }
            }
            Change::BackUpCertificate {
                certificate, file, ..
            } => Parts {
                preconditions: vec![opens, self.in_my(*certificate)],
                effects: vec![Condition::BackedUp {
                    certificate: *certificate,
                    file: file.clone(),
                }],
                keeps: Vec::new(),
                proofs: Vec::new(),
                inverse: Inverse::Nothing(sentence("inverse.backup-stays", &[])),
                interrupts: Vec::new(),
                fails: "back-up",
            },
            Change::RestoreCertificate {
                certificate, file, ..
            } => Parts {
                preconditions: vec![
                    opens,
                    Condition::BackedUp {
                        certificate: *certificate,
                        file: file.clone(),
                    },
                ],
                effects: vec![self.in_my(*certificate)],
                keeps: self.bindings(None),
                proofs: Vec::new(),
                inverse: Inverse::Change(Box::new(Change::RemoveCertificate {
                    server: server(),
                    store: Store::My,
                    certificate: *certificate,
                })),
                interrupts: Vec::new(),
                fails: "restore",
            },
            Change::DiscardCertificate { certificate, .. } => Parts {
                preconditions: vec![
                    opens,
                    self.in_store(Store::My, *certificate, false),
                    Condition::NotConfigured {
                        server: server(),
                        certificate: *certificate,
                    },
                ],
                effects: vec![Condition::NotInStore {
                    server: server(),
                    store: Store::My,
                    certificate: *certificate,
                }],
                keeps: self.bindings(None),
                proofs: Vec::new(),
                inverse: Inverse::Irreversible(sentence("inverse.key-is-gone", &[])),
                interrupts: Vec::new(),
                fails: "remove",
            },
            Change::SetServiceStart {
                service,
                start_type,
                instead_of,
                ..
            } => self.set_start(service, *start_type, *instead_of),
            Change::StartService { service, .. } => Parts {
                preconditions: vec![opens, self.runs(service, false)],
                effects: vec![self.runs(service, true)],
                keeps: Vec::new(),
                proofs: Vec::new(),
                inverse: Inverse::Change(Box::new(Change::StopService {
                    server: server(),
                    service: service.clone(),
                })),
                interrupts: Vec::new(),
                fails: "start",
            },
            Change::StopService { service, .. } => Parts {
                preconditions: vec![opens, self.runs(service, true)],
                effects: vec![self.runs(service, false)],
                keeps: Vec::new(),
                proofs: Vec::new(),
                inverse: Inverse::Change(Box::new(Change::StartService {
                    server: server(),
                    service: service.clone(),
                })),
                interrupts: Vec::new(),
                fails: "stop",
            },
            Change::RestartService { service, .. } => Parts {
                preconditions: vec![opens, self.runs(service, true)],
                effects: vec![self.runs(service, true)],
                keeps: Vec::new(),
                proofs: Vec::new(),
                inverse: Inverse::Nothing(sentence("inverse.restart", &[])),
                interrupts: self.interrupted_by(service),
                fails: "restart",
            },
        }
    }

    /// The friendly name a certificate has in My, as far as the helper takes one of its length back.
    fn friendly_name(&self, certificate: Which) -> String {
        let entry = certificate.known().and_then(|own| self.own()?.in_my(own));
        entry
            .and_then(|entry| entry.friendly_name.value())
            .filter(|name| name.chars().count() < 64)
            .cloned()
            .unwrap_or_default()
    }

    fn enable_smtp(&self, certificate: Which, internal_transport: bool) -> Parts {
        let now = self
            .own()
            .and_then(|server| server.internal_transport.value().copied());
        let mut preconditions = vec![
            self.in_my(certificate),
            Condition::InternalTransport {
                server: self.server.clone(),
                certificate: now.map(|now| self.draft.which(now)),
            },
        ];
        if internal_transport {
            preconditions.push(Condition::NoEdgeSubscription);
        }
        let after = if internal_transport {
            Some(certificate)
        } else {
            now.map(|now| self.draft.which(now))
        };
        Parts {
            preconditions,
            effects: vec![
                Condition::EnabledForSmtp {
                    server: self.server.clone(),
                    certificate,
                },
                Condition::InternalTransport {
                    server: self.server.clone(),
                    certificate: after,
                },
            ],
            keeps: self.bindings(None),
            proofs: Vec::new(),
            inverse: match now.filter(|now| internal_transport && self.works(*now)) {
                Some(now) => Inverse::Change(Box::new(Change::EnableSmtp {
                    server: self.server.clone(),
                    certificate: self.draft.which(now),
                    internal_transport: true,
                })),
                None if internal_transport => Inverse::Nothing(sentence("inverse.nothing-worked", &[])),
                None => Inverse::Nothing(sentence("inverse.smtp-mark", &[])),
            },
            interrupts: Vec::new(),
            fails: "enable-smtp",
        }
    }

    fn set_start(&self, service: &str, start_type: StartType, instead_of: StartType) -> Parts {
        let start = |start_type| Condition::ServiceStart {
            server: self.server.clone(),
            service: service.to_owned(),
            start_type,
        };
        Parts {
            preconditions: vec![
                Condition::ServerChannelOpens {
                    server: self.server.clone(),
                },
                start(instead_of),
            ],
            effects: vec![start(start_type)],
            keeps: Vec::new(),
            proofs: Vec::new(),
            inverse: Inverse::Change(Box::new(Change::SetServiceStart {
                server: self.server.clone(),
                service: service.to_owned(),
                start_type: instead_of,
                instead_of: start_type,
            })),
            interrupts: Vec::new(),
            fails: "set-start",
        }
    }

    fn own(&self) -> Option<&Server> {
        self.draft.server(&self.server)
    }

    fn in_my(&self, certificate: Which) -> Condition {
        self.in_store(Store::My, certificate, true)
    }

    fn in_store(&self, store: Store, certificate: Which, with_key: bool) -> Condition {
        Condition::InStore {
            server: self.server.clone(),
            store,
            certificate,
            with_key,
        }
    }

    fn runs(&self, service: &str, runs: bool) -> Condition {
        Condition::ServiceRuns {
            server: self.server.clone(),
            service: service.to_owned(),
            runs,
        }
    }

    /// The https bindings of both sites that carry a certificate, but for `except`: none of them may move.
    fn bindings(&self, except: Option<&Endpoint>) -> Vec<Guard> {
        let Some(server) = self.own() else {
            return Vec::new();
        };
        let sites = [(FRONT_END_SITE, 443), (BACK_END_SITE, 444)];
        let mut guards = Vec::new();
        for (site, port) in sites {
            for (endpoint, presents) in bound(server, site, port) {
                let Presents::Certificate(thumbprint, _) = presents else {
                    continue;
                };
                if except == Some(&endpoint) {
                    continue;
                }
                let certificate = self.draft.which(thumbprint);
                guards.push(Guard {
                    condition: Condition::Bound {
                        server: self.server.clone(),
                        endpoint: endpoint.clone(),
                        certificate: Some(certificate),
                    },
                    restore: Change::BindCertificate {
                        server: self.server.clone(),
                        site: site.to_owned(),
                        endpoint,
                        certificate,
                        instead_of: None,
                        new_entry: false,
                    },
                });
            }
        }
        guards
    }

    /// A handshake with every https binding.
    fn answers(&self) -> Vec<Proof> {
        let guards = self.bindings(None);
        guards
            .into_iter()
            .filter_map(|guard| match guard.restore {
                Change::BindCertificate { site, endpoint, .. } => Some(Proof::Answers {
                    server: self.server.clone(),
                    slot: slot_of(&site, &endpoint),
                }),
                _ => None,
            })
            .collect()
    }

    fn bound_now(&self, endpoint: &Endpoint) -> Option<Thumbprint> {
        let server = self.own()?;
        let both = bound(server, FRONT_END_SITE, 443)
            .into_iter()
            .chain(bound(server, BACK_END_SITE, 444));
        both.filter(|(own, _)| own == endpoint)
            .find_map(|(_, presents)| match presents {
                Presents::Certificate(thumbprint, _) => Some(thumbprint),
                _ => None,
            })
    }

    fn holds(&self, thumbprint: Thumbprint) -> bool {
        self.own()
            .is_some_and(|server| server.in_my(thumbprint).is_some())
    }

    /// Whether it is there with its key, so that one can go back to it.
    fn works(&self, thumbprint: Thumbprint) -> bool {
        self.own()
            .and_then(|server| server.in_my(thumbprint))
            .is_some_and(|entry| entry.has_private_key.value() != Some(&false))
    }

    /// The slots a service serves, and how long its restart is expected to take.
    fn interrupted_by(&self, service: &str) -> Vec<Interruption> {
        let Some(server) = self.own() else {
            return Vec::new();
        };
        let name = service.to_ascii_lowercase();
        let (seconds, role) = match name.as_str() {
            "msexchangetransport" => (120, Some("HubTransport")),
            "msexchangefrontendtransport" => (60, Some("FrontendTransport")),
            _ => (60, None),
        };
        let mut slots: Vec<Slot> = match role {
            Some(role) => server
                .receive_connectors
                .iter()
                .filter(|connector| connector.transport_role.value().is_none_or(|own| own == role))
                .map(|connector| Slot::ReceiveConnector(connector.name.clone()))
                .collect(),
            None if name.starts_with("msexchangepop3") => vec![Slot::Pop],
            None if name.starts_with("msexchangeimap4") => vec![Slot::Imap],
            None => Vec::new(),
        };
        if name == "msexchangetransport" {
            slots.push(Slot::InternalTransport);
        }
        slots.sort();
        slots
            .into_iter()
            .map(|slot| Interruption {
                server: self.server.clone(),
                slot,
                seconds,
            })
            .collect()
    }
}

/// What a change that takes a step back needs and leaves, without an inventory: what is read before, and what holds
/// afterwards.
#[must_use]
pub fn expects(change: &Change) -> (Vec<Condition>, Vec<Condition>) {
    let server = || change.server().to_owned();
    let in_store = |store, certificate, with_key| Condition::InStore {
        server: server(),
        store,
        certificate,
        with_key,
    };
    let not_in_store = |store, certificate| Condition::NotInStore {
        server: server(),
        store,
        certificate,
    };
    let start = |service: &String, start_type| Condition::ServiceStart {
        server: server(),
        service: service.clone(),
        start_type,
    };
    let runs = |service: &String, runs| Condition::ServiceRuns {
        server: server(),
        service: service.clone(),
        runs,
    };
    match change {
        // A creation is never what takes something back; what it makes is not known before.
        Change::CreateCertificate { .. } => (Vec::new(), Vec::new()),
        Change::BindCertificate {
            endpoint,
            certificate,
            instead_of,
            ..
        } => {
            let bound = |certificate| Condition::Bound {
                server: server(),
                endpoint: endpoint.clone(),
                certificate,
            };
            (
                vec![in_store(Store::My, *certificate, true), bound(*instead_of)],
                vec![bound(Some(*certificate))],
            )
        }
        Change::EnableSmtp {
            certificate,
            internal_transport,
            ..
        } => {
            let mut after = vec![Condition::EnabledForSmtp {
                server: server(),
                certificate: *certificate,
            }];
            if *internal_transport {
                after.push(Condition::InternalTransport {
                    server: server(),
                    certificate: Some(*certificate),
                });
            }
            (vec![in_store(Store::My, *certificate, true)], after)
        }
        Change::CopyCertificate {
            store, certificate, ..
        } => (
            vec![in_store(Store::My, *certificate, false)],
            vec![in_store(*store, *certificate, false)],
        ),
        Change::RemoveCertificate {
            store, certificate, ..
        } => {
            let mut before = vec![in_store(*store, *certificate, false)];
            if *store == Store::My {
                before.push(Condition::NotReferredTo {
                    certificate: *certificate,
                });
            }
            (before, vec![not_in_store(*store, *certificate)])
        }
        Change::BackUpCertificate {
            certificate, file, ..
        } => (
            vec![in_store(Store::My, *certificate, true)],
            vec![Condition::BackedUp {
                certificate: *certificate,
                file: file.clone(),
            }],
        ),
        Change::RestoreCertificate {
            certificate, file, ..
        } => (
            vec![Condition::BackedUp {
                certificate: *certificate,
                file: file.clone(),
            }],
            vec![in_store(Store::My, *certificate, true)],
        ),
        Change::DiscardCertificate { certificate, .. } => (
            vec![
                in_store(Store::My, *certificate, false),
                Condition::NotConfigured {
                    server: server(),
                    certificate: *certificate,
                },
            ],
            vec![not_in_store(Store::My, *certificate)],
        ),
        Change::SetServiceStart {
            service,
            start_type,
            instead_of,
            ..
        } => (
            vec![start(service, *instead_of)],
            vec![start(service, *start_type)],
        ),
        Change::StartService { service, .. } => (vec![runs(service, false)], vec![runs(service, true)]),
        Change::StopService { service, .. } => (vec![runs(service, true)], vec![runs(service, false)]),
        Change::RestartService { service, .. } => (vec![runs(service, true)], vec![runs(service, true)]),
    }
}

/// The slot of a site's binding.
pub(super) fn slot_of(site: &str, endpoint: &Endpoint) -> Slot {
    if site.eq_ignore_ascii_case(BACK_END_SITE) {
        Slot::BackEnd(endpoint.clone())
    } else {
        Slot::FrontEnd(endpoint.clone())
    }
}
