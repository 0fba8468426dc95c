//! Networks as operators write them (`10.0.0.0/8`), and who of them is trusted to say whom it speaks for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address. IPv4 is never written as IPv6 here.
    first: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongNetwork {
    /// It is no address, or has more bits than its kind of address.
    Malformed,
    /// It is an address inside this network, and not the network's first one.
    Inside(Network),
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Network, WrongNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| WrongNetwork::Malformed)?;
        if address.to_canonical() != address && bits.is_some() {
            return Err(WrongNetwork::Malformed);
        }
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|bits| *bits <= most).ok_or(WrongNetwork::Malformed)?
            }
            Some(_) => return Err(WrongNetwork::Malformed),
        };
        let network = Network { first: first(address, bits), bits };
        if network.first == address { Ok(network) } else { Err(WrongNetwork::Inside(network)) }
    }

    /// Whether an address is in it. An IPv4 address may be written as IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && first(address, self.bits) == self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// The first address that has the same first bits.
fn first(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Whose word counts: peers over a unix socket, and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted {
    pub unix: bool,
    pub networks: Vec<Network>,
}

impl Trusted {
    /// Whether the word of this peer counts, which is `None` for unix peers.
    pub fn has(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            None => self.unix,
            Some(address) => self.networks.iter().any(|network| network.contains(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
    }

    #[test]
    fn a_network_has_the_addresses_with_its_bits() {
        for (text, inside, outside) in [
            (
                "10.0.0.0/8",
                &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..],
                &["11.0.0.0", "9.255.255.255", "::a00:1"][..],
            ),
            ("192.0.2.128/25", &["192.0.2.128", "192.0.2.255"], &["192.0.2.127"]),
            ("192.0.2.1", &["192.0.2.1", "::ffff:192.0.2.1"], &["192.0.2.2", "::1"]),
            ("::ffff:192.0.2.1", &["192.0.2.1"], &["192.0.2.2"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::"]),
            ("::/0", &["::", "ffff::1"], &["0.0.0.0", "::ffff:1.2.3.4"]),
            ("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db9::"]),
            ("::1", &["::1"], &["::2", "127.0.0.1"]),
        ] {
            let network = network(text);
            for address in inside {
                assert!(network.contains(address.parse().unwrap()), "{text} {address}");
            }
            for address in outside {
                assert!(!network.contains(address.parse().unwrap()), "{text} {address}");
            }
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0/8",
            "/8",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.0/104",
            "unix",
            "localhost",
            "10.0.0.0/256",
        ] {
            assert_eq!(Network::parse(text), Err(WrongNetwork::Malformed), "{text}");
        }
        assert_eq!(Network::parse("10.1.2.3/8"), Err(WrongNetwork::Inside(network("10.0.0.0/8"))));
        assert_eq!(Network::parse("2001:db8::1/64"), Err(WrongNetwork::Inside(network("2001:db8::/64"))));
        for text in ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::/0"] {
            assert_eq!(network(text).to_string(), text);
        }
    }

    #[test]
    fn unix_peers_are_trusted_by_name() {
        let local = Trusted { unix: false, networks: vec![network("127.0.0.0/8")] };
        assert!(!local.has(None) && local.has(Some(IpAddr::from([127, 0, 0, 1]))));
        assert!(!local.has(Some(IpAddr::from([192, 0, 2, 1]))));
        let unix = Trusted { unix: true, networks: Vec::new() };
        assert!(unix.has(None) && !unix.has(Some(IpAddr::from([127, 0, 0, 1]))));
    }
}
