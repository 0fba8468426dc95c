//! Sealed bytes through a carrier that takes as many as it is told, to a client that is not ours.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tickerd_config as config;
use tickerd_tls::Certificates;

use super::*;

/// Takes `room` bytes, and gives what was put in.
#[derive(Default)]
struct Wire(RefCell<State>);

#[derive(Default)]
struct State {
    room: usize,
    taken: Vec<u8>,
    given: VecDeque<u8>,
    writes: usize,
    is_closed: bool,
}

impl Carrier for Wire {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        state.writes += 1;
        let count = bytes.len().min(state.room);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.room -= count;
        state.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        if state.given.is_empty() && !state.is_closed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into.len().min(state.given.len());
        for (to, byte) in into.iter_mut().zip(state.given.drain(..count)) {
            *to = byte;
        }
        Ok(count)
    }
}

struct Pair {
    wire: Wire,
    server: Secured,
    client: ClientConnection,
}

fn settings() -> (Certificates, Arc<RootCertStore>) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = config::Tls {
        certificate,
        key,
        client_ca: None,
        client_crl: None,
        client_required: false,
        admin: false,
    };
    let certificates = Certificates::load(&tls).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (certificates, Arc::new(roots))
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Pair {
        let (certificates, roots) = settings();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut session = certificates.begin().unwrap();
        let (mut plain, mut answer, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
        while client.is_handshaking() || !session.is_done() {
            while client.wants_write() {
                client.write_tls(&mut unfinished).unwrap();
            }
            let opened = session.open(&mut unfinished, &mut plain, &mut answer).unwrap();
            unfinished.drain(..opened.used);
            let mut rest = &answer[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets().unwrap();
            }
            answer.clear();
        }
        let server = Secured::new(session, Vec::new(), Vec::new());
        Pair { wire: Wire::default(), server, client }
    }

    fn room(&self, bytes: usize) {
        self.wire.0.borrow_mut().room = bytes;
    }

    /// All that the client can read of what the wire has taken.
    fn heard(&mut self) -> Vec<u8> {
        let taken = std::mem::take(&mut self.wire.0.borrow_mut().taken);
        let mut rest = &taken[..];
        let mut plain = Vec::new();
        let mut buffer = vec![0; 1 << 17];
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets().expect("what is sealed is sent whole and in order");
            while let Ok(count @ 1..) = self.client.reader().read(&mut buffer) {
                plain.extend_from_slice(&buffer[..count]);
            }
        }
        plain
    }

    /// Puts what the client has to say on the wire, and gives that.
    fn says(&mut self, plain: &[u8]) -> Vec<u8> {
        use std::io::Write;
        self.client.writer().write_all(plain).unwrap();
        let mut records = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut records).unwrap();
        }
        records
    }

    fn give(&self, bytes: &[u8]) {
        self.wire.0.borrow_mut().given.extend(bytes);
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut into = vec![0; 64 * 1024];
        let count = self.server.read(&self.wire, &mut into)?;
        into.truncate(count);
        Ok(into)
    }
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + seed * 17) as u8).collect()
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn whatever_the_socket_takes_of_a_beat_the_rest_follows() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        // Two records.
        let beat = bytes(16 * 1024 + 300, 1);
        pair.room(usize::MAX);
        assert_eq!(pair.server.write(&pair.wire, &beat).unwrap(), beat.len());
        assert_eq!(pair.wire.0.borrow().writes, 1, "one write for all");
        let sealed = pair.wire.0.borrow().taken.len();
        assert_eq!(pair.heard(), beat);
        for cut in 0..sealed {
            pair.room(cut);
            assert_eq!(pair.server.write(&pair.wire, &beat).unwrap(), beat.len());
            assert!(pair.server.owes());
            pair.room(0);
            would_block(pair.server.write(&pair.wire, b"later"));
            pair.room(usize::MAX);
            assert_eq!(pair.server.flush(&pair.wire).unwrap(), sealed - cut);
            assert!(!pair.server.owes());
            assert_eq!(pair.heard(), beat, "cut at {cut}");
        }
    }
}

#[test]
fn no_more_is_sealed_ahead_than_the_bound() {
    let mut pair = Pair::new(&rustls::version::TLS13);
    let beat = bytes(3 * PLAIN_MAX, 2);
    pair.room(100);
    assert_eq!(pair.server.write(&pair.wire, &beat).unwrap(), PLAIN_MAX);
    assert!(pair.server.unsent.len() <= SEALED_MAX);
    pair.room(usize::MAX);
    pair.server.flush(&pair.wire).unwrap();
    assert_eq!(pair.server.write(&pair.wire, &beat[PLAIN_MAX..]).unwrap(), 2 * PLAIN_MAX);
    assert_eq!(pair.heard(), beat);
    assert_eq!(pair.server.unsent.capacity(), 0, "an idle one holds nothing");
}

#[test]
fn fragments_are_joined_and_an_unfinished_record_is_noticed() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        let records = pair.says(b"a command");
        for byte in &records[..records.len() - 1] {
            pair.give(&[*byte]);
            would_block(pair.read());
        }
        assert_eq!([pair.server.count_unfinished_s(), pair.server.count_unfinished_s()], [1, 2]);
        pair.give(&records[records.len() - 1..]);
        assert_eq!(pair.read().unwrap(), b"a command");
        assert_eq!(pair.server.count_unfinished_s(), 0);
        assert_eq!(pair.server.unfinished.capacity(), 0, "an idle one holds nothing");
        would_block(pair.read());
    }
}

#[test]
fn an_announced_length_reserves_nothing() {
    let mut pair = Pair::new(&rustls::version::TLS13);
    pair.give(&[0x17, 3, 3, 0x40, 0, 1, 2]);
    would_block(pair.read());
    assert_eq!(pair.server.unfinished.capacity(), 7);
}

#[test]
fn garbage_and_changed_records_end_the_session() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.give(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(pair.read().unwrap_err().kind(), io::ErrorKind::InvalidData);
        let mut pair = Pair::new(version);
        let mut records = pair.says(b"a command");
        *records.last_mut().unwrap() ^= 1;
        pair.give(&records);
        assert_eq!(pair.read().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn ends_are_told_both_ways_once() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.client.send_close_notify();
        let last = pair.says(b"");
        pair.give(&last);
        assert_eq!(pair.read().unwrap(), b"");
        assert!(pair.server.is_end());
        assert_eq!(pair.read().unwrap(), b"", "and stays so");
        // The server may still say what it has to say.
        pair.room(usize::MAX);
        pair.server.write(&pair.wire, b"more").unwrap();
        assert_eq!(pair.heard(), b"more");
        pair.room(3);
        assert!(!pair.server.say_farewell(&pair.wire));
        pair.room(usize::MAX);
        assert!(pair.server.say_farewell(&pair.wire));
        let said = pair.wire.0.borrow().taken.len();
        assert!(pair.server.say_farewell(&pair.wire));
        assert_eq!(pair.wire.0.borrow().taken.len(), said, "once");
        assert_eq!(pair.heard(), b"");
        assert_eq!(pair.client.reader().read(&mut [0; 9]).unwrap(), 0, "a clean end");
    }
}

#[test]
fn a_change_of_keys_is_followed() {
    let mut pair = Pair::new(&rustls::version::TLS13);
    pair.room(usize::MAX);
    for round in 0..3 {
        pair.client.refresh_traffic_keys().unwrap();
        let said = pair.says(b"after");
        pair.give(&said);
        assert_eq!(pair.read().unwrap(), b"after");
        let words = bytes(100, round);
        pair.server.write(&pair.wire, &words).unwrap();
        assert_eq!(pair.heard(), words);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Takes(usize),
    Flush,
    Says(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..40_000).prop_map(Step::Write),
        1 => (60_000usize..200_000).prop_map(Step::Write),
        4 => (0usize..50_000).prop_map(Step::Takes),
        3 => Just(Step::Flush),
        2 => (1usize..30_000, 1usize..9_000).prop_map(|(count, chunk)| Step::Says(count, chunk)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the socket takes and gives: the client hears all that was accepted, in order, and nothing else, and the
    /// server hears all that the client said.
    #[test]
    fn all_that_is_accepted_arrives(is_new in any::<bool>(), steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::new(if is_new { VERSIONS[0] } else { VERSIONS[1] });
        let (mut accepted, mut heard) = (Vec::new(), Vec::new());
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(count) => {
                    let words = bytes(count, at);
                    let owed = pair.server.owes();
                    match pair.server.write(&pair.wire, &words) {
                        Ok(count) => accepted.extend_from_slice(&words[..count]),
                        Err(e) => prop_assert!(owed && e.kind() == io::ErrorKind::WouldBlock),
                    }
                }
                Step::Takes(count) => pair.room(count),
                Step::Flush => match pair.server.flush(&pair.wire) {
                    Ok(_) => {}
                    Err(e) => prop_assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
                },
                Step::Says(count, chunk) => {
                    let words = bytes(count, at);
                    let mut got = Vec::new();
                    for part in pair.says(&words).chunks(chunk) {
                        pair.give(part);
                        if let Ok(more) = pair.read() {
                            got.extend(more);
                        }
                    }
                    prop_assert!(got == words);
                }
            }
            prop_assert!(pair.server.unsent.len() <= SEALED_MAX);
            heard.extend(pair.heard());
        }
        pair.room(usize::MAX);
        pair.server.flush(&pair.wire).unwrap();
        heard.extend(pair.heard());
        prop_assert!(heard == accepted);
    }
}
