//! Where the daemon on this machine is, if nobody says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tickerd_config::{Config, Listen, Listener, Overrides, environment};
use tickerd_remote::{Address, Way};

/// Where packages put the file.
const INSTALLED: &str = "/etc/tickerd/tickerd.toml";

/// The address, and how it was found.
pub fn usual() -> (Address, String) {
    let named = std::env::var_os("TICKERD_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from);
    let file = named.or_else(|| Some(PathBuf::from(INSTALLED)).filter(|file| file.exists()));
    let default = || Address {
        way: Way::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port: 8425, tls: false },
        path: "/ws".to_owned(),
    };
    let source = file.as_ref().map_or("the environment".to_owned(), |file| file.display().to_string());
    match Config::load(file.as_deref(), environment(), &Overrides::default()) {
        Ok(config) => match first(&config.server.listen) {
            Some(address) if file.is_none() && address == default() => {
                (address, "the usual address".to_owned())
            }
            Some(address) => (address, format!("server.listen of {source}")),
            None => (
                default(),
                format!("the usual address; server.listen of {source} has none for clients on this machine"),
            ),
        },
        // What is wrong with it is for `tickerd check`; here it is not asked for.
        Err(_) => (default(), unread(file.as_deref())),
    }
}

fn unread(file: Option<&Path>) -> String {
    match file {
        Some(file) if std::fs::File::open(file).is_err() => {
            format!("the usual address; {} cannot be read by this user", file.display())
        }
        Some(file) => format!("the usual address; tickerd check {} says what is wrong there", file.display()),
        None => "the usual address".to_owned(),
    }
}

/// The first that a client on this machine can use, rather one without TLS, whose certificate is for another name.
fn first(listeners: &[Listener]) -> Option<Address> {
    let usable = || listeners.iter().filter(|listener| !listener.proxy);
    let plain = usable().filter(|listener| !listener.tls).find_map(address);
    plain.or_else(|| usable().find_map(address))
}

fn address(listener: &Listener) -> Option<Address> {
    let way = match &listener.address {
        Listen::Tcp(address) if address.port() == 0 => return None,
        Listen::Tcp(address) => {
            Way::Tcp { host: reachable(address).to_string(), port: address.port(), tls: listener.tls }
        }
        Listen::Unix(_) if listener.tls => return None,
        Listen::Unix(path) => Way::Unix(path.clone()),
    };
    Some(Address { way, path: "/ws".to_owned() })
}

/// A listener on all addresses is on loopback too.
fn reachable(address: &SocketAddr) -> IpAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(text: &str, tls: bool, proxy: bool) -> Listener {
        Listener { address: text.parse().unwrap(), tls, proxy }
    }

    #[test]
    fn the_first_listener_for_this_machine_is_found() {
        let found = |listeners: &[Listener]| first(listeners).map(|address| address.to_string());
        let (secured, plain) = (listener("0.0.0.0:443", true, false), listener("0.0.0.0:80", false, false));
        assert_eq!(found(&[secured.clone(), plain]).as_deref(), Some("ws://127.0.0.1:80"));
        assert_eq!(found(&[secured]).as_deref(), Some("wss://127.0.0.1:443"));
        assert_eq!(found(&[listener("[::]:9", false, false)]).as_deref(), Some("ws://[::1]:9"));
        assert_eq!(found(&[listener("unix:/run/t", false, false)]).as_deref(), Some("unix:/run/t"));
        assert_eq!(found(&[listener("127.0.0.1:0", false, false), listener("[::1]:9", false, true)]), None);
    }
}
