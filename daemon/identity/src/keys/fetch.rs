//! Fetches a JWK set over HTTP: a small body, in a short time, from the host that was named and no other.

use std::io::Read;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::header::LOCATION;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::KeySet;

const BODY_BYTES_MAX: u64 = 256 << 10;
const REDIRECTS_MAX: usize = 3;

/// Fetches the set at an address. The error is a sentence for the operator.
pub(super) fn fetch(url: &str, timeout: Duration) -> Result<KeySet, String> {
    let began = Instant::now();
    let agent = agent(url, timeout)?;
    let origin = origin(url).ok_or("this is no address")?;
    let mut target = url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        let left = timeout.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
        let request = agent.get(&target).config().timeout_global(Some(left)).build();
        let response = request.call().map_err(|error| told(&error))?;
        match response.status().as_u16() {
            200 => {
                let mut body = Vec::new();
                let reader = response.into_body().into_reader();
                reader
                    .take(BODY_BYTES_MAX + 1)
                    .read_to_end(&mut body)
                    .map_err(|error| told(&Error::from(error)))?;
                if body.len() as u64 > BODY_BYTES_MAX {
                    return Err(format!("the answer has more than {BODY_BYTES_MAX} bytes"));
                }
                let text = String::from_utf8(body).map_err(|_| "the answer is no UTF-8")?;
                return KeySet::read(&text).map_err(str::to_owned);
            }
            301 | 302 | 303 | 307 | 308 => {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
                let is_here = to.strip_prefix(&origin).is_some_and(|rest| rest.starts_with('/'));
                target = match () {
                    () if is_here => to.to_owned(),
                    () if to.starts_with('/') && !to.starts_with("//") => format!("{origin}{to}"),
                    () => return Err("it sends on to another host, which is not followed".to_owned()),
                };
            }
            status => return Err(format!("it answers with status {status}")),
        }
    }
    Err("it sends from one address to another without end".to_owned())
}

/// `https://host:port` of an address.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    Some(format!("{scheme}://{}", rest.split(['/', '?']).next()?))
}

fn told(error: &Error) -> String {
    match error {
        Error::Timeout(_) => "it does not answer in time".to_owned(),
        Error::HostNotFound => "its name has no address".to_owned(),
        error => error.to_string(),
    }
}

fn agent(url: &str, timeout: Duration) -> Result<Agent, String> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .accept("application/json")
        .user_agent(concat!("tickerd/", env!("CARGO_PKG_VERSION")))
        // A proxy of the environment is for others; the address is the operator's.
        .proxy(None);
    if url.starts_with("https:") {
        let roots: Vec<CertificateDer<'_>> = rustls_native_certs::load_native_certs().certs;
        if roots.is_empty() {
            return Err("this machine trusts no certificate authority; install ca-certificates".to_owned());
        }
        let roots = RootCerts::from(roots.iter().map(|root| Certificate::from_der(root).to_owned()));
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).root_certs(roots);
        config = config.tls_config(tls.build());
    }
    Ok(Agent::with_parts(config.build(), DefaultConnector::default(), Here))
}

/// Looks a name up on this thread, which is the issuer's own, so that no thread without a name is started.
#[derive(Debug)]
struct Here;

impl Resolver for Here {
    fn resolve(&self, uri: &Uri, config: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority))
            .ok_or(Error::HostNotFound)?;
        let found = name.to_socket_addrs().map_err(|_| Error::HostNotFound)?;
        let mut addresses = self.empty();
        config.ip_family().keep_wanted(found).take(16).for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}
