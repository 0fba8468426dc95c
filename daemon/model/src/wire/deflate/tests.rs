//! Both directions against another library, against any bytes, and against hostile clients.

use proptest::prelude::*;

use super::*;

/// A whole message as a client with this window sends it.
fn client(text: &[u8], level: u32, window_bits: u8) -> Vec<u8> {
    let mut state = Compress::new_with_window_bits(Compression::new(level), false, window_bits);
    let mut payload = Vec::with_capacity(text.len() + text.len() / 1000 + 100);
    state.compress_vec(text, &mut payload, FlushCompress::Sync).unwrap();
    assert_eq!(state.total_in(), text.len() as u64);
    payload.strip_suffix(&TAIL).unwrap().to_vec()
}

/// What a client with this window reads.
fn read(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let input = [payload, &TAIL_AND_END].concat();
    let independent = miniz_oxide::inflate::decompress_to_vec(&input).unwrap();
    let mut state = Decompress::new_with_window_bits(false, window_bits);
    let mut text = Vec::with_capacity(independent.len() + 1);
    assert_eq!(state.decompress_vec(&input, &mut text, FlushDecompress::None).unwrap(), Status::StreamEnd);
    assert_eq!(text, independent);
    text
}

const LIMIT: usize = 4096;

fn inflate(payload: &[u8]) -> Result<Vec<u8>, CloseCode> {
    Inflater::default().inflate(payload, LIMIT).map(<[u8]>::to_vec)
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // RFC 7692 7.2.3.1 to 7.2.3.6.
    let mut inflater = Inflater::default();
    for payload in [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_eq!(inflater.inflate(payload, LIMIT), Ok(&b"Hello"[..]), "{payload:x?}");
    }
    assert_eq!(inflater.inflate(&[0x00], LIMIT), Ok(&b""[..]));
    // 7.2.3.2: a message that refers to the one before is refused, since no client may send it to this server.
    assert_eq!(inflater.inflate(&[0xf2, 0x00, 0x11, 0x00, 0x00], LIMIT), Err(CloseCode::InvalidData));
}

/// Deflate has no checksum, so not every cut can be noticed. All of these can.
#[test]
fn what_is_cut_short_is_refused() {
    let whole = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for len in 0..whole.len() {
        assert_eq!(inflate(&whole[..len]), Err(CloseCode::InvalidData), "{len}");
    }
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let bomb = client(&vec![0; 64 << 20], 9, 15);
    assert!(bomb.len() < 70_000);
    let mut inflater = Inflater::default();
    assert_eq!(inflater.inflate(&bomb, LIMIT), Err(CloseCode::MessageTooBig));
    assert!(inflater.out.capacity() <= LIMIT + 1, "{}", inflater.out.capacity());
    assert_eq!(inflater.inflate(&client(b"after", 6, 15), LIMIT), Ok(&b"after"[..]));
    // Many small streams in one message.
    let streams = [0x4b, 0x04, 0x00].repeat(LIMIT + 1);
    assert_eq!(inflater.inflate(&streams, LIMIT), Err(CloseCode::MessageTooBig));
    assert_eq!(inflater.inflate(&[0x03, 0x00].repeat(10_000), LIMIT), Ok(&b""[..]));
}

#[test]
fn the_limit_is_met_exactly() {
    for (size, fits) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
        let text = vec![b'x'; size];
        let expected = if fits { Ok(text.clone()) } else { Err(CloseCode::MessageTooBig) };
        assert_eq!(inflate(&client(&text, 6, 15)), expected, "{size}");
        assert_eq!(inflate(&client(&text, 0, 15)), expected, "{size} stored");
    }
}

#[test]
fn what_does_not_get_shorter_is_not_compressed() {
    let mut deflater = Deflater::new(6, 15);
    assert_eq!(deflater.deflate(b""), None);
    assert_eq!(deflater.deflate(b"abc"), None);
    let noise: Vec<u8> = (0..5000).map(|_| rand::random()).collect();
    assert_eq!(deflater.deflate(&noise), None);
    assert!(deflater.deflate(&[b'x'; 5000]).is_some_and(|payload| payload.len() < 50));
    for text in [&b""[..], b"a", &noise[..3000], &noise] {
        for (level, bits) in [(1, 9), (6, 15), (9, 10)] {
            let mut deflater = Deflater::new(level, bits);
            assert_eq!(deflater.deflate_anyway(text).map(|payload| read(payload, bits)), Some(text.to_vec()));
        }
    }
}

/// What does not shrink leaves nothing behind for the messages after it, at any level and window.
#[test]
fn noise_again_and_again_does_no_harm() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let byte = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        (0..length).map(byte).collect()
    };
    let text = b"{\"price\":\"101.25\",\"bid\":\"101.24\",\"ask\":\"101.26\"}".repeat(4);
    for level in [1, 2, 6, 9] {
        for (bits, length) in [(9, 1_000), (13, 1_000), (15, 20_000), (15, 128_000)] {
            let mut deflater = Deflater::new(level, bits);
            for round in 0..(2 << 20) / length {
                assert_eq!(deflater.deflate(&noise(length)), None, "{level} {bits} {length} {round}");
            }
            let payload = deflater.deflate(&text).unwrap();
            assert_eq!(read(payload, bits), text, "{level} {bits} {length}");
        }
    }
}

/// Text with repetitions near and far.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof!["[a-z]{1,12}", r#""price":"[0-9]{1,5}\.[0-9]{2}","#, "\\PC{1,5}"];
    let words = prop::collection::vec(word, 1..20);
    (words, prop::collection::vec(any::<prop::sample::Index>(), 0..400))
        .prop_map(|(words, at)| at.iter().flat_map(|at| words[at.index(words.len())].bytes()).collect())
}

proptest! {
    #[test]
    fn what_is_sent_is_read_with_the_window_that_was_promised(text in text(), level in 1u8..=9, bits in 9u8..=15) {
        let mut deflater = Deflater::new(level, bits);
        for _ in 0..2 {
            if let Some(payload) = deflater.deflate(&text) {
                prop_assert!(payload.len() < text.len());
                prop_assert_eq!(read(payload, bits), text.clone());
            } else {
                prop_assert!(client(&text, u32::from(level), bits).len() >= text.len());
            }
        }
    }

    #[test]
    fn what_clients_send_is_read(text in text(), level in 0u32..=9, bits in 9u8..=15) {
        let payload = client(&text, level, bits);
        let expected = if text.len() <= LIMIT { Ok(text) } else { Err(CloseCode::MessageTooBig) };
        prop_assert_eq!(inflate(&payload), expected);
    }

    /// Also checks that one message leaves nothing behind for the next.
    #[test]
    fn what_is_cut_or_changed_harms_nobody(
        text in text(),
        cut in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let whole = client(&text, 6, 15);
        let mut inflater = Inflater::default();
        let _ = inflater.inflate(&whole[..cut.index(whole.len())], LIMIT);
        let mut changed = whole.clone();
        let at = flip.index(changed.len());
        changed[at] ^= 0x55;
        let _ = inflater.inflate(&changed, LIMIT);
        if text.len() <= LIMIT {
            prop_assert_eq!(inflater.inflate(&whole, LIMIT), Ok(&text[..]));
        }
    }

    #[test]
    fn any_bytes_are_answered_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut inflater = Inflater::default();
        let _ = inflater.inflate(&bytes, LIMIT);
        prop_assert!(inflater.out.capacity() <= LIMIT + 1);
    }
}
