//! Who a node is to the servers: passwords, `.creds` files, TLS, and what it may not do. Refusals are said, secrets are not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use nkeys::KeyPair;
use tickerd_nats::{Event, Link, Secret, SignIn};
use tickerd_tests::{Nats, Value, json};

use super::{happens, linked, settings, until};

const USERS: &str = r#"authorization { users: [
  { user: node, password: "node-CANARY-1" }
  { user: edge, password: "edge-CANARY-2", permissions: {
      publish: ["tickerd.t.ask.>", "tickerd.t.node.edge", "$JS.API.STREAM.MSG.GET.KV_tickerd_t"]
      subscribe: ["tickerd.t.>", "_INBOX.tickerd.t.edge.>"] } }
] }"#;

fn password(user: &str, password: &'static str) -> SignIn {
    SignIn::Password { user: user.to_owned(), password: Secret::new(move || Ok(password.to_owned())) }
}

#[tokio::test]
async fn a_wrong_password_is_said_without_it() {
    let nats = Nats::with(1, USERS).await;
    let mut of = settings(&nats, "a");
    of.sign_in = password("node", "wrong-CANARY-3");
    let (link, _events) = Link::connect(of.clone()).await.unwrap();
    let trouble = until("the reason", async || link.trouble()).await;
    assert!(trouble.contains("it refuses the user \"node\": no such user, or a wrong password"), "{trouble}");
    assert!(!trouble.contains("CANARY") && !format!("{of:?} {link:?}").contains("CANARY"), "{of:?}");
    of.sign_in = SignIn::Nobody;
    let (link, _events) = Link::connect(of).await.unwrap();
    let trouble = until("the reason", async || link.trouble()).await;
    assert!(
        trouble.contains("it wants a user: set [cluster] user and password, or credentials"),
        "{trouble}"
    );
}

/// A password is read at each connection: who changes it in the file and at the servers restarts no node.
#[tokio::test]
async fn a_password_may_change_while_a_node_runs() {
    let mut nats = Nats::with(1, USERS).await;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "node-CANARY-1\n").unwrap();
    let mut of = settings(&nats, "a");
    of.sign_in = SignIn::Password { user: "node".into(), password: Secret::file(file.clone()) };
    let (link, mut events) = linked(of.clone()).await;
    nats.reload(&USERS.replace("node-CANARY-1", "node-CANARY-9")).await;
    happens(&mut events, |event| *event == Event::Disconnected).await;
    let trouble =
        until("the reason", async || link.trouble().filter(|words| words.contains("refuses"))).await;
    assert!(trouble.contains("\"node\"") && !trouble.contains("CANARY"), "{trouble}");
    std::fs::remove_file(&file).unwrap();
    let trouble =
        until("the reason", async || link.trouble().filter(|words| words.contains("No such file"))).await;
    assert!(
        trouble.contains("[cluster] password: ") && trouble.contains(file.to_str().unwrap()),
        "{trouble}"
    );
    assert!(Link::connect(of).await.unwrap_err().to_string().contains("No such file"));
    std::fs::write(&file, "node-CANARY-9\n").unwrap();
    happens(&mut events, |event| *event == Event::Connected).await;
    assert_eq!(link.trouble(), None);
}

/// A broken edge cannot forge ticks, nor take a feed: the servers do not let it.
#[tokio::test]
async fn what_a_node_may_not_do_is_named() {
    let nats = Nats::with(1, USERS).await;
    let mut of = settings(&nats, "a");
    of.sign_in = password("node", "node-CANARY-1");
    let (node, _events) = linked(of.clone()).await;
    let mut hearing = node.subscribe(&["tickerd.t.>".to_owned()]).await.unwrap();
    assert!(until("a bucket", async || node.swap("feed.s", 0, Bytes::from_static(b"1 a")).await.ok()).await);

    (of.node, of.sign_in) = ("edge".to_owned(), password("edge", "edge-CANARY-2"));
    let (edge, mut events) = linked(of).await;
    edge.publish("tickerd.t.beat.s".into(), Bytes::from_static(b"forged")).await;
    let Event::Refused(words) = happens(&mut events, |event| matches!(event, Event::Refused(_))).await else {
        unreachable!()
    };
    assert!(words.contains("\"tickerd.t.beat.s\"; allow it to the user \"edge\""), "{words}");
    let swapped = edge.swap("feed.s", 0, Bytes::from_static(b"2 edge")).await;
    assert!(swapped.is_err(), "{swapped:?}");
    let trouble = edge.trouble().unwrap();
    assert!(trouble.contains("$JS.API.STREAM.INFO.KV_tickerd_t"), "{trouble}");
    // What it may, it does: it reads the record, and others hear it.
    assert_eq!(edge.read("feed.s").await.unwrap().unwrap().1, "1 a");
    edge.publish("tickerd.t.node.edge".into(), Bytes::from_static(b"here")).await;
    let heard = tickerd_tests::within("a message", hearing.next()).await.unwrap();
    assert_eq!(
        (heard.subject(), &heard.bytes[..]),
        ("tickerd.t.node.edge", &b"here"[..]),
        "nothing forged came before it"
    );

    let mut deaf = edge.subscribe(&["other.>".to_owned()]).await.unwrap();
    let Event::Refused(words) =
        happens(&mut events, |event| matches!(event, Event::Refused(w) if w.contains("other"))).await
    else {
        unreachable!()
    };
    assert!(words.contains("Subscription to \"other.>\""), "{words}");
    drop(deaf.next());
}

/// A key of NATS: an operator's, an account's or a user's.
struct Key {
    pair: KeyPair,
    seed: String,
}

impl Key {
    fn new(kind: u8, of: u8) -> Key {
        let seed = nkeys::seed(kind, &[of; 32]);
        Key { pair: KeyPair::from_seed(&seed).unwrap(), seed }
    }

    /// A token about `subject`, as `nsc` writes them.
    fn token(&self, subject: &Key, kind: &str, nats: Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut nats = nats;
        nats["type"] = json!(kind);
        nats["version"] = json!(2);
        let (issuer, subject) = (self.pair.public_key(), subject.pair.public_key());
        let claims =
            json!({"jti": "TEST", "iat": 1, "iss": issuer, "name": kind, "sub": subject, "nats": nats});
        let said = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(said.as_bytes()).unwrap());
        format!("{said}.{signature}")
    }
}

fn creds(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[tokio::test]
async fn a_creds_file_signs_in() {
    let (operator, account, system) = (Key::new(b'O', 1), Key::new(b'A', 2), Key::new(b'A', 5));
    let (user, stranger) = (Key::new(b'U', 3), Key::new(b'U', 4));
    let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
        "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1});
    let (account_token, system_token) = (
        operator.token(&account, "account", json!({"limits": limits})),
        operator.token(
            &system,
            "account",
            json!({"limits": {"subs": -1, "data": -1, "payload": -1, "conn": -1}}),
        ),
    );
    let (account_name, system_name) = (account.pair.public_key(), system.pair.public_key());
    let rest = format!(
        "operator: \"{}\"\nsystem_account: {system_name}\nresolver: MEMORY\n\
         resolver_preload: {{ {account_name}: \"{account_token}\", {system_name}: \"{system_token}\" }}",
        operator.token(&operator, "operator", json!({"system_account": system_name})),
    );
    let nats = Nats::with(1, &rest).await;
    let jwt = account.token(&user, "user", json!({"subs": -1, "data": -1, "payload": -1}));
    let mut of = settings(&nats, "a");
    of.sign_in = SignIn::Credentials(Secret::fixed(creds(&jwt, &user.seed)));
    let (link, _events) = linked(of.clone()).await;
    assert!(until("a bucket", async || link.swap("feed.s", 0, Bytes::from_static(b"1 a")).await.ok()).await);

    of.sign_in = SignIn::Credentials(Secret::fixed(creds(&jwt, &stranger.seed)));
    let (link, _events) = Link::connect(of.clone()).await.unwrap();
    let trouble = until("the reason", async || link.trouble()).await;
    assert!(trouble.contains("it refuses the credentials"), "{trouble}");
    assert!(!trouble.contains(&stranger.seed) && !trouble.contains(&jwt), "{trouble}");

    of.sign_in = SignIn::Credentials(Secret::fixed(creds(&jwt, "SUANOSEED")));
    let error = Link::connect(of).await.unwrap_err().to_string();
    assert!(error.starts_with("[cluster] credentials: ") && !error.contains("SUANOSEED"), "{error}");
}

#[tokio::test]
async fn addresses_and_files_that_cannot_be_right_are_refused_at_once() {
    let nats = Nats::stopped(1);
    for (servers, says) in [
        (vec![], "name a server"),
        (vec!["nats://u:p-CANARY@h:4222"], "no user or password in an address"),
        (vec!["ws://h:80"], "nats://host:4222"),
        (vec!["http://h"], "nats://host:4222"),
        (vec!["nats://"], "nats://host:4222"),
    ] {
        let mut of = settings(&nats, "a");
        of.servers = servers.into_iter().map(str::to_owned).collect();
        let error = Link::connect(of).await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("CANARY"), "{error}");
    }
    let mut of = settings(&nats, "a");
    of.ca = Some("/nonexistent/ca.pem".into());
    let error = Link::connect(of).await.unwrap_err().to_string();
    assert!(error.starts_with("[cluster] ca: /nonexistent/ca.pem: No such file"), "{error}");
}
