//! The three parts of a JWT, before anything in them is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tickerd_config::Algorithm;
use tickerd_model::access::refusal::Refusal;

use super::json;

/// A JWT that was taken apart. Nothing in it is proved.
pub(crate) struct Parts<'t> {
    /// How it says it was signed. It is compared with what the issuer may use, and chooses nothing.
    pub algorithm: Algorithm,
    /// The name of the key.
    pub kid: Option<String>,
    /// What was signed.
    pub signed: &'t str,
    pub signature: Vec<u8>,
    pub claims: Map<String, Value>,
}

impl<'t> Parts<'t> {
    /// Whether a text has the form of a JWT, so that it is not taken for a static token.
    pub fn is_jwt(token: &str) -> bool {
        token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Takes a token apart.
    pub fn read(token: &'t str) -> Result<Parts<'t>, Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let header = json::object(&decode(header)?).ok_or(Refusal::Malformed)?;
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Refusal::Malformed)?;
        let algorithm = Algorithm::of_word(algorithm).ok_or(Refusal::Algorithm)?;
        if header.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(Refusal::Malformed),
        };
        let signature = decode(signature)?;
        let claims = json::object(&decode(payload)?).ok_or(Refusal::Malformed)?;
        Ok(Parts { algorithm, kid, signed, signature, claims })
    }

    /// Who says it issued the token.
    pub fn issuer(&self) -> Result<&str, Refusal> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(Refusal::Issuer)
    }
}
