//! The keys of `[server.signing]`: the one that signs, and those that signed before.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tickerd_config::Signing;
use tickerd_model::wire::signature::Sign;

use super::signer::{Public, Signer};
use crate::error::Error;

/// Keys that are listed at most. Each reload with another key adds one; above this number the oldest goes.
const LISTED_MAX: usize = 8;
/// A signature in base64url, without padding.
const SIGNATURE_CHARS: usize = 86;

/// The keys of signatures. It signs for all feeds that are signed.
pub struct Keyring {
    configured: Signing,
    signer: RwLock<Arc<Signer>>,
    /// The newest first.
    listed: Mutex<Vec<Public>>,
}

impl Keyring {
    /// Reads the keys.
    ///
    /// # Errors
    /// A key cannot be read, or is no Ed25519 key. The error says at which setting.
    pub fn open(configured: &Signing) -> Result<Keyring, Error> {
        let signer = Signer::read(&configured.key)?;
        let previous = configured.previous.as_ref().map(Public::read).transpose()?;
        let mut listed = vec![signer.public().clone()];
        listed.extend(previous.filter(|previous| previous != signer.public()));
        Ok(Keyring {
            configured: configured.clone(),
            signer: RwLock::new(Arc::new(signer)),
            listed: Mutex::new(listed),
        })
    }

    /// Reads the key again. If it is another one, it signs from now on, and the one before stays listed. Answers whether
    /// it is another one.
    ///
    /// # Errors
    /// The key cannot be used. The one before goes on signing.
    pub fn reload(&self) -> Result<bool, Error> {
        let signer = Signer::read(&self.configured.key)?;
        let public = signer.public().clone();
        if public == *self.signer().public() {
            return Ok(false);
        }
        // It is listed before anything is signed with it.
        let mut listed = self.listed();
        listed.retain(|known| *known != public);
        listed.insert(0, public);
        listed.truncate(LISTED_MAX);
        drop(listed);
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(signer);
        Ok(true)
    }

    /// The name of the key that signs.
    pub fn kid(&self) -> String {
        self.signer().public().kid().to_owned()
    }

    /// All keys as a JWK set (RFC 7517). The first is the one that signs.
    pub fn jwk_set(&self) -> String {
        let keys: Vec<String> = self.listed().iter().map(Public::jwk).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    fn signer(&self) -> Arc<Signer> {
        self.signer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn listed(&self) -> MutexGuard<'_, Vec<Public>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sign for Keyring {
    fn sign(&self, text: &[u8], out: &mut Vec<u8>) {
        let signer = self.signer();
        let mut signature = [0; SIGNATURE_CHARS];
        let written = URL_SAFE_NO_PAD.encode_slice(signer.sign(text), &mut signature);
        debug_assert_eq!(written, Ok(SIGNATURE_CHARS));
        out.extend_from_slice(br#","sig":""#);
        out.extend_from_slice(&signature);
        out.extend_from_slice(br#"","kid":""#);
        out.extend_from_slice(signer.public().kid().as_bytes());
        out.push(b'"');
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

#[cfg(test)]
mod tests {
    use super::super::signer::tests::{pem_of, public_pem_of};
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};
    use serde_json::Value;
    use std::path::Path;
    use tickerd_config::SecretSource;

    fn configured(folder: &Path, previous: Option<&str>) -> Signing {
        let file = |name: &str| SecretSource::File(folder.join(name));
        Signing { key: file("key"), previous: previous.map(file) }
    }

    fn keys(keyring: &Keyring) -> Vec<(String, Vec<u8>)> {
        let set: Value = serde_json::from_str(&keyring.jwk_set()).unwrap();
        let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| (text(key, "kid"), URL_SAFE_NO_PAD.decode(text(key, "x")).unwrap())).collect()
    }

    fn is_signed(keyring: &Keyring, text: &[u8], kid: &str) -> bool {
        let mut out = Vec::new();
        keyring.sign(text, &mut out);
        let said: Value =
            serde_json::from_str(&format!("{{{}}}", &std::str::from_utf8(&out).unwrap()[1..])).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(said["sig"].as_str().unwrap()).unwrap();
        let (_, key) = keys(keyring).into_iter().find(|(known, _)| said["kid"] == **known).unwrap();
        said["kid"] == *kid && UnparsedPublicKey::new(&ED25519, key).verify(text, &signature).is_ok()
    }

    #[test]
    fn another_key_signs_after_a_reload_and_the_one_before_stays_listed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("key", &pem_of(1));
        write("old", &public_pem_of(0));
        let keyring = Keyring::open(&configured(folder.path(), Some("old"))).unwrap();
        let (first, old) = (keyring.kid(), Public::of_text(&public_pem_of(0)).unwrap().kid().to_owned());
        let kids = |keyring: &Keyring| keys(keyring).into_iter().map(|(kid, _)| kid).collect::<Vec<_>>();
        assert_eq!(kids(&keyring), [&*first, &*old]);
        assert!(is_signed(&keyring, b"{}", &first));
        assert_eq!(keyring.reload(), Ok(false));

        write("key", "CANARY");
        let error = keyring.reload().unwrap_err().to_string();
        assert!(error.starts_with("server.signing.key: ") && !error.contains("CANARY"), "{error}");
        assert!(is_signed(&keyring, b"{}", &first), "it goes on");

        write("key", &pem_of(2));
        assert_eq!(keyring.reload(), Ok(true));
        let second = keyring.kid();
        assert_eq!(kids(&keyring), [&*second, &*first, &*old]);
        assert!(second != first && is_signed(&keyring, b"{}", &second));
        // One that comes back is listed once.
        write("key", &pem_of(1));
        assert_eq!(keyring.reload(), Ok(true));
        assert_eq!(kids(&keyring), [&*first, &*second, &*old]);
        for key in 3..20 {
            write("key", &pem_of(key));
            assert_eq!(keyring.reload(), Ok(true));
        }
        assert_eq!(kids(&keyring).len(), LISTED_MAX);
        assert!(is_signed(&keyring, b"{}", &keyring.kid()));
    }

    #[test]
    fn the_same_key_as_previous_is_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), pem_of(1)).unwrap();
        let keyring = Keyring::open(&configured(folder.path(), Some("key"))).unwrap();
        assert_eq!(keys(&keyring).len(), 1);
        let missing = Keyring::open(&configured(folder.path(), Some("none"))).unwrap_err().to_string();
        assert!(missing.starts_with("server.signing.previous: the file "), "{missing}");
        assert_eq!(format!("{keyring:?}"), "Keyring");
    }
}
