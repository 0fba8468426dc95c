//! Tickets are good once, for half a minute, in one place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use super::kit::{House, RING, ask, wall};
use crate::{Authenticator, Brought, Revocation, TicketPlace};

fn place(origin: Option<&str>, address: Option<&str>) -> TicketPlace {
    TicketPlace { origin: origin.map(str::to_owned), address: address.map(|text| text.parse().unwrap()) }
}

#[test]
fn a_ticket_is_used_once_and_at_its_place() {
    let front = House::new().open();
    let ann = ask(&front, &RING.good("EdDSA", "d1", "ed")).unwrap();
    let here = place(Some("https://a.example"), Some("192.0.2.7"));
    for (other, is_same) in [
        (here.clone(), true),
        (place(Some("https://a.example"), Some("192.0.2.250")), true),
        (place(Some("https://a.example"), Some("::ffff:192.0.2.9")), true),
        (place(Some("https://a.example"), Some("192.0.3.7")), false),
        (place(Some("https://b.example"), Some("192.0.2.7")), false),
        (place(None, Some("192.0.2.7")), false),
        (place(Some("https://a.example"), None), false),
    ] {
        let ticket = front.ticket(&ann, here.clone(), None).unwrap();
        assert!(Authenticator::is_ticket(&ticket));
        let redeemed = front.redeem(&ticket, &other);
        match is_same {
            true => assert_eq!(redeemed.unwrap().user, ann.user),
            false => assert_eq!(redeemed.unwrap_err(), Refusal::Ticket, "{other:?}"),
        }
        assert_eq!(front.redeem(&ticket, &here).unwrap_err(), Refusal::Ticket, "it is used up");
    }
    let six = place(None, Some("2001:db8:0:1::7"));
    let ticket = front.ticket(&ann, six.clone(), None).unwrap();
    assert!(front.redeem(&ticket, &place(None, Some("2001:db8:0:1:ffff::"))).is_ok());
    let ticket = front.ticket(&ann, six, None).unwrap();
    assert!(front.redeem(&ticket, &place(None, Some("2001:db8:0:2::7"))).is_err());
    let made_up = Secret::new("tkt_AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(front.redeem(&made_up, &here).unwrap_err(), Refusal::Ticket);
    assert_eq!(front.ticket(&front.anonymous(), here, None).unwrap_err(), Refusal::Missing);
}

#[test]
fn a_ticket_ends_and_their_number_is_bounded() {
    static NOW_MS: AtomicU64 = AtomicU64::new(0);
    NOW_MS.store(wall(), Ordering::Relaxed);
    let house = House::new();
    let front = Authenticator::start(&house.auth, None, || NOW_MS.load(Ordering::Relaxed)).unwrap();
    let ann = ask(&front, &RING.good("EdDSA", "d1", "ed")).unwrap();
    let here = place(None, None);
    let of = |user: String| Arc::new(Identity { user: Some(user.into()), ..Identity::clone(&ann) });
    let first = front.ticket(&ann, here.clone(), None).unwrap();
    let tickets: Vec<Secret> = (0..16).map(|_| front.ticket(&ann, here.clone(), None).unwrap()).collect();
    assert_eq!(
        front.redeem(&first, &here).unwrap_err(),
        Refusal::Ticket,
        "a user has 16, and the oldest goes"
    );
    for n in 0..255 {
        let user = of(format!("user-{n}"));
        assert!((0..16).all(|_| front.ticket(&user, here.clone(), None).is_ok()), "{n}");
    }
    assert_eq!(front.ticket(&of("late".into()), here.clone(), None).unwrap_err(), Refusal::Busy);
    let again = front.ticket(&ann, here.clone(), None).expect("who has tickets makes room for its own");
    assert_eq!(front.redeem(&tickets[0], &here).unwrap_err(), Refusal::Ticket);
    let tickets = [again, tickets[1].clone()];
    NOW_MS.fetch_add(29_999, Ordering::Relaxed);
    assert!(front.redeem(&tickets[0], &here).is_ok());
    NOW_MS.fetch_add(1, Ordering::Relaxed);
    assert_eq!(front.redeem(&tickets[1], &here).unwrap_err(), Refusal::Ticket);
    let ticket = front.ticket(&ann, here.clone(), None).expect("those that are over make room");
    front.revoke(Revocation::User("ann".into())).unwrap();
    assert_eq!(front.redeem(&ticket, &here).unwrap_err(), Refusal::Revoked);
    assert_eq!(front.ticket(&ann, here, None).unwrap_err(), Refusal::Revoked);
}

#[test]
fn a_ticket_of_another_node_is_used_up_there_and_read_here() {
    let house = House::new();
    let (there, here) = (house.open(), house.open());
    let token = RING.good("EdDSA", "d1", "ed");
    let ann = ask(&there, &token).unwrap();
    let (home, away) = (place(None, Some("192.0.2.7")), place(None, Some("192.0.3.7")));
    let brought = Brought::Token(Secret::new(token.as_str()));
    let give = || there.ticket(&ann, home.clone(), Some(("node-1", &brought))).unwrap();
    let ticket = give();
    assert_eq!(Authenticator::node_of(&ticket), Some("node-1"));
    assert_eq!(Authenticator::node_of(&Secret::new("tkt_AAAA")), None);
    assert_eq!(here.redeem(&ticket, &home).unwrap_err(), Refusal::Ticket, "it is not this node's");
    let digest = Authenticator::digest_of(&ticket);
    assert_eq!(here.give_up(&digest), None);
    let sealed = there.give_up(&digest).unwrap();
    let is_in = |text: &str| sealed.windows(8).any(|window| text.as_bytes().windows(8).any(|w| w == window));
    assert!(!is_in(&token) && !is_in(ticket.expose()), "who listens reads nothing");
    assert_eq!(Authenticator::unseal(&ticket, &home, sealed.clone()), Ok(brought.clone()));
    for (ticket, place) in [(&ticket, &away), (&give(), &home)] {
        assert_eq!(Authenticator::unseal(ticket, place, sealed.clone()), Err(Refusal::Ticket));
    }
    for wrong in [&b""[..], b"garbage", &sealed[1..]] {
        assert_eq!(Authenticator::unseal(&ticket, &home, wrong.into()), Err(Refusal::Ticket));
    }
    // Once: neither another node nor this one gets it again.
    assert_eq!(there.give_up(&digest), None);
    assert_eq!(there.redeem(&ticket, &home).unwrap_err(), Refusal::Ticket);
    let at_home = give();
    assert_eq!(there.redeem(&at_home, &home).unwrap().user, ann.user, "where it was given out");
    assert_eq!(there.give_up(&Authenticator::digest_of(&at_home)), None);
    // One of a daemon that is alone has nothing for others.
    let alone = there.ticket(&ann, home.clone(), None).unwrap();
    assert_eq!(there.give_up(&Authenticator::digest_of(&alone)), None);
    let shown = Brought::Certificate { names: vec!["DNS:wall.example".into()], until_ms: 7 };
    let of_certificate = there.ticket(&ann, home.clone(), Some(("a", &shown))).unwrap();
    let sealed = there.give_up(&Authenticator::digest_of(&of_certificate)).unwrap();
    assert_eq!(Authenticator::unseal(&of_certificate, &home, sealed), Ok(shown));
}

#[test]
fn a_ticket_ends_for_other_nodes_too() {
    static NOW_MS: AtomicU64 = AtomicU64::new(0);
    NOW_MS.store(wall(), Ordering::Relaxed);
    let front = Authenticator::start(&House::new().auth, None, || NOW_MS.load(Ordering::Relaxed)).unwrap();
    let token = RING.good("EdDSA", "d1", "ed");
    let ann = ask(&front, &token).unwrap();
    let brought = Brought::Token(Secret::new(token));
    let give = || {
        let ticket = front.ticket(&ann, place(None, None), Some(("a", &brought))).unwrap();
        Authenticator::digest_of(&ticket)
    };
    let (early, late) = (give(), give());
    NOW_MS.fetch_add(29_999, Ordering::Relaxed);
    assert!(front.give_up(&early).is_some());
    NOW_MS.fetch_add(1, Ordering::Relaxed);
    assert_eq!(front.give_up(&late), None);
}
