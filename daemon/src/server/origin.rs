//! Which web pages may connect. Browsers send cookies and reach loopback for any page, so the Origin must be checked
//! here (RFC 6455 10.2); programs send none and are let in.

use std::time::Instant;

use super::log_limit::LogLimit;

pub struct Origins {
    allowed: Vec<String>,
    log: LogLimit,
}

impl Origins {
    pub fn new(allowed: Vec<String>) -> Origins {
        Origins { allowed, log: LogLimit::default() }
    }

    /// Whether a page of `origin` may connect to `host` (the Host header). A refusal is logged with its remedy.
    pub fn admit(&self, origin: &str, host: &str) -> bool {
        let admitted = same_host(origin, host)
            || self.allowed.iter().any(|allowed| allowed == "*" || normal(allowed) == normal(origin));
        if !admitted && let Some(suppressed) = self.log.pass(Instant::now()) {
            let line = self.remedy(origin);
            tracing::warn!(
                suppressed,
                "refused a page of another origin; to allow it, set in [server]: {line}"
            );
        }
        admitted
    }

    /// The configuration line that lets `origin` in. Debug formatting of visible ASCII is a TOML basic string.
    fn remedy(&self, origin: &str) -> String {
        let all: Vec<_> = self.allowed.iter().map(String::as_str).chain([origin]).collect();
        format!("origins = {all:?}")
    }
}

/// Whether the page came from the very host it connects to. The scheme is left out: behind a proxy that ends TLS the
/// page's is https and ours is not.
fn same_host(origin: &str, host: &str) -> bool {
    let origin = normal(origin);
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let host = normal(&format!("{scheme}://{host}"));
    host.split_once("://").is_some_and(|(_, host)| host == authority)
}

/// Lower case, without a trailing slash and without the port that the scheme implies.
fn normal(origin: &str) -> String {
    let mut normal = origin.trim_end_matches('/').to_ascii_lowercase();
    let port = match normal.split_once("://") {
        Some(("http" | "ws", _)) => ":80",
        Some(("https" | "wss", _)) => ":443",
        _ => return normal,
    };
    if normal.ends_with(port) {
        normal.truncate(normal.len() - port.len());
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_host_is_let_in_behind_any_scheme() {
        for (origin, host) in [
            ("http://localhost:8425", "localhost:8425"),
            ("http://LOCALHOST:8425", "localhost:8425"),
            ("https://ticks.example.com", "ticks.example.com"),
            ("https://ticks.example.com", "ticks.example.com:443"),
            ("http://ticks.example.com:80", "ticks.example.com"),
            ("http://[::1]:8425", "[::1]:8425"),
        ] {
            assert!(Origins::new(vec![]).admit(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for (origin, host) in [
            ("null", "localhost:8425"),
            ("", ""),
            ("http://", "localhost"),
            ("http://evil.example", "localhost:8425"),
            ("http://localhost", "localhost:8425"),
            ("http://localhost:8425.evil.example", "localhost:8425"),
            ("http://localhost:84250", "localhost:8425"),
            ("https://ticks.example.com:80", "ticks.example.com"),
            ("file://", "localhost:8425"),
        ] {
            assert!(!Origins::new(vec![]).admit(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn listed_origins_are_let_in() {
        let origins = Origins::new(vec!["https://Dash.example.com/".into(), "null".into()]);
        assert!(origins.admit("https://dash.example.com", "localhost"));
        assert!(origins.admit("https://dash.example.com:443", "localhost"));
        assert!(origins.admit("null", "localhost"));
        assert!(!origins.admit("http://dash.example.com", "localhost"));
        assert!(Origins::new(vec!["*".into()]).admit("http://any.example", "localhost"));
    }

    #[test]
    fn the_remedy_keeps_what_is_allowed_and_is_toml() {
        let origins = Origins::new(vec!["https://a.example".into()]);
        let line = origins.remedy("https://\"b\\.example");
        assert_eq!(line, r#"origins = ["https://a.example", "https://\"b\\.example"]"#);
        assert!(line.parse::<toml::Table>().is_ok());
    }
}
