//! Static tokens and certificates, and reading the configuration again.

use tickerd_config::{Certificate, SecretSource, StaticToken, TokenSource};
use tickerd_model::access::identity::Proof;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::rights::Verb;

use super::kit::{House, RING, SECRET, ask, wall};
use crate::Authenticator;
use crate::revocations::Revocation;
use crate::tokens::sha256;

fn token(name: &str, token: TokenSource) -> StaticToken {
    StaticToken { name: name.into(), token, groups: vec!["desk".into()], user: name.into() }
}

fn of_file(house: &House, name: &str, text: &str) -> StaticToken {
    token(name, TokenSource::Secret(SecretSource::File(house.write(name, text))))
}

#[test]
fn each_static_token_is_known() {
    let mut house = House::new();
    let short = TokenSource::Sha256(tickerd_model::basics::digest::Digest(sha256(b"short")));
    let others =
        (0..5).map(|at| of_file(&house, &format!("t{at}"), &format!("{at}{SECRET}\n"))).collect::<Vec<_>>();
    house.auth.tokens = others;
    house.auth.tokens.push(token("hashed", short));
    let front = house.open();
    for at in 0..5 {
        let who = ask(&front, &format!("{at}{SECRET}")).unwrap();
        assert_eq!(who.user.as_deref(), Some(&*format!("t{at}")));
        assert!(matches!(&who.proof, Proof::Token(token) if *token.name == *format!("t{at}")));
        assert!(who.rights.allow(Verb::Subscribe, &format!("users.t{at}.a")) && who.ends_ms.is_none());
    }
    assert_eq!(ask(&front, "short").unwrap().user.as_deref(), Some("hashed"));
    for wrong in [SECRET, "0", "shor", &format!("0{SECRET} ")] {
        assert_eq!(ask(&front, wrong).unwrap_err(), Refusal::Unknown);
    }
}

#[test]
fn what_cannot_be_used_is_told_at_its_key() {
    let start = |house: &House| Authenticator::start(&house.auth, None, wall).unwrap_err().to_string();
    let mut house = House::new();
    house.auth.tokens = vec![of_file(&house, "short", "hunter2hunter2")];
    let told = start(&house);
    assert!(
        told.starts_with("auth.token[0].token: the token has fewer than 32") && !told.contains("hunter2")
    );
    house.auth.tokens = vec![of_file(&house, "a", SECRET), of_file(&house, "b", SECRET)];
    let told = start(&house);
    assert!(told.contains("auth.token[1].token: this is the same token as that of a"), "{told}");
    house.auth.tokens =
        vec![token("env", TokenSource::Secret(SecretSource::Env("TICKERD_NOT_THERE".into())))];
    assert!(start(&house).contains("has no variable TICKERD_NOT_THERE"));
    house.auth.tokens = vec![token("file", TokenSource::Secret(SecretSource::File("/nowhere/x".into())))];
    assert!(start(&house).contains("/nowhere/x cannot be read"));
    house.auth.tokens.clear();
    for (name, text, says) in [
        ("hs", "too short", "auth.issuer[0].secret: the secret has fewer than 32 bytes"),
        ("rsa", "{}", "auth.issuer[1].keys"),
        ("rsa", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "no key for signatures"),
        ("rsa", r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#, "no key for signatures"),
        ("rsa", &format!("{{\"keys\":[{}]}}", vec!["{}"; 101].join(",")), "more than 100 keys"),
    ] {
        let house = House::new();
        house.write(name, text);
        assert!(start(&house).contains(says), "{says}: {}", start(&house));
    }
    let house = House::new();
    let mut jwk = RING.jwk("EdDSA", "d1");
    jwk["use"] = "enc".into();
    house.write("ed", &serde_json::json!({"keys": [jwk]}).to_string());
    assert!(start(&house).contains("no key for signatures"), "what is for encryption verifies nothing");
}

#[test]
fn a_key_is_for_the_one_algorithm_that_its_set_names() {
    let house = House::new();
    let mut jwk = RING.jwk("RS256", "r1");
    jwk["alg"] = "RS256".into();
    house.write("rsa", &serde_json::json!({"keys": [jwk]}).to_string());
    let front = house.open();
    assert!(ask(&front, &RING.good("RS256", "r1", "rsa")).is_ok());
    assert_eq!(ask(&front, &RING.good("PS256", "r1", "rsa")).unwrap_err(), Refusal::Key);
}

#[test]
fn a_certificate_speaks_for_whom_it_is_configured() {
    let mut house = House::new();
    let one = |name: &str, san: &str| Certificate { name: name.into(), san: san.into(), groups: Vec::new() };
    house.auth.certificates =
        vec![one("wall", "URI:spiffe://example.org/wall"), one("host", "DNS:a.example.org")];
    let front = house.open();
    let of = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        front.of_certificate(&names, wall() + 1).map(|who| {
            assert!(who.as_ref().is_none_or(|who| who.ends_ms == Some(wall() + 1)));
            who.and_then(|who| who.user.clone())
        })
    };
    assert_eq!(of(&["DNS:x", "URI:spiffe://example.org/wall"]), Ok(Some("wall".into())));
    assert_eq!(of(&["dns:A.example.ORG"]), Ok(Some("host".into())));
    assert_eq!(
        of(&["URI:spiffe://example.org/WALL", "spiffe://example.org/wall", "URI:a.example.org"]),
        Ok(None)
    );
    assert_eq!(of(&[]), Ok(None));
    let expired = front.of_certificate(&["DNS:a.example.org".to_owned()], wall());
    assert_eq!(expired.map(drop), Err(Refusal::Expired));
    front.revoke(Revocation::User("wall".into())).unwrap();
    assert_eq!(of(&["URI:spiffe://example.org/wall"]), Err(Refusal::Revoked));
    assert_eq!(of(&["DNS:a.example.org"]), Ok(Some("host".into())));
}

#[test]
fn a_bad_file_leaves_the_old_at_work() {
    let mut house = House::new();
    house.auth.tokens = vec![of_file(&house, "wall", SECRET)];
    let front = house.open();
    house.write("wall", "short");
    assert!(front.reload(&house.auth).is_err());
    assert!(ask(&front, SECRET).is_ok());
    let other = format!("other{SECRET}");
    house.write("wall", &other);
    front.reload(&house.auth).unwrap();
    assert_eq!(ask(&front, SECRET).unwrap_err(), Refusal::Unknown);
    assert!(ask(&front, &other).is_ok());
}

#[test]
fn a_token_of_another_value_is_another_one() {
    let mut house = House::new();
    let other = format!("other{SECRET}");
    house.auth.tokens = vec![of_file(&house, "wall", SECRET), of_file(&house, "hall", &other)];
    let front = house.open();
    let (wall, hall) = (ask(&front, SECRET).unwrap(), ask(&front, &other).unwrap());
    front.reload(&house.auth).unwrap();
    assert!(!front.is_revoked(&wall) && !front.is_revoked(&hall), "nothing has changed");
    house.write("wall", &format!("new{SECRET}"));
    front.reload(&house.auth).unwrap();
    assert!(front.is_revoked(&wall) && !front.is_revoked(&hall));
    // However it is written, the value is the same.
    let digest = tickerd_model::basics::digest::Digest(sha256(other.as_bytes()));
    house.auth.tokens = vec![token("hall", TokenSource::Sha256(digest))];
    front.reload(&house.auth).unwrap();
    assert!(!front.is_revoked(&hall));
}

#[test]
fn who_is_anonymous_may_what_is_anonymous() {
    let mut house = House::new();
    house.auth.anonymous = vec![tickerd_model::topic::Pattern::parse("sim.**").unwrap()];
    let who = house.open().anonymous();
    assert!(who.is_anonymous() && who.rights.allow(Verb::Subscribe, "sim.A"));
    assert!(!who.rights.allow(Verb::History, "sim.A") && !who.rights.is_open());
}
