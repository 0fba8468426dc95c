//! Who is announced in a room, and that no subscriber is left out.

use proptest::prelude::*;

use super::*;
use std::time::Duration;

fn rooms(letters_max: usize, bytes: usize) -> Rooms {
    let depth = Depth { count: letters_max, age: Duration::from_secs(60) };
    let room = |name: &str, publish, presence| Declared { name: name.into(), publish, presence, depth };
    let declared = vec![room("rooms.lobby", true, true), room("rooms.quiet", false, false)];
    {
        let mut rooms = Rooms::new(Limits { age_ms: 60_000, bytes });
        declared.into_iter().for_each(|declared| _ = rooms.open(declared));
        rooms
    }
}

fn seat(conn: u32) -> Seat {
    Seat { shard: 0, conn, generation: 1 }
}

fn person(conn: u32, name: Option<&str>) -> Person {
    Person { conn: format!("0-{conn}").into(), name: name.map(Into::into), info: None }
}

fn by(name: &str) -> (&str, Publisher) {
    (name, Publisher::default())
}

fn user(name: &str) -> To {
    To::User(name.into())
}

#[test]
fn who_came_and_went_is_told_once() {
    let mut rooms = rooms(8, 1 << 20);
    let lobby = rooms.find("rooms.lobby").unwrap();
    rooms.join(lobby, seat(1), person(1, Some("ann")));
    rooms.join(lobby, seat(2), person(2, None));
    rooms.join(lobby, seat(3), person(3, None));
    rooms.leave(lobby, seat(3));
    let told = rooms.take_turnover(lobby).unwrap();
    assert_eq!(told.joined, [person(1, Some("ann")), person(2, None)], "who left at once was never there");
    assert_eq!((told.left.len(), told.count), (0, 2));
    assert_eq!(rooms.take_turnover(lobby), None);
    rooms.leave(lobby, seat(1));
    rooms.join(lobby, seat(1), person(1, Some("ann")));
    assert_eq!(rooms.take_turnover(lobby), None, "back before anyone was told");
    rooms.leave(lobby, seat(2));
    rooms.leave(lobby, seat(2));
    let told = rooms.take_turnover(lobby).unwrap();
    assert_eq!((told.joined.len(), told.left, told.count), (0, vec![person(2, None)], 1));
    assert_eq!(rooms.who("rooms.lobby", 10).unwrap(), (1, vec![person(1, Some("ann"))]));
    let quiet = rooms.find("rooms.quiet").unwrap();
    rooms.join(quiet, seat(1), person(1, None));
    assert_eq!(rooms.take_turnover(quiet), None);
    assert_eq!(rooms.who("rooms.quiet", 10).unwrap_err().code, Code::Forbidden);
    assert_eq!(rooms.who("rooms.none", 10).unwrap_err().code, Code::UnknownTopic);
}

#[test]
fn letters_reach_who_is_there_and_wait_for_who_is_not() {
    let mut rooms = rooms(2, 1 << 20);
    let lobby = rooms.find("rooms.lobby").unwrap();
    rooms.join(lobby, seat(1), person(1, Some("ann")));
    rooms.join(lobby, seat(2), person(2, Some("ann")));
    let sent = rooms.publish("rooms.lobby", by("user:bob"), Some(&user("ann")), b"1", 5).unwrap();
    let Sent::ToSeats(seats, letter) = sent else { panic!("{sent:?}") };
    assert_eq!(seats, [seat(1), seat(2)]);
    assert_eq!((letter.topic(), letter.from(), letter.to()), ("rooms.lobby", "user:bob", "user:ann"));
    assert_eq!((letter.seq(), letter.ts(), letter.value()), (1, 5, &b"1"[..]));
    let to_conn = To::parse("conn:0-2").unwrap();
    let sent = rooms.publish("rooms.lobby", by("user:bob"), Some(&to_conn), b"2", 5).unwrap();
    assert!(matches!(sent, Sent::ToSeats(seats, _) if seats == [seat(2)]));

    for value in ["3", "4", "5"] {
        let sent =
            rooms.publish("rooms.lobby", by("user:ann"), Some(&user("cid")), value.as_bytes(), 6).unwrap();
        assert!(matches!(sent, Sent::Kept(_)));
    }
    assert_eq!((rooms.letters_waiting(), rooms.take_letters_lost()), (2, 1), "the newest two wait");
    assert!(rooms.collect(lobby, "cid", 7).is_empty(), "nobody is there");
    rooms.join(lobby, seat(3), person(3, Some("cid")));
    let waited = rooms.collect(lobby, "cid", 7);
    let values: Vec<(Seat, &[u8])> = waited.iter().map(|(seat, letter)| (*seat, letter.value())).collect();
    assert_eq!(values, [(seat(3), b"4".as_slice()), (seat(3), b"5")]);
    assert!(rooms.collect(lobby, "cid", 7).is_empty(), "once");
    let gone = rooms.publish("rooms.lobby", by("user:ann"), Some(&To::parse("conn:0-9").unwrap()), b"1", 7);
    assert_eq!(gone.unwrap_err().code, Code::UnknownTopic);
}

#[test]
fn letters_grow_old() {
    let mut rooms = rooms(8, 1 << 20);
    let lobby = rooms.find("rooms.lobby").unwrap();
    rooms.publish("rooms.lobby", by("user:ann"), Some(&user("cid")), b"1", 1_000).unwrap();
    rooms.publish("rooms.lobby", by("user:ann"), Some(&user("cid")), b"2", 30_000).unwrap();
    rooms.join(lobby, seat(3), person(3, Some("cid")));
    let waited = rooms.collect(lobby, "cid", 61_001);
    assert_eq!((waited.len(), rooms.take_letters_lost()), (1, 1));
}

#[test]
fn what_may_not_be_published_says_why() {
    let mut rooms = rooms(0, 1 << 20);
    let mut code =
        |topic: &str, to: Option<&To>| rooms.publish(topic, by("user:a"), to, b"1", 0).unwrap_err().code;
    assert_eq!(code("rooms.none", None), Code::UnknownTopic);
    assert_eq!(code("rooms.quiet", None), Code::Forbidden);
    assert_eq!(code("rooms.lobby", Some(&user("ann"))), Code::UnknownTopic, "it keeps none");
    for wrong in ["ann", "user:", "user:a b", "user:tickerd", "conn:", "group:a", ""] {
        assert_eq!(To::parse(wrong).unwrap_err().code, Code::BadRequest, "{wrong}");
    }
}

#[test]
fn a_flood_is_refused_with_the_time_to_wait() {
    let mut rooms = rooms(8, 1 << 20);
    for _ in 0..MESSAGES_BURST {
        assert_eq!(rooms.publish("rooms.lobby", by("user:a"), None, b"1", 1_000), Ok(Sent::ToAll));
    }
    let refused = rooms.publish("rooms.lobby", by("user:a"), None, b"1", 1_000).unwrap_err();
    assert_eq!((refused.code, refused.retry_after_ms), (Code::RateLimited, Some(10)));
    assert_eq!(rooms.publish("rooms.lobby", by("user:a"), None, b"1", 1_010), Ok(Sent::ToAll));
    assert!(
        rooms.publish("rooms.lobby", by("user:a"), None, b"1", 500).is_err(),
        "a clock that steps back gives nothing"
    );
}

#[test]
fn names_are_plain_and_not_the_servers() {
    for good in ["ann", "A-1_b", &"x".repeat(64)] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", "a b", "ünn", "tickerd", "Server", "a:b", "a.b", &"x".repeat(65)] {
        assert!(!is_name(bad), "{bad}");
    }
}

proptest! {
    /// Method: letters for a few users come and are fetched at random. What waits is compared with a plain list of
    /// all of them.
    #[test]
    fn letters_wait_within_their_limits(
        steps in proptest::collection::vec((0u8..4, 0usize..3, 0u64..40_000, 1usize..400), 1..120),
    ) {
        const BYTES: usize = 1_500;
        const MOST: usize = 3;
        let mut rooms = rooms(MOST, BYTES);
        let lobby = rooms.find("rooms.lobby").unwrap();
        let (mut now, mut naive) = (0, Vec::<(usize, u64, u64, usize)>::new());
        let size = |letter: &(usize, u64, u64, usize)| letter.3;
        for (step, who, pause, len) in steps {
            now += pause;
            let name = ["ann", "bob", "cid"][who];
            naive.retain(|(_, _, ts, _)| *ts >= now.saturating_sub(60_000));
            if step > 0 {
                let value = format!("\"{}\"", "x".repeat(len));
                let sent = rooms.publish("rooms.lobby", by("user:eve"), Some(&user(name)), value.as_bytes(), now);
                let Ok(Sent::Kept(letter)) = sent else { panic!("{sent:?}") };
                naive.push((who, letter.seq(), now, letter.bytes()));
                let of_user = naive.iter().filter(|letter| letter.0 == who).count();
                if of_user > MOST {
                    let first = naive.iter().position(|letter| letter.0 == who).unwrap();
                    naive.remove(first);
                }
                while naive.iter().map(size).sum::<usize>() > BYTES {
                    naive.remove(0);
                }
            } else {
                rooms.join(lobby, seat(who as u32), person(who as u32, Some(name)));
                let got = rooms.collect(lobby, name, now);
                rooms.leave(lobby, seat(who as u32));
                let wanted: Vec<u64> = naive.iter().filter(|l| l.0 == who).map(|l| l.1).collect();
                naive.retain(|letter| letter.0 != who);
                prop_assert_eq!(got.iter().map(|(_, letter)| letter.seq()).collect::<Vec<_>>(), wanted);
            }
            prop_assert!(rooms.letters_waiting() <= 3 * MOST);
        }
    }
}
