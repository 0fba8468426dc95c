//! What one node gives another, closed for that node and that moment: who has listened can open it neither now nor later.
//!
//! The asking node makes a key pair for one answer, and the answering one another (X25519). Both halves are thrown away, so a ticket
//! that is found in a log later opens nothing that was recorded before.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, PublicKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::hmac;
use ring::rand::SystemRandom;

/// Bytes of a public key.
pub const KEY_BYTES: usize = 32;

/// Takes one answer.
pub struct Letterbox {
    own: EphemeralPrivateKey,
    key: PublicKey,
}

impl Letterbox {
    /// None: the system has no random numbers.
    pub fn new() -> Option<Letterbox> {
        let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).ok()?;
        let key = own.compute_public_key().ok()?;
        Some(Letterbox { own, key })
    }

    /// What the other node is told.
    pub fn key(&self) -> [u8; KEY_BYTES] {
        self.key.as_ref().try_into().unwrap_or_default()
    }

    /// None: it was not closed for this letterbox.
    pub fn open(self, closed: &[u8]) -> Option<Box<[u8]>> {
        let (theirs, closed) = closed.split_at_checked(KEY_BYTES)?;
        let (mine, mut bytes) = (self.key(), closed.to_vec());
        let key = agreed(self.own, theirs, &mine, theirs)?;
        let opened = key.open_in_place(nonce(), Aad::empty(), &mut bytes).ok()?;
        Some((&*opened).into())
    }
}

/// Closes it for who has the letterbox of that key. None: that is no key.
pub fn close(letterbox: &[u8], mut bytes: Vec<u8>) -> Option<Box<[u8]>> {
    let Letterbox { own, key: mine } = Letterbox::new()?;
    let key = agreed(own, letterbox, letterbox, mine.as_ref())?;
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).ok()?;
    Some([mine.as_ref(), &bytes].concat().into())
}

/// The key of both, bound to the letterbox and to who has put something into it.
fn agreed(own: EphemeralPrivateKey, theirs: &[u8], letterbox: &[u8], sender: &[u8]) -> Option<LessSafeKey> {
    let key = agree_ephemeral(own, &UnparsedPublicKey::new(&X25519, theirs), |shared| {
        let about = [b"tickerd envelope".as_slice(), letterbox, sender].concat();
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, shared), &about)
    });
    UnboundKey::new(&AES_256_GCM, key.ok()?.as_ref()).ok().map(LessSafeKey::new)
}

/// A key closes one answer alone.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_letterbox_opens_it_and_nobody_else() {
        let (mine, other) = (Letterbox::new().unwrap(), Letterbox::new().unwrap());
        let closed = close(&mine.key(), b"a token".to_vec()).unwrap();
        assert!(!closed.windows(7).any(|part| part == b"a token"));
        assert_ne!(closed, close(&mine.key(), b"a token".to_vec()).unwrap(), "another key each time");
        assert_eq!(other.open(&closed), None);
        assert_eq!(mine.open(&closed).as_deref(), Some(b"a token".as_slice()));
    }

    #[test]
    fn what_is_odd_or_damaged_opens_nothing() {
        for key in [&[][..], &[7; 31], &[0; KEY_BYTES], &[7; 33]] {
            assert_eq!(close(key, b"x".to_vec()), None, "{key:?}");
        }
        let closed = |letterbox: &Letterbox| close(&letterbox.key(), b"x".to_vec()).unwrap();
        for at in 0..KEY_BYTES + 17 {
            let mine = Letterbox::new().unwrap();
            let mut bytes = closed(&mine).to_vec();
            bytes[at] ^= 1;
            assert_eq!(mine.open(&bytes), None, "{at}");
        }
        for length in [0, KEY_BYTES - 1, KEY_BYTES, KEY_BYTES + 5] {
            let mine = Letterbox::new().unwrap();
            let bytes = closed(&mine);
            assert_eq!(mine.open(&bytes[..length]), None, "{length}");
        }
    }
}
