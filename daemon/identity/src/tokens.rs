//! Static tokens, and that of the administration. They are kept as SHA-256, which is enough for a random token of 32 characters or more.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tickerd_config::{StaticToken, TokenSource};
use tickerd_model::access::secret::Secret;

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
            let digest = digest(&token.token).map_err(placed)?;
            if let Some(earlier) = digests.iter().position(|known| *known == digest) {
                let name = tokens.get(earlier).map_or("", |token| token.name.as_str());
                let what = format!("this is the same token as that of {name}");
                return Err(placed(Error::new(what, "give each its own, or delete one")));
            }
            digests.push(digest);
        }
        Ok(Tokens(digests))
    }

    /// The first bytes of each digest, which tell a value from another and do not help to find it.
    pub fn values(&self) -> impl Iterator<Item = [u8; 8]> {
        self.0.iter().filter_map(|digest| digest.first_chunk().copied())
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

/// The digest of a token.
fn digest(source: &TokenSource) -> Result<[u8; 32], Error> {
    match source {
        TokenSource::Sha256(digest) => Ok(digest.0),
        TokenSource::Secret(source) => {
            let secret = secrets::read(source)?;
            if secret.expose().chars().count() < CHARACTERS_MIN {
                let what =
                    format!("the token has fewer than {CHARACTERS_MIN} characters, and can be guessed");
                return Err(Error::new(what, "make one with `openssl rand -base64 32`"));
            }
            Ok(sha256(secret.expose().as_bytes()))
        }
    }
}

/// The token of the administration over HTTP.
pub struct AdminToken {
    source: TokenSource,
    digest: RwLock<[u8; 32]>,
}

impl AdminToken {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, or it is short.
    pub fn open(source: &TokenSource) -> Result<AdminToken, Error> {
        let read = digest(source).map_err(|error| error.at(&["server", "admin_token"]))?;
        Ok(AdminToken { source: source.clone(), digest: RwLock::new(read) })
    }

    /// Reads it again. Whether it is another one now.
    ///
    /// # Errors
    /// It cannot be read, or it is short. The one before stays.
    pub fn reload(&self) -> Result<bool, Error> {
        let read = digest(&self.source).map_err(|error| error.at(&["server", "admin_token"]))?;
        let mut digest = self.digest.write().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut *digest, read) != read)
    }

    /// Whether this is it. The comparison takes the same time for each.
    pub fn is(&self, token: &Secret) -> bool {
        let digest = self.digest.read().unwrap_or_else(PoisonError::into_inner);
        bool::from(digest.ct_eq(&sha256(token.expose().as_bytes())))
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
