//! What async-nats needs of the crate `nkeys`: a key pair from a seed, as NATS writes it, and its signatures. By ring, which is
//! there already; the crate of that name brings 27 others. The workspace puts this one in its place (`[patch.crates-io]`).
//!
//! A seed is base32 of two bytes that say what it is for, 32 bytes of an Ed25519 seed, and a checksum.
#![forbid(unsafe_code)]

use std::fmt;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// What a seed begins with: its first five bits are an `S`.
const SEED: u8 = 18 << 3;

pub struct KeyPair {
    /// Whom it is of: user, account, server: the first letter of the public key.
    whose: u8,
    pair: Ed25519KeyPair,
}

/// Never with what was read: that is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is no seed as NATS writes it: S, then letters A to Z and digits 2 to 7, with a checksum",
        )
    }
}

impl std::error::Error for Error {}

impl KeyPair {
    /// # Errors
    /// It is no seed, or was cut or mistyped.
    pub fn from_seed(seed: &str) -> Result<KeyPair, Error> {
        let bytes: [u8; 36] = decode(seed.trim())?.try_into().map_err(|_| Error)?;
        let (body, sum) = bytes.split_at(34);
        let [first, second, key @ ..] = body else { return Err(Error) };
        if sum != checksum(body).to_le_bytes() || first & 0xf8 != SEED {
            return Err(Error);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(key).map_err(|_| Error)?;
        Ok(KeyPair { whose: (first & 7) << 5 | second >> 3, pair })
    }

    /// # Errors
    /// None; the crate in whose place it stands has some.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }

    #[must_use]
    pub fn public_key(&self) -> String {
        let mut bytes = vec![self.whose];
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        encode(&bytes)
    }
}

/// Writes a seed for a key of that kind: `b'U'` a user's, `b'A'` an account's, `b'O'` an operator's.
///
/// # Panics
/// It is none of NATS' letters.
#[must_use]
pub fn seed(kind: u8, key: &[u8; 32]) -> String {
    let at = ALPHABET.iter().position(|letter| *letter == kind).and_then(|at| u8::try_from(at).ok());
    let whose = at.expect("a letter of base32") << 3;
    let mut bytes = vec![SEED | whose >> 5, whose << 3];
    bytes.extend_from_slice(key);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    encode(&bytes)
}

/// CRC-16 as XMODEM has it.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(
            sum ^ u16::from(*byte) << 8,
            |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 },
        )
    })
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET
            .iter()
            .position(|known| *known == letter)
            .and_then(|at| u32::try_from(at).ok())
            .ok_or(Error)?;
        held = held << 5 | value;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).map_err(|_| Error)?);
            held &= (1 << bits) - 1;
        }
    }
    if bits >= 5 || held != 0 { Err(Error) } else { Ok(bytes) }
}

/// As base32 has it, without `=` at its end.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As NATS' own documentation has it: a seed and its public key.
    const KNOWN: [&str; 2] = [
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
        "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
    ];

    #[test]
    fn a_known_seed_has_its_known_public_key() {
        assert_eq!(KeyPair::from_seed(KNOWN[0]).map(|pair| pair.public_key()), Ok(KNOWN[1].to_owned()));
    }

    #[test]
    fn what_was_written_is_read() {
        for kind in *b"UAO" {
            let pair = KeyPair::from_seed(&seed(kind, &[7; 32])).expect("a seed");
            assert_eq!(pair.public_key().as_bytes()[0], kind);
            assert_eq!(pair.sign(b"nonce").map(|signature| signature.len()), Ok(64));
        }
    }

    #[test]
    fn what_is_no_seed_is_refused_and_not_repeated() {
        let [seed, public] = KNOWN;
        let mistyped = seed.replace("SSL3", "SSL4");
        for bad in ["", "S", "ä", "SUAC", public, &mistyped, &seed[1..], &format!("{seed}A")] {
            let error = KeyPair::from_seed(bad).map(|pair| pair.public_key()).expect_err(bad);
            assert!(bad.len() < 2 || !error.to_string().contains(bad), "{error}");
        }
    }
}
