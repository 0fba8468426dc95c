//! No text that anyone sees holds a token, a secret, a key or a ticket.

use serde_json::json;
use tickerd_config::{Keys, SecretSource, StaticToken, TokenSource};
use tickerd_model::access::secret::Secret;

use super::kit::{House, RING, ask, claims, encode, issuer, wall};
use crate::{Authenticator, Revocation, TicketPlace};

#[test]
fn twenty_canaries_are_in_no_text() {
    let mut seen = Vec::new();
    let mut house = House::new();
    let canary = |at: usize| format!("CANARY{at:02}");
    // As static tokens, too short or twice, and as secrets and keys that cannot be read.
    for at in 0..4 {
        let text = if at < 2 { canary(at) } else { canary(2).repeat(5) };
        let source = TokenSource::Secret(SecretSource::File(house.write(&format!("t{at}"), &text)));
        house.auth.tokens.push(StaticToken {
            name: format!("t{at}"),
            token: source,
            groups: vec![],
            user: "u".into(),
        });
        seen.push(format!("{:?}", Authenticator::start(&house.auth, None, wall).map(drop)));
        seen.extend(Authenticator::start(&house.auth, None, wall).err().map(|error| error.to_string()));
        if at < 2 {
            house.auth.tokens.clear();
        }
        if at == 3 {
            seen.push(format!("{:?}", house.auth));
        }
    }
    house.auth.tokens.clear();
    for (at, text) in
        [(4, canary(4)), (5, format!("{{\"keys\":\"{}\"}}", canary(5))), (6, format!("[{}", canary(6)))]
    {
        let mut other = House::new();
        let path = other.write("x", &text);
        let keys = if at == 4 { Keys::Secret(SecretSource::File(path)) } else { Keys::File(path) };
        let algorithm = if at == 4 { "HS256" } else { "RS256" };
        other.auth.issuers = vec![issuer("x", &[algorithm], keys)];
        let error = Authenticator::start(&other.auth, None, wall).unwrap_err();
        seen.push(format!("{error} {error:?}"));
    }
    // As tokens of all kinds.
    let front = house.open();
    let header = |text: &str| encode(json!({"alg": "EdDSA", "kid": text}).to_string());
    let body = encode(claims("ed").to_string());
    let tokens = [
        canary(7),
        format!("{}.{}.{}", canary(8), canary(8), canary(8)),
        format!("{}.{body}.{}", header(&canary(9)), canary(9)),
        format!("{}.{}.AAAA", header("d1"), canary(10)),
        format!("tkt_{}", canary(11)),
        canary(12).repeat(5_000),
        RING.token("EdDSA", r#"{"alg":"EdDSA"}"#, &json!({"iss": canary(13)}).to_string()),
        RING.token("EdDSA", &json!({"alg": canary(14)}).to_string(), "{}"),
        RING.token("EdDSA", &json!({"alg": "EdDSA", "crit": [canary(15)]}).to_string(), "{}"),
        format!("Bearer {}", canary(16)),
    ];
    for token in tokens {
        seen.push(format!("{:?}", Secret::new(token.clone())));
        let refusal = ask(&front, &token).unwrap_err();
        seen.push(format!("{refusal} {refusal:?} {}", refusal.code()));
    }
    // As a good token, what it proves, and a ticket for it.
    let good = RING.good("EdDSA", "d1", "ed");
    let ann = ask(&front, &good).unwrap();
    let ticket = front.ticket(&ann, TicketPlace { origin: None, address: None }, None).unwrap();
    seen.push(format!("{front:?} {ann:?} {ticket:?}"));
    let error = front.revoke(Revocation::Jti(canary(17).repeat(5_000))).unwrap_err();
    seen.push(format!("{error} {error:?}"));
    // As a signing key and as an issuer's answer.
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", canary(18));
    let key = SecretSource::File(house.write("pem", &pem));
    let error = crate::Keyring::open(&tickerd_config::Signing { key, previous: None }).unwrap_err();
    seen.push(format!("{error} {error:?}"));
    let server = super::server::Server::start(|_, _| (200, String::new(), format!("[{}", "CANARY19")));
    house.auth.issuers = vec![issuer("far", &["EdDSA"], Keys::Url(server.url("/keys")))];
    let front = Authenticator::begin(&house.auth, None, wall, super::kit::quick()).unwrap();
    seen.push(format!("{:?}", ask(&front, &RING.good("EdDSA", "d1", "far")).map(drop)));
    seen.push(format!("{:?}", front.health()));
    assert!(seen.iter().filter(|text| text.starts_with("auth.token")).count() == 3, "{seen:?}");
    for text in &seen {
        let is_told = text.contains("CANARY") || text.contains(good.rsplit('.').next().unwrap());
        assert!(!is_told && !text.contains(&ticket.expose()[4..]), "{text}");
    }
}
