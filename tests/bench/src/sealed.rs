//! The floor's TLS: rustls without buffers of its own, which encrypts into a buffer that all sockets share.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, UnbufferedStatus},
};

use crate::tls;

/// Room for what a handshake says, and for what encrypting a beat adds.
const ROOM: usize = 16 * 1024;

/// One session, once its handshake is done.
pub struct Sealed(UnbufferedServerConnection);

pub fn settings(folder: &Path) -> io::Result<Arc<ServerConfig>> {
    let (chain, key) = tls::read(folder)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(io::Error::other)?;
    // Nothing is to be said after the handshake but what the floor says.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

impl Sealed {
    /// Shakes hands, and reads a request until `is_whole`.
    pub fn accept(
        socket: &mut TcpStream,
        settings: &Arc<ServerConfig>,
        is_whole: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Sealed> {
        let mut session = UnbufferedServerConnection::new(settings.clone()).map_err(io::Error::other)?;
        let (mut incoming, mut outgoing, mut request) = (Vec::new(), Vec::new(), Vec::new());
        let mut piece = [0; 4096];
        loop {
            let UnbufferedStatus { mut discard, state } = session.process_tls_records(&mut incoming);
            let mut needs_more = false;
            match state.map_err(io::Error::other)? {
                ConnectionState::EncodeTlsData(mut data) => {
                    let before = outgoing.len();
                    outgoing.resize(before + ROOM, 0);
                    let encoded = data.encode(outgoing.get_mut(before..).unwrap_or_default());
                    let size = encoded.map_err(|error: EncodeError| io::Error::other(error))?;
                    outgoing.truncate(before + size);
                }
                ConnectionState::TransmitTlsData(data) => {
                    socket.write_all(&outgoing)?;
                    outgoing.clear();
                    data.done();
                }
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        discard += record.discard;
                        request.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => needs_more = true,
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            incoming.drain(..discard);
            if is_whole(&request) {
                return Ok(Sealed(session));
            }
            if needs_more {
                match socket.read(&mut piece)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => incoming.extend_from_slice(piece.get(..read).unwrap_or_default()),
                }
            }
        }
    }

    /// Encrypts into `scratch`; how many bytes that are.
    pub fn seal(&mut self, plain: &[u8], scratch: &mut Vec<u8>) -> io::Result<usize> {
        scratch.resize(plain.len() + ROOM, 0);
        match self.0.process_tls_records(&mut []).state.map_err(io::Error::other)? {
            ConnectionState::WriteTraffic(mut traffic) => {
                traffic.encrypt(plain, scratch).map_err(io::Error::other)
            }
            _ => Err(io::ErrorKind::Other.into()),
        }
    }
}
