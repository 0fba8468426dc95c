//! How many connections there may be: in all, from one address, of one user, and of those who have not said who they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tickerd_config as config;

use super::pace::Pace;
use super::peer::outside;
use crate::exchange::arrival::{self, UserFull};
use crate::exchange::limit::{Limit, Tally};

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The server is full.
    Server,
    /// Memory is short.
    Memory,
    /// This address has its share.
    Address,
    /// This user has its share.
    User,
    /// Too many have not said who they are.
    Unidentified,
}

impl From<UserFull> for Full {
    fn from(_: UserFull) -> Full {
        Full::User
    }
}

pub struct Limits {
    connections: usize,
    per_address: usize,
    per_user: usize,
    unidentified: usize,
    tally: Arc<Tally>,
    open: Mutex<Open>,
    pace: Pace,
    is_memory_short: AtomicBool,
}

#[derive(Default)]
struct Open {
    all: usize,
    unidentified: usize,
    /// Only addresses that have a connection, so it is no longer than `all`.
    by_address: HashMap<IpAddr, usize>,
    /// Only users that have a connection, so it is no longer than `all`.
    by_user: HashMap<Arc<str>, usize>,
}

impl Limits {
    /// `connections` is how many there may be in all, if the configuration leaves that to the system.
    pub fn new(connections: usize, limits: &config::Limits, tally: Arc<Tally>) -> Arc<Limits> {
        Arc::new(Limits {
            connections: if limits.connections == 0 { connections } else { limits.connections },
            per_address: limits.connections_per_address,
            per_user: limits.connections_per_user,
            unidentified: limits.connections_unidentified,
            tally,
            open: Mutex::default(),
            pace: Pace::new(limits.handshakes_per_s),
            is_memory_short: AtomicBool::new(false),
        })
    }

    /// A place for one connection from `peer`, which is `None` for unix peers.
    pub fn admit(self: &Arc<Limits>, peer: Option<IpAddr>) -> Result<Place, Full> {
        if self.is_memory_short.load(Ordering::Relaxed) && self.tally.enforce(Limit::Memory) {
            return Err(Full::Memory);
        }
        let mut open = self.open();
        if open.all >= self.connections && self.tally.enforce(Limit::Connections) {
            return Err(Full::Server);
        }
        open.all += 1;
        drop(open);
        let place = Place {
            limits: self.clone(),
            address: OnceLock::new(),
            user: OnceLock::new(),
            is_unidentified: AtomicBool::new(false),
        };
        place.count_for(peer.and_then(outside))?;
        Ok(place)
    }

    /// Done when a new connection may be served; see [`Pace`].
    pub async fn turn(&self) {
        self.pace.turn(&self.tally).await;
    }

    /// Counts a connection that was accepted only to be told that there are no descriptors left.
    pub fn count_no_descriptors(&self) {
        self.tally.enforce(Limit::Descriptors);
    }

    /// From now on memory is short, or is not.
    pub fn set_memory_short(&self, is_short: bool) {
        self.is_memory_short.store(is_short, Ordering::Relaxed);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// One connection's place; free again when dropped.
pub struct Place {
    limits: Arc<Limits>,
    /// Whose address it is.
    address: OnceLock<IpAddr>,
    /// Which user it speaks for.
    user: OnceLock<Arc<str>>,
    /// Whether it is counted among those that have not said who they are.
    is_unidentified: AtomicBool,
}

impl Place {
    /// Counts it among the connections of an address, unless it is counted already.
    ///
    /// # Errors
    /// That address has its share.
    pub fn count_for(&self, address: Option<IpAddr>) -> Result<(), Full> {
        let Some(address) = address else { return Ok(()) };
        let mut open = self.limits.open();
        if self.address.get().is_some() {
            return Ok(());
        }
        let count = open.by_address.get(&address).copied().unwrap_or(0);
        if count >= self.limits.per_address && self.limits.tally.enforce(Limit::ConnectionsPerAddress) {
            return Err(Full::Address);
        }
        open.by_address.insert(address, count + 1);
        // It is empty: only here it is set, and the lock is held.
        let _ = self.address.set(address);
        Ok(())
    }

    /// Counts it among those that may do nothing before they have said who they are, unless it is counted already.
    ///
    /// # Errors
    /// There are too many of those.
    pub fn count_unidentified(&self) -> Result<(), Full> {
        let mut open = self.limits.open();
        if self.is_unidentified.load(Ordering::Relaxed) {
            return Ok(());
        }
        let is_full = open.unidentified >= self.limits.unidentified;
        if is_full && self.limits.tally.enforce(Limit::ConnectionsUnidentified) {
            return Err(Full::Unidentified);
        }
        open.unidentified += 1;
        // Only changed while the lock is held.
        self.is_unidentified.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl arrival::Place for Place {
    fn count_for_user(&self, user: &str) -> Result<(), UserFull> {
        let mut open = self.limits.open();
        // A connection stays its user's.
        if self.user.get().is_some() {
            return Ok(());
        }
        let known = open.by_user.get_key_value(user);
        let (user, count) = known.map_or_else(|| (user.into(), 0), |(user, count)| (user.clone(), *count));
        if count >= self.limits.per_user && self.limits.tally.enforce(Limit::ConnectionsPerUser) {
            return Err(UserFull);
        }
        open.by_user.insert(user.clone(), count + 1);
        let _ = self.user.set(user);
        if self.is_unidentified.swap(false, Ordering::Relaxed) {
            open.unidentified -= 1;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.limits.open();
        open.all -= 1;
        if self.is_unidentified.load(Ordering::Relaxed) {
            open.unidentified -= 1;
        }
        if let Some(address) = self.address.get() {
            leave(&mut open.by_address, address);
        }
        if let Some(user) = self.user.get() {
            leave(&mut open.by_user, user);
        }
    }
}

/// One connection fewer.
fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, whose: &K) {
    if let Some(count) = counts.get_mut(whose) {
        *count -= 1;
        if *count == 0 {
            counts.remove(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::exchange::arrival::Place as _;

    fn limits(change: impl FnOnce(&mut config::Limits)) -> Arc<Limits> {
        let mut limits = config::Limits { connections: 100, ..config::Limits::default() };
        change(&mut limits);
        let tally = Tally::new(&Registry::new(), &limits.dry_run).unwrap();
        Limits::new(100, &limits, Arc::new(tally))
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_server_is_full_at_its_limit_and_has_room_when_a_place_is_dropped() {
        let limits = limits(|limits| limits.connections = 2);
        let first = limits.admit(None);
        let _second = limits.admit(address("127.0.0.1"));
        assert_eq!(limits.admit(None).err(), Some(Full::Server));
        drop(first);
        assert!(limits.admit(None).is_ok());
    }

    #[test]
    fn an_address_has_its_share_and_leaves_no_trace() {
        let limits = limits(|limits| limits.connections_per_address = 2);
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
        let limits = limits(|limits| limits.connections_per_address = 1);
        let _held = limits.admit(address("2001:db8:1:2::1"));
        assert_eq!(limits.admit(address("2001:db8:1:2:ffff::9")).err(), Some(Full::Address));
        assert!(limits.admit(address("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn loopback_and_unix_peers_have_no_share() {
        let limits = limits(|limits| limits.connections_per_address = 1);
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let held: Vec<_> = (0..3).map(|_| limits.admit(address(peer))).collect();
            assert!(held.iter().all(Result::is_ok), "{peer}");
        }
        let held: Vec<_> = (0..3).map(|_| limits.admit(None)).collect();
        assert!(held.iter().all(Result::is_ok));
    }

    #[test]
    fn a_place_behind_a_proxy_counts_for_whom_it_speaks() {
        let limits = limits(|limits| limits.connections_per_address = 1);
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

    #[test]
    fn a_user_has_its_share_however_it_was_named_and_leaves_no_trace() {
        let limits = limits(|limits| limits.connections_per_user = 2);
        let places: Vec<_> = (0..4).map(|_| limits.admit(None).ok().unwrap()).collect();
        assert_eq!(places[0].count_for_user("ann"), Ok(()));
        assert_eq!(places[0].count_for_user("ann"), Ok(()), "once");
        assert_eq!(places[1].count_for_user("ann"), Ok(()));
        assert_eq!(places[2].count_for_user("ann"), Err(UserFull));
        assert_eq!(places[3].count_for_user("bob"), Ok(()));
        assert_eq!(limits.open().by_user.len(), 2);
        drop(places);
        assert!(limits.open().by_user.is_empty());
    }

    #[test]
    fn who_says_who_it_is_makes_room_for_another() {
        let limits = limits(|limits| (limits.connections_unidentified, limits.connections_per_user) = (2, 1));
        let place = || limits.admit(None).ok().unwrap();
        let (first, second, third) = (place(), place(), place());
        assert_eq!((first.count_unidentified(), first.count_unidentified()), (Ok(()), Ok(())), "once");
        assert_eq!(second.count_unidentified(), Ok(()));
        assert_eq!(third.count_unidentified(), Err(Full::Unidentified));
        assert_eq!(first.count_for_user("ann"), Ok(()));
        assert_eq!(third.count_unidentified(), Ok(()));
        assert_eq!(second.count_for_user("ann"), Err(UserFull), "it is still to say who it is");
        drop((second, third));
        assert_eq!(limits.open().unidentified, 0);
        drop(first);
        assert_eq!(limits.open().all, 0);
    }

    #[test]
    fn nobody_is_refused_in_a_dry_run_and_all_are_counted() {
        let limits = limits(|limits| {
            limits.connections = 1;
            limits.connections_per_address = 1;
            limits.connections_per_user = 1;
            limits.connections_unidentified = 1;
            limits.dry_run = config::DRY_RUN.to_vec();
        });
        limits.set_memory_short(true);
        let places: Vec<_> = (0..3).map(|_| limits.admit(address("192.0.2.1")).ok().unwrap()).collect();
        assert!(places.iter().all(|place| place.count_unidentified().is_ok()));
        assert!(places.iter().all(|place| place.count_for_user("ann").is_ok()));
        assert_eq!(limits.open().by_user.values().sum::<usize>(), 3);
        drop(places);
        let open = limits.open();
        assert_eq!(open.all + open.unidentified, 0);
    }

    #[test]
    fn nobody_comes_in_while_memory_is_short() {
        let limits = limits(|_| {});
        limits.set_memory_short(true);
        assert_eq!(limits.admit(None).err(), Some(Full::Memory));
        limits.set_memory_short(false);
        assert!(limits.admit(None).is_ok());
    }

    /// Goal: an attacker with very many networks fills no table.
    #[test]
    fn only_addresses_and_users_with_a_connection_are_remembered() {
        let limits = limits(|_| {});
        for n in 0..100_000_u32 {
            let network = std::net::Ipv6Addr::from(u128::from(0x2001_0db8_u32) << 96 | u128::from(n) << 64);
            let place = limits.admit(Some(network.into())).ok().unwrap();
            place.count_for_user("ann").unwrap();
        }
        let open = limits.open();
        assert!(open.by_address.is_empty() && open.by_user.is_empty());
        assert!(open.by_address.capacity() < 1_000, "{}", open.by_address.capacity());
    }
}
