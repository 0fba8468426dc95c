//! TLS for both ends: a certificate of the run's own, and what subscribers trust.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::error::Error;

/// The files' names.
const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";

struct Material {
    chain: String,
    key: String,
    client: Arc<ClientConfig>,
}

/// The same for the whole run.
fn material() -> Result<&'static Material, Error> {
    static MADE: OnceLock<Option<Material>> = OnceLock::new();
    let missing = || Error::io("making a certificate")(io::ErrorKind::Other.into());
    MADE.get_or_init(make).as_ref().ok_or_else(missing)
}

fn make() -> Option<Material> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).ok()?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).ok()?;
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let mut client = builder.with_root_certificates(roots).with_no_client_auth();
    // Each handshake is a whole one.
    client.resumption = Resumption::disabled();
    Some(Material { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), client: Arc::new(client) })
}

/// What subscribers trust.
pub fn client() -> Result<Arc<ClientConfig>, Error> {
    material().map(|material| material.client.clone())
}

/// Writes the server's files into a folder.
pub fn write(folder: &Path) -> Result<(), Error> {
    let material = material()?;
    fs::write(folder.join(CHAIN), &material.chain)
        .and_then(|()| fs::write(folder.join(KEY), &material.key))
        .map_err(Error::io("writing the certificate"))
}

/// Reads them.
pub fn read(folder: &Path) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let bad = |error| io::Error::other(format!("{error}"));
    let chain = CertificateDer::pem_file_iter(folder.join(CHAIN)).map_err(bad)?;
    let chain = chain.collect::<Result<_, _>>().map_err(bad)?;
    Ok((chain, PrivateKeyDer::from_pem_file(folder.join(KEY)).map_err(bad)?))
}
