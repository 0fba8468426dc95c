//! How many connections there may be: in all, from one address, of one user, and of those who have not said who they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use arc_swap::ArcSwap;
use tickerd_config as config;

use super::pace::{Pace, TooLong};
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
    /// Too many wait for their turn.
    Pace,
}

impl From<UserFull> for Full {
    fn from(_: UserFull) -> Full {
        Full::User
    }
}

pub struct Limits {
    most: ArcSwap<Most>,
    tally: Arc<Tally>,
    open: Mutex<Open>,
    pace: Pace,
    is_memory_short: AtomicBool,
}

/// How many there may be.
struct Most {
    connections: usize,
    per_address: usize,
    per_user: usize,
    unidentified: usize,
}

impl Most {
    /// `connections` is how many there may be in all, if the configuration leaves that to the system.
    fn of(connections: usize, limits: &config::Limits) -> Most {
        Most {
            connections: if limits.connections == 0 { connections } else { limits.connections },
            per_address: limits.connections_per_address,
            per_user: limits.connections_per_user,
            unidentified: limits.connections_unidentified,
        }
    }
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
            most: ArcSwap::from_pointee(Most::of(connections, limits)),
            tally,
            open: Mutex::default(),
            pace: Pace::new(limits.handshakes_per_s),
            is_memory_short: AtomicBool::new(false),
        })
    }

    /// These hold from now on. Who has a place keeps it.
    pub fn change(&self, connections: usize, limits: &config::Limits) {
        self.most.store(Arc::new(Most::of(connections, limits)));
        self.tally.set_dry_run(&limits.dry_run);
        self.pace.set(limits.handshakes_per_s);
    }

    /// A place for one connection from `peer`, which is `None` for unix peers.
    pub fn admit(self: &Arc<Limits>, peer: Option<IpAddr>) -> Result<Place, Full> {
        if self.is_memory_short.load(Ordering::Relaxed) && self.tally.enforce(Limit::Memory) {
            return Err(Full::Memory);
        }
        let mut open = self.open();
        if open.all >= self.most.load().connections && self.tally.enforce(Limit::Connections) {
            return Err(Full::Server);
        }
        open.all += 1;
        drop(open);
        let place = Place::new(self.clone(), true);
        place.count_for(peer.and_then(outside))?;
        Ok(place)
    }

    /// Done when a new connection of this client may be served; see [`Pace`].
    ///
    /// # Errors
    /// Too many wait already.
    pub async fn turn(&self, client: Option<IpAddr>) -> Result<(), Full> {
        self.pace.turn(client.and_then(outside), &self.tally).await.map_err(|TooLong| Full::Pace)
    }

    /// Whether a connection without a place is told so. Of one address not all are, if there are very many.
    pub fn may_be_told(&self, client: Option<IpAddr>) -> bool {
        self.pace.may_be_told(client.and_then(outside), &self.tally)
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
    /// Whether it is counted among all connections.
    is_connection: bool,
}

impl Place {
    fn new(limits: Arc<Limits>, is_connection: bool) -> Place {
        Place {
            limits,
            address: OnceLock::new(),
            user: OnceLock::new(),
            is_unidentified: AtomicBool::new(false),
            is_connection,
        }
    }

    /// A place for a long poll on this connection, for as long as it waits: it counts like a connection of its client and its
    /// user. A proxy's connection brings requests of many clients, so that it cannot be counted for one of them itself.
    ///
    /// # Errors
    /// The client or the user has its share.
    pub fn long_poll(&self, client: Option<IpAddr>, user: Option<&str>) -> Result<Place, Full> {
        let place = Place::new(self.limits.clone(), false);
        // A connection that is counted for its address already has one long poll at most.
        if self.address.get().is_none() {
            place.count_for(client)?;
        }
        if let Some(user) = user {
            arrival::Place::count_for_user(&place, user)?;
        }
        Ok(place)
    }

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
        if count >= self.limits.most.load().per_address
            && self.limits.tally.enforce(Limit::ConnectionsPerAddress)
        {
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
        let is_full = open.unidentified >= self.limits.most.load().unidentified;
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
        if count >= self.limits.most.load().per_user && self.limits.tally.enforce(Limit::ConnectionsPerUser) {
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
        open.all -= usize::from(self.is_connection);
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
mod tests;
