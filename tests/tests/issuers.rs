//! Users with tokens of an issuer, on the real daemon: keys that are fetched, change and cannot be had; every kind of bad
//! token; and that none of it is seen anywhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{hmac, rand};
use serde_json::Value;
use tickerd_tests::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Its keys are fetched, and it answers 500 while it has none.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn new() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let (keys, asked) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::<AtomicUsize>::default());
        let issuer = Issuer { url, keys: keys.clone(), asked: asked.clone() };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                asked.fetch_add(1, Ordering::SeqCst);
                let keys = keys.lock().unwrap().clone();
                let status = if keys.is_empty() { "500 Down" } else { "200 OK" };
                let body = json!({ "keys": keys }).to_string();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        issuer
    }

    /// From now on these are its keys.
    fn publish(&self, keys: &[&Key]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }
}

struct Key {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

impl Key {
    fn new(kid: &'static str) -> Key {
        let made = Ed25519KeyPair::generate_pkcs8(&rand::SystemRandom::new()).unwrap();
        Key { pair: Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap(), kid }
    }

    fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key())
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": self.public()})
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "kid": self.kid})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims, |text| self.pair.sign(text).as_ref().to_vec())
    }

    /// A good token of a user.
    fn token(&self, user: &str) -> String {
        self.sign(&self.header(), &claims(user))
    }
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let text = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", text(header), text(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(user: &str) -> Value {
    json!({
        "iss": "https://login.example.org/", "aud": "tickerd", "sub": user, "exp": now_s() + 600,
        "tickerd": {"subscribe": ["s.a"]},
    })
}

/// Claims with one of them other, or without it where that is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("ann");
    let all = claims.as_object_mut().unwrap();
    all.remove(name);
    if !value.is_null() {
        all.insert(name.to_owned(), value);
    }
    claims
}

fn configured(keys: &str) -> Builder {
    daemon().config(&format!(
        "[[auth.issuer]]\nissuer = \"https://login.example.org/\"\naudience = \"tickerd\"\n\
         algorithms = [\"EdDSA\"]\nkeys = \"{keys}\"\n"
    ))
}

async fn ask(daemon: &Daemon, token: &str) -> (u16, String) {
    let mut raw = daemon.raw().await;
    raw.say(format!(
        "GET /v1/topics/s.a HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n",
        daemon.address()
    ))
    .await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer}")), answer)
}

/// The keys cannot be had at first, which readiness tells; then they can, and change.
#[tokio::test]
async fn keys_are_fetched_and_change_while_users_come() {
    let (issuer, old, new) = (Issuer::new().await, Key::new("old"), Key::new("new"));
    let script = Script::new("s");
    let daemon = configured(&issuer.url).feed(script.feed()).run().await;
    script.tick("a", json!(1)).await;
    let (status, answer) = ask(&daemon, &old.token("ann")).await;
    assert!(status == 503 && answer.contains("busy"), "{answer}");
    let (status, ready) = daemon.get("/readyz?verbose").await;
    assert_eq!(status, 200, "{ready}");
    assert!(ready.contains("[-]issuer https://login.example.org/"), "{ready}");
    assert!(ready.contains("status 500"), "{ready}");

    issuer.publish(&[&old]);
    let asks_until = |token: String, wanted: u16| {
        let daemon = &daemon;
        async move {
            within("an answer with other keys", async { while ask(daemon, &token).await.0 != wanted {} })
                .await;
        }
    };
    asks_until(old.token("ann"), 200).await;
    let (_, ready) = daemon.get("/readyz?verbose").await;
    assert!(!ready.contains("[-]issuer"), "{ready}");

    issuer.publish(&[&new]);
    asks_until(new.token("ann"), 200).await;
    // The key of this one is gone.
    asks_until(old.token("ann"), 401).await;
    // Names of keys that nobody has are no way to have the issuer asked again and again.
    let before = issuer.asked.load(Ordering::SeqCst);
    let strangers = (0..1_000).map(|at| {
        let token = new.sign(&json!({"alg": "EdDSA", "kid": format!("k{at}")}), &claims("ann"));
        let daemon = &daemon;
        async move {
            let (status, _) = ask(daemon, &token).await;
            assert!(status == 401 || status == 503, "{status}");
        }
    });
    within("answers to strangers", futures_util::future::join_all(strangers)).await;
    let asked = issuer.asked.load(Ordering::SeqCst) - before;
    assert!(asked <= 3, "{asked} fetches for 1,000 names");
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"token": new.token("bob")}})).await;
    assert_eq!(client.until("authenticated").await.data["user"], "bob");
}

/// What a token says of its user to others comes with presence.
#[tokio::test]
async fn presence_shows_what_a_token_says_of_its_user() {
    let (issuer, key) = (Issuer::new().await, Key::new("k"));
    issuer.publish(&[&key]);
    let room = "[[topic]]\nname = \"rooms.desk\"\npresence = true\npublish = true\n";
    let daemon = configured(&issuer.url).config(room).run().await;
    let token = |user: &str, info: Value| {
        let mut claims = claims(user);
        claims["info"] = info;
        claims["tickerd"] = json!({"subscribe": ["rooms.*"], "presence": ["rooms.*"]});
        key.sign(&key.header(), &claims)
    };
    let join = |token: String| {
        let daemon = &daemon;
        async move {
            let mut client = daemon.connected().await;
            client.send(json!({"event": "auth", "data": {"token": token}})).await;
            client.until("authenticated").await;
            client.subscribe(json!({"topics": ["rooms.desk"]})).await;
            client
        }
    };
    let shown = json!({"title": "Ann", "age": 1.5});
    let mut ann = join(token("ann", shown.clone())).await;
    assert_eq!(ann.until("presence").await.data["joined"][0]["info"], shown);
    let mut bob = join(token("bob", Value::Null)).await;
    bob.send(json!({"event": "presence", "data": {"id": 1, "topic": "rooms.desk"}})).await;
    let members = loop {
        let told = bob.until("presence").await.data;
        if told["id"] == 1 {
            break told["members"].as_array().unwrap().clone();
        }
    };
    let of = |name: &str| members.iter().find(|member| member["name"] == name).unwrap().clone();
    assert_eq!(of("ann")["info"], shown);
    assert!(of("bob").get("info").is_none());
    let (status, answer) = ask(&daemon, &token("ann", json!("x".repeat(600)))).await;
    assert!(status == 401 && answer.contains("wrong_claims"), "{answer}");
}

/// Each kind of bad token has its own code, over HTTP and in a page's close.
#[tokio::test]
async fn bad_tokens_are_refused_by_name() {
    let (issuer, key, stranger) = (Issuer::new().await, Key::new("k"), Key::new("k"));
    issuer.publish(&[&key]);
    let script = Script::new("s");
    let daemon = configured(&issuer.url)
        .server("origins = [\"https://dash.example\"]")
        .feed(script.feed())
        .run()
        .await;
    script.tick("a", json!(1)).await;
    let good = key.token("ann");
    within("the feed's word", async { while ask(&daemon, &good).await.0 != 200 {} }).await;
    let header = key.header();
    let (head, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let none = |alg: &str| signed(&json!({"alg": alg}), &claims("ann"), |_| Vec::new());
    // The public key, which everyone has, as the secret of an HMAC.
    let confused = |secret: &[u8]| {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let header = json!({"alg": "HS256", "kid": "k"});
        signed(&header, &claims("ann"), |text| hmac::sign(&secret, text).as_ref().to_vec())
    };
    let other_user =
        URL_SAFE_NO_PAD.encode(claims("ann").to_string().replace("\"ann\"", "\"bob\"").as_bytes());
    let cases = [
        ("expired", key.sign(&header, &with("exp", json!(now_s() - 60))), "token_expired"),
        ("without exp", key.sign(&header, &with("exp", Value::Null)), "wrong_claims"),
        ("exp as text", key.sign(&header, &with("exp", json!("9999999999"))), "wrong_claims"),
        ("to come", key.sign(&header, &with("nbf", json!(now_s() + 600))), "token_not_yet_valid"),
        ("another audience", key.sign(&header, &with("aud", json!("other"))), "wrong_audience"),
        ("no audience", key.sign(&header, &with("aud", Value::Null)), "wrong_audience"),
        ("another issuer", key.sign(&header, &with("iss", json!("https://evil.example/"))), "wrong_issuer"),
        ("no issuer", key.sign(&header, &with("iss", Value::Null)), "wrong_issuer"),
        ("no user", key.sign(&header, &with("sub", Value::Null)), "wrong_claims"),
        ("a user with a line end", key.sign(&header, &with("sub", json!("a\nb"))), "wrong_user"),
        ("a user too long", key.sign(&header, &with("sub", json!("a".repeat(129)))), "wrong_user"),
        ("alg none", none("none"), "wrong_algorithm"),
        ("alg None", none("nOnE"), "wrong_algorithm"),
        ("HS for EdDSA, by bytes", confused(key.pair.public_key().as_ref()), "wrong_algorithm"),
        ("HS for EdDSA, by text", confused(key.public().as_bytes()), "wrong_algorithm"),
        ("another key", stranger.token("ann"), "wrong_signature"),
        ("another user in it", format!("{head}.{other_user}.{signature}"), "wrong_signature"),
        ("no signature", format!("{head}.{body}."), "wrong_signature"),
        (
            "crit",
            key.sign(&json!({"alg": "EdDSA", "kid": "k", "crit": ["x"], "x": 1}), &claims("ann")),
            "unknown_crit",
        ),
        ("two parts", format!("{head}.{body}"), "token_unknown"),
        ("no JSON", format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode("{")), "token_malformed"),
        ("a ticket", "tkt_AAAAAAAAAAAAAAAAAAAAAA".to_owned(), "wrong_ticket"),
        ("9,000 bytes", "x".repeat(9_000), "token_too_long"),
    ];
    for (what, token, code) in &cases {
        let (status, answer) = ask(&daemon, token).await;
        assert_eq!(status, 401, "{what}: {answer}");
        assert!(answer.contains(code), "{what} is not {code}: {answer}");
        assert!(answer.contains("WWW-Authenticate") || answer.contains("www-authenticate"), "{answer}");
        // A page gets the code in the close of an upgrade.
        let bearer = format!("bearer.{}", URL_SAFE_NO_PAD.encode(token));
        let mut raw = daemon.raw().await;
        raw.say(format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://dash.example\r\n\
             Sec-WebSocket-Protocol: tickerd.v1.json, {bearer}\r\n\r\n",
            daemon.address()
        ))
        .await;
        let answer = raw.rest().await;
        let said = String::from_utf8_lossy(&answer);
        assert!(said.starts_with("HTTP/1.1 101 "), "{what}: {said}");
        assert!(said.contains(code), "{what}: {said}");
        let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(&answer[at + 2..at + 4], &4001_u16.to_be_bytes(), "{what}");
    }
    // 1 MiB is more than a request may have, and less than a message may.
    let huge = "x".repeat(1 << 20);
    let (status, _) = ask(&daemon, &huge).await;
    assert_eq!(status, 431);
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"token": "x".repeat(60_000)}})).await;
    let error = client.until("error").await;
    assert!(error.data["message"].as_str().unwrap().starts_with("token_too_long"), "{error:?}");
    // Whatever was sent stands nowhere.
    let (_, metrics) = daemon.get("/metrics").await;
    let log = daemon.log();
    for (what, token, code) in &cases {
        let part = token.split('.').next_back().filter(|part| part.len() > 20).unwrap_or(token);
        for (place, text) in [("metrics", &metrics), ("log", &log)] {
            assert!(!text.contains(part), "{what} is in the {place}");
        }
        assert!(metrics.contains(&format!("tickerd_auth_total{{result=\"{code}\"}}")), "{code}");
    }
    assert_eq!(ask(&daemon, &good).await.0, 200, "and who has a good one notices nothing");
}
