//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use super::peer::outside;

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The server is full.
    Server,
    /// This address has its share.
    Address,
}

pub struct Limits {
    connections: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    /// Only addresses that have a connection, so it is no longer than `all`.
    by_address: HashMap<IpAddr, usize>,
}

impl Limits {
    /// `per_address` 0 means no limit per address.
    pub fn new(connections: usize, per_address: usize) -> Arc<Limits> {
        Arc::new(Limits { connections, per_address, open: Mutex::default() })
    }

    /// A place for one connection from `peer`, which is `None` for unix peers.
    pub fn admit(self: &Arc<Limits>, peer: Option<IpAddr>) -> Result<Place, Full> {
        let mut open = self.open();
        if open.all >= self.connections {
            return Err(Full::Server);
        }
        open.all += 1;
        drop(open);
        let place = Place { limits: self.clone(), address: OnceLock::new() };
        place.count_for(peer.and_then(outside))?;
        Ok(place)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// One connection's place; free again when dropped.
pub struct Place {
    limits: Arc<Limits>,
    /// Whose it is.
    address: OnceLock<IpAddr>,
}

impl Place {
    /// Counts it among the connections of an address, unless it is counted already.
    ///
    /// # Errors
    /// That address has its share.
    pub fn count_for(&self, address: Option<IpAddr>) -> Result<(), Full> {
        let Some(address) = address.filter(|_| self.limits.per_address > 0) else { return Ok(()) };
        let mut open = self.limits.open();
        if self.address.get().is_some() {
            return Ok(());
        }
        let count = open.by_address.get(&address).copied().unwrap_or(0);
        if count >= self.limits.per_address {
            return Err(Full::Address);
        }
        open.by_address.insert(address, count + 1);
        // It is empty: only here it is set, and the lock is held.
        let _ = self.address.set(address);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.limits.open();
        open.all -= 1;
        let Some(address) = self.address.get() else { return };
        if let Some(count) = open.by_address.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_server_is_full_at_its_limit_and_has_room_when_a_place_is_dropped() {
        let limits = Limits::new(2, 0);
        let first = limits.admit(None);
        let _second = limits.admit(address("127.0.0.1"));
        assert_eq!(limits.admit(None).err(), Some(Full::Server));
        drop(first);
        assert!(limits.admit(None).is_ok());
    }

    #[test]
    fn an_address_has_its_share_and_leaves_no_trace() {
        let limits = Limits::new(100, 2);
        let held: Vec<_> = (0..2).map(|_| limits.admit(address("192.0.2.1")).ok().unwrap()).collect();
        assert_eq!(limits.admit(address("192.0.2.1")).err(), Some(Full::Address));
        assert_eq!(limits.admit(address("::ffff:192.0.2.1")).err(), Some(Full::Address));
        assert!(limits.admit(address("192.0.2.2")).is_ok());
        drop(held);
        assert!(limits.admit(address("192.0.2.1")).is_ok());
        assert!(limits.open().by_address.is_empty());
        assert_eq!(limits.open().all, 0);
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let limits = Limits::new(100, 1);
        let _held = limits.admit(address("2001:db8:1:2::1"));
        assert_eq!(limits.admit(address("2001:db8:1:2:ffff::9")).err(), Some(Full::Address));
        assert!(limits.admit(address("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn loopback_and_unix_peers_have_no_share() {
        let limits = Limits::new(100, 1);
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let held: Vec<_> = (0..3).map(|_| limits.admit(address(peer))).collect();
            assert!(held.iter().all(Result::is_ok), "{peer}");
        }
        let held: Vec<_> = (0..3).map(|_| limits.admit(None)).collect();
        assert!(held.iter().all(Result::is_ok));
    }

    #[test]
    fn a_place_behind_a_proxy_counts_for_whom_it_speaks() {
        let limits = Limits::new(100, 1);
        let places: Vec<_> = (0..3).map(|_| limits.admit(address("127.0.0.1")).ok().unwrap()).collect();
        assert_eq!(places[0].count_for(address("192.0.2.1")), Ok(()));
        assert_eq!(places[0].count_for(address("192.0.2.1")), Ok(()), "once");
        assert_eq!(places[1].count_for(address("192.0.2.1")), Err(Full::Address));
        assert_eq!(places[1].count_for(address("192.0.2.2")), Ok(()));
        assert_eq!(places[2].count_for(None), Ok(()));
        assert_eq!(limits.admit(address("192.0.2.1")).err(), Some(Full::Address));
        drop(places);
        assert!(limits.open().by_address.is_empty());
    }
}
