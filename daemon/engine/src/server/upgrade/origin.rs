//! Which web pages may connect. Browsers send cookies and reach loopback for any page, so the Origin must be checked
//! here (RFC 6455 10.2); programs send none and are let in.

use std::time::Instant;

use crate::listen::hosts::Target;
use crate::listen::log_limit::LogLimit;
use tickerd_model::web::origin::{Listed, WebOrigin};

pub struct Origins {
    listed: Vec<Listed>,
    /// Whether pages of every loopback Origin may connect.
    dev: bool,
    log: LogLimit,
}

impl Origins {
    pub fn new(listed: Vec<Listed>, dev: bool) -> Origins {
        Origins { listed, dev, log: LogLimit::default() }
    }

    /// Whether a page of `origin` may connect to `target`. A refusal is logged with its remedy.
    pub fn admit(&self, origin: &WebOrigin, target: &Target) -> bool {
        let is_own = target.as_ref().is_some_and(|(host, port)| origin.is_of(host, *port));
        let admitted = is_own
            || self.dev && origin.is_loopback()
            || self.listed.iter().any(|listed| listed.admits(origin));
        if !admitted && let Some(suppressed) = self.log.pass(Instant::now()) {
            let (origin, line) = (origin.to_string(), self.remedy(origin));
            tracing::warn!(
                suppressed,
                "refused a page of another origin; to allow it, add {origin:?} to origins in [server]: {line}"
            );
        }
        admitted
    }

    /// Whether a page of `origin` may have what belongs to its user: only where it is listed by its name. `null` is any
    /// file, and any frame that somebody sandboxed.
    pub fn trusts(&self, origin: &WebOrigin) -> bool {
        self.listed.iter().any(|listed| listed.is_by_name() && listed.admits(origin))
    }

    /// The configuration line that lets `origin` in.
    fn remedy(&self, origin: &WebOrigin) -> String {
        let listed = self.listed.iter().map(ToString::to_string);
        let all: Vec<_> = listed.chain([origin.to_string()]).collect();
        format!("origins = {all:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_model::web::host::Host;

    fn origins(listed: &[&str]) -> Origins {
        Origins::new(listed.iter().map(|text| Listed::parse(text).unwrap()).collect(), false)
    }

    fn origin(text: &str) -> WebOrigin {
        WebOrigin::parse(text).unwrap()
    }

    #[test]
    fn the_same_host_and_listed_origins_are_let_in_and_others_are_not() {
        let target = Host::with_port("localhost:8425");
        let some = origins(&["https://dash.example", "null", "http://localhost:*"]);
        for (text, trusted) in [
            ("https://dash.example", true),
            ("null", false),
            ("http://localhost:5173", false),
            ("http://localhost:8425", false),
        ] {
            assert!(some.admit(&origin(text), &target), "{text}");
            assert_eq!(some.trusts(&origin(text)), trusted, "{text}");
        }
        for text in ["null", "http://evil.example", "http://localhost", "file://"] {
            assert!(!origins(&[]).admit(&origin(text), &target), "{text}");
        }
        assert!(!origins(&[]).admit(&origin("http://localhost:8425"), &None));
    }

    #[test]
    fn who_develops_has_pages_of_this_machine_let_in_and_trusts_none() {
        let (dev, target) = (Origins::new(Vec::new(), true), Host::with_port("127.0.0.1:8425"));
        for text in
            ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:8080", "http://app.localhost"]
        {
            assert!(dev.admit(&origin(text), &target), "{text}");
            assert!(!dev.trusts(&origin(text)), "{text}");
        }
        for text in
            ["null", "file://", "http://evil.example", "http://localhost.evil.example", "app://localhost"]
        {
            assert!(!dev.admit(&origin(text), &target), "{text}");
        }
    }

    /// What the log advises is what the configuration takes: both are read by [`Listed::parse`].
    #[test]
    fn the_remedy_keeps_what_is_allowed_and_is_toml() {
        let line = origins(&["https://a.example"]).remedy(&WebOrigin::Null);
        assert_eq!(line, r#"origins = ["https://a.example", "null"]"#);
        assert!(line.parse::<toml::Table>().is_ok());
    }
}
