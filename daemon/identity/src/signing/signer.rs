//! One Ed25519 key: the private half that signs, and the public half as others see it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tickerd_config::SecretSource;

use crate::error::Error;
use crate::secrets;
use crate::tokens::sha256;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of an Ed25519 public key in its DER (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    public: Public,
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Public {
    /// Its name: its thumbprint as RFC 7638 makes it.
    kid: String,
    /// The key in base64url.
    x: String,
}

impl Signer {
    /// Reads a PKCS#8 PEM with an Ed25519 key, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// What is wrong with it, at `server.signing.key`.
    pub fn read(source: &SecretSource) -> Result<Signer, Error> {
        let placed = |error: Error| error.at(&["server", "signing", "key"]);
        let text = secrets::read(source).map_err(placed)?;
        Signer::of_pem(text.expose()).ok_or_else(|| {
            let what = match body(text.expose(), PUBLIC).is_some() {
                true => "this is the public half of a key, which cannot sign",
                false => "this is no Ed25519 key in PKCS#8 PEM (BEGIN PRIVATE KEY)",
            };
            placed(Error::new(what, "make one with `openssl genpkey -algorithm ed25519`"))
        })
    }

    fn of_pem(text: &str) -> Option<Signer> {
        // openssl writes the private key alone, without the public one.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&body(text, PRIVATE)?).ok()?;
        let public = Public::of(pair.public_key().as_ref());
        Some(Signer { pair, public })
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        let made = self.pair.sign(message);
        // An Ed25519 signature always has 64 bytes.
        signature.iter_mut().zip(made.as_ref()).for_each(|(to, from)| *to = *from);
        signature
    }

    /// The public half.
    pub fn public(&self) -> &Public {
        &self.public
    }
}

impl Public {
    /// Reads a public key in PEM, or the public half of a private one.
    ///
    /// # Errors
    /// What is wrong with it, at `server.signing.previous`.
    pub fn read(source: &SecretSource) -> Result<Public, Error> {
        let placed = |error: Error| error.at(&["server", "signing", "previous"]);
        let text = secrets::read(source).map_err(placed)?;
        Public::of_text(text.expose()).ok_or_else(|| {
            let what = "this is no Ed25519 key in PEM (BEGIN PUBLIC KEY or BEGIN PRIVATE KEY)";
            placed(Error::new(what, "write it with `openssl pkey -in KEY.pem -pubout`, or delete the line"))
        })
    }

    pub(super) fn of_text(text: &str) -> Option<Public> {
        match body(text, PUBLIC) {
            Some(der) => {
                let key = der.strip_prefix(&SPKI)?;
                (key.len() == 32).then(|| Public::of(key))
            }
            None => Signer::of_pem(text).map(|signer| signer.public),
        }
    }

    fn of(key: &[u8]) -> Public {
        let x = URL_SAFE_NO_PAD.encode(key);
        // The members that make the key, in the order of RFC 7638.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Public { kid: URL_SAFE_NO_PAD.encode(sha256(members.as_bytes())), x }
    }

    /// The name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key as a JWK (RFC 8037).
    pub fn jwk(&self) -> String {
        let Public { kid, x } = self;
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}","use":"sig","alg":"EdDSA"}}"#)
    }
}

/// The bytes of a PEM block of this kind.
fn body(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).ok()
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn pem(kind: &str, der: &[u8]) -> String {
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
    }

    /// A private key of this seed, as `openssl` would write it.
    fn private(seed: &[u8]) -> String {
        let head =
            [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        pem(PRIVATE, &[&head, seed].concat())
    }

    pub fn pem_of(key: u8) -> String {
        private(&[key; 32])
    }

    pub fn public_pem_of(key: u8) -> String {
        let signer = Signer::of_pem(&pem_of(key)).unwrap();
        pem(PUBLIC, &[&SPKI, signer.pair.public_key().as_ref()].concat())
    }

    #[test]
    fn the_key_of_rfc_8037_signs_and_is_named_as_there() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let signer = Signer::of_pem(&private(&seed)).unwrap();
        assert_eq!(signer.public().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let jwk: serde_json::Value = serde_json::from_str(&signer.public().jwk()).unwrap();
        let expected = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": signer.public().kid(), "use": "sig", "alg": "EdDSA",
        });
        assert_eq!(jwk, expected);
        let signature = signer.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
        assert_eq!(format!("{signer:?}"), "Signer");
    }

    #[test]
    fn both_halves_have_one_name() {
        let (private, public) = (Public::of_text(&pem_of(7)), Public::of_text(&public_pem_of(7)));
        assert!(private.is_some() && private == public);
        assert!(Public::of_text(&pem(PUBLIC, &SPKI)).is_none(), "cut off");
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let source = SecretSource::File(file.clone());
        for text in ["CANARY", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----"] {
            std::fs::write(&file, text).unwrap();
            let error = Signer::read(&source).unwrap_err();
            assert!(error.to_string().starts_with("server.signing.key: this is no Ed25519 key"), "{error}");
            assert!(!format!("{error} {error:?}").contains("CANARY"));
            let error = Public::read(&source).unwrap_err();
            assert!(error.to_string().starts_with("server.signing.previous: this is no Ed25519"), "{error}");
            assert!(!format!("{error} {error:?}").contains("CANARY"));
        }
        std::fs::write(&file, public_pem_of(1)).unwrap();
        let error = Signer::read(&source).unwrap_err().to_string();
        assert!(error.starts_with("server.signing.key: this is the public half of a key"), "{error}");
    }
}
