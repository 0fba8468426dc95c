//! rustls put together: which versions, which certificates, whose clients.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};

use crate::certificates::{Certificates, Unusable};
use crate::session::{Broken, Session};

/// Begins sessions, all with the same settings.
#[derive(Clone)]
pub struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    /// A new session.
    pub fn begin(&self) -> Result<Session, Broken> {
        Session::new(self.0.clone())
    }
}

/// What `[server.tls]` says: TLS 1.2 and 1.3, HTTP/1.1, sessions that are taken up again, no early data. The certificate is
/// read again when [`Certificates::look`] is called; `client_ca` is not.
pub fn acceptor(tls: &tickerd_config::Tls, certificates: Arc<Certificates>) -> Result<Acceptor, Unusable> {
    let bad = |what: &dyn std::fmt::Display| Unusable::new(format!("TLS cannot be set up: {what}"));
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| bad(&error))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider);
            let verifier = match tls.client_required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| bad(&error))?)
        }
    };
    let mut config = builder.with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new().map_err(|error| bad(&error))?;
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    Ok(Acceptor(Arc::new(config)))
}

fn roots(path: &Path) -> Result<rustls::RootCertStore, Unusable> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| {
        Unusable::new(format!("client_ca {shown} cannot be read: {error}; change client_ca in [server.tls]"))
    })?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate
            .map_err(|_| "no PEM".to_owned())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added
            .map_err(|why| Unusable::new(format!("client_ca {shown} holds what is no certificate: {why}")))?;
    }
    if roots.is_empty() {
        return Err(Unusable::new(format!(
            "client_ca {shown} holds no certificate; write those of the authority there, in PEM"
        )));
    }
    Ok(roots)
}
