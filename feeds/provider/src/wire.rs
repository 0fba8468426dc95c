//! A byte stream to a provider, plain or TLS, whose reads end at a time the caller sets.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tickerd_sdk::Host;

use crate::socket::Settings;
use crate::{Fault, tls};

/// The longest time without asking whether the feed should stop.
pub(crate) const SLICE: Duration = Duration::from_millis(250);
/// The longest wait for a peer that takes no bytes. What a feed says fits any socket's buffer, so such a peer is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// TCP whose reads answer `WouldBlock` from a set time on, however slowly bytes drip in.
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
                // A signal, such as the daemon's own timers.
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
    /// Connects to `name`, trying each of its addresses, and prepares TLS if asked to; its handshake is part of the
    /// first write.
    pub(crate) fn connect(
        settings: &Settings,
        name: &str,
        port: u16,
        tls: bool,
        host: &Host,
    ) -> Result<Wire, Fault> {
        // The trust store first: a wrong `ca_file` should be told on a machine without a network, too.
        let tls = tls.then(|| tls::client_config(settings.ca_file.as_deref())).transpose();
        let tls = tls.map_err(|e| Fault::Refused { status: 0, message: e.to_string() })?;
        let tcp = dial(name, port, settings.connect, host)?;
        let set_up = || tcp.set_nodelay(true).and_then(|()| tcp.set_write_timeout(Some(WRITE_TIMEOUT)));
        set_up().map_err(|e| unavailable(format!("{name}: {e}")))?;
        let timed = Timed { tcp, until: Instant::now(), timeout: Duration::ZERO };
        let Some(config) = tls else { return Ok(Wire::Plain(timed)) };
        let bad_name =
            |e| Fault::Refused { status: 0, message: format!("`{name}` cannot be in a certificate: {e}") };
        let server = ServerName::try_from(name.to_owned()).map_err(bad_name)?;
        let tls = ClientConnection::new(config, server).map_err(|e| unavailable(format!("{name}: {e}")))?;
        Ok(Wire::Tls(Box::new(StreamOwned::new(tls, timed))))
    }

    /// Lets reads wait for at most `wait` from now, all together.
    pub(crate) fn allow(&mut self, wait: Duration) -> io::Result<()> {
        let timed = match self {
            Wire::Plain(timed) => timed,
            Wire::Tls(tls) => &mut tls.sock,
        };
        // Zero would mean for ever.
        let wait = wait.max(Duration::from_millis(1));
        timed.until = Instant::now() + wait;
        // Whole milliseconds, so that waits of one length are one setting.
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

/// Looks `name` up and connects to the first of its addresses that answers, all within `within`.
///
/// On a thread of its own, for neither the resolver nor a connect can be interrupted. One that still waits when this
/// has given up ends by itself, within the resolver's own limit, and holds nothing.
fn dial(name: &str, port: u16, within: Duration, host: &Host) -> Result<TcpStream, Fault> {
    let until = Instant::now() + within;
    let (give, take) = mpsc::sync_channel(1);
    let target = name.to_owned();
    let thread = std::thread::Builder::new().name("dial".into());
    let spawned = thread.spawn(move || {
        // Nobody waits for it any more: the connection closes.
        let _ = give.send(dial_each(&target, port, until));
    });
    spawned.map_err(|e| unavailable(format!("no thread to connect with: {e}")))?;
    loop {
        if host.should_stop() {
            return Err(Fault::Stopping);
        }
        host.heartbeat();
        let left = until.saturating_duration_since(Instant::now());
        match take.recv_timeout(SLICE.min(left)) {
            Ok(dialled) => return dialled.map_err(unavailable),
            Err(_) if left.is_zero() => {
                return Err(unavailable(format!(
                    "cannot reach {name}:{port}: no answer within {:.0} s",
                    within.as_secs_f64()
                )));
            }
            Err(_) => {}
        }
    }
}

fn dial_each(name: &str, port: u16, until: Instant) -> Result<TcpStream, String> {
    let unknown = |why: String| format!("cannot look up {name}: {why}; check the name, and the network");
    let addresses: Vec<_> = (name, port).to_socket_addrs().map_err(|e| unknown(e.to_string()))?.collect();
    let mut last = unknown("no address".into());
    for (i, address) in addresses.iter().enumerate() {
        // A dead address must not eat up the time of those after it.
        let share = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let left = until.saturating_duration_since(Instant::now()) / share;
        match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
            Ok(tcp) => return Ok(tcp),
            Err(e) => last = format!("cannot reach {name} at {address}: {e}"),
        }
    }
    Err(last)
}

pub(crate) fn unavailable(message: String) -> Fault {
    Fault::Unavailable { message }
}
