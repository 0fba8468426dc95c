//! Sessions against rustls' own client: messages in pieces, and keys that are used up.

use std::io::Read;

use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::ring::cipher_suite::{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::ResolvesServerCertUsingSni;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, SupportedCipherSuite, SupportedProtocolVersion, Tls12CipherSuite,
    Tls13CipherSuite,
};

use super::*;

fn session() -> Session {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let none = Arc::new(ResolvesServerCertUsingSni::new());
    Session::new(Arc::new(builder.unwrap().with_no_client_auth().with_cert_resolver(none))).unwrap()
}

/// A session and its client, whose keys are good for so many records only.
fn pair(records: u64, version: &'static SupportedProtocolVersion) -> (Session, ClientConnection) {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites = vec![match version.version {
        rustls::ProtocolVersion::TLSv1_3 => {
            let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { unreachable!() };
            let common = CipherSuiteCommon { confidentiality_limit: records, ..suite.common };
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite { common, ..*suite })))
        }
        _ => {
            let suite = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
            let SupportedCipherSuite::Tls12(suite) = suite else { unreachable!() };
            let common = CipherSuiteCommon { confidentiality_limit: records, ..suite.common };
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite { common, ..*suite })))
        }
    }];
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let usual = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(usual).with_safe_default_protocol_versions();
    let trust = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    let mut session = Session::new(Arc::new(config)).unwrap();
    let mut client = ClientConnection::new(Arc::new(trust), "localhost".try_into().unwrap()).unwrap();
    while !session.is_done() {
        exchange(&mut session, &mut client);
    }
    exchange(&mut session, &mut client);
    (session, client)
}

/// What the client has to say, and the answer.
fn exchange(session: &mut Session, client: &mut ClientConnection) {
    let (mut records, mut plain, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    while client.wants_write() {
        client.write_tls(&mut records).unwrap();
    }
    session.open(&mut records, &mut plain, &mut answer).unwrap();
    hear(client, &answer);
}

fn hear(client: &mut ClientConnection, mut sealed: &[u8]) {
    while !sealed.is_empty() {
        client.read_tls(&mut sealed).unwrap();
        client.process_new_packets().unwrap();
    }
}

/// In 19 days of ten records a second, keys of AES-GCM are used up. In TLS 1.3 others take their place.
#[test]
fn keys_that_are_used_up_are_changed() {
    let (mut session, mut client) = pair(100, &TLS13);
    let mut room = vec![0; SEALED_MAX];
    for number in 0..1_000_u32 {
        let sealed = session.seal(&mut [], &number.to_be_bytes(), &mut room).unwrap();
        hear(&mut client, &room[..sealed]);
        let mut heard = [0; 4];
        client.reader().read_exact(&mut heard).unwrap();
        assert_eq!(u32::from_be_bytes(heard), number);
        // The client changes its keys too.
        exchange(&mut session, &mut client);
    }
}

/// TLS 1.2 cannot do that: the session ends before they are used up, and says so to the client.
#[test]
fn in_tls_1_2_the_session_ends_before_its_keys_are_used_up() {
    let (mut session, mut client) = pair(100, &TLS12);
    let mut room = vec![0; SEALED_MAX];
    let mut heard = 0;
    let failed = loop {
        match session.seal(&mut [], b"x", &mut room) {
            Ok(sealed) => hear(&mut client, &room[..sealed]),
            Err(broken) => break broken,
        }
        heard += client.reader().read(&mut [0; 4]).unwrap();
        assert!(heard <= 100, "no key is used longer than it is good for");
    };
    assert!(heard > 90, "{heard}");
    assert!(failed.to_string().contains("used up"), "{failed}");
}

/// A whole record with the beginning of a message: rustls keeps its place in what was not used up.
#[test]
fn a_message_that_is_not_whole_is_no_reason_to_fail() {
    let (mut plain, mut answer, mut room) = (Vec::new(), Vec::new(), vec![0; SEALED_MAX]);
    let mut session = session();
    let mut records = b"\x16\x03\x01\x00\x05\x01\x00\x10\x00\x00".to_vec();
    let opened = session.open(&mut records, &mut plain, &mut answer).unwrap();
    records.drain(..opened.used);
    assert!(session.seal(&mut records, b"x", &mut room).is_err(), "before the handshake is done");
    assert_eq!(session.farewell(&mut records, &mut room), Ok(0));
    records.extend_from_slice(b"\x17\x03\x03\x00\x01x");
    assert!(session.open(&mut records, &mut plain, &mut answer).is_err());
    assert!(session.open(&mut [], &mut plain, &mut answer).is_err());
    assert!(session.seal(&mut [], b"x", &mut room).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read(
        pieces in proptest::collection::vec(proptest::collection::vec(0u8..32, 0..40), 1..8),
        cuts in proptest::collection::vec(1usize..60, 1..8),
    ) {
        let mut session = session();
        let mut bytes = Vec::new();
        for piece in &pieces {
            bytes.extend_from_slice(&[0x16, 3, 3, 0, piece.len() as u8]);
            bytes.extend_from_slice(piece);
        }
        let (mut plain, mut answer, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
        let mut cuts = cuts.into_iter().cycle();
        while !bytes.is_empty() {
            let cut = cuts.next().unwrap_or(1).min(bytes.len());
            unfinished.extend(bytes.drain(..cut));
            let Ok(opened) = session.open(&mut unfinished, &mut plain, &mut answer) else { break };
            unfinished.drain(..opened.used);
        }
    }
}
