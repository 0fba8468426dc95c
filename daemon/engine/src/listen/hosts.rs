//! By which names the server is reached.
//!
//! A page may have the name of its own site lead to 127.0.0.1 and then reads what answers there as its own (DNS
//! rebinding). Its browser still says that name in the Host header. So a listener on loopback answers to the names of
//! loopback, to its own address and to what is listed (`[server] hosts`), and to nobody else. One elsewhere, or on a unix
//! socket, is reached by names that only the operator knows: it answers to all unless some are listed.

use std::net::IpAddr;
use std::time::Instant;

use hyper::header::{self, HeaderValue};
use hyper::{Request, Version};

use super::log_limit::LogLimit;
use tickerd_model::web::host::Host;

/// The names that are answered to. A refusal is logged at most once a second.
pub struct Hosts {
    listed: Vec<Host>,
    log: LogLimit,
}

/// Where a connection came in.
#[derive(Debug, Clone, Copy)]
pub enum Door {
    Unix,
    /// The listener's address, and the connection's own, which is another where the listener has all.
    Tcp {
        bound: IpAddr,
        local: IpAddr,
    },
}

/// Whom a request is for: a host and a port as the client names them. None in requests of HTTP/1.0.
pub type Target = Option<(Host, Option<u16>)>;

/// Why a request is for nobody here.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The header is missing, there twice, or no host.
    Malformed,
    /// A name that is not this server's.
    Foreign(Host),
}

impl Wrong {
    /// What to change.
    pub fn detail(&self) -> String {
        match self {
            Wrong::Malformed => "the Host header must be there once, as host or host:port".into(),
            Wrong::Foreign(host) => {
                let host = named(host);
                format!(
                    "this server is not known as {host:?}; its operator can add it to hosts in [server]: hosts = [{host:?}]"
                )
            }
        }
    }
}

impl Hosts {
    pub fn new(listed: Vec<Host>) -> Hosts {
        Hosts { listed, log: LogLimit::default() }
    }

    /// Whom a request is for, if that is this server. A name that is not listed is logged with its remedy.
    pub fn check<B>(&self, request: &Request<B>, door: Door) -> Result<Target, Wrong> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let (first, second) = (headers.next(), headers.next());
        let read = |value: &HeaderValue| value.to_str().ok().and_then(Host::with_port);
        let target = match (first, second) {
            (Some(value), None) => Some(read(value).ok_or(Wrong::Malformed)?),
            // RFC 9112 3.2: HTTP/1.1 has exactly one Host, and no request has two.
            (None, None) if request.version() < Version::HTTP_11 => None,
            _ => return Err(Wrong::Malformed),
        };
        // RFC 9112 3.2.2: what the target itself names goes before the header.
        let target = match request.uri().authority() {
            Some(authority) => Some(Host::with_port(authority.as_str()).ok_or(Wrong::Malformed)?),
            None => target,
        };
        match target {
            Some((host, _)) if !self.admits(&host, door) => {
                if let Some(suppressed) = self.log.pass(Instant::now()) {
                    let (host, line) = (named(&host), self.remedy(&host));
                    tracing::warn!(
                        suppressed,
                        "refused a request for a host that is not listed; if this server is known as {host:?}, add it \
                         to hosts in [server]: {line}"
                    );
                }
                Err(Wrong::Foreign(host))
            }
            target => Ok(target),
        }
    }

    fn admits(&self, host: &Host, door: Door) -> bool {
        let is_own = match door {
            Door::Unix => self.listed.is_empty(),
            Door::Tcp { bound, local } => {
                let is_open = self.listed.is_empty() && !bound.to_canonical().is_loopback();
                is_open || host.is(bound) || host.is(local)
            }
        };
        is_own || host.is_loopback() || self.listed.contains(host)
    }

    /// The configuration line that lets `host` in.
    fn remedy(&self, host: &Host) -> String {
        let all: Vec<_> = self.listed.iter().chain([host]).map(named).collect();
        format!("hosts = {all:?}")
    }
}

/// As it is written in the configuration.
fn named(host: &Host) -> String {
    match host {
        Host::Name(name) => name.clone(),
        Host::Ip(ip) => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1";

    fn door(bound: &str) -> Door {
        let bound = bound.parse().unwrap();
        Door::Tcp { bound, local: "192.0.2.1".parse().unwrap() }
    }

    fn hosts(listed: &[&str]) -> Hosts {
        Hosts::new(listed.iter().map(|text| Host::parse(text).unwrap()).collect())
    }

    fn ask(hosts: &Hosts, door: Door, target: &str, host: &[&str]) -> Result<Target, Wrong> {
        let mut request = Request::get(target);
        for host in host {
            request = request.header("Host", *host);
        }
        hosts.check(&request.body(()).unwrap(), door)
    }

    #[test]
    fn loopback_answers_to_its_own_names_and_those_that_are_listed() {
        let none = hosts(&[]);
        for host in [
            "localhost:1",
            "127.0.0.1",
            "127.8.8.8:8425",
            "[::1]:8425",
            "a.localhost",
            "LOCALHOST.",
            "192.0.2.1",
        ] {
            assert!(ask(&none, door(LOOPBACK), "/", &[host]).is_ok(), "{host}");
        }
        for host in
            ["evil.example:8425", "evil.example", "localhost.evil.example", "192.0.2.9", "0.0.0.0:8425", "x"]
        {
            let foreign = Host::with_port(host).unwrap().0;
            assert_eq!(ask(&none, door(LOOPBACK), "/", &[host]), Err(Wrong::Foreign(foreign)), "{host}");
            assert!(ask(&none, door("::1"), "/", &[host]).is_err());
            assert!(ask(&none, door("::ffff:127.0.0.1"), "/", &[host]).is_err());
        }
        let some = hosts(&["ticks.example.org", "192.0.2.9"]);
        for host in ["Ticks.example.org:443", "ticks.example.org.", "192.0.2.9:1", "localhost"] {
            assert!(ask(&some, door(LOOPBACK), "/", &[host]).is_ok(), "{host}");
        }
        assert!(ask(&some, door(LOOPBACK), "/", &["a.ticks.example.org"]).is_err());
    }

    #[test]
    fn other_listeners_answer_to_all_unless_some_are_listed() {
        for door in [door("0.0.0.0"), door("192.0.2.1"), Door::Unix] {
            assert!(ask(&hosts(&[]), door, "/", &["any.example"]).is_ok());
            let some = hosts(&["ticks.example.org"]);
            for host in ["ticks.example.org", "localhost:1", "127.0.0.1"] {
                assert!(ask(&some, door, "/", &[host]).is_ok(), "{host}");
            }
            assert!(ask(&some, door, "/", &["any.example"]).is_err());
        }
        assert!(
            ask(&hosts(&["a.example"]), door("0.0.0.0"), "/", &["192.0.2.1:8425"]).is_ok(),
            "its own address"
        );
        assert!(ask(&hosts(&["a.example"]), door("0.0.0.0"), "/", &["0.0.0.0:8425"]).is_ok());
    }

    #[test]
    fn the_target_goes_before_the_header_and_both_must_be_right() {
        let none = hosts(&[]);
        let door = door(LOOPBACK);
        assert!(ask(&none, door, "http://localhost/x", &["evil.example"]).is_ok());
        assert!(matches!(ask(&none, door, "http://evil.example/x", &["localhost"]), Err(Wrong::Foreign(_))));
        assert_eq!(ask(&none, door, "http://u@localhost/x", &["localhost"]), Err(Wrong::Malformed));
        for host in [&[][..], &["localhost", "localhost"], &[""], &["a b"], &["a/b"], &["localhost:80:81"]] {
            assert_eq!(ask(&none, door, "/", host), Err(Wrong::Malformed), "{host:?}");
        }
        let old = Request::get("/").version(Version::HTTP_10);
        assert_eq!(none.check(&old.body(()).unwrap(), door), Ok(None));
    }

    #[test]
    fn the_remedy_keeps_what_is_listed_and_is_toml() {
        let line = hosts(&["a.example"]).remedy(&Host::parse("[2001:db8::1]").unwrap());
        assert_eq!(line, r#"hosts = ["a.example", "2001:db8::1"]"#);
        assert!(line.parse::<toml::Table>().is_ok());
    }
}
