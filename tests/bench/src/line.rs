//! A subscriber's socket, plain or with TLS over it.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

pub struct Line {
    pub socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Line {
    /// Over a socket that does not block, with TLS if there is something to trust.
    pub fn over(socket: TcpStream, trust: Option<Arc<ClientConfig>>) -> io::Result<Line> {
        let tls = trust.map(|trust| {
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            ClientConnection::new(trust, name).map(Box::new).map_err(io::Error::other)
        });
        Ok(Line { socket, tls: tls.transpose()? })
    }

    /// Whether a read that filled its buffer in part may have left something behind.
    pub fn holds_back(&self) -> bool {
        self.tls.is_some()
    }

    /// Sends what is little: a socket that does not take it whole is an error. During a handshake it is kept until that is done.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.socket.write_all(bytes) };
        tls.writer().write_all(bytes)?;
        flush(tls, &mut self.socket)
    }
}

impl Read for Line {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buf) };
        loop {
            match tls.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            flush(tls, &mut self.socket)?;
        }
    }
}

fn flush(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}
