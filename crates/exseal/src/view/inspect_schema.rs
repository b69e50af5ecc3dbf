//! Shapes of `exseal inspect`'s objects, for the published schema.
//!
//! The objects themselves are maps, because which keys are there is part of what they say.

use exseal_model::{Build, Thumbprint};
use jiff::Timestamp;
use schemars::JsonSchema;

/// A certificate. Keys that were not seen are left out and stand in `unknown`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by the schema generator only")]
pub(crate) struct CertificateSchema {
    thumbprint: Thumbprint,
    subject: Option<String>,
    issuer: Option<String>,
    serial: Option<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    dns_names: Option<Vec<String>>,
    key_algorithm: Option<String>,
    key_bits: Option<u32>,
    signature_algorithm: Option<String>,
    signature_hash: Option<String>,
    self_signed: Option<bool>,
    /// Null: nobody named the server.
    server: Option<String>,
    store: Option<String>,
    friendly_name: Option<String>,
    services: Option<Vec<String>>,
    status: Option<String>,
    root_ca_type: Option<String>,
    has_private_key: Option<bool>,
    private_key_exportable: Option<bool>,
    key_provider: Option<String>,
    key_provider_type: Option<u32>,
    key_spec: Option<u32>,
    key_readers: Option<Vec<String>>,
    iis_sites: Option<Vec<String>>,
    identity: Option<String>,
    source: SourceSchema,
    unknown: Option<Vec<String>>,
}

/// Where a certificate was seen.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by the schema generator only")]
pub(crate) struct SourceSchema {
    file: String,
    what: Option<String>,
}

/// AuthConfig.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by the schema generator only")]
pub(crate) struct AuthConfigSchema {
    current: Option<Thumbprint>,
    previous: Option<Thumbprint>,
    next: Option<Thumbprint>,
    next_effective: Option<Timestamp>,
    realm: Option<String>,
    service_name: Option<String>,
    unknown: Option<Vec<String>>,
}

/// A connector; further keys are Exchange's own names in snake_case.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
#[expect(dead_code, reason = "read by the schema generator only")]
pub(crate) struct ConnectorSchema {
    name: String,
    /// receive or send.
    direction: String,
    identity: Option<String>,
    fqdn: Option<String>,
    tls_certificate_name: Option<String>,
    unknown: Option<Vec<String>>,
}

/// A binding.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by the schema generator only")]
pub(crate) struct BindingSchema {
    server: Option<String>,
    site: Option<String>,
    /// iis or http.sys.
    via: String,
    endpoint: Option<String>,
    host: Option<String>,
    thumbprint: Option<Thumbprint>,
    store: Option<String>,
    /// Of http.sys: the id of the program that made the entry.
    app_id: Option<String>,
    unknown: Option<Vec<String>>,
}

/// A server.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by the schema generator only")]
pub(crate) struct ServerSchema {
    name: Option<String>,
    fqdn: Option<String>,
    build: Option<Build>,
    setup_build: Option<Build>,
    roles: Option<Vec<exseal_model::inventory::Role>>,
    site: Option<String>,
    edition: Option<String>,
    internal_transport: Option<Thumbprint>,
    unknown: Option<Vec<String>>,
}
