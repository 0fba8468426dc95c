//! The bytes to and from a daemon: TCP, a unix socket, or TLS over TCP.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CertificateError as Bad, ClientConnection, StreamOwned};

use crate::address::Way;
use crate::failure::Failure;
use crate::target::Target;

/// Either kind of socket, with TLS on the first where asked for. Other kinds of sockets than the standard library's may
/// stand for `T` and `U`.
#[derive(Debug)]
pub enum Stream<T: Read + Write = TcpStream, U = UnixStream> {
    Tcp(T),
    Tls(Box<StreamOwned<ClientConnection, T>>),
    Unix(U),
}

/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// A read waits this long at a time, so that its caller can look at other things in between.
pub(crate) const SLICE: Duration = Duration::from_millis(250);
/// A daemon that takes nothing for this long is lost.
const WRITE: Duration = Duration::from_secs(10);

impl Stream {
    /// Connects. Reads wait for [`SLICE`] at a time.
    pub(crate) fn open(target: &Target) -> Result<Stream, Failure> {
        let stream = match &target.address.way {
            Way::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(|error| unreachable(target, &error))?;
                let set =
                    stream.set_read_timeout(Some(SLICE)).and_then(|()| stream.set_write_timeout(Some(WRITE)));
                set.map_err(|error| unreachable(target, &error))?;
                return Ok(Stream::Unix(stream));
            }
            Way::Tcp { host, port, .. } => {
                connect(host, *port).map_err(|error| unreachable(target, &error))?
            }
        };
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(SLICE)))
            .and_then(|()| stream.set_write_timeout(Some(WRITE)));
        set.map_err(|error| unreachable(target, &error))?;
        Stream::over(stream, target)
    }
}

impl<T: Read + Write, U> Stream<T, U> {
    /// This socket, with TLS on it if the target says so.
    pub(crate) fn over(socket: T, target: &Target) -> Result<Self, Failure> {
        let (Some(tls), Way::Tcp { host, .. }) = (&target.tls, &target.address.way) else {
            return Ok(Stream::Tcp(socket));
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| {
            Failure::Usage("the host of the address is no name that a certificate can have".to_owned())
        })?;
        let session = ClientConnection::new(tls.clone(), name)
            .map_err(|error| Failure::Usage(format!("TLS cannot be used: {error}")))?;
        Ok(Stream::Tls(Box::new(StreamOwned::new(session, socket))))
    }
}

impl<T: Read + Write, U: Read> Read for Stream<T, U> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(bytes),
            Stream::Tls(stream) => stream.read(bytes),
            Stream::Unix(stream) => stream.read(bytes),
        }
    }
}

impl<T: Read + Write, U: Write> Write for Stream<T, U> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
            Stream::Unix(stream) => stream.flush(),
        }
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// What was tried, why it failed, and how to say it otherwise.
pub(crate) fn unreachable(target: &Target, error: &io::Error) -> Failure {
    let change = match (&target.address.way, error.kind()) {
        (Way::Unix(_), io::ErrorKind::PermissionDenied) => "use sudo, or join the group of the socket",
        _ => "start it, or name one that runs: --url ws://HOST:PORT, wss://HOST:PORT or unix:/PATH",
    };
    let why = tls_words(error).unwrap_or_else(|| format!("{}; {change}", plain(error)));
    Failure::away(format!("no tickerd answers at {target}: {why}"))
}

/// Without the number of the error.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Words for a failed TLS handshake, if this is one.
fn tls_words(error: &io::Error) -> Option<String> {
    let failure = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match failure {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            "its certificate is signed by nobody this machine trusts; name its authority with --ca FILE".to_owned()
        }
        rustls::Error::InvalidCertificate(
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
        ) => "its certificate is not valid at this time; is this machine's clock right?".to_owned(),
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "its certificate is for another name; name the host as the certificate does with --url wss://NAME:PORT".to_owned()
        }
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; write ws:// in place of wss://".to_owned(),
        other => format!("TLS failed: {other}"),
    })
}
