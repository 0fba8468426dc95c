//! A byte stream to a provider, plain or TLS, whose reads end at a time the caller sets.

use std::fmt::{self, Display};
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tickerd_sdk::Host;
use tungstenite::http::Uri;

use crate::http::{Stage, io_words, no_such_host};
use crate::{Fault, tls};

use super::settings::Settings;

/// The longest time between two checks whether the feed should stop.
pub(crate) const SLICE: Duration = Duration::from_millis(250);
/// The longest wait for a peer that takes no bytes. What a feed sends fits into any socket's buffer, so such a peer
/// is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// A TCP stream whose reads return `WouldBlock` from a set time on, however slowly bytes come.
pub(crate) struct Timed {
    tcp: TcpStream,
    until: Instant,
    timeout: Duration,
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if Instant::now() >= self.until {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            match self.tcp.read(buf) {
                // A signal came, such as one of the daemon's own timers.
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tcp.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// A connection: plain, or TLS.
pub(crate) enum Wire {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Wire {
    /// Connects to `whom`, trying each of its addresses, and prepares TLS if the URL asks for it. The TLS handshake
    /// is part of the first write.
    pub(crate) fn connect(settings: &Settings, whom: &Whom, host: &Host) -> Result<Wire, Fault> {
        // The trust store is read first, so that a wrong `ca_file` is told even on a machine without a network.
        let tls = whom.tls.then(|| tls::client_config(settings.ca_file.as_deref())).transpose();
        let tls = tls.map_err(|e| Fault::Refused { status: 0, message: e.to_string() })?;
        let tcp = dial(whom, settings.connect, host)?;
        let set_up = || tcp.set_nodelay(true).and_then(|()| tcp.set_write_timeout(Some(WRITE_TIMEOUT)));
        set_up().map_err(|e| whom.lost(&e, Stage::Asking))?;
        let timed = Timed { tcp, until: Instant::now(), timeout: Duration::ZERO };
        let Some(config) = tls else { return Ok(Wire::Plain(timed)) };
        let name = ServerName::try_from(whom.name.clone())
            .map_err(|e| Fault::Refused { status: 0, message: format!("base_url: {}: {e}", whom.name) })?;
        let tls = ClientConnection::new(config, name).map_err(|e| whom.unavailable(&e))?;
        Ok(Wire::Tls(Box::new(StreamOwned::new(tls, timed))))
    }

    /// Lets reads wait for at most `wait` from now, in total.
    pub(crate) fn allow(&mut self, wait: Duration) -> io::Result<()> {
        let timed = match self {
            Wire::Plain(timed) => timed,
            Wire::Tls(tls) => &mut tls.sock,
        };
        // A timeout of zero would mean no timeout.
        let wait = wait.max(Duration::from_millis(1));
        timed.until = Instant::now() + wait;
        // Rounded to whole milliseconds, so that waits of about the same length need only one call to the kernel.
        let timeout = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) + 1);
        if timed.timeout != timeout {
            timed.tcp.set_read_timeout(Some(timeout))?;
            timed.timeout = timeout;
        }
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(timed) => timed.read(buf),
            Wire::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(timed) => timed.write(buf),
            Wire::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(timed) => timed.flush(),
            Wire::Tls(tls) => tls.flush(),
        }
    }
}

/// The provider that is connected to.
#[derive(Debug, Clone)]
pub(crate) struct Whom {
    /// Its name in messages: `kraken`.
    pub source: &'static str,
    /// Its host name or address.
    pub name: String,
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

impl Whom {
    /// Reads the parts of a URL.
    ///
    /// # Errors
    /// [`Fault::Refused`] with what to change. The text does not hold the URL, which may hold a key.
    pub(crate) fn parse(source: &'static str, url: &str) -> Result<(Whom, Uri), Fault> {
        let wrong = |why: &str| Fault::Refused {
            status: 0,
            message: format!(
                "base_url: {why}; give it as wss://host or wss://host:port/path, or leave it out for {source}'s own"
            ),
        };
        let uri: Uri = url.parse().map_err(|_| wrong("this is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(wrong("only ws and wss are spoken here")),
        };
        let authority =
            uri.authority().filter(|a| !a.host().is_empty()).ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user or password may not stand in it, as URLs are shown"));
        }
        // A literal IPv6 address is in brackets in a URL, and nowhere else.
        let name = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok((Whom { source, name, port, tls }, uri))
    }

    /// `name:port`.
    pub(crate) fn host(&self) -> String {
        format!("{}:{}", self.name, self.port)
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.name == "localhost" || self.name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The fault for a provider that cannot be reached or has troubles: `what` says what it did.
    pub(crate) fn unavailable(&self, what: &dyn Display) -> Fault {
        Fault::Unavailable { message: format!("{self} {what}") }
    }

    /// The connection failed.
    pub(crate) fn lost(&self, error: &io::Error, stage: Stage) -> Fault {
        Fault::Unavailable { message: format!("{}: {}", self.source, io_words(error, stage, &self.host())) }
    }
}

impl Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}:{}", self.source, self.name, self.port)
    }
}

/// Looks the name up and connects to the first of its addresses that answers, all within `within`.
///
/// This runs on a thread of its own, since neither the resolver nor a connect can be interrupted. A thread that is
/// still waiting when this has given up ends by itself, within the resolver's own limit, and holds nothing.
fn dial(whom: &Whom, within: Duration, host: &Host) -> Result<TcpStream, Fault> {
    let until = Instant::now() + within;
    let (give, take) = mpsc::sync_channel(1);
    let target = whom.clone();
    let thread = std::thread::Builder::new().name("dial".into());
    let spawned = thread.spawn(move || {
        // If the caller has given up, sending fails and the connection closes.
        let _ = give.send(dial_each(&target, until));
    });
    spawned
        .map_err(|e| whom.unavailable(&format_args!("cannot be reached: no thread to do it with ({e})")))?;
    loop {
        if host.should_stop() {
            return Err(Fault::Stopping);
        }
        host.heartbeat();
        let left = until.saturating_duration_since(Instant::now());
        match take.recv_timeout(SLICE.min(left)) {
            Ok(dialled) => return dialled,
            Err(_) if left.is_zero() => {
                return Err(
                    whom.unavailable(&format_args!("did not answer within {} s", within.as_secs_f64()))
                );
            }
            Err(_) => {}
        }
    }
}

fn dial_each(whom: &Whom, until: Instant) -> Result<TcpStream, Fault> {
    let unknown = || Fault::Unavailable { message: format!("{}: {}", whom.source, no_such_host(&whom.name)) };
    let addresses: Vec<_> =
        (whom.name.as_str(), whom.port).to_socket_addrs().map_err(|_| unknown())?.collect();
    let mut last = unknown();
    for (i, address) in addresses.iter().enumerate() {
        // A dead address must not use up the time of the addresses after it.
        let share = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let left = until.saturating_duration_since(Instant::now()) / share;
        match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
            Ok(tcp) => return Ok(tcp),
            Err(e) => last = whom.lost(&e, Stage::Asking),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let whom = |url| Whom::parse("kraken", url).unwrap().0;
        let kraken = whom("wss://WS.kraken.com/v2");
        assert_eq!(
            (kraken.host().as_str(), kraken.tls, kraken.is_loopback()),
            ("ws.kraken.com:443", true, false)
        );
        let own = whom("ws://[::1]:81/x?y=z");
        assert_eq!((own.host().as_str(), own.tls, own.is_loopback()), ("::1:81", false, true));
        assert!(whom("ws://localhost").is_loopback());
    }

    #[test]
    fn a_bad_url_is_told_with_the_remedy_and_without_itself() {
        for (url, says) in [
            ("", "not a URL"),
            ("ws kraken", "not a URL"),
            ("https://hunter2.example", "only ws and wss"),
            ("ws.kraken.com/hunter2", "not a URL"),
            ("wss://u:hunter2@x.example", "user or password"),
        ] {
            let text = Whom::parse("kraken", url).unwrap_err().to_string();
            assert!(text.starts_with("base_url: ") && text.contains(says), "{url}: {text}");
            assert!(text.contains("leave it out for kraken's own") && !text.contains("hunter2"), "{text}");
        }
    }
}
