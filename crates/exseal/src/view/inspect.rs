//! `exseal inspect`: what each export holds, as JSON and for people.

use std::fmt::Write as _;

use exseal_exchange::files::{FileReading, Reading};
use exseal_model::inventory::NotRecognised;
use exseal_model::inventory::{ReceiveConnector, SendConnector, Server, ServerName, StoreEntry};
use exseal_model::{Certificate, Inventory, Observed, ReadError, Thumbprint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::inspect_schema::{
    AuthConfigSchema, BindingSchema, CertificateSchema, ConnectorSchema, ServerSchema,
};
use super::paint::{BOLD, DIM, styled, wrapped};
use crate::context::Context;

/// Everything the files hold, in their order. A value that was not seen is left out of its object and its key stands in
/// the object's `unknown`; seen and empty is null, an empty list `[]`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Inspected {
    /// The version of this format: 1.
    format: u32,
    /// The files, with what each holds.
    files: Vec<FileLine>,
    /// Certificates in the files' order.
    #[schemars(with = "Vec<CertificateSchema>")]
    certificates: Vec<Object>,
    /// AuthConfig, if a file holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AuthConfigSchema>")]
    auth_config: Option<Object>,
    /// Connectors in the files' order.
    #[schemars(with = "Vec<ConnectorSchema>")]
    connectors: Vec<Object>,
    /// https bindings of IIS and entries of http.sys.
    #[schemars(with = "Vec<BindingSchema>")]
    bindings: Vec<Object>,
    /// Servers.
    #[schemars(with = "Vec<ServerSchema>")]
    servers: Vec<Object>,
    /// What another tool computed and wrote down (HealthChecker), by server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default, with = "Vec<Value>")]
    healthchecker: Vec<Value>,
    /// What could not be read while the rest was.
    errors: Vec<ReadError>,
    /// Files, or parts of them, that hold nothing exseal knows.
    not_recognised: Vec<NotRecognised>,
}

/// A file with what it holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileLine {
    /// As given; inside a ZIP `archive.zip!member`.
    path: String,
    /// What it holds; null: not recognised.
    holds: Option<String>,
    /// True when no recorded export of a real server backs the reader.
    unrecorded: bool,
    /// The servers its values belong to.
    servers: Vec<String>,
}

type Object = Map<String, Value>;

/// Builds an object, keeping seen, empty and unknown apart.
struct Builder {
    object: Object,
    unknown: Vec<&'static str>,
}

impl Builder {
    fn new() -> Self {
        Self {
            object: Map::new(),
            unknown: Vec::new(),
        }
    }

    fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.object.insert(key.to_owned(), value.into());
    }

    fn seen<T: Serialize>(&mut self, key: &'static str, observed: &Observed<T>) {
        match observed.known() {
            None => self.unknown.push(key),
            Some(value) => {
                self.object
                    .insert(key.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
            }
        }
    }

    fn finish(mut self) -> Object {
        if !self.unknown.is_empty() {
            self.object.insert("unknown".to_owned(), json!(self.unknown));
        }
        self.object
    }
}

impl Inspected {
    /// What a reading holds.
    pub(crate) fn of(reading: &Reading) -> Self {
        let mut inspected = Self {
            format: 1,
            files: Vec::new(),
            certificates: Vec::new(),
            auth_config: None,
            connectors: Vec::new(),
            bindings: Vec::new(),
            servers: Vec::new(),
            healthchecker: Vec::new(),
            errors: Vec::new(),
            not_recognised: Vec::new(),
        };
        for file in &reading.files {
            inspected.add(file);
        }
        inspected
    }

    fn add(&mut self, file: &FileReading) {
        let inventory = &file.inventory;
        self.files.push(FileLine {
            path: file.path.clone(),
            holds: file.holds.clone(),
            unrecorded: file.unrecorded,
            servers: inventory.servers.iter().map(Server::shown).collect(),
        });
        for server in &inventory.servers {
            for (store, listing) in [
                ("My", &server.my),
                ("Request", &server.request),
                ("Root", &server.root),
                ("CA", &server.ca),
                ("WebHosting", &server.web_hosting),
            ] {
                for entry in listing {
                    self.certificates
                        .push(entry_object(inventory, server, store, entry, &file.path));
                }
            }
            for connector in &server.receive_connectors {
                self.connectors.push(receive_object(connector, server));
            }
            bindings(server, &mut self.bindings);
            self.servers.push(server_object(server));
            if !server.healthchecker.certificates.is_unknown()
                || !server.healthchecker.generated_at.is_unknown()
            {
                self.healthchecker
                    .push(json!({ "server": server.shown(), "computed": server.healthchecker }));
            }
        }
        for loose in &inventory.of_unknown_use {
            if let Some(certificate) = inventory.certificate(loose.thumbprint) {
                self.certificates
                    .push(loose_object(certificate, loose, &file.path));
            }
        }
        for connector in &inventory.organisation.send_connectors {
            self.connectors.push(send_object(connector));
        }
        let config = &inventory.organisation.auth_config;
        if !config.current.is_unknown() || !config.next.is_unknown() || !config.previous.is_unknown() {
            let mut builder = Builder::new();
            builder.seen("current", &config.current);
            builder.seen("previous", &config.previous);
            builder.seen("next", &config.next);
            builder.seen("next_effective", &config.next_effective);
            builder.seen("realm", &config.realm);
            builder.seen("service_name", &config.service_name);
            self.auth_config = Some(builder.finish());
        }
        self.errors.extend(inventory.errors.iter().cloned());
        self.not_recognised
            .extend(inventory.not_recognised.iter().cloned());
    }
}

fn fill_certificate(builder: &mut Builder, certificate: &Certificate) {
    builder.set("thumbprint", certificate.thumbprint.to_string());
    builder.set("subject", certificate.subject.as_str());
    builder.set("issuer", certificate.issuer.as_str());
    builder.set("serial", certificate.serial.as_str());
    builder.set("not_before", certificate.not_before.to_string());
    builder.set("not_after", certificate.not_after.to_string());
    builder.set("dns_names", certificate.dns_names.clone());
    builder.set("key_algorithm", certificate.key_algorithm.as_str());
    builder.set("key_bits", certificate.key_bits);
    builder.set("signature_algorithm", certificate.signature_algorithm.as_str());
    builder.set("signature_hash", certificate.signature_hash.clone());
    builder.set("self_signed", certificate.self_signed);
}

fn entry_object(
    inventory: &Inventory,
    server: &Server,
    store: &str,
    entry: &StoreEntry,
    file: &str,
) -> Object {
    let mut builder = Builder::new();
    match inventory.certificate(entry.thumbprint) {
        Some(certificate) => fill_certificate(&mut builder, certificate),
        None => unseen(&mut builder, entry.thumbprint),
    }
    builder.set("server", server_value(&server.name));
    builder.set("store", store);
    builder.seen("friendly_name", &entry.friendly_name);
    builder.seen("services", &entry.services);
    builder.seen("status", &entry.status);
    builder.seen("root_ca_type", &entry.root_ca_type);
    builder.seen("has_private_key", &entry.has_private_key);
    builder.seen("private_key_exportable", &entry.private_key_exportable);
    builder.seen("key_provider", &entry.key_provider);
    builder.seen("key_provider_type", &entry.key_provider_type);
    builder.seen("key_spec", &entry.key_spec);
    builder.seen("key_readers", &entry.key_readers);
    builder.seen("iis_sites", &entry.iis_sites);
    builder.seen("identity", &entry.identity);
    let what = entry
        .by
        .first()
        .and_then(|source| inventory.source(*source))
        .map(|source| source.what.as_str());
    builder.set("source", json!({ "file": file, "what": what }));
    builder.finish()
}

fn unseen(builder: &mut Builder, thumbprint: Thumbprint) {
    builder.set("thumbprint", thumbprint.to_string());
    builder.unknown.extend([
        "subject",
        "issuer",
        "serial",
        "not_before",
        "not_after",
        "dns_names",
        "key_algorithm",
        "key_bits",
        "signature_algorithm",
        "signature_hash",
        "self_signed",
    ]);
}

fn loose_object(
    certificate: &Certificate,
    loose: &exseal_model::inventory::LooseCertificate,
    file: &str,
) -> Object {
    let mut builder = Builder::new();
    fill_certificate(&mut builder, certificate);
    match &loose.friendly_name {
        Some(name) => builder.set("friendly_name", name.as_str()),
        None => builder.unknown.push("friendly_name"),
    }
    if loose.has_private_key {
        builder.set("has_private_key", true);
    } else {
        builder.unknown.push("has_private_key");
    }
    builder.unknown.extend([
        "server",
        "services",
        "status",
        "root_ca_type",
        "private_key_exportable",
        "key_provider",
        "iis_sites",
        "identity",
    ]);
    builder.set(
        "source",
        json!({ "file": file, "what": "certificate of unknown use" }),
    );
    builder.finish()
}

fn server_value(name: &ServerName) -> Value {
    name.known().map_or(Value::Null, Value::from)
}

fn receive_object(connector: &ReceiveConnector, server: &Server) -> Object {
    let mut builder = Builder::new();
    builder.set("name", connector.name.as_str());
    builder.set("direction", "receive");
    builder.set("server", server_value(&server.name));
    builder.seen("identity", &connector.identity);
    builder.seen("fqdn", &connector.fqdn);
    builder.seen("tls_certificate_name", &connector.tls_certificate_name);
    builder.seen("enabled", &connector.enabled);
    builder.seen("bindings", &connector.bindings);
    builder.seen("remote_ip_ranges", &connector.remote_ip_ranges);
    builder.seen("transport_role", &connector.transport_role);
    builder.seen("auth_mechanism", &connector.auth_mechanism);
    builder.seen("permission_groups", &connector.permission_groups);
    builder.seen("require_tls", &connector.require_tls);
    builder.seen("domain_secure_enabled", &connector.domain_secure_enabled);
    builder.seen("tls_domain_capabilities", &connector.tls_domain_capabilities);
    builder.seen("suppress_x_anonymous_tls", &connector.suppress_x_anonymous_tls);
    builder.seen("protocol_logging_level", &connector.protocol_logging_level);
    builder.finish()
}

fn send_object(connector: &SendConnector) -> Object {
    let mut builder = Builder::new();
    builder.set("name", connector.name.as_str());
    builder.set("direction", "send");
    builder.seen("identity", &connector.identity);
    builder.seen("fqdn", &connector.fqdn);
    builder.seen("tls_certificate_name", &connector.tls_certificate_name);
    builder.seen("enabled", &connector.enabled);
    builder.seen("address_spaces", &connector.address_spaces);
    builder.seen("smart_hosts", &connector.smart_hosts);
    builder.seen("source_transport_servers", &connector.source_transport_servers);
    builder.seen("require_tls", &connector.require_tls);
    builder.seen("tls_auth_level", &connector.tls_auth_level);
    builder.seen("tls_domain", &connector.tls_domain);
    builder.seen(
        "cloud_services_mail_enabled",
        &connector.cloud_services_mail_enabled,
    );
    builder.seen("ignore_starttls", &connector.ignore_starttls);
    builder.seen("force_helo", &connector.force_helo);
    builder.seen("dns_routing_enabled", &connector.dns_routing_enabled);
    builder.seen("frontend_proxy_enabled", &connector.frontend_proxy_enabled);
    builder.seen("domain_secure_enabled", &connector.domain_secure_enabled);
    builder.seen("port", &connector.port);
    builder.seen("protocol_logging_level", &connector.protocol_logging_level);
    builder.finish()
}

fn bindings(server: &Server, found: &mut Vec<Object>) {
    for site in &server.sites {
        for binding in site.bindings.iter().filter(|binding| binding.is_https()) {
            let mut builder = Builder::new();
            builder.set("server", server_value(&server.name));
            builder.set("site", site.name.as_str());
            builder.set("via", "iis");
            endpoint(&mut builder, binding.endpoint());
            builder.seen("thumbprint", &binding.thumbprint);
            builder.seen("store", &binding.store);
            found.push(builder.finish());
        }
    }
    for entry in &server.http_sys {
        let mut builder = Builder::new();
        builder.set("server", server_value(&server.name));
        builder.set("via", "http.sys");
        builder.unknown.push("site");
        endpoint(&mut builder, Some(entry.endpoint.clone()));
        builder.seen("thumbprint", &entry.thumbprint);
        builder.seen("store", &entry.store);
        builder.seen("app_id", &entry.app_id);
        found.push(builder.finish());
    }
}

fn endpoint(builder: &mut Builder, endpoint: Option<exseal_model::Endpoint>) {
    match endpoint {
        Some(endpoint) => {
            builder.set("endpoint", format!("{}:{}", endpoint.address, endpoint.port));
            builder.set("host", Some(endpoint.host).filter(|host| !host.is_empty()));
        }
        None => builder.unknown.extend(["endpoint", "host"]),
    }
}

fn server_object(server: &Server) -> Object {
    let mut builder = Builder::new();
    builder.set("name", server_value(&server.name));
    builder.seen("fqdn", &server.fqdn);
    builder.seen("build", &server.build);
    builder.seen("setup_build", &server.setup_build);
    builder.seen("roles", &server.roles);
    builder.seen("site", &server.site);
    builder.seen("edition", &server.edition);
    builder.seen("internal_transport", &server.internal_transport);
    builder.finish()
}

/// For people: file by file, a line a thing.
pub(crate) fn text(inspected: &Inspected, context: &Context) -> String {
    let mut out = String::new();
    for file in &inspected.files {
        let holds = file.holds.as_deref().unwrap_or("not recognised");
        let unrecorded = if file.unrecorded {
            " (its shape known from documentation only)"
        } else {
            ""
        };
        let servers = if file.servers.is_empty() {
            String::new()
        } else {
            format!(", of {}", file.servers.join(", "))
        };
        let _ = writeln!(out, "{}", styled(BOLD, &file.path));
        out.push_str(&wrapped(
            &format!("{holds}{unrecorded}{servers}"),
            "  ",
            "    ",
            context.width,
        ));
    }
    let word = |object: &Object, key: &str| match object.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => "-".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(","),
        Some(other) => other.to_string(),
        None => "?".to_owned(),
    };
    section(
        &mut out,
        "certificates",
        &inspected.certificates,
        context,
        |object| {
            let end = word(object, "not_after")
                .parse()
                .map_or_else(|_| "?".to_owned(), |end| context.day(end));
            format!(
                "{}  ends {end}  {}  [{}]",
                word(object, "thumbprint"),
                word(object, "subject"),
                word(object, "services")
            )
        },
    );
    if let Some(config) = &inspected.auth_config {
        let line = format!(
            "current {}, next {}, previous {}, next from {}",
            word(config, "current"),
            word(config, "next"),
            word(config, "previous"),
            word(config, "next_effective")
                .parse()
                .map_or_else(|_| word(config, "next_effective"), |time| context.time(time))
        );
        out.push_str(&format!(
            "{}\n{}",
            styled(BOLD, "auth configuration"),
            wrapped(&line, "  ", "    ", context.width)
        ));
    }
    section(&mut out, "connectors", &inspected.connectors, context, |object| {
        format!(
            "{}  {}  {}",
            word(object, "direction"),
            word(object, "name"),
            word(object, "tls_certificate_name")
        )
    });
    section(&mut out, "bindings", &inspected.bindings, context, |object| {
        format!(
            "{}  {}  {}",
            word(object, "endpoint"),
            word(object, "site"),
            word(object, "thumbprint")
        )
    });
    // A file that shows nothing of its server but the name has said so above.
    let described: Vec<Object> = inspected
        .servers
        .iter()
        .filter(|server| {
            ["fqdn", "build", "roles"]
                .iter()
                .any(|key| server.contains_key(*key))
        })
        .cloned()
        .collect();
    section(&mut out, "servers", &described, context, |object| {
        format!(
            "{}  {}  {}  {}",
            word(object, "name"),
            word(object, "fqdn"),
            word(object, "build"),
            word(object, "roles")
        )
    });
    for error in &inspected.errors {
        let line = format!(
            "not read: {}, {}: expected {}, found {}",
            error.file, error.at, error.expected, error.found
        );
        out.push_str(&wrapped(&line, "", "    ", context.width));
    }
    for one in &inspected.not_recognised {
        out.push_str(&wrapped(
            &format!("not recognised: {}: {}", one.file, one.looks_like),
            "",
            "    ",
            context.width,
        ));
    }
    out.push_str(&styled(DIM, "? not seen; - seen and empty"));
    out.push('\n');
    out
}

fn section(
    out: &mut String,
    title: &str,
    objects: &[Object],
    context: &Context,
    line: impl Fn(&Object) -> String,
) {
    if objects.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", styled(BOLD, title));
    for object in objects {
        out.push_str(&wrapped(&line(object), "  ", "      ", context.width));
    }
}
