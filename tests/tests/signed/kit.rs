//! Keys for signed ticks, and their verification with ring alone.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use tempfile::TempDir;
use tickerd_tests::{Builder, Daemon, Script, Value, daemon, json};

/// What a message ends with that has a signature: `","kid":"` before the name, and the two braces.
const SIG: &[u8] = b",\"sig\":\"";

/// A private key of this seed, as `openssl genpkey -algorithm ed25519` writes it.
pub fn pem(seed: u8) -> String {
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&head[..], &[seed; 32]].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

fn public(seed: u8) -> Vec<u8> {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap().public_key().as_ref().to_vec()
}

/// Its public half, as `openssl pkey -pubout` writes it.
pub fn public_pem(seed: u8) -> String {
    let head = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let der = [&head[..], &public(seed)].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

/// Its name by RFC 7638.
pub fn kid(seed: u8) -> String {
    let x = URL_SAFE_NO_PAD.encode(public(seed));
    let members = json!({"crv": "Ed25519", "kty": "OKP", "x": x}).to_string();
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, members.as_bytes()))
}

/// A folder with a key.
pub struct Kit(TempDir);

impl Kit {
    pub fn new(seed: u8) -> Kit {
        let kit = Kit(TempDir::new().unwrap());
        kit.write("key.pem", &pem(seed));
        kit
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder().join(name), text).unwrap();
    }

    /// A daemon that signs what the script says.
    pub fn daemon(&self, script: &Script) -> Builder {
        let key = self.folder().join("key.pem");
        daemon()
            .feed(script.feed().set("sign = true"))
            .config(&format!("[server.signing]\nkey = {{ file = {key:?} }}"))
    }
}

/// The keys that a daemon lists.
pub struct Keys(Vec<(String, Vec<u8>)>);

impl Keys {
    pub async fn of(daemon: &Daemon) -> Keys {
        let (status, body) = get(daemon, "/v1/keys").await;
        assert_eq!(status, 200, "{body}");
        let set: Value = serde_json::from_str(&body).unwrap();
        let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
        let keys = set["keys"].as_array().unwrap().iter();
        Keys(keys.map(|key| (text(key, "kid"), URL_SAFE_NO_PAD.decode(text(key, "x")).unwrap())).collect())
    }

    pub fn kids(&self) -> Vec<&str> {
        self.0.iter().map(|(kid, _)| kid.as_str()).collect()
    }

    pub fn verify(&self, text: &str) -> bool {
        self.verify_bytes(text.as_bytes())
    }

    pub fn verify_bytes(&self, text: &[u8]) -> bool {
        let Some((message, signature, kid)) = unsigned(text) else { return false };
        let key = self.0.iter().find(|(known, _)| known.as_bytes() == kid);
        key.is_some_and(|(_, key)| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok())
    }
}

/// What was signed, the signature, and the name of the key. `None` if the message has no signature at its end.
pub fn unsigned(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>, &[u8])> {
    // ,"sig":"…86…","kid":"…43…"}}
    let at = text.len().checked_sub(SIG.len() + 86 + 9 + 43 + 3)?;
    let (message, rest) = text.split_at(at);
    let (signature, rest) = rest.strip_prefix(SIG)?.split_at(86);
    let kid = rest.strip_prefix(b"\",\"kid\":\"")?.strip_suffix(b"\"}}")?;
    Some(([message, b"}}"].concat(), URL_SAFE_NO_PAD.decode(signature).ok()?, kid))
}

/// Asks the clients' listener; the status and the body.
pub async fn get(daemon: &Daemon, path: &str) -> (u16, String) {
    tickerd_tests::daemon::http(daemon.address(), path).await
}
