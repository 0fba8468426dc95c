//! One TLS session of the server's side, without buffers and without a socket: records come in and plain bytes go out, and
//! the other way round. The only file that knows rustls' connection.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

/// Most plain bytes that [`Session::seal`] takes at once.
pub const PLAIN_MAX: usize = 64 * 1024;
/// Room for these once they are sealed: five records, a change of keys, and a farewell.
pub const SEALED_MAX: usize = PLAIN_MAX + 1024;

/// A session. An idle one costs about 1 KiB.
pub struct Session {
    rustls: Box<UnbufferedServerConnection>,
    is_done: bool,
    has_said_farewell: bool,
    /// Nothing can be said or heard any more.
    is_broken: bool,
}

/// What came of the bytes that were given to [`Session::open`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// So many were used up. What follows is not whole yet, and is to be given again with what comes next.
    pub used: usize,
    /// The peer has said that nothing more comes.
    pub is_end: bool,
}

/// Why a session cannot go on. It is for logs: it holds nothing that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub(crate) String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("is_done", &self.is_done).finish_non_exhaustive()
    }
}

impl Session {
    /// A session of which nothing was said yet.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Session, Broken> {
        let rustls = UnbufferedServerConnection::new(config).map_err(|e| Broken(e.to_string()))?;
        Ok(Session { rustls: Box::new(rustls), is_done: false, has_said_farewell: false, is_broken: false })
    }

    /// Whether the handshake is done.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether the handshake took up an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.rustls.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The client's certificate, if it has shown one that was verified.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        self.rustls.peer_certificates().and_then(|chain| chain.first()).map(|certificate| &**certificate)
    }

    /// Takes what the peer sent. Plain bytes are added to `plain`, and what must be answered to `answer`, which is to be sent
    /// also if this fails: then it says why.
    pub fn open(
        &mut self,
        records: &mut [u8],
        plain: &mut Vec<u8>,
        answer: &mut Vec<u8>,
    ) -> Result<Opened, Broken> {
        if self.is_broken {
            return Err(broken());
        }
        let mut opened = Opened::default();
        loop {
            let rest = records.get_mut(opened.used..).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(rest);
            let mut is_waiting = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(|e| Broken(e.to_string()))?;
                        opened.used += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => append(answer, |room| {
                    data.encode(room).map_err(|error| match error {
                        EncodeError::InsufficientSize(size) => Some(size),
                        EncodeError::AlreadyEncoded => None,
                    })
                })?,
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::BlockedHandshake) => is_waiting = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.is_done = true;
                    is_waiting = true;
                }
                Ok(ConnectionState::PeerClosed) => opened.is_end = true,
                Ok(ConnectionState::Closed) => (opened.is_end, is_waiting) = (true, true),
                Ok(_) => return Err(Broken("early data, which was not offered".into())),
                Err(error) => {
                    self.is_broken = true;
                    self.say_why(answer);
                    return Err(Broken(error.to_string()));
                }
            }
            opened.used += discard;
            if is_waiting {
                return Ok(opened);
            }
        }
    }

    /// After an error: the alert that tells the peer. rustls is asked only if it has one, since it would go on reading
    /// otherwise, and fail again.
    fn say_why(&mut self, answer: &mut Vec<u8>) {
        while self.rustls.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(mut data)) = self.rustls.process_tls_records(&mut []).state
            else {
                return;
            };
            let encoded = append(answer, |room| {
                data.encode(room).map_err(|error| match error {
                    EncodeError::InsufficientSize(size) => Some(size),
                    EncodeError::AlreadyEncoded => None,
                })
            });
            if encoded.is_err() {
                return;
            }
        }
    }

    /// Seals plain bytes, at most [`PLAIN_MAX`], and says how many bytes of `into` they take. It has [`SEALED_MAX`] bytes.
    /// What is sealed must be sent, whole and in order: the peer takes nothing else any more.
    /// `unfinished` is what [`Session::open`] has not used up, since rustls may point into it.
    pub fn seal(&mut self, unfinished: &mut [u8], plain: &[u8], into: &mut [u8]) -> Result<usize, Broken> {
        let mut sealed = 0;
        if self.is_broken {
            return Err(broken());
        }
        loop {
            let room = into.get_mut(sealed..).unwrap_or_default();
            match self.rustls.process_tls_records(unfinished).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    return match traffic.encrypt(plain, room) {
                        Ok(more) => Ok(sealed + more),
                        Err(EncryptError::EncryptExhausted) => Err(Broken("its keys are used up".into())),
                        Err(error @ EncryptError::InsufficientSize(_)) => Err(Broken(error.to_string())),
                    };
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    sealed += data.encode(room).map_err(|error| Broken(error.to_string()))?;
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                // The peer has closed its side, and still listens.
                Ok(ConnectionState::PeerClosed) => {}
                Ok(_) => return Err(Broken("nothing can be said now".into())),
                Err(error) => return Err(Broken(error.to_string())),
            }
        }
    }

    /// Says, once, that nothing more comes. How many bytes of `into` that takes.
    /// `unfinished` is as for [`Session::seal`].
    pub fn farewell(&mut self, unfinished: &mut [u8], into: &mut [u8]) -> Result<usize, Broken> {
        if std::mem::replace(&mut self.has_said_farewell, true) || !self.is_done || self.is_broken {
            return Ok(0);
        }
        let mut said = 0;
        loop {
            let room = into.get_mut(said..).unwrap_or_default();
            match self.rustls.process_tls_records(unfinished).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let more = traffic.queue_close_notify(room);
                    return more.map(|more| said + more).map_err(|error| Broken(error.to_string()));
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    said += data.encode(room).map_err(|error| Broken(error.to_string()))?;
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => {}
                Ok(_) => return Ok(said),
                Err(error) => return Err(Broken(error.to_string())),
            }
        }
    }
}

fn broken() -> Broken {
    Broken("it has failed before".into())
}

/// Adds to `out` what `write` says, which names the room that it needs if there is too little.
fn append(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> Result<(), Broken> {
    let end = out.len();
    let mut room = 0;
    loop {
        out.resize(end + room, 0);
        match write(out.get_mut(end..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(end + written);
                return Ok(());
            }
            Err(Some(InsufficientSizeError { required_size })) if required_size > room => {
                room = required_size
            }
            Err(_) => {
                out.truncate(end);
                return Err(Broken("a record could not be written".into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustls::crypto::CipherSuiteCommon;
    use rustls::crypto::ring::cipher_suite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
    };
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
}
