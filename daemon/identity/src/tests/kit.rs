//! Keys, issuers and tokens for the tests.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{self as by, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use ring::{hmac, rand};
use serde_json::{Value, json};
use tempfile::TempDir;
use tickerd_config::{Algorithm, Auth, Group, Issuer, Keys, SecretSource, Template};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use crate::Authenticator;
use crate::keys::Pace;

/// The time of all tests, in Unix seconds.
pub(super) const NOW_S: u64 = 1_790_000_000;
/// The secret of the issuer `hs`.
pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn wall() -> u64 {
    NOW_S * 1_000
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One key of each kind.
pub(super) struct Ring {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

pub(super) static RING: LazyLock<Ring> = LazyLock::new(Ring::new);

impl Ring {
    pub fn new() -> Ring {
        let random = SystemRandom::new();
        let ec = |how: &'static by::EcdsaSigningAlgorithm| {
            let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap()
        };
        Ring {
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("keys/rsa.pk8")).unwrap(),
            p256: ec(&by::ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ec(&by::ECDSA_P384_SHA384_FIXED_SIGNING),
            ed: Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref())
                .unwrap(),
        }
    }

    /// A JWK of the kind that an algorithm takes.
    pub fn jwk(&self, alg: &str, kid: &str) -> Value {
        let ec = |key: &EcdsaKeyPair, crv: &str, size: usize| {
            let point = &key.public_key().as_ref()[1..];
            let (x, y) = (encode(&point[..size]), encode(&point[size..]));
            json!({"kty": "EC", "crv": crv, "x": x, "y": y, "kid": kid, "use": "sig"})
        };
        match alg {
            "ES256" => ec(&self.p256, "P-256", 32),
            "ES384" => ec(&self.p384, "P-384", 48),
            "EdDSA" => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.ed.public_key()), "kid": kid})
            }
            _ => {
                let public = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
                json!({"kty": "RSA", "n": encode(public.n), "e": encode(public.e), "kid": kid})
            }
        }
    }

    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = rand::SystemRandom::new();
        let rsa = |how: &'static dyn by::RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(how, &random, message, &mut signature).unwrap();
            signature
        };
        let shared = |how| hmac::sign(&hmac::Key::new(how, SECRET.as_bytes()), message).as_ref().to_vec();
        match alg {
            "HS256" => shared(hmac::HMAC_SHA256),
            "HS384" => shared(hmac::HMAC_SHA384),
            "HS512" => shared(hmac::HMAC_SHA512),
            "RS256" => rsa(&by::RSA_PKCS1_SHA256),
            "RS384" => rsa(&by::RSA_PKCS1_SHA384),
            "RS512" => rsa(&by::RSA_PKCS1_SHA512),
            "PS256" => rsa(&by::RSA_PSS_SHA256),
            "PS384" => rsa(&by::RSA_PSS_SHA384),
            "PS512" => rsa(&by::RSA_PSS_SHA512),
            "ES256" => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES384" => self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            _ => Vec::new(),
        }
    }

    /// A token, signed as `alg` whatever its header says.
    pub fn token(&self, alg: &str, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(alg, signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }

    /// A good token of an issuer for `ann`.
    pub fn good(&self, alg: &str, kid: &str, issuer: &str) -> String {
        self.token(alg, &json!({"alg": alg, "kid": kid}).to_string(), &claims(issuer).to_string())
    }
}

/// The claims of a good token.
pub(super) fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "aud": "tickerd", "exp": NOW_S + 60, "iat": NOW_S - 1, "sub": "ann"})
}

/// Good claims, with some others in their place. `null` takes one away.
pub(super) fn claims_with(issuer: &str, others: &Value) -> String {
    let mut claims = claims(issuer);
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims.to_string()
}

pub(super) fn issuer(name: &str, algorithms: &[&str], keys: Keys) -> Issuer {
    Issuer {
        issuer: name.into(),
        audience: "tickerd".into(),
        algorithms: algorithms.iter().map(|word| Algorithm::of_word(word).unwrap()).collect(),
        keys,
        claims: "tickerd".into(),
        user_claim: "sub".into(),
        auto_subscribe: false,
    }
}

pub(super) fn group(name: &str, subscribe: &[&str], deny: &[&str]) -> Group {
    let templates = |texts: &[&str]| texts.iter().map(|text| Template::parse(text).unwrap()).collect();
    let (subscribe, deny) = (templates(subscribe), templates(deny));
    let (publish, presence, history) = (Vec::new(), Vec::new(), Vec::new());
    Group { name: name.into(), subscribe, publish, presence, history, admin: false, deny }
}

/// A folder with secrets and keys, and issuers that name them: `hs`, `rsa`, `ec`, `ed`, and `far` with other RSA-less keys.
pub(super) struct House {
    pub folder: TempDir,
    pub auth: Auth,
}

impl House {
    pub fn new() -> House {
        let mut house = House { folder: TempDir::new().unwrap(), auth: Auth::default() };
        let secret = Keys::Secret(SecretSource::File(house.write("hs", SECRET)));
        let set = |keys: &[Value]| json!({"keys": keys}).to_string();
        let rsa = Keys::File(house.write("rsa", &set(&[RING.jwk("RS256", "r1")])));
        let ec = Keys::File(house.write("ec", &set(&[RING.jwk("ES256", "e1"), RING.jwk("ES384", "e2")])));
        let ed = Keys::File(house.write("ed", &set(&[RING.jwk("EdDSA", "d1")])));
        let far = Keys::File(house.write("far", &set(&[Ring::new().jwk("EdDSA", "d1")])));
        house.auth.issuers = vec![
            issuer("hs", &["HS256", "HS384", "HS512"], secret),
            issuer("rsa", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], rsa),
            issuer("ec", &["ES256", "ES384"], ec),
            issuer("ed", &["EdDSA"], ed),
            issuer("far", &["EdDSA"], far),
        ];
        house.auth.groups = vec![
            group("desk", &["stocks.**", "users.{sub}.**"], &["stocks.secret.**"]),
            group("other", &["x.*"], &[]),
        ];
        house
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn open(&self) -> Arc<Authenticator> {
        Authenticator::start(&self.auth, None, wall).unwrap()
    }
}

/// Short times, so that a test need not wait for what happens once an hour.
pub(super) fn quick() -> Pace {
    let ms = Duration::from_millis;
    Pace { apart: ms(20), patience: Duration::from_secs(20), ..Pace::default() }
}

/// Judges a token, and waits for the answer.
pub(super) fn ask(authenticator: &Authenticator, token: &str) -> Result<Arc<Identity>, Refusal> {
    let (tell, told) = channel();
    authenticator.judge(Secret::new(token), move |result| tell.send(result).unwrap());
    told.recv().unwrap()
}
