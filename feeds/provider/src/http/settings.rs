//! How a provider is asked: where, how often, with which keys.

use std::path::PathBuf;
use std::time::Duration;

use tickerd_sdk::Error;
use ureq::http::Uri;
use ureq::http::uri::Scheme;

use crate::{Limit, Secret};

/// Whole-request timeout by default: DNS, connecting, TLS, head and body together.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Largest body by default, after decompression.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a request waits for the limiter by default before it answers `Fault::Held`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who shares a limiter's count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Share {
    /// Every process of this user, through files in `<temporary folder>/tickerd-<uid>/limits`. For a provider on
    /// loopback the count is not shared.
    #[default]
    User,
    /// Every process that names the same folder. The folder must belong to this user alone.
    Folder(PathBuf),
    /// This client alone.
    Alone,
}

/// How a provider is asked. Start from [`Settings::new`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the provider is called in texts: `finnhub`.
    pub source: &'static str,
    /// The URL to which every request's path is appended: `https://finnhub.io/api/v1`. It has no query and no user.
    pub base_url: String,
    /// The provider's limits, which hold together. Empty: no limit.
    pub limits: Vec<Limit>,
    /// The keys in use. Requests are counted by them, and they are removed from every text.
    pub secrets: Vec<Secret>,
    /// PEM certificates to trust besides the machine's own store.
    pub ca_file: Option<PathBuf>,
    /// A way to reach the operator, appended to the User-Agent, as some providers ask: `ops@example.org`.
    pub contact: Option<String>,
    /// The whole User-Agent, for a provider that serves no other; default: tickerd's own.
    pub user_agent: Option<String>,
    /// Longest time for a whole request, so that a body that drips in ends too; default 8 s.
    pub timeout: Duration,
    /// Largest body, after decompression; default 8 MiB.
    pub body_bytes_max: usize,
    /// How long a request waits for its turn by the limiter, asleep on the host, before it fails with
    /// [`Fault::Held`](crate::Fault::Held); default 5 s.
    pub patience: Duration,
    /// Who shares the limiter's count.
    pub share: Share,
}

impl Settings {
    /// Settings for a provider without limits and keys, and defaults for everything else.
    pub fn new(source: &'static str, base_url: impl Into<String>) -> Settings {
        Settings {
            source,
            base_url: base_url.into(),
            limits: Vec::new(),
            secrets: Vec::new(),
            ca_file: None,
            contact: None,
            user_agent: None,
            timeout: TIMEOUT,
            body_bytes_max: BODY_BYTES_MAX,
            patience: PATIENCE,
            share: Share::default(),
        }
    }

    /// The User-Agent that is sent.
    pub(crate) fn user_agent(&self) -> Result<String, Error> {
        let own = || {
            let contact = self.contact.as_deref().map(|contact| format!("; {contact}")).unwrap_or_default();
            let (version, page) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_REPOSITORY"));
            format!("tickerd/{version} (+{page}{contact})")
        };
        let agent = self.user_agent.clone().unwrap_or_else(own);
        if agent.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            Ok(agent)
        } else {
            Err(Error::config("contact, user_agent: use ASCII letters only, such as a mail address"))
        }
    }
}

/// The parts of a base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// `https://host:port`, as it was written.
    pub origin: String,
    /// `host:port` with the scheme's own port filled in.
    pub host: String,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Whether it is this machine.
    pub loopback: bool,
    /// The path without a slash at its end.
    pub path: String,
}

impl Base {
    /// Checks `url`. `keyed` says whether requests carry keys.
    pub fn parse(url: &str, keyed: bool) -> Result<Base, Error> {
        let wrong = |fault: &str| {
            Error::config(format!(
                "base_url: {fault}; give it as https://host or https://host:port/path, or leave it out for the \
                 provider's own"
            ))
        };
        let uri: Uri = url.parse().map_err(|_| wrong("this is not a URL"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong("only http and https are spoken here")),
        };
        let authority =
            uri.authority().filter(|a| !a.host().is_empty()).ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user or password may not stand in it, as URLs are shown"));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(wrong("it must end with its path: no `?` and no `#`"));
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let loopback = name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if keyed && !tls && !loopback {
            return Err(wrong("http would send the key for everyone on the way to read"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Base {
            origin: format!("{}://{authority}", if tls { "https" } else { "http" }),
            host: format!("{}:{port}", authority.host().to_ascii_lowercase()),
            tls,
            loopback,
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        let base = Base::parse("https://Finnhub.io/api/v1/", true).unwrap();
        assert_eq!((base.host.as_str(), base.path.as_str(), base.tls), ("finnhub.io:443", "/api/v1", true));
        let base = Base::parse("http://127.0.0.1:8080", true).unwrap();
        assert_eq!((base.origin.as_str(), base.path.as_str()), ("http://127.0.0.1:8080", ""));
        assert!(base.loopback && Base::parse("http://[::1]:1", true).unwrap().loopback);
    }

    #[test]
    fn a_bad_base_url_is_named_with_the_remedy() {
        for (url, says) in [
            ("", "not a URL"),
            ("finnhub.io", "only http and https"),
            ("ftp://finnhub.io", "only http and https"),
            ("https://u:hunter2@finnhub.io", "user or password"),
            ("https://finnhub.io/?token=hunter2", "no `?`"),
            ("http://finnhub.io", "for everyone on the way"),
        ] {
            let Err(Error::Config(text)) = Base::parse(url, true) else { panic!("{url} is refused") };
            assert!(text.starts_with("base_url: ") && text.contains(says), "{url}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(Base::parse("http://mirror.example", false).is_ok());
    }

    #[test]
    fn the_user_agent_identifies_and_names_the_contact() {
        let mut settings = Settings::new("nws", "https://api.weather.gov");
        settings.contact = Some("ops@example.org".into());
        let agent = settings.user_agent().unwrap();
        assert!(agent.starts_with("tickerd/") && agent.ends_with("; ops@example.org)"), "{agent}");
        assert!(agent.contains("(+https://"), "{agent}");
        settings.contact = Some("a\r\nX-Evil: 1".into());
        assert!(settings.user_agent().is_err());
    }
}
