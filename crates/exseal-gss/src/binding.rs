//! Channel bindings: what ties a token to one TLS connection.

use der::asn1::ObjectIdentifier;
use der::{Decode, Reader};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha384, Sha512};

use crate::GssError;

const SHA384: [&str; 2] = ["1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"];
const SHA512: [&str; 2] = ["1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"];

/// `tls-server-end-point` of RFC 5929: the hash of the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    application_data: Vec<u8>,
}

impl ChannelBinding {
    /// Of the certificate the server presented, in DER.
    ///
    /// The hash is the one of the certificate's signature; SHA-256 where that is MD5, SHA-1 or none that this program
    /// knows (RFC 5929 4.1; RSA-PSS counts as unknown, as in Windows).
    ///
    /// # Errors
    /// Not a certificate.
    pub fn tls_server_end_point(certificate: &[u8]) -> Result<Self, GssError> {
        let algorithm = signature_algorithm(certificate)
            .map_err(|error| GssError::token("the server's certificate in DER", error.to_string()))?;
        let is = |oids: &[&str]| {
            oids.iter()
                .any(|oid| ObjectIdentifier::new(oid).is_ok_and(|oid| oid == algorithm))
        };
        let mut application_data = b"tls-server-end-point:".to_vec();
        if is(&SHA384) {
            application_data.extend(Sha384::digest(certificate));
        } else if is(&SHA512) {
            application_data.extend(Sha512::digest(certificate));
        } else {
            application_data.extend(Sha256::digest(certificate));
        }
        Ok(Self { application_data })
    }

    /// `tls-server-end-point:` and the hash.
    pub fn application_data(&self) -> &[u8] {
        &self.application_data
    }

    /// What NTLM's `MsvAvChannelBindings` holds: the MD5 of a `gss_channel_bindings_struct` ([MS-NLMP] 2.2.2.1).
    pub(crate) fn md5(&self) -> [u8; 16] {
        let mut whole = vec![0_u8; 16];
        whole.extend(
            u32::try_from(self.application_data.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        whole.extend(&self.application_data);
        Md5::digest(&whole).into()
    }

    /// A `SEC_CHANNEL_BINDINGS`: 32 bytes of header, then the data.
    pub(crate) fn sec_channel_bindings(&self) -> Vec<u8> {
        let length = u32::try_from(self.application_data.len()).unwrap_or(u32::MAX);
        let mut whole = vec![0_u8; 24];
        whole.extend(length.to_le_bytes());
        whole.extend(32_u32.to_le_bytes());
        whole.extend(&self.application_data);
        whole
    }
}

/// The outer signatureAlgorithm, read without judging the rest.
fn signature_algorithm(certificate: &[u8]) -> Result<ObjectIdentifier, der::Error> {
    let whole = der::AnyRef::from_der(certificate)?;
    let mut fields = der::SliceReader::new(whole.value())?;
    fields.tlv_bytes()?;
    let algorithm = der::AnyRef::decode(&mut fields)?;
    let mut parts = der::SliceReader::new(algorithm.value())?;
    ObjectIdentifier::decode(&mut parts)
}
