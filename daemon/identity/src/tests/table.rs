//! The ways in which a token can be wrong, and what each is told.

use serde_json::{Value, json};

use super::kit::{House, NOW_S, RING, ask, claims, claims_with, encode};
use tickerd_model::access::refusal::Refusal;

const ALGORITHMS: [(&str, &str, &str); 12] = [
    ("hs", "HS256", ""),
    ("hs", "HS384", ""),
    ("hs", "HS512", ""),
    ("rsa", "RS256", "r1"),
    ("rsa", "RS384", "r1"),
    ("rsa", "RS512", "r1"),
    ("rsa", "PS256", "r1"),
    ("rsa", "PS384", "r1"),
    ("rsa", "PS512", "r1"),
    ("ec", "ES256", "e1"),
    ("ec", "ES384", "e2"),
    ("ed", "EdDSA", "d1"),
];

#[test]
fn every_algorithm_is_verified_with_its_own_kind_of_key_alone() {
    let house = House::new().open();
    for (issuer, alg, kid) in ALGORITHMS {
        let who =
            ask(&house, &RING.good(alg, kid, issuer)).unwrap_or_else(|refusal| panic!("{alg}: {refusal}"));
        assert_eq!(who.user.as_deref(), Some("ann"), "{alg}");
        let no_kid = RING.token(alg, &json!({"alg": alg}).to_string(), &claims(issuer).to_string());
        assert!(ask(&house, &no_kid).is_ok(), "{alg}: one key fits, so that no name is needed");
        for (_, other, _) in ALGORITHMS.iter().filter(|(_, other, _)| *other != alg) {
            // Signed in one way, and said to be signed in another.
            let header = json!({"alg": alg, "kid": kid}).to_string();
            let lie = RING.token(other, &header, &claims(issuer).to_string());
            assert_eq!(ask(&house, &lie).unwrap_err(), Refusal::Signature, "{other} as {alg}");
        }
        for (_, other, _) in ALGORITHMS.iter().filter(|(other, _, _)| *other != issuer) {
            let token = RING.good(other, kid, issuer);
            assert_eq!(ask(&house, &token).unwrap_err(), Refusal::Algorithm, "{other} of {issuer}");
        }
    }
}

#[test]
fn each_wrong_token_is_told_why() {
    let house = House::new().open();
    let with = |others: Value| RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &claims_with("ed", &others));
    let head = |header: &str| RING.token("EdDSA", header, &claims("ed").to_string());
    let good = RING.good("EdDSA", "d1", "ed");
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned();
    let none = |alg: &str| {
        let header = json!({"alg": alg}).to_string();
        format!("{}.{}.", encode(header), encode(claims("ed").to_string()))
    };
    let keys = RING.jwk("RS256", "r1");
    // The oldest trick: the public key as the secret.
    let confused = |issuer: &str| {
        let signed =
            format!("{}.{}", encode(r#"{"alg":"HS256","kid":"r1"}"#), encode(claims(issuer).to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, keys["n"].as_str().unwrap().as_bytes());
        format!("{signed}.{}", encode(ring::hmac::sign(&key, signed.as_bytes())))
    };
    let later = NOW_S + 60;
    let twice = format!(r#"{{"iss":"ed","aud":"tickerd","exp":{later},"sub":"ann","sub":"root"}}"#);
    let deep_twice = format!(
        r#"{{"iss":"ed","aud":"tickerd","exp":{later},"sub":"ann","tickerd":{{"subscribe":[],"subscribe":[]}}}}"#
    );
    let two_heads = r#"{"alg":"EdDSA","alg":"none"}"#;
    let cases: Vec<(&str, String, Refusal)> = vec![
        ("empty", String::new(), Refusal::Missing),
        ("no token", "hunter2".into(), Refusal::Unknown),
        ("1 MiB", "a".repeat(1 << 20), Refusal::TooLong),
        ("a JWT of 1 MiB", with(json!({"x": "a".repeat(1 << 20)})), Refusal::TooLong),
        ("a ticket", "tkt_AAAA".into(), Refusal::Ticket),
        ("with Bearer", format!("Bearer {good}"), Refusal::Malformed),
        ("five parts", format!("{good}.a.b"), Refusal::Unknown),
        ("empty parts", "..".into(), Refusal::Malformed),
        ("padding", format!("{good}=="), Refusal::Malformed),
        ("a space behind", format!("{good} "), Refusal::Malformed),
        ("header no object", head("[]"), Refusal::Malformed),
        ("header without alg", head("{}"), Refusal::Malformed),
        ("alg no text", head(r#"{"alg":5}"#), Refusal::Malformed),
        ("kid no text", head(r#"{"alg":"EdDSA","kid":5}"#), Refusal::Malformed),
        ("alg twice", head(two_heads), Refusal::Malformed),
        ("claims no object", RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, "5"), Refusal::Malformed),
        ("a claim twice", RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &twice), Refusal::Malformed),
        ("a claim twice, deep", RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &deep_twice), Refusal::Malformed),
        ("deep nesting", head(&format!("{}{}", "[".repeat(3_000), "]".repeat(3_000))), Refusal::Malformed),
        ("none", none("none"), Refusal::Algorithm),
        ("None", none("nOnE"), Refusal::Algorithm),
        ("alg in small letters", head(r#"{"alg":"eddsa"}"#), Refusal::Algorithm),
        ("not listed", RING.good("RS256", "r1", "ed"), Refusal::Algorithm),
        ("HS256 with the public key", confused("rsa"), Refusal::Algorithm),
        ("crit", head(r#"{"alg":"EdDSA","crit":["exp"],"exp":5}"#), Refusal::Critical),
        ("crit b64", head(r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#), Refusal::Critical),
        ("crit empty", head(r#"{"alg":"EdDSA","crit":[]}"#), Refusal::Critical),
        ("no iss", with(json!({"iss": null})), Refusal::Issuer),
        ("iss a list", with(json!({"iss": ["ed"]})), Refusal::Issuer),
        ("another iss", with(json!({"iss": "evil"})), Refusal::Issuer),
        ("iss with a slash", with(json!({"iss": "ed/"})), Refusal::Issuer),
        ("another issuer's key", RING.good("EdDSA", "d1", "far"), Refusal::Signature),
        ("another kid", RING.good("EdDSA", "d2", "ed"), Refusal::Key),
        (
            "no kid among two kinds",
            RING.token("ES256", r#"{"alg":"ES384"}"#, &claims("ec").to_string()),
            Refusal::Signature,
        ),
        ("the other key of the set", RING.good("ES256", "e2", "ec"), Refusal::Key),
        ("empty signature", format!("{unsigned}."), Refusal::Signature),
        ("short signature", format!("{unsigned}.AAAA"), Refusal::Signature),
        (
            "another header",
            format!("{}.{}", encode(r#"{"alg":"EdDSA","kid":"d1" }"#), good.split_once('.').unwrap().1),
            Refusal::Signature,
        ),
        (
            "a key of its own in the header",
            {
                let own = super::kit::Ring::new();
                let header = json!({"alg": "EdDSA", "kid": "d1", "jwk": own.jwk("EdDSA", "d1"), "jku": "http://127.0.0.1:1/"});
                own.token("EdDSA", &header.to_string(), &claims("ed").to_string())
            },
            Refusal::Signature,
        ),
        ("no exp", with(json!({"exp": null})), Refusal::Claims),
        ("exp a text", with(json!({"exp": "2030"})), Refusal::Claims),
        ("exp below zero", with(json!({"exp": -1})), Refusal::Claims),
        ("exp too far", with(json!({"exp": NOW_S + 401 * 86_400})), Refusal::Life),
        ("expired", with(json!({"exp": NOW_S - 5})), Refusal::Expired),
        ("expire_at over", with(json!({"expire_at": NOW_S - 5})), Refusal::Expired),
        ("not yet", with(json!({"nbf": NOW_S + 6})), Refusal::NotYetValid),
        ("nbf a text", with(json!({"nbf": "now"})), Refusal::Claims),
        ("iat a text", with(json!({"iat": "now"})), Refusal::Claims),
        ("jti a number", with(json!({"jti": 5})), Refusal::Claims),
        ("no aud", with(json!({"aud": null})), Refusal::Audience),
        ("another aud", with(json!({"aud": "shop"})), Refusal::Audience),
        ("other auds", with(json!({"aud": ["shop", "tickerd2", 5]})), Refusal::Audience),
        ("no sub", with(json!({"sub": null})), Refusal::Claims),
        ("sub a number", with(json!({"sub": 5})), Refusal::Claims),
        ("sub empty", with(json!({"sub": ""})), Refusal::User),
        ("sub too long", with(json!({"sub": "x".repeat(129)})), Refusal::User),
        ("sub with a space", with(json!({"sub": "a b"})), Refusal::User),
        ("sub with a zero", with(json!({"sub": "a\u{0}"})), Refusal::User),
        ("sub turned around", with(json!({"sub": "a\u{202e}b"})), Refusal::User),
        ("sub with a blank letter", with(json!({"sub": "ann\u{3164}"})), Refusal::User),
        ("sub with a tag", with(json!({"sub": "ann\u{e0061}"})), Refusal::User),
        ("sub like the server", with(json!({"sub": "Admin"})), Refusal::User),
        ("our claim a list", with(json!({"tickerd": []})), Refusal::Claims),
        ("no pattern", with(json!({"tickerd": {"subscribe": ["a..b"]}})), Refusal::Claims),
        ("a template in a claim", with(json!({"tickerd": {"subscribe": ["users.{sub}"]}})), Refusal::Claims),
        ("a pattern no text", with(json!({"tickerd": {"publish": [5]}})), Refusal::Claims),
        ("groups a text", with(json!({"tickerd": {"groups": "desk"}})), Refusal::Claims),
        ("caps a text", with(json!({"caps": "all"})), Refusal::Claims),
        (
            "caps by regex",
            with(json!({"caps": [{"channels": ["a"], "match": "regex", "allow": ["sub"]}]})),
            Refusal::Claims,
        ),
        (
            "caps exact with a star",
            with(json!({"caps": [{"channels": ["a.*"], "allow": ["sub"]}]})),
            Refusal::Claims,
        ),
    ];
    for (name, token, expected) in cases {
        match ask(&house, &token) {
            Err(refusal) => assert_eq!(refusal, expected, "{name}"),
            Ok(who) => panic!("{name} is let in as {:?}", who.user),
        }
    }
    assert!(ask(&house, &good).is_ok(), "and what is right is let in after all that");
}

#[test]
fn bytes_that_are_no_utf8_are_no_user() {
    let house = House::new().open();
    let mut claims = claims("hs").to_string().into_bytes();
    let at = claims.windows(3).position(|three| three == b"ann").unwrap();
    claims[at] = 0xff;
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(&claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, super::kit::SECRET.as_bytes());
    let token = format!("{signed}.{}", encode(ring::hmac::sign(&key, signed.as_bytes())));
    assert_eq!(ask(&house, &token).unwrap_err(), Refusal::Malformed);
}

#[test]
fn clocks_may_be_five_seconds_apart() {
    let house = House::new().open();
    let with = |others: Value| RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &claims_with("ed", &others));
    assert!(ask(&house, &with(json!({"exp": NOW_S - 4}))).is_ok());
    assert!(ask(&house, &with(json!({"nbf": NOW_S + 5}))).is_ok());
    assert!(ask(&house, &with(json!({"aud": ["shop", "tickerd"]}))).is_ok());
    assert!(ask(&house, &with(json!({"exp": NOW_S as f64 + 0.5}))).is_ok());
}

#[test]
fn ten_thousand_names_of_keys_cost_nothing_that_stays() {
    let house = House::new().open();
    for at in 0..10_000 {
        let header = json!({"alg": "EdDSA", "kid": format!("k{at}")}).to_string();
        let token = format!("{}.{}.AAAA", encode(header), encode(claims("ed").to_string()));
        assert_eq!(ask(&house, &token).unwrap_err(), Refusal::Key);
    }
}
