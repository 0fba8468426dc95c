//! Who a request comes from, and on whose account it goes: the address that limits hold for.
//!
//! A proxy that is trusted may say in `X-Forwarded-For` for whom it asks. The header is read from its end, where the nearest
//! proxy wrote whom it saw itself, as long as whoever wrote an entry is trusted. The first address that is not is the client.
//!
//! If nobody is listed, loopback and unix peers are believed, and of them the last entry alone. That can be trusted this far:
//! who forges it where no proxy writes it does no more than give itself a limit. This machine itself has no limit.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::header::HeaderMap;
use tickerd_model::web::network::Trusted;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Entries that are looked at, from the end. No chain of proxies is longer.
const HOPS_MAX: usize = 32;

/// Whose word about others counts.
#[derive(Debug, Default)]
pub struct Trust(Option<Trusted>);

impl Trust {
    /// `listed` is `trusted` of the configuration, if it is written.
    pub fn new(listed: Option<Trusted>) -> Trust {
        Trust(listed)
    }

    /// Whether this peer may say in `X-Forwarded-For` for whom it asks; `None` is a unix peer.
    pub fn speaks_for_others(&self, peer: Option<IpAddr>) -> bool {
        match &self.0 {
            Some(listed) => listed.has(peer),
            None => peer.is_none_or(|address| address.to_canonical().is_loopback()),
        }
    }

    /// Whether a header of the PROXY protocol counts if it comes from this peer: anyone's, unless some are listed.
    pub fn introduces_others(&self, peer: Option<IpAddr>) -> bool {
        self.0.as_ref().is_none_or(|listed| listed.has(peer))
    }

    /// Who asks: `peer`, which is `None` for unix peers, or whom it speaks for.
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.speaks_for_others(peer) {
            return peer;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let Some(listed) = &self.0 else {
            // One hop is known of, and what it saw before itself is hearsay.
            return hops.next().and_then(address).or(peer);
        };
        let mut client = peer;
        for hop in hops.take(HOPS_MAX) {
            // Who wrote something else than an address answers for it itself.
            let Some(address) = address(hop) else { break };
            client = Some(address);
            if !listed.has(client) {
                break;
            }
        }
        client
    }
}

/// What limits hold for of this address: nothing where it is this machine.
pub fn outside(address: IpAddr) -> Option<IpAddr> {
    Some(network(address)).filter(|address| !address.is_loopback())
}

/// What one subscriber line owns: an IPv4 address, or an IPv6 /64 (the least that is assigned, RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

/// Reads an entry; some write the port too.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_model::web::network::Network;

    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|value| (FORWARDED_FOR.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_proxy_on_this_machine_is_asked_for_whom_it_speaks_and_nobody_else_is() {
        let local = at("127.0.0.1");
        for (peer, forwarded, whose) in [
            (local, &["198.51.100.7, 192.0.2.1"][..], at("192.0.2.1")),
            (local, &["192.0.2.1", "203.0.113.9:4711"], at("203.0.113.9")),
            (at("::ffff:127.0.0.9"), &["192.0.2.1"], at("192.0.2.1")),
            (None, &["[2001:db8:1:2:3::4]:80"], at("2001:db8:1:2::")),
            (None, &["[2001:db8:1:2:3::4]"], at("2001:db8:1:2::")),
            (None, &["2001:db8:1:2:3::4"], at("2001:db8:1:2::")),
            (local, &["unknown"], None),
            (local, &["192.0.2.1, "], None),
            (local, &["192.0.2.1, 127.0.0.1"], None),
            (local, &["127.0.0.1"], None),
            (local, &[], None),
            (at("192.0.2.1"), &["203.0.113.9"], at("192.0.2.1")),
        ] {
            let client = Trust::default().client(peer, &headers(forwarded));
            assert_eq!(client.and_then(outside), whose, "{peer:?} {forwarded:?}");
        }
    }

    #[test]
    fn listed_proxies_are_passed_over_from_the_end() {
        let networks = ["10.0.0.0/8", "2001:db8:f::/48"].map(|text| Network::parse(text).unwrap()).into();
        let trust = Trust::new(Some(Trusted { unix: true, networks }));
        for (peer, forwarded, client) in [
            (at("10.0.0.1"), &["192.0.2.1"][..], at("192.0.2.1")),
            (at("10.0.0.1"), &["198.51.100.7, 192.0.2.1, 10.9.9.9"], at("192.0.2.1")),
            (at("10.0.0.1"), &["198.51.100.7", "192.0.2.1", "10.9.9.9,10.1.1.1"], at("192.0.2.1")),
            (at("::ffff:10.0.0.1"), &["192.0.2.1, 2001:db8:f::1, [2001:db8:f::2]:9"], at("192.0.2.1")),
            (None, &["192.0.2.1"], at("192.0.2.1")),
            // All of them are trusted: the first is where it began.
            (at("10.0.0.1"), &["10.0.0.3, 10.0.0.2"], at("10.0.0.3")),
            (at("10.0.0.1"), &[], at("10.0.0.1")),
            (None, &[], None),
            // What is no address ends the walk at who wrote it.
            (at("10.0.0.1"), &["192.0.2.1, unknown"], at("10.0.0.1")),
            (at("10.0.0.1"), &["192.0.2.1, unknown, 10.0.0.2"], at("10.0.0.2")),
            (at("10.0.0.1"), &["192.0.2.1, "], at("10.0.0.1")),
            // Strangers are not believed, and neither is this machine, which is not listed.
            (at("192.0.2.1"), &["203.0.113.9"], at("192.0.2.1")),
            (at("127.0.0.1"), &["203.0.113.9"], at("127.0.0.1")),
            (at("::ffff:11.0.0.1"), &["203.0.113.9"], at("::ffff:11.0.0.1")),
        ] {
            assert_eq!(trust.client(peer, &headers(forwarded)), client, "{peer:?} {forwarded:?}");
        }
        assert!(trust.introduces_others(None) && trust.introduces_others(at("10.0.0.1")));
        assert!(!trust.introduces_others(at("127.0.0.1")));
        assert!(Trust::default().introduces_others(at("192.0.2.1")));
        let long = vec!["10.0.0.2"; 1000].join(",");
        assert_eq!(trust.client(at("10.0.0.1"), &headers(&[&format!("192.0.2.1,{long}")])), at("10.0.0.2"));
    }

    #[test]
    fn a_header_of_other_bytes_is_no_address() {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, hyper::header::HeaderValue::from_bytes(b"192.0.2.1, \xff").unwrap());
        assert_eq!(Trust::default().client(None, &headers), None);
    }
}
