//! A set of keys as RFC 7517 writes it. Keys that are not for signatures, or of a kind that is not known, are left out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tickerd_config::Algorithm;

use super::key::Key;

/// Most keys in a set.
const KEYS_MAX: usize = 100;
/// Sizes of an RSA modulus that are taken, in bytes.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// Keys of one issuer.
#[derive(Default)]
pub(crate) struct KeySet(Vec<Named>);

struct Named {
    kid: Option<Box<str>>,
    /// The one algorithm it is for, if the set says so.
    algorithm: Option<Algorithm>,
    key: Key,
}

impl KeySet {
    /// A set of one secret, which is tried whatever a token says of its key.
    pub fn of_secret(secret: &[u8]) -> KeySet {
        KeySet(vec![Named { kid: None, algorithm: None, key: Key::Hmac(secret.into()) }])
    }

    /// Reads a set. The error says what is wrong with it.
    pub fn read(text: &str) -> Result<KeySet, &'static str> {
        let Ok(Value::Object(set)) = serde_json::from_str(text) else { return Err("this is no JSON object") };
        let Some(Value::Array(keys)) = set.get("keys") else {
            return Err("this is no JWK set: it has no list \"keys\"");
        };
        if keys.len() > KEYS_MAX {
            return Err("this JWK set has more than 100 keys");
        }
        let keys: Vec<Named> = keys.iter().filter_map(|key| named(key.as_object()?)).collect();
        match keys.is_empty() {
            true => Err("this JWK set has no key for signatures (kty RSA, EC or OKP, use sig)"),
            false => Ok(KeySet(keys)),
        }
    }

    /// The keys that may have signed a token with this `kid` and `alg`.
    pub fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let fits = |named: &&Named| {
            named.key.fits(algorithm) && named.algorithm.is_none_or(|only| only == algorithm)
        };
        let fitting = self.0.iter().filter(fits);
        match kid {
            Some(kid) => {
                let is_named = |named: &&Named| named.kid.as_deref().is_none_or(|known| known == kid);
                fitting.filter(is_named).map(|named| &named.key).collect()
            }
            None => {
                let fitting: Vec<&Key> = fitting.map(|named| &named.key).collect();
                // Without a name, only the one key that fits can be meant. Trying all would let anyone make us verify 100.
                if fitting.len() == 1 { fitting } else { Vec::new() }
            }
        }
    }
}

fn named(jwk: &Map<String, Value>) -> Option<Named> {
    let text = |key: &str| jwk.get(key).and_then(Value::as_str);
    let is_for_signatures = jwk.get("use").is_none_or(|purpose| purpose == "sig");
    let verifies = jwk.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
    });
    if !is_for_signatures || !verifies {
        return None;
    }
    let bytes = |key: &str| URL_SAFE_NO_PAD.decode(text(key)?).ok();
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => rsa(bytes("n")?, bytes("e")?)?,
        ("EC", Some("P-256")) => Key::P256(point(bytes("x")?, bytes("y")?, 32)?),
        ("EC", Some("P-384")) => Key::P384(point(bytes("x")?, bytes("y")?, 48)?),
        ("OKP", Some("Ed25519")) => Key::Ed(bytes("x").filter(|x| x.len() == 32)?.into()),
        _ => return None,
    };
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(word) => Some(Algorithm::of_word(word.as_str()?).filter(|algorithm| key.fits(*algorithm))?),
    };
    let kid = match jwk.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str()?.into()),
    };
    Some(Named { kid, algorithm, key })
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Key> {
    let strip = |bytes: Vec<u8>| -> Box<[u8]> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
    let (n, e) = (strip(n), strip(e));
    (MODULUS_BYTES.contains(&n.len()) && (1..=8).contains(&e.len())).then_some(Key::Rsa { n, e })
}

fn point(x: Vec<u8>, y: Vec<u8>, size: usize) -> Option<Box<[u8]>> {
    (x.len() == size && y.len() == size).then(|| [vec![4], x, y].concat().into())
}
