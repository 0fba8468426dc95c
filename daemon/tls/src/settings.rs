//! rustls put together: which versions, which certificate, whose clients.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};

use crate::certificates::Unusable;

/// Most plain bytes of a record, with its header. rustls takes memory for each record that it seals. mimalloc gives that from
/// 64 KiB, which stay in the processor's caches; for more than 8 KiB it goes round in 512 KiB, and copying takes twice as long.
const RECORD_MAX: usize = 8 * 1024 - 64;

/// Which clients' certificates are accepted. Each file comes with its path, for messages.
pub struct Clients<'a> {
    pub authority: (&'a Path, &'a [u8]),
    pub revoked: Option<(&'a Path, &'a [u8])>,
    pub are_required: bool,
}

/// TLS 1.2 and 1.3, HTTP/1.1, sessions that are taken up again, no early data.
pub fn settings(pair: CertifiedKey, clients: Option<Clients<'_>>) -> Result<ServerConfig, Unusable> {
    let bad = |what: &dyn std::fmt::Display| Unusable::new(format!("TLS cannot be set up: {what}"));
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| bad(&error))?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::new(roots(clients.authority)?);
            let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            if let Some(revoked) = clients.revoked {
                // A list is there for the certificates of its own authority. Others need none, and only the client's own
                // certificate is looked up.
                verifier = verifier
                    .with_crls(lists(revoked)?)
                    .allow_unknown_revocation_status()
                    .only_check_end_entity_revocation();
            }
            if !clients.are_required {
                verifier = verifier.allow_unauthenticated();
            }
            builder.with_client_cert_verifier(verifier.build().map_err(|error| bad(&error))?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new().map_err(|error| bad(&error))?;
    config.send_tls13_tickets = 1;
    config.max_fragment_size = Some(RECORD_MAX);
    config.max_early_data_size = 0;
    Ok(config)
}

fn roots((path, bytes): (&Path, &[u8])) -> Result<rustls::RootCertStore, Unusable> {
    let shown = path.display();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bytes) {
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

fn lists(
    (path, bytes): (&Path, &[u8]),
) -> Result<impl Iterator<Item = CertificateRevocationListDer<'static>> + use<>, Unusable> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(bytes).collect();
    let lists = lists.ok().filter(|lists| !lists.is_empty());
    lists.map(Vec::into_iter).ok_or_else(|| {
        Unusable::new(format!(
            "client_crl {} holds no whole revocation list in PEM; write the list of the authority there",
            path.display()
        ))
    })
}
