//! What is revoked stays so, also over a restart.

use serde_json::json;
use tickerd_config::{SecretSource, StaticToken, TokenSource};
use tickerd_model::access::refusal::Refusal;

use super::kit::{House, NOW_S, RING, SECRET, ask, claims_with, wall};
use crate::{Authenticator, Merged, Revocation};

fn token(sub: &str, jti: &str, iat: Option<u64>) -> String {
    let others = json!({"sub": sub, "jti": jti, "iat": iat});
    RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &claims_with("ed", &others))
}

fn house() -> House {
    let mut house = House::new();
    let source = TokenSource::Secret(SecretSource::File(house.write("wall", SECRET)));
    house.auth.tokens =
        vec![StaticToken { name: "wall".into(), token: source, groups: Vec::new(), user: "screen".into() }];
    house
}

#[test]
fn each_kind_is_refused_and_others_are_not() {
    let house = house();
    let file = house.folder.path().join("revoked");
    let open = || Authenticator::start(&house.auth, Some(file.clone()), wall).unwrap();
    let tokens = [
        (SECRET.to_owned(), Revocation::Token("wall".into())),
        (token("ann", "j1", Some(NOW_S - 9)), Revocation::Jti("j1".into())),
        (token("bob", "j2", Some(NOW_S)), Revocation::User("bob".into())),
        (token("cat", "j3", Some(NOW_S - 100)), Revocation::IssuedBefore(NOW_S - 50)),
    ];
    for (at, (token, revocation)) in tokens.iter().enumerate() {
        let front = open();
        let who = ask(&front, token).unwrap();
        assert!(!front.is_revoked(&who));
        front.revoke(revocation.clone()).unwrap();
        assert!(front.is_revoked(&who), "{revocation:?}");
        drop(front);
        let front = open();
        for (later, (token, _)) in tokens.iter().enumerate() {
            match later <= at {
                true => assert_eq!(ask(&front, token).unwrap_err(), Refusal::Revoked, "over a restart"),
                false => assert!(ask(&front, token).is_ok()),
            }
        }
    }
    let front = open();
    assert!(ask(&front, &token("ann", "j4", Some(NOW_S - 50))).is_ok());
    assert_eq!(ask(&front, &token("ann", "j4", None)).unwrap_err(), Refusal::Revoked, "it says not when");
    assert!(ask(&front, &token("bob", "j5", Some(NOW_S + 1))).is_ok(), "who signs in again is let in");
    assert!(!front.is_revoked(&front.anonymous()));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(SECRET) && !text.contains("eyJ"), "names, and no token");
    assert!(!house.folder.path().join("revoked.new").exists());
}

#[test]
fn the_list_is_bounded_and_forgets_what_cannot_live() {
    let house = house();
    let file = house.write("revoked", "");
    let line = |revoked, at: u64| json!({"revoked": revoked, "at": at});
    let old = NOW_S - 401 * 86_400;
    let lines: Vec<_> = (0..10_000).map(|at| line(json!({"jti": format!("j{at}")}), old)).collect();
    std::fs::write(&file, json!(lines).to_string()).unwrap();
    let front = Authenticator::start(&house.auth, Some(file.clone()), wall).unwrap();
    assert!(ask(&front, &token("ann", "j1", None)).is_ok(), "such a token is over long since");
    let lines: Vec<_> = (0..10_000).map(|at| line(json!({"jti": format!("j{at}")}), NOW_S)).collect();
    std::fs::write(&file, json!(lines).to_string()).unwrap();
    let front = Authenticator::start(&house.auth, Some(file), wall).unwrap();
    assert_eq!(ask(&front, &token("ann", "j1", None)).unwrap_err(), Refusal::Revoked);
    assert!(front.revoke(Revocation::Jti("new".into())).unwrap_err().to_string().contains("10000"));
    assert!(front.revoke(Revocation::Jti("j1".into())).is_ok());
    assert!(front.revoke(Revocation::User(String::new())).is_err());
}

#[test]
fn a_broken_file_stops_the_start_and_a_full_disk_is_told() {
    let house = house();
    for text in ["", "CANARY", "[{\"revoked\":{\"usr\":\"CANARY\"},\"at\":1}]"] {
        let file = house.write("revoked", text);
        let told = Authenticator::start(&house.auth, Some(file), wall).unwrap_err().to_string();
        assert!(told.contains("no list of revocations") && !told.contains("CANARY"), "{told}");
    }
    let nowhere = house.folder.path().join("nowhere/revoked");
    let front = Authenticator::start(&house.auth, Some(nowhere), wall).unwrap();
    let told = front.revoke(Revocation::Token("wall".into())).unwrap_err().to_string();
    assert!(told.contains("the revocation holds") && told.contains("cannot be written"), "{told}");
    assert_eq!(ask(&front, SECRET).unwrap_err(), Refusal::Revoked);
}

#[test]
fn what_another_node_knows_holds_here_by_its_time() {
    let house = house();
    let file = house.folder.path().join("revoked");
    let open = || Authenticator::start(&house.auth, Some(file.clone()), wall).unwrap();
    let (here, there) = (open(), Authenticator::start(&house.auth, None, wall).unwrap());
    assert_eq!((here.revocations_digest(), there.revocations_digest()), (0, 0));
    there.revoke(Revocation::User("ann".into())).unwrap();
    there.revoke(Revocation::Token("wall".into())).unwrap();
    here.revoke(Revocation::Jti("j9".into())).unwrap();
    // The other's clock is an hour behind: what counts is the time that it says.
    let behind = NOW_S - 3_600;
    let list = there.revocations().into_iter().map(|(revoked, _)| (revoked, behind));
    let (old, new) = (token("ann", "j1", Some(behind)), token("ann", "j2", Some(behind + 1)));
    let ann = ask(&here, &old).unwrap();
    assert_eq!(here.merge(list.clone()), Merged { new: 2, left_out: 0, astray: 0 });
    assert!(here.is_revoked(&ann), "who is here already");
    assert_eq!(ask(&here, &old).unwrap_err(), Refusal::Revoked);
    assert!(ask(&here, &new).is_ok(), "issued since, by that clock");
    assert_eq!(here.merge(list), Merged::default(), "once more changes nothing");
    assert_eq!(here.merge([(Revocation::User("ann".into()), NOW_S)]).new, 1, "the later time counts");
    assert_eq!(ask(&here, &new).unwrap_err(), Refusal::Revoked);
    assert_ne!(here.revocations_digest(), there.revocations_digest());
    there.merge(here.revocations());
    here.merge(there.revocations());
    assert_eq!(here.revocations_digest(), there.revocations_digest(), "who knows the same says the same");
    let mut begun = false;
    here.save_revocations(|| begun = true).unwrap();
    assert!(begun);
    assert_eq!(open().revocations(), here.revocations(), "over a restart");
}

#[test]
fn what_another_node_says_keeps_to_the_bounds() {
    let front = house().open();
    let named = |count: usize, length: usize| {
        (0..count).map(move |at| (Revocation::Jti(format!("{at:0length$}")), NOW_S))
    };
    let wrong = [Revocation::User(String::new()), Revocation::Jti("x".repeat(8_193))].map(|one| (one, NOW_S));
    assert_eq!(front.merge(wrong), Merged { new: 0, left_out: 2, astray: 0 });
    let over = (Revocation::Jti("old".into()), NOW_S - 401 * 86_400);
    let astray = Merged { new: 0, left_out: 0, astray: 1 };
    assert_eq!(front.merge([over]), astray, "no token lives that it meets, by the clock here");
    assert_eq!(front.revocations_digest(), 0);
    assert_eq!(front.merge(named(10_001, 8)), Merged { new: 10_000, left_out: 1, astray: 0 });
    assert_eq!(front.merge(named(10_000, 8)), Merged::default(), "those that are known need no room");
    let front = house().open();
    let long = 8_192;
    assert_eq!(front.merge(named(257, long)), Merged { new: 256, left_out: 1, astray: 0 }, "2 MiB of names");
    assert!(front.revoke(Revocation::User("ann".into())).unwrap_err().to_string().contains("256"));
}
