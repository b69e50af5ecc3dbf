//! What Exchange puts into the stream of a certificate.

use std::collections::HashSet;

use super::{NrbfError, Stream, Value};

/// What the stream of an ExchangeCertificate says (facts/exchange.md 1.5). `None`: the member was not there, or null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCertificatePayload {
    /// The serialised store element: see [`serialized_cert`](crate::serialized_cert).
    pub cert_data: Option<Vec<u8>>,
    /// IsSelfSigned.
    pub self_signed: Option<bool>,
    /// Status, as its number.
    pub status: Option<i128>,
    /// RootCAType, as its number.
    pub root_ca_type: Option<i128>,
    /// Services, as flags.
    pub services: Option<i128>,
    /// `IIS://server/W3SVC/n` of each IisService, in order.
    pub iis_services: Option<Vec<String>>,
    /// PrivateKeyExportable.
    pub private_key_exportable: Option<bool>,
    /// Identity.
    pub identity: Option<String>,
    /// PKCS#10 of a pending request.
    pub certificate_request: Option<String>,
}

impl ExchangeCertificatePayload {
    /// Reads the payload from `SerializationData`.
    ///
    /// # Errors
    ///
    /// [`NrbfError`] when the bytes are no stream, or its root is no ExchangeCertificate.
    pub fn read(bytes: &[u8]) -> Result<Self, NrbfError> {
        let stream = Stream::read(bytes)?;
        let root = &stream.root;
        let class = stream.class(root).map(|class| &*class.name);
        if !class.is_some_and(|name| name.ends_with(".ExchangeCertificate")) {
            return Err(NrbfError {
                at: 0,
                expected: "an ExchangeCertificate",
                found: class.unwrap_or("no object").to_owned(),
            });
        }
        let number = |name: &str| match stream.member(root, name)? {
            Value::Integer(number) => Some(*number),
            // An enum is an object with one member, value__.
            object @ Value::Object(_) => match stream.member(object, "value__")? {
                Value::Integer(number) => Some(*number),
                _ => None,
            },
            _ => None,
        };
        let flag = |name: &str| match stream.member(root, name)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        };
        let text = |name: &str| match stream.member(root, name)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        Ok(Self {
            cert_data: match stream.member(root, "CertData") {
                Some(Value::Bytes(bytes)) => Some(bytes.clone()),
                _ => None,
            },
            self_signed: flag("SelfSigned"),
            status: number("Status"),
            root_ca_type: number("RootCAType"),
            services: number("Services"),
            iis_services: stream
                .member(root, "IISServices")
                .map(|value| iis_services(&stream, value)),
            private_key_exportable: flag("PrivateKeyExportable"),
            identity: text("Identity"),
            certificate_request: text("CertificateRequest"),
        })
    }
}

/// Every text of the form `IIS://…/W3SVC/n` below a value, in order. Each object is looked into once, so that a stream
/// that goes in circles costs no more than it is long.
fn iis_services(stream: &Stream, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let (mut seen, mut known) = (HashSet::new(), HashSet::new());
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        if let Value::Object(id) = value
            && !seen.insert(*id)
        {
            continue;
        }
        match stream.follow(value) {
            Value::Text(text) if text.starts_with("IIS://") && known.insert(text) => {
                found.push(text.clone());
            }
            Value::Array(items) => waiting.extend(items.iter().rev()),
            object @ Value::Object(_) => {
                waiting.extend(
                    stream
                        .class(object)
                        .into_iter()
                        .flat_map(|class| class.members.iter().rev().map(|(_, value)| value)),
                );
            }
            _ => {}
        }
    }
    found
}
