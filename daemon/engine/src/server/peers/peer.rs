//! On whose account a connection or a request goes: the address that limits hold for.
//!
//! Loopback and unix peers are this machine itself or a proxy on it: they have no limit of their own, but whom a proxy speaks
//! for has, by the last address in `X-Forwarded-For`, which is the one that the proxy saw itself. That can be trusted this
//! far: who forges it where no proxy writes it does no more than give itself a limit.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::header::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whose account it is; nobody's when it comes from this machine. `peer` is `None` for unix peers.
pub fn who(peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    peer.and_then(outside).or_else(|| forwarded(headers).and_then(outside))
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

/// Who the nearest proxy says it speaks for; some write the port too.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let last = last.rsplit(',').next()?.trim();
    let bare = last.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')).unwrap_or(last);
    bare.parse().ok().or_else(|| Some(last.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_for_whom_it_speaks_and_nobody_else_is() {
        let address = |text: &str| -> Option<IpAddr> { Some(text.parse().unwrap()) };
        let local = address("127.0.0.1");
        for (peer, forwarded, whose) in [
            (local, &["198.51.100.7, 192.0.2.1"][..], address("192.0.2.1")),
            (local, &["192.0.2.1", "203.0.113.9:4711"], address("203.0.113.9")),
            (address("::ffff:127.0.0.9"), &["192.0.2.1"], address("192.0.2.1")),
            (None, &["[2001:db8:1:2:3::4]:80"], address("2001:db8:1:2::")),
            (None, &["[2001:db8:1:2:3::4]"], address("2001:db8:1:2::")),
            (None, &["2001:db8:1:2:3::4"], address("2001:db8:1:2::")),
            (local, &["unknown"], None),
            (local, &["192.0.2.1, "], None),
            (local, &["127.0.0.1"], None),
            (local, &[], None),
            (address("192.0.2.1"), &["203.0.113.9"], address("192.0.2.1")),
        ] {
            let headers =
                forwarded.iter().map(|value| (FORWARDED_FOR.parse().unwrap(), value.parse().unwrap()));
            assert_eq!(who(peer, &headers.collect()), whose, "{peer:?} {forwarded:?}");
        }
    }
}
