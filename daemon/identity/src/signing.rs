//! Signs ticks with Ed25519.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tickerd_config::SecretSource;

use crate::error::Error;
use crate::secrets;
use crate::tokens::sha256;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A key that signs, and its public half as others see it.
pub struct Signer {
    pair: Ed25519KeyPair,
    kid: String,
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
            let change = "make one with `openssl genpkey -algorithm ed25519`";
            placed(Error::new("this is no Ed25519 key in PKCS#8 PEM (BEGIN PRIVATE KEY)", change))
        })
    }

    fn of_pem(text: &str) -> Option<Signer> {
        let (_, rest) = text.split_once(BEGIN)?;
        let (body, _) = rest.split_once(END)?;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        // openssl writes the private key alone, without the public one.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).ok()?).ok()?;
        let kid = URL_SAFE_NO_PAD.encode(sha256(members(&pair).as_bytes()));
        Some(Signer { pair, kid })
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        let made = self.pair.sign(message);
        // An Ed25519 signature always has 64 bytes.
        signature.iter_mut().zip(made.as_ref()).for_each(|(to, from)| *to = *from);
        signature
    }

    /// The key's name: its thumbprint as RFC 7638 makes it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> String {
        let members = members(&self.pair);
        let members = members.trim_start_matches('{');
        format!(r#"{{"kid":"{}","alg":"EdDSA","use":"sig",{members}"#, self.kid)
    }
}

/// The members that make the key, in the order of RFC 7638.
fn members(pair: &Ed25519KeyPair) -> String {
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037, appendix A, as `openssl` would write it.
    fn signer() -> Signer {
        let mut der = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ];
        der.extend(URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap());
        Signer::of_pem(&format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))).unwrap()
    }

    #[test]
    fn the_key_of_rfc_8037_signs_and_is_named_as_there() {
        let signer = signer();
        assert_eq!(signer.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let jwk: serde_json::Value = serde_json::from_str(&signer.jwk()).unwrap();
        assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(
            (&jwk["kty"], &jwk["crv"], &jwk["kid"]),
            (&"OKP".into(), &"Ed25519".into(), &signer.kid().into())
        );
        let signature = signer.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
        assert_eq!(format!("{signer:?}"), "Signer");
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        for text in ["CANARY", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----"] {
            std::fs::write(&file, text).unwrap();
            let error = Signer::read(&SecretSource::File(file.clone())).unwrap_err();
            assert!(error.to_string().starts_with("server.signing.key: this is no Ed25519 key"), "{error}");
            assert!(!format!("{error} {error:?}").contains("CANARY"));
        }
    }
}
