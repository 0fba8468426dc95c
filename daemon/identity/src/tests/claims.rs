//! What a good token's claims mean.

use std::sync::Arc;

use serde_json::{Value, json};

use super::kit::{House, NOW_S, RING, ask, claims_with};
use tickerd_model::access::identity::{Identity, Proof};
use tickerd_model::access::rights::Verb;
use tickerd_model::topic::Pattern;

fn let_in(house: &House, others: Value) -> Arc<Identity> {
    let token = RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &claims_with("ed", &others));
    ask(&house.open(), &token).unwrap()
}

#[test]
fn rights_are_the_union_of_groups_and_claims() {
    let mut house = House::new();
    house.auth.anonymous = vec![Pattern::parse("sim.**").unwrap()];
    let own = json!({"subscribe": ["rooms.*"], "publish": ["rooms.a"], "presence": ["rooms.b"], "history": ["h.*"],
        "groups": ["desk", "nowhere"], "admin": true});
    let rights = let_in(&house, json!({"tickerd": own})).rights.clone();
    for topic in ["rooms.x", "stocks.A", "users.ann.mail", "sim.A"] {
        assert!(rights.allow(Verb::Subscribe, topic), "{topic}");
    }
    for topic in ["stocks.secret.A", "users.bob.mail", "x.y", "rooms.x.y"] {
        assert!(!rights.allow(Verb::Subscribe, topic), "{topic}");
    }
    assert!(rights.allow(Verb::Publish, "rooms.a") && !rights.allow(Verb::Publish, "rooms.b"));
    assert!(rights.allow(Verb::Presence, "rooms.b") && rights.allow(Verb::History, "h.x"));
    assert!(!rights.is_admin(), "a claim makes nobody an administrator");
    let rights = let_in(&house, json!({})).rights.clone();
    assert!(rights.allow(Verb::Subscribe, "sim.A") && !rights.allow(Verb::Subscribe, "stocks.A"));
}

#[test]
fn centrifugos_caps_grant() {
    let caps = json!([
        {"channels": ["stocks.*"], "match": "wildcard", "allow": ["sub", "hst", "unheard-of"]},
        {"channels": ["rooms.a"], "allow": ["pub", "prs"]},
    ]);
    let rights = let_in(&House::new(), json!({"caps": caps})).rights.clone();
    assert!(rights.allow(Verb::Subscribe, "stocks.A") && rights.allow(Verb::History, "stocks.A"));
    assert!(rights.allow(Verb::Publish, "rooms.a") && rights.allow(Verb::Presence, "rooms.a"));
    assert!(!rights.allow(Verb::Subscribe, "rooms.a") && !rights.allow(Verb::Publish, "stocks.A"));
}

#[test]
fn channels_are_subscribed_if_switched_on_and_grant_nothing() {
    let mut house = House::new();
    let others = json!({"channels": ["a.b", "c"], "subs": {"d": {}, "a.b": {}}});
    assert!(let_in(&house, others.clone()).subscribe.is_empty());
    house.auth.issuers.iter_mut().for_each(|issuer| issuer.auto_subscribe = true);
    let who = let_in(&house, others);
    assert_eq!(*who.subscribe, ["a.b", "c", "d"]);
    assert!(!who.rights.allow(Verb::Subscribe, "c"));
}

#[test]
fn the_end_the_proof_and_the_info_are_read() {
    let house = House::new();
    let who = let_in(&house, json!({"jti": "j1", "info": {"name": "Ann"}}));
    assert_eq!(who.ends_ms, Some((NOW_S + 65) * 1_000));
    assert_eq!(who.proof, Proof::Jwt { jti: Some("j1".into()), issued_s: Some(NOW_S - 1) });
    assert_eq!(who.info.as_deref(), Some(r#"{"name":"Ann"}"#));
    assert_eq!(let_in(&house, json!({"expire_at": 0})).ends_ms, None);
    assert_eq!(let_in(&house, json!({"expire_at": NOW_S + 9})).ends_ms, Some((NOW_S + 14) * 1_000));
}

#[test]
fn claims_may_stand_elsewhere() {
    let mut house = House::new();
    for issuer in &mut house.auth.issuers {
        issuer.claims = "https://example.org/tickerd".into();
        issuer.user_claim = "who.email".into();
    }
    let others = json!({"sub": null, "who": {"email": "ann@example.org"},
        "https://example.org/tickerd": {"subscribe": ["a"]}, "tickerd": {"subscribe": ["b"]}});
    let who = let_in(&house, others);
    assert_eq!(who.user.as_deref(), Some("ann@example.org"));
    assert!(who.rights.allow(Verb::Subscribe, "a") && !who.rights.allow(Verb::Subscribe, "b"));
}

#[test]
fn equal_rights_are_kept_once() {
    let house = House::new().open();
    let with = |sub: &str, subscribe: Value| {
        let others = json!({"sub": sub, "tickerd": {"subscribe": subscribe}});
        let token = RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &claims_with("ed", &others));
        ask(&house, &token).unwrap().rights.clone()
    };
    let one = with("ann", json!(["a", "b"]));
    assert!(Arc::ptr_eq(&one, &with("bob", json!(["b", "a"]))));
    assert!(!Arc::ptr_eq(&one, &with("bob", json!(["b"]))));
    for at in 0..10_000 {
        with("ann", json!([format!("t{at}")]));
    }
    assert!(Arc::ptr_eq(&one, &with("cat", json!(["a", "b"]))), "what is in use stays shared");
}
