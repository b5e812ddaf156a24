//! Which servers are believed to be who they say they are.
//!
//! The roots are those of Mozilla, built in, and what the operator adds: services of one's own often have certificates of
//! one's own. Nothing turns the check off.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Root certificates that are believed beside the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct RootCertificates(Vec<CertificateDer<'static>>);

/// Why a file has no root certificates that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificates {
    /// It is not PEM, or has something else in it.
    #[error("there is no certificate in it: give PEM, with lines such as -----BEGIN CERTIFICATE-----")]
    None,
    /// It is damaged, in the words of the parser.
    #[error("certificate {number} in it cannot be read: {reason}")]
    Unreadable {
        /// Which of them, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl RootCertificates {
    /// Reads the certificates in a PEM file.
    pub fn from_pem(pem: &[u8]) -> Result<RootCertificates, InvalidCertificates> {
        let (mut certificates, mut check) = (Vec::new(), RootCertStore::empty());
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let unreadable = |reason: String| InvalidCertificates::Unreadable { number: index + 1, reason };
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            check.add(certificate.clone()).map_err(|error| unreadable(error.to_string()))?;
            certificates.push(certificate);
        }
        if certificates.is_empty() { Err(InvalidCertificates::None) } else { Ok(RootCertificates(certificates)) }
    }
}

/// How connections are made safe.
pub(crate) fn client_config(added: &RootCertificates) -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    roots.add_parsable_certificates(added.0.iter().cloned());
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused() {
        for pem in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(RootCertificates::from_pem(pem.as_bytes()).unwrap_err(), InvalidCertificates::None, "{pem:?}");
        }
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = RootCertificates::from_pem(damaged.as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidCertificates::Unreadable { number: 1, .. }), "{error:?}");
    }

    #[test]
    fn certificates_of_an_operator_are_read() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
        let pem = key.cert.pem().repeat(2);
        assert_eq!(RootCertificates::from_pem(pem.as_bytes()).unwrap().0.len(), 2);
    }
}
