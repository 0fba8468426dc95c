//! The signature of a tick: the last two keys of its `data`.
//!
//! What is signed is the whole message as it would be without them. So a client that verifies cuts them off the text that
//! it received, and writes no JSON of its own:
//! ```text
//! sent    {"event":"quote","data":{"topic":"s.a","seq":1,"ts":1767225600123,"value":1,"sig":"…","kid":"…"}}
//! signed  {"event":"quote","data":{"topic":"s.a","seq":1,"ts":1767225600123,"value":1}}
//! ```
//! A feed's own JSON stands inside `value`. Whatever keys it has, they are closed by one brace more, so no value looks like
//! a signature.

use std::fmt;

/// What every message ends with: its `data`, and itself.
const END: &[u8] = b"}}";
/// About how many bytes a signature takes in a message.
pub const BYTES: usize = 150;

/// Signs messages.
pub trait Sign: fmt::Debug + Send + Sync {
    /// Signs `text` and appends `,"sig":"…","kid":"…"` to `out`, at most 255 bytes.
    fn sign(&self, text: &[u8], out: &mut Vec<u8>);
}

/// Puts the signature of a message into it. Returns how many bytes that are.
pub fn append(signer: &dyn Sign, message: &mut Vec<u8>) -> usize {
    let mut signature = Vec::with_capacity(BYTES + END.len());
    signer.sign(message, &mut signature);
    debug_assert!(signature.len() <= usize::from(u8::MAX) && message.ends_with(END));
    message.truncate(message.len().saturating_sub(END.len()));
    message.extend_from_slice(&signature);
    message.extend_from_slice(END);
    signature.len()
}

/// A message without its signature, which has `signature` bytes.
pub fn without(message: &[u8], signature: usize) -> Vec<u8> {
    let end = message.len().saturating_sub(signature + END.len());
    [message.get(..end).unwrap_or_default(), END].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sample::Class;
    use crate::tick::Tick;
    use crate::topic::Topic;
    use crate::wire::deflate::Settings;
    use crate::wire::encoding::{Encoder, Encoding};
    use crate::wire::frame::Frame;
    use crate::wire::msgpack;

    /// Says how many bytes it was given.
    #[derive(Debug)]
    struct Count;

    impl Sign for Count {
        fn sign(&self, text: &[u8], out: &mut Vec<u8>) {
            out.extend_from_slice(format!(r#","sig":"{}","kid":"k""#, text.len()).as_bytes());
        }
    }

    fn frame(value: &str, signer: Option<&Arc<dyn Sign>>) -> Frame {
        let topic = Topic::new("s.a", "quote", Class::State);
        let value = value.as_bytes().into();
        let tick = Tick { topic, seq: 1, n: 1, ts: 7, src_ts: 0, from: None, value, merged: 0 };
        Frame::of(tick, signer)
    }

    fn bytes(frame: &Frame, encoding: Encoding) -> Vec<u8> {
        frame.bytes(encoding, &Encoder::new("e", Settings::default())).to_vec()
    }

    #[test]
    fn the_signature_is_last_and_covers_all_before_it() {
        let signer: Arc<dyn Sign> = Arc::new(Count);
        for value in ["1", r#"{"sig":"x","kid":"y"}"#, r#"[1,{"a":"}}"}]"#] {
            let (plain, signed) = (frame(value, None), frame(value, Some(&signer)));
            let text = String::from_utf8(plain.envelope().to_vec()).unwrap();
            let cut = text.strip_suffix("}}").unwrap();
            let expected = format!(r#"{cut},"sig":"{}","kid":"k"}}}}"#, text.len());
            assert_eq!(signed.envelope(), expected.as_bytes());
            let at = expected.len() - cut.len() - 2;
            assert_eq!(without(signed.envelope(), at), plain.envelope());
            assert!(!plain.envelope().ends_with(br#""y"}}"#) && signed.weight() > plain.weight());
        }
    }

    #[test]
    fn every_json_has_the_same_text_and_messagepack_has_no_signature() {
        let signer: Arc<dyn Sign> = Arc::new(Count);
        let (plain, signed) = (frame("1.50", None), frame("1.50", Some(&signer)));
        let text = signed.envelope();
        for encoding in [Encoding::Json, Encoding::Sse] {
            let bytes = bytes(&signed, encoding);
            assert!(bytes.windows(text.len()).any(|part| part == text), "{encoding:?}");
            assert_eq!(&*signed.quoted(encoding), text);
        }
        assert_eq!(bytes(&signed, Encoding::Msgpack), bytes(&plain, Encoding::Msgpack));
        assert_eq!(&*signed.quoted(Encoding::MsgpackDeflated), plain.envelope());
        let mut binary = Vec::new();
        msgpack::write(plain.envelope(), &mut binary);
        assert!(bytes(&signed, Encoding::Msgpack).ends_with(&binary));
    }
}
