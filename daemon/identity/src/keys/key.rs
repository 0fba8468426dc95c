//! One key, and the only place that verifies a signature. A key has a kind, so that none can be taken for another.

use ring::signature::{self as by, RsaPublicKeyComponents, UnparsedPublicKey};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use tickerd_config::{Algorithm, Family};

/// A key for one kind of signature.
pub(crate) enum Key {
    /// A secret of both sides.
    Hmac(Box<[u8]>),
    /// Modulus and exponent, without leading zeros.
    Rsa { n: Box<[u8]>, e: Box<[u8]> },
    /// A point on P-256, uncompressed.
    P256(Box<[u8]>),
    /// A point on P-384, uncompressed.
    P384(Box<[u8]>),
    /// An Ed25519 public key.
    Ed(Box<[u8]>),
}

impl Key {
    /// The kind of algorithms it is for.
    pub fn family(&self) -> Family {
        match self {
            Key::Hmac(_) => Family::Hmac,
            Key::Rsa { .. } => Family::Rsa,
            Key::P256(_) | Key::P384(_) => Family::Ec,
            Key::Ed(_) => Family::Ed,
        }
    }

    /// Whether an algorithm takes keys of this kind.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm) {
            (Key::P256(_), algorithm) => algorithm == Algorithm::Es256,
            (Key::P384(_), algorithm) => algorithm == Algorithm::Es384,
            _ => self.family() == algorithm.family(),
        }
    }

    /// Whether this is the key's signature of a message. A key that does not fit the algorithm verifies nothing.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let public = |how: &'static dyn by::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Key::Hmac(secret), Algorithm::Hs256) => shared(hmac::HMAC_SHA256, secret, message, signature),
            (Key::Hmac(secret), Algorithm::Hs384) => shared(hmac::HMAC_SHA384, secret, message, signature),
            (Key::Hmac(secret), Algorithm::Hs512) => shared(hmac::HMAC_SHA512, secret, message, signature),
            (Key::Rsa { n, e }, algorithm) => match rsa(algorithm) {
                Some(how) => RsaPublicKeyComponents { n, e }.verify(how, message, signature).is_ok(),
                None => false,
            },
            (Key::P256(key), Algorithm::Es256) => public(&by::ECDSA_P256_SHA256_FIXED, key),
            (Key::P384(key), Algorithm::Es384) => public(&by::ECDSA_P384_SHA384_FIXED, key),
            (Key::Ed(key), Algorithm::EdDsa) => public(&by::ED25519, key),
            _ => false,
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static by::RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&by::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&by::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&by::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&by::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&by::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&by::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn shared(how: hmac::Algorithm, secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    debug_assert!(how.digest_algorithm().output_len() <= digest::MAX_OUTPUT_LEN);
    let made = hmac::sign(&hmac::Key::new(how, secret), message);
    bool::from(made.as_ref().ct_eq(signature))
}
