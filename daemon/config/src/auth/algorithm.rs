//! How an issuer may sign.

/// A signature algorithm of RFC 7518 and RFC 8037. There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// What kind of key an algorithm takes. All algorithms of an issuer have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A secret that both sides have.
    Hmac,
    /// An RSA key.
    Rsa,
    /// A key on the curve P-256 or P-384.
    Ec,
    /// An Ed25519 key.
    Ed,
}

/// The algorithms by the words that stand in tokens.
pub(super) const WORDS: &[(&str, Algorithm)] = &[
    ("HS256", Algorithm::Hs256),
    ("HS384", Algorithm::Hs384),
    ("HS512", Algorithm::Hs512),
    ("RS256", Algorithm::Rs256),
    ("RS384", Algorithm::Rs384),
    ("RS512", Algorithm::Rs512),
    ("PS256", Algorithm::Ps256),
    ("PS384", Algorithm::Ps384),
    ("PS512", Algorithm::Ps512),
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
];

impl Algorithm {
    /// The algorithm of a word, exactly as it stands in a token.
    pub fn of_word(word: &str) -> Option<Algorithm> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, algorithm)| *algorithm)
    }

    /// The word that stands in tokens.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(word, _)| word)
    }

    /// What kind of key it takes.
    pub fn family(self) -> Family {
        match self {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Family::Hmac,
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Family::Rsa,
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Family::Rsa,
            Algorithm::Es256 | Algorithm::Es384 => Family::Ec,
            Algorithm::EdDsa => Family::Ed,
        }
    }
}
