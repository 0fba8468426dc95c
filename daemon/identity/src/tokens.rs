//! Static tokens. They are kept as SHA-256, which is enough for a random token of 32 characters or more.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tickerd_config::{StaticToken, TokenSource};

use crate::error::Error;
use crate::secrets;

/// Shortest token that is taken from a file, a credential or the environment, in characters.
const CHARACTERS_MIN: usize = 32;

/// The digests of all static tokens, in the order of the configuration.
pub(crate) struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// Reads all of them.
    pub fn read(tokens: &[StaticToken]) -> Result<Tokens, Error> {
        let mut digests: Vec<[u8; 32]> = Vec::with_capacity(tokens.len());
        for (at, token) in tokens.iter().enumerate() {
            let placed = |error: Error| error.at(&["auth", "token", &at.to_string(), "token"]);
            let digest = match &token.token {
                TokenSource::Sha256(digest) => digest.0,
                TokenSource::Secret(source) => {
                    let secret = secrets::read(source).map_err(placed)?;
                    if secret.expose().chars().count() < CHARACTERS_MIN {
                        let what = format!(
                            "the token has fewer than {CHARACTERS_MIN} characters, and can be guessed"
                        );
                        return Err(placed(Error::new(what, "make one with `openssl rand -base64 32`")));
                    }
                    sha256(secret.expose().as_bytes())
                }
            };
            if let Some(earlier) = digests.iter().position(|known| *known == digest) {
                let name = tokens.get(earlier).map_or("", |token| token.name.as_str());
                let what = format!("this is the same token as that of {name}");
                return Err(placed(Error::new(what, "give each its own, or delete one")));
            }
            digests.push(digest);
        }
        Ok(Tokens(digests))
    }

    /// Which of them this is. All are compared, and each comparison takes the same time.
    pub fn find(&self, token: &str) -> Option<usize> {
        let digest = sha256(token.as_bytes());
        let (mut found, mut place) = (Choice::from(0), 0u32);
        for (at, known) in (0u32..).zip(&self.0) {
            let is_this = known.ct_eq(&digest);
            place.conditional_assign(&at, is_this);
            found |= is_this;
        }
        bool::from(found).then_some(place as usize)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
