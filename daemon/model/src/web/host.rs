//! A host as URLs, Origins and the Host header name it: a name or an IP address, and perhaps a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest name (RFC 1035 2.3.4, as text).
const NAME_BYTES_MAX: usize = 253;

/// A host without its port. Names are in lower case and without the dot that may end them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Ip(IpAddr),
}

impl Host {
    /// Reads `name`, `192.0.2.1` or `[2001:db8::1]`.
    ///
    /// `None` if the text is not a host. A name has letters, digits and `-._~`; URLs write other names as `xn--…`.
    pub fn parse(text: &str) -> Option<Host> {
        if let Some(v6) = text.strip_prefix('[') {
            let v6: Ipv6Addr = v6.strip_suffix(']')?.parse().ok()?;
            return Some(Host::Ip(v6.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) || name.split('.').any(str::is_empty) {
            return None;
        }
        match name.parse::<Ipv4Addr>() {
            Ok(v4) => Some(Host::Ip(v4.into())),
            Err(_) => Some(Host::Name(name.to_ascii_lowercase())),
        }
    }

    /// Reads `host` or `host:port`. An empty port is `None`.
    pub fn with_port(text: &str) -> Option<(Host, Option<u16>)> {
        // The colons of an IPv6 address are inside its brackets.
        let after = text.rfind(']').unwrap_or(0);
        let Some(colon) = text.get(after..)?.find(':').map(|at| after + at) else {
            return Some((Host::parse(text)?, None));
        };
        let (host, port) = (text.get(..colon)?, text.get(colon + 1..)?);
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        Some((Host::parse(host)?, port))
    }

    /// Whether it is this machine on every machine: `localhost`, a name below it (RFC 6761 6.3), 127.0.0.0/8 or
    /// `::1`.
    pub fn is_loopback(&self) -> bool {
        match self {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ip(ip) => ip.to_canonical().is_loopback(),
        }
    }

    /// Whether it is this address.
    pub fn is(&self, address: IpAddr) -> bool {
        matches!(self, Host::Ip(ip) if ip.to_canonical() == address.to_canonical())
    }
}

/// Written as in a URL: an IPv6 address is in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Host::Ip(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_are_read_with_their_ports() {
        for (text, host, port) in [
            ("Ticker.Example.ORG", "ticker.example.org", None),
            ("localhost.:8425", "localhost", Some(8425)),
            ("127.0.0.1:0", "127.0.0.1", Some(0)),
            ("[::1]", "[::1]", None),
            ("[2001:DB8::1]:65535", "[2001:db8::1]", Some(65535)),
            ("a_b-c~d.x:", "a_b-c~d.x", None),
            ("-", "-", None),
        ] {
            let read = Host::with_port(text).map(|(host, port)| (host.to_string(), port));
            assert_eq!(read, Some((host.to_owned(), port)), "{text}");
        }
        let long = "x".repeat(254);
        for text in [
            "",
            ":80",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "a:80:81",
            "a:b",
            "a:65536",
            "a:-1",
            "a:+1",
            "::1",
            "[::1",
            "::1]",
            "[a]",
            "[::1]x",
            "[::1]:80:81",
            "[127.0.0.1]",
            "user@a",
            "a,b",
            "ü",
            "a%2e",
            "*",
            &long,
        ] {
            assert_eq!(Host::with_port(text), None, "{text}");
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        for text in [
            "localhost",
            "LOCALHOST.",
            "a.b.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(Host::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in
            ["localhost.evil.example", "xlocalhost", "127.0.0.1.evil.example", "0.0.0.0", "[::]", "126.0.0.1"]
        {
            assert!(!Host::parse(text).unwrap().is_loopback(), "{text}");
        }
        assert!(Host::parse("[::ffff:192.0.2.1]").unwrap().is("192.0.2.1".parse().unwrap()));
        assert!(!Host::parse("localhost").unwrap().is("127.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn what_was_read_is_read_again(text in "[a-zA-Z0-9.:\\[\\]_-]{0,24}") {
            if let Some((host, _)) = Host::with_port(&text) {
                prop_assert_eq!(Host::parse(&host.to_string()), Some(host));
            }
        }
    }
}
