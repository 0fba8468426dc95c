//! The files of `[server.tls]`, read again when they change. Where one of them cannot be used, what was there before stays
//! at work, and that is told.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::names;
use crate::session::{Broken, Session};
use crate::settings::{Clients, settings};

/// A certificate chain has a few KiB. A larger file was named by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a certificate and its key cannot be used, and what to change. It holds no part of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    why: String,
    /// The same files may be usable at another time.
    is_for_now: bool,
}

impl Unusable {
    pub(crate) fn new(why: String) -> Unusable {
        Unusable { why, is_for_now: false }
    }

    fn for_now(why: String) -> Unusable {
        Unusable { why, is_for_now: true }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Unusable {}

/// How the certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When the one that is used expires, in Unix seconds.
    pub not_after: u64,
    /// Why the files as they are now are not used; the one from before is.
    pub refused: Option<Unusable>,
}

/// What handshakes use. A file that ends early is no certificate: [`Certificates::look`] keeps the one from before.
pub struct Certificates {
    tls: ArcSwap<tickerd_config::Tls>,
    used: ArcSwap<ServerConfig>,
    seen: Mutex<Seen>,
}

struct Seen {
    files: Option<u64>,
    standing: Standing,
}

impl Seen {
    fn is_refused_for_now(&self) -> bool {
        self.standing.refused.as_ref().is_some_and(|refused| refused.is_for_now)
    }
}

impl Certificates {
    /// Reads the files.
    pub fn load(tls: &tickerd_config::Tls) -> Result<Certificates, Unusable> {
        let files = Files::read(tls)?;
        let (settings, not_after) = files.settings(tls, now_s())?;
        let standing = Standing { not_after, refused: None };
        Ok(Certificates {
            tls: ArcSwap::from_pointee(tls.clone()),
            used: ArcSwap::from_pointee(settings),
            seen: Mutex::new(Seen { files: Some(files.hash()), standing }),
        })
    }

    /// A new session.
    pub fn begin(&self) -> Result<Session, Broken> {
        Session::new(self.used.load_full())
    }

    /// Reads the files again. None if they are as before, and judged as before. Sessions from before are then not taken up
    /// again, so that a client's certificate is judged by the new files.
    pub fn look(&self) -> Option<Result<(), Unusable>> {
        self.look_at(now_s())
    }

    fn look_at(&self, now_s: u64) -> Option<Result<(), Unusable>> {
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let tls = self.tls.load_full();
        let (files, found) = match Files::read(&tls) {
            Ok(files) if seen.files == Some(files.hash()) && !seen.is_refused_for_now() => return None,
            Ok(files) => (Some(files.hash()), files.settings(&tls, now_s)),
            Err(unreadable) => (None, Err(unreadable)),
        };
        let before = std::mem::replace(&mut seen.files, files);
        let result = match found {
            Ok((settings, not_after)) => {
                self.used.store(Arc::new(settings));
                seen.standing = Standing { not_after, refused: None };
                Ok(())
            }
            Err(unusable) => {
                if before == files && seen.standing.refused.as_ref() == Some(&unusable) {
                    return None;
                }
                seen.standing.refused = Some(unusable.clone());
                Err(unusable)
            }
        };
        Some(result)
    }

    /// Reads other files, and uses them from now on. Where one of them cannot be used, those before are looked at further on.
    pub fn change(&self, tls: &tickerd_config::Tls) -> Result<(), Unusable> {
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let files = Files::read(tls)?;
        let (settings, not_after) = files.settings(tls, now_s())?;
        self.tls.store(Arc::new(tls.clone()));
        self.used.store(Arc::new(settings));
        *seen = Seen { files: Some(files.hash()), standing: Standing { not_after, refused: None } };
        Ok(())
    }

    /// How it is now.
    pub fn standing(&self) -> Standing {
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).standing.clone()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("certificate", &self.tls.load().certificate)
            .finish_non_exhaustive()
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What the files hold.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_crl: Option<Vec<u8>>,
}

impl Files {
    fn read(tls: &tickerd_config::Tls) -> Result<Files, Unusable> {
        let maybe = |name, path: &Option<_>| path.as_deref().map(|path| read(name, path)).transpose();
        Ok(Files {
            certificate: read("certificate", &tls.certificate)?,
            key: read("key", &tls.key)?,
            client_ca: maybe("client_ca", &tls.client_ca)?,
            client_crl: maybe("client_crl", &tls.client_crl)?,
        })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key, &self.client_ca, &self.client_crl).hash(&mut hasher);
        hasher.finish()
    }

    /// What rustls is to do with them, and when the certificate expires.
    fn settings(&self, tls: &tickerd_config::Tls, now_s: u64) -> Result<(ServerConfig, u64), Unusable> {
        let (pair, not_after) = pair(&self.certificate, &self.key, &tls.certificate, &tls.key, now_s)?;
        let clients = tls.client_ca.as_deref().zip(self.client_ca.as_deref()).map(|authority| Clients {
            authority,
            revoked: tls.client_crl.as_deref().zip(self.client_crl.as_deref()),
            are_required: tls.client_required,
        });
        Ok((settings(pair, clients)?, not_after))
    }
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, Unusable> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| {
        let shown = path.display();
        Unusable::new(format!(
            "{name} {shown} cannot be read: {error}; let tickerd's user read it, or change {name} in [server.tls]"
        ))
    })
}

/// The pair, if the key fits the certificate and that has not expired; and when it does.
fn pair(
    certificate: &[u8],
    key: &[u8],
    certificate_path: &Path,
    key_path: &Path,
    now_s: u64,
) -> Result<(CertifiedKey, u64), Unusable> {
    let (certificate_shown, key_shown) = (certificate_path.display(), key_path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
        Unusable::new(format!(
            "certificate {certificate_shown} holds no whole certificate in PEM; write the server's there first, then those \
             between it and its authority"
        ))
    })?;
    // Its own words could show a part of the key.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
        Unusable::new(format!(
            "key {key_shown} holds no private key in PEM that is not encrypted; write it there"
        ))
    })?;
    let key = default_provider().key_provider.load_private_key(key).map_err(|_| {
        Unusable::new(format!(
            "key {key_shown} is of no kind that is known; use an ECDSA, Ed25519 or RSA key"
        ))
    })?;
    let first = chain.first().map(|first| names::validity(first)).unwrap_or_default();
    let pair = CertifiedKey::new(chain, key);
    if let Err(error) = pair.keys_match() {
        return Err(Unusable::new(match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "key {key_shown} does not fit certificate {certificate_shown}; write the key for which it was made"
            ),
            _ => format!("certificate {certificate_shown} cannot be read as one; write another"),
        }));
    }
    let Some((not_before, not_after)) = first else {
        return Err(Unusable::new(format!(
            "certificate {certificate_shown} does not say when it expires; write another"
        )));
    };
    if not_after <= now_s {
        return Err(Unusable::for_now(format!(
            "certificate {certificate_shown} has expired; write a new one there"
        )));
    }
    if not_before > now_s {
        return Err(Unusable::for_now(format!(
            "certificate {certificate_shown} is not valid yet; write another, or set the clock"
        )));
    }
    Ok((pair, not_after))
}

#[cfg(test)]
mod tests;
