//! The Origin that a browser sends for a page, an app or an extension (RFC 6454), and the Origins that an operator
//! lists.
//!
//! The configuration and the server read them with the same code, so an operator can list whatever a request may
//! have.

use std::fmt;

use crate::web::host::Host;

/// What a browser says in the header `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebOrigin {
    /// `null`: a file, a sandboxed frame, or a page whose origin the browser hides.
    Null,
    Site {
        /// In lower case.
        scheme: String,
        /// `None` in `file://`.
        host: Option<Host>,
        /// `None` if it is the scheme's own port.
        port: Option<u16>,
    },
}

impl WebOrigin {
    /// Reads `null`, `scheme://host`, `scheme://host:port` or `scheme://`.
    pub fn parse(text: &str) -> Option<WebOrigin> {
        if text == "null" {
            return Some(WebOrigin::Null);
        }
        let (scheme, authority) = text.split_once("://")?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(fits) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        if authority.is_empty() {
            // A web page always has a host.
            return (usual_port(&scheme).is_none()).then_some(WebOrigin::Site {
                scheme,
                host: None,
                port: None,
            });
        }
        let (host, port) = Host::with_port(authority)?;
        let port = port.filter(|port| usual_port(&scheme) != Some(*port));
        Some(WebOrigin::Site { scheme, host: Some(host), port })
    }

    /// Whether the page came from the same host that it connects to, by `http` or `https`. Either scheme counts:
    /// behind a proxy that ends TLS, the page is https and this server is not.
    pub fn is_of(&self, other: &Host, other_port: Option<u16>) -> bool {
        let WebOrigin::Site { scheme, host: Some(host), port } = self else { return false };
        let Some(usual) = usual_port(scheme) else { return false };
        host == other && port.unwrap_or(usual) == other_port.unwrap_or(usual)
    }
}

impl WebOrigin {
    /// Whether it is a page that this machine serves, by `http` or `https`.
    pub fn is_loopback(&self) -> bool {
        let WebOrigin::Site { scheme, host: Some(host), .. } = self else { return false };
        usual_port(scheme).is_some() && host.is_loopback()
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WebOrigin::Site { scheme, host, port } = self else { return f.write_str("null") };
        write!(f, "{scheme}://")?;
        if let Some(host) = host {
            write!(f, "{host}")?;
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The port that `http` and `https` imply.
fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// An Origin as an operator lists it: itself, or with `:*` the same host at any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    origin: WebOrigin,
    any_port: bool,
}

impl Listed {
    /// Reads what [`WebOrigin::parse`] does, or `scheme://host:*`.
    pub fn parse(text: &str) -> Option<Listed> {
        let Some(site) = text.strip_suffix(":*") else {
            return Some(Listed { origin: WebOrigin::parse(text)?, any_port: false });
        };
        // What is before `:*` must be a host without a port.
        Host::parse(site.split_once("://")?.1)?;
        Some(Listed { origin: WebOrigin::parse(site)?, any_port: true })
    }

    /// Whether the list entry allows this Origin.
    pub fn admits(&self, origin: &WebOrigin) -> bool {
        match (&self.origin, origin) {
            (WebOrigin::Site { scheme, host, .. }, WebOrigin::Site { scheme: other, host: at, .. })
                if self.any_port =>
            {
                scheme == other && host == at
            }
            (listed, origin) => listed == origin,
        }
    }

    /// Whether the entry names a single site.
    pub fn is_by_name(&self) -> bool {
        !self.any_port && self.origin != WebOrigin::Null
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, if self.any_port { ":*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> WebOrigin {
        WebOrigin::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn pages_apps_and_extensions_have_one() {
        for (text, written) in [
            ("null", "null"),
            ("HTTPS://Dash.Example:443", "https://dash.example"),
            ("http://[::1]:8425", "http://[::1]:8425"),
            ("https://a.example:80", "https://a.example:80"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("app://-", "app://-"),
            ("file://", "file://"),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
            ("moz-extension://0b1c-2d3e", "moz-extension://0b1c-2d3e"),
        ] {
            assert_eq!(origin(text).to_string(), written);
        }
        for text in [
            "",
            "NULL",
            "a",
            "://",
            "://a",
            "http://",
            "https://",
            "1a://b",
            "a b://c",
            "http://a/",
            "http://a/b",
            "http://a?b",
            "http://a:80:81",
            "http://a:x",
            "http://a b",
            "http://u@a",
            "http://*",
            "http://a:*",
            "*",
        ] {
            assert_eq!(WebOrigin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_host_is_known_behind_any_scheme_of_the_web() {
        let of = |text, host| {
            let (host, port) = Host::with_port(host).unwrap();
            origin(text).is_of(&host, port)
        };
        for (text, host) in [
            ("http://localhost:8425", "localhost:8425"),
            ("http://LOCALHOST:8425", "localhost:8425"),
            ("https://ticks.example.com", "ticks.example.com"),
            ("https://ticks.example.com", "ticks.example.com:443"),
            ("http://ticks.example.com:80", "ticks.example.com"),
            ("http://[::1]:8425", "[::1]:8425"),
        ] {
            assert!(of(text, host), "{text} {host}");
        }
        for (text, host) in [
            ("null", "localhost:8425"),
            ("http://evil.example", "localhost:8425"),
            ("http://localhost", "localhost:8425"),
            ("http://localhost:8425.evil.example", "localhost:8425"),
            ("http://localhost:8424", "localhost:8425"),
            ("https://ticks.example.com:80", "ticks.example.com"),
            ("file://", "localhost:8425"),
            ("capacitor://localhost", "localhost"),
        ] {
            assert!(WebOrigin::parse(text).is_none() || !of(text, host), "{text} {host}");
        }
    }

    #[test]
    fn what_is_listed_is_meant_and_nothing_else() {
        let admits = |listed, text| Listed::parse(listed).unwrap().admits(&origin(text));
        for (listed, text) in [
            ("https://Dash.example.com", "https://dash.example.com:443"),
            ("null", "null"),
            ("http://localhost:*", "http://localhost:5173"),
            ("http://localhost:*", "http://localhost"),
            ("file://", "file://"),
        ] {
            assert!(admits(listed, text), "{listed} {text}");
        }
        for (listed, text) in [
            ("https://dash.example.com", "http://dash.example.com"),
            ("https://dash.example.com", "https://dash.example.com:8443"),
            ("http://localhost:*", "https://localhost"),
            ("http://localhost:*", "http://a.localhost"),
            ("null", "file://"),
            ("file://", "null"),
        ] {
            assert!(!admits(listed, text), "{listed} {text}");
        }
        for (listed, by_name) in [("https://a.example", true), ("null", false), ("http://localhost:*", false)]
        {
            assert_eq!(Listed::parse(listed).unwrap().is_by_name(), by_name, "{listed}");
        }
        for text in ["*", "http://*", "http://*:*", "null:*", "file://:*", "http://a:80:*", "http://a:*:*"] {
            assert_eq!(Listed::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_request_may_have_may_be_listed(text in "([a-z]{1,5}://)?[a-z0-9.:\\[\\]*-]{0,20}") {
            if let Some(origin) = WebOrigin::parse(&text) {
                prop_assert!(Listed::parse(&origin.to_string()).is_some_and(|listed| listed.admits(&origin)));
            }
        }
    }
}
