//! Where a daemon is: `ws://HOST:PORT`, `wss://HOST:PORT` or `unix:/PATH`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// A daemon's address for clients. `http` and `https` mean the same as `ws` and `wss`, so that the address of the page can
/// be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub way: Way,
    /// The path of the WebSocket, `/ws` unless a proxy has the daemon below another one.
    pub path: String,
}

/// How the daemon is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    Tcp {
        /// A name or an IP address, the latter without brackets.
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
}

const SOCKET_PATH: &str = "/ws";

impl Address {
    /// What is sent as `Host`.
    pub fn host(&self) -> String {
        match &self.way {
            Way::Tcp { host, port, .. } => format!("{}:{port}", bracketed(host)),
            Way::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// A text that is refused is not repeated: it may hold a password.
    fn from_str(text: &str) -> Result<Address, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.starts_with('/') {
                true => Ok(Address { way: Way::Unix(path.into()), path: SOCKET_PATH.to_owned() }),
                false => Err("the path of a unix socket begins with a slash: unix:/run/tickerd/tickerd.sock"
                    .to_owned()),
            };
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("the address begins with how to connect: ws://HOST:PORT, wss://HOST:PORT or unix:/PATH")?;
        let tls = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err("the address begins with ws://, wss://, http://, https:// or unix:".to_owned()),
        };
        if rest.contains(['?', '#']) {
            return Err("the address has no query; a token is given with --token FILE".to_owned());
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("the address has no name and password; a token is given with --token FILE".to_owned());
        }
        let is_plain =
            |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '}');
        if !rest.chars().all(is_plain) {
            return Err("the address has a character that none may have".to_owned());
        }
        let (host, port) = split(authority)?;
        let port = match port {
            Some(port) => port.parse().map_err(|_| "the port is a number from 1 to 65535".to_owned())?,
            None if tls => 443,
            None => 80,
        };
        let path = path.trim_end_matches('/');
        let path = if path.ends_with(SOCKET_PATH) { path.to_owned() } else { format!("{path}{SOCKET_PATH}") };
        Ok(Address { way: Way::Tcp { host: host.to_owned(), port, tls }, path })
    }
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn split(authority: &str) -> Result<(&str, Option<&str>), String> {
    let missing = || "the address has no host: write ws://HOST:PORT".to_owned();
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("an IPv6 address ends with ]")?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').ok_or("behind ] comes a colon and the port")?),
        };
        // A zone may follow: [fe80::1%eth0].
        let number = host.split('%').next().unwrap_or_default();
        return match number.parse::<Ipv6Addr>() {
            Ok(_) => Ok((host, port)),
            Err(_) => Err("between [ and ] stands an IPv6 address: ws://[::1]:PORT".to_owned()),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if host.is_empty() { Err(missing()) } else { Ok((host, port)) }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for Address {
    /// As it may be given to `--url`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Tcp { host, port, tls } => {
                // Shorter, if it is read as the same.
                let short = self.path.strip_suffix(SOCKET_PATH);
                let short = short.filter(|short| !short.ends_with('/') && !short.ends_with(SOCKET_PATH));
                let path = short.unwrap_or(&self.path);
                write!(f, "{}://{}:{port}{path}", if *tls { "wss" } else { "ws" }, bracketed(host))
            }
            // Two slashes would be read as those of `unix://`.
            Way::Unix(path) if path.as_os_str().as_encoded_bytes().starts_with(b"//") => {
                write!(f, "unix://{}", path.display())
            }
            Way::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown, path, host) in [
            ("ws://127.0.0.1:8425", "ws://127.0.0.1:8425", "/ws", "127.0.0.1:8425"),
            ("http://localhost:8425/", "ws://localhost:8425", "/ws", "localhost:8425"),
            ("ws://localhost:8425/ws", "ws://localhost:8425", "/ws", "localhost:8425"),
            ("wss://live.example", "wss://live.example:443", "/ws", "live.example:443"),
            ("https://live.example/ticks/", "wss://live.example:443/ticks", "/ticks/ws", "live.example:443"),
            ("ws://h:9/ws/ws", "ws://h:9/ws/ws", "/ws/ws", "h:9"),
            ("ws://h:9/a//ws", "ws://h:9/a//ws", "/a//ws", "h:9"),
            ("ws://[fe80::1%lo]:9", "ws://[fe80::1%lo]:9", "/ws", "[fe80::1%lo]:9"),
            ("ws://[::1]:9", "ws://[::1]:9", "/ws", "[::1]:9"),
            ("unix:/run/t.sock", "unix:/run/t.sock", "/ws", "localhost"),
            ("unix:///run/t.sock", "unix:/run/t.sock", "/ws", "localhost"),
            ("unix:////run/t.sock", "unix:////run/t.sock", "/ws", "localhost"),
        ] {
            let address: Address = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((address.to_string().as_str(), address.path.as_str()), (shown, path), "{text}");
            assert_eq!(address.host(), host, "{text}");
            assert_eq!(address.to_string().parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_without_repeating_it() {
        for text in [
            "127.0.0.1:8425",
            "ftp://secret",
            "ws://",
            "ws://:80",
            "ws://user:secret@host",
            "ws://h/ws?token=secret",
            "ws://h:70000",
            "ws://[::1",
            "ws://[::1]80",
            "ws://[]:80",
            "ws://[[secret]",
            "ws://[secret]:80",
            "unix:secret",
            "ws://a b",
            "ws://a\r\nsecret: b",
        ] {
            let why = text.parse::<Address>().expect_err(text);
            assert!(!why.contains("secret"), "{text}: {why}");
        }
    }
}
