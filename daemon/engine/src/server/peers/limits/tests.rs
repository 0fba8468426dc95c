//! Who has a place, who has none, and what is remembered of them.

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

#[test]
fn a_long_poll_counts_for_its_client_and_user_while_it_waits() {
    let limits = limits(|limits| (limits.connections_per_address, limits.connections_per_user) = (1, 2));
    let behind = || limits.admit(address("127.0.0.1")).ok().unwrap();
    let (first, second, third) = (behind(), behind(), behind());
    let ann = address("192.0.2.1");
    let waits = first.long_poll(ann, None).ok().unwrap();
    assert_eq!(second.long_poll(ann, None).err(), Some(Full::Address));
    assert!(second.long_poll(address("192.0.2.2"), None).is_ok());
    drop(waits);
    let waits = [first.long_poll(ann, Some("ann")), second.long_poll(None, Some("ann"))]
        .map(|place| place.ok().unwrap());
    assert_eq!(third.long_poll(None, Some("ann")).err(), Some(Full::User));
    drop(waits);
    let direct = limits.admit(ann).ok().unwrap();
    assert!(direct.long_poll(ann, None).is_ok(), "its connection is counted already");
    drop((first, second, third, direct));
    let open = limits.open();
    assert!(open.by_address.is_empty() && open.by_user.is_empty() && open.all == 0);
}
