//! Where the daemon listens: an IP address with its port, or a unix socket.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Longest path of a unix socket: `sun_path` is 108 bytes and ends in a zero (unix(7)).
const UNIX_PATH_BYTES_MAX: usize = 107;
/// Port of the default of `listen`.
const PORT: u16 = 8425;

/// One listening address, written `127.0.0.1:8425`, `[::1]:8425` or `unix:/run/tickerd/tickerd.sock`. Port 0 lets
/// the system choose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    Tcp(SocketAddr),
    /// Absolute path.
    Unix(PathBuf),
}

/// A listening address and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: Listen,
    /// TLS, with the certificate of `[server.tls]`. Default false.
    pub tls: bool,
    /// A header of the PROXY protocol comes first, from a proxy that knows the client's address. Default false.
    pub proxy: bool,
}

/// Plain, as a text in `listen` is.
impl From<Listen> for Listener {
    fn from(address: Listen) -> Listener {
        Listener { address, tls: false, proxy: false }
    }
}

impl fmt::Display for Listener {
    /// As a client would write it: `https://127.0.0.1:8443/`, or the address of a unix socket. Only a proxy can use one with
    /// the PROXY protocol, which is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.address, self.tls) {
            (Listen::Tcp(address), true) => write!(f, "https://{address}/"),
            (Listen::Tcp(address), false) => write!(f, "http://{address}/"),
            (unix, true) => write!(f, "{unix} (TLS)"),
            (unix, false) => write!(f, "{unix}"),
        }?;
        f.write_str(if self.proxy { " (PROXY protocol)" } else { "" })
    }
}

impl Listen {
    /// Whether another machine could connect.
    pub fn is_public(&self) -> bool {
        match self {
            Listen::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Listen::Unix(_) => false,
        }
    }

    /// Reads an address. What is offered in place of one without a port has this port.
    pub(super) fn read(text: &str, port: u16) -> Result<Self, ListenError> {
        match text.strip_prefix("unix:") {
            Some(path) => unix(path),
            None => text.parse().map(Listen::Tcp).map_err(|_| refuse(text, port)),
        }
    }

    /// Whether it is impossible to listen on both at once. Ports chosen by the system never clash.
    pub(super) fn clashes_with(&self, other: &Listen) -> bool {
        match (self, other) {
            (Listen::Tcp(one), Listen::Tcp(two)) => {
                let covers = |one: &SocketAddr, two: &SocketAddr| {
                    // [::] takes the IPv4 addresses too, as long as the system is left as it is.
                    one.ip().is_unspecified() && (one.is_ipv6() || two.is_ipv4())
                };
                let is_same = one.ip() == two.ip() || covers(one, two) || covers(two, one);
                is_same && one.port() == two.port() && one.port() != 0
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a text is not a listening address, and what to write in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenError {
    pub what: String,
    pub change: String,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.change)
    }
}

impl std::error::Error for ListenError {}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        Listen::read(text, PORT)
    }
}

fn unix(path: &str) -> Result<Listen, ListenError> {
    let error = |what: &str, change: &str| ListenError { what: what.to_owned(), change: change.to_owned() };
    if !path.starts_with('/') || path.len() < 2 {
        return Err(error(
            "a unix socket needs its whole path",
            "write it from the root, such as \"unix:/run/tickerd/tickerd.sock\"",
        ));
    }
    if path.len() > UNIX_PATH_BYTES_MAX || path.contains('\0') {
        return Err(error(
            "the system takes socket paths of at most 107 bytes, without a zero byte",
            "use a shorter path, such as \"unix:/run/tickerd/tickerd.sock\"",
        ));
    }
    Ok(Listen::Unix(PathBuf::from(path)))
}

/// Names the likely mistake: a port alone, no port, a name, or a URL.
fn refuse(text: &str, usual: u16) -> ListenError {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let (what, change) = if let Some((scheme, rest)) = text.split_once("://") {
        (
            "this is a URL, and an address is needed".to_owned(),
            match rest.trim_end_matches('/').parse::<SocketAddr>() {
                Ok(address) => format!("write \"{address}\", without {scheme}://"),
                Err(_) => format!("write an address and its port, such as \"127.0.0.1:{usual}\""),
            },
        )
    } else if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let address = SocketAddr::new(ip, usual);
        ("the port is missing".to_owned(), format!("write \"{address}\""))
    } else if let Some(port) = Some(text.strip_prefix(':').unwrap_or(text)).filter(|port| is_port(port)) {
        ("the address in front of the port is missing".to_owned(), format!("write \"127.0.0.1:{port}\""))
    } else if text.starts_with('/') {
        match unix(text) {
            Ok(socket) => ("a unix socket starts with unix:".to_owned(), format!("write \"{socket}\"")),
            Err(error) => return error,
        }
    } else if let Some((name, port)) = text.rsplit_once(':').filter(|(_, port)| is_port(port)) {
        match name {
            "localhost" => {
                ("this is a name, and an address is needed".to_owned(), format!("write \"127.0.0.1:{port}\""))
            }
            "*" => ("this is no address".to_owned(), format!("write \"0.0.0.0:{port}\" for every address")),
            _ => (
                "this is a name, and an address is needed".to_owned(),
                format!("write the address of one interface, such as \"127.0.0.1:{port}\""),
            ),
        }
    } else {
        ("this is no address with a port".to_owned(), format!("write one such as \"127.0.0.1:{usual}\""))
    };
    ListenError { what, change }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_write_back() {
        for text in ["127.0.0.1:8425", "[::1]:0", "0.0.0.0:1", "unix:/run/tickerd/tickerd.sock"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn slips_are_named() {
        for (text, change) in [
            ("8425", "\"127.0.0.1:8425\""),
            (":8425", "\"127.0.0.1:8425\""),
            ("127.0.0.1", "\"127.0.0.1:8425\""),
            ("::1", "\"[::1]:8425\""),
            ("localhost:80", "\"127.0.0.1:80\""),
            ("*:80", "\"0.0.0.0:80\""),
            ("ticks.example:80", "address of one interface"),
            ("http://127.0.0.1:80/", "\"127.0.0.1:80\", without http://"),
            ("/run/t.sock", "\"unix:/run/t.sock\""),
            ("unix:t.sock", "from the root"),
            ("127.0.0.1:99999", "such as"),
            ("", "such as"),
        ] {
            let error = text.parse::<Listen>().expect_err(text);
            assert!(error.change.contains(change), "{text}: {error}");
        }
        assert!(format!("unix:/{}", "x".repeat(107)).parse::<Listen>().is_err());
    }

    #[test]
    fn only_loopback_and_unix_are_private() {
        for (text, public) in [
            ("127.0.0.1:1", false),
            ("127.8.8.8:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("unix:/run/t", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("192.168.1.4:1", true),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().is_public(), public, "{text}");
        }
    }
}
