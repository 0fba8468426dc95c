//! Which certificates to trust: the machine's own store, and an authority of the operator's.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tickerd_sdk::Error;

/// The cryptography all connections use.
pub(crate) fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates of the machine's trust store, and those in `ca_file`. Never empty.
///
/// # Errors
/// [`Error::Config`] when `ca_file` holds no certificate, or when there is none at all.
pub fn roots(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut roots = rustls_native_certs::load_native_certs().certs;
    if let Some(path) = ca_file {
        roots.extend(own(path)?);
    }
    if roots.is_empty() {
        return Err(Error::config(
            "this machine trusts no certificate authority, so no provider can be reached over TLS; install the \
             package ca-certificates, or set ca_file to a file of PEM certificates",
        ));
    }
    Ok(roots)
}

fn own(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |fault: &str| {
        Error::config(format!(
            "ca_file: `{}` {fault}; name a file of PEM certificates (-----BEGIN CERTIFICATE-----)",
            path.display()
        ))
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| wrong(&format!("cannot be read: {e}")))?;
    let mut store = RootCertStore::empty();
    match store.add_parsable_certificates(certificates.iter().cloned()) {
        (0, _) => Err(wrong("holds no certificate")),
        _ => Ok(certificates),
    }
}

/// The configuration of a client for TLS 1.2 and 1.3 that trusts [`roots`].
///
/// # Errors
/// [`Error::Config`] when `ca_file` holds no certificate, or when there is none at all.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots(ca_file)?);
    let config = ClientConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .map_err(Error::fatal)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Words for a failed TLS handshake, if `error` or a cause of it is one.
pub fn words(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    use rustls::CertificateError as Bad;

    let mut error = Some(error);
    let failure = loop {
        let at = error?;
        if let Some(found) = at.downcast_ref::<rustls::Error>() {
            break found;
        }
        // An `io::Error` gives the error that it wraps only by `get_ref`; `source` skips it.
        let wrapped = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        error = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| at.source());
    };
    Some(match failure {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            "its certificate is signed by nobody this machine trusts; if an authority of your own signs it (a proxy, a \
             test server), name that authority's certificate in ca_file"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
        ) => "its certificate is not valid at this time; is this machine's clock right?".to_owned(),
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "its certificate is for another name: a captive portal, or a wrong base_url?".to_owned()
        }
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; is base_url right (http or https)?".to_owned(),
        other => format!("TLS failed: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        for (bytes, says) in [
            (None, "cannot be read"),
            (Some("not a certificate"), "holds no certificate"),
            (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "holds no certificate"),
        ] {
            if let Some(bytes) = bytes {
                std::fs::write(&path, bytes).unwrap();
            }
            let Err(Error::Config(text)) = roots(Some(&path)) else { panic!("refused") };
            assert!(text.starts_with("ca_file: ") && text.contains(says), "{text}");
        }
    }
}
