//! The client against a real server that behaves.

use serde_json::{Value, json};
use tickerd_feed_provider::{Body, Client, Fault, Reply, Request, Secret, SecretSource, Settings};
use tickerd_sdk::Error;
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::{Reply as Answer, Server};

fn client(server: &Server) -> Client {
    Client::new(Settings::new("mock", server.url())).expect("the settings are right")
}

fn body(reply: Result<Reply, Fault>) -> Body {
    match reply {
        Ok(Reply::Body(body)) => body,
        other => panic!("a body is answered, not {other:?}"),
    }
}

#[test]
fn an_answer_is_read_and_tells_how_long_it_holds() {
    let server = Server::start(|_| Answer::json(&json!({"c": 261.74})).header("cache-control", "max-age=10"));
    let body = body(client(&server).get(&Request::new("/quote"), &TestHost::new().host()));
    assert_eq!(body.json::<Value>().unwrap(), json!({"c": 261.74}));
    assert_eq!(body.fresh_for().unwrap().as_secs(), 10);
}

#[test]
fn a_request_identifies_itself_and_carries_what_was_asked() {
    let server = Server::start(|_| Answer::json(&json!({})));
    let key = Secret::new("a+b/c=1234").unwrap();
    let mut settings = Settings::new("mock", format!("{}/api/v1/", server.url()));
    settings.contact = Some("ops@example.org".into());
    settings.secrets = vec![key.clone()];
    let client = Client::new(settings).unwrap();
    let request = Request::new("/quote")
        .query("symbol", "BTC/USD,É")
        .secret_query("token", &key)
        .header("x-plan", "free")
        .secret_header("x-key", &key);
    body(client.get(&request, &TestHost::new().host()));

    let seen = &server.requests()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/api/v1/quote"));
    assert_eq!((seen.query("symbol"), seen.query("token")), (Some("BTC/USD,É"), Some("a+b/c=1234")));
    assert_eq!((seen.header("x-plan"), seen.header("x-key")), (Some("free"), Some("a+b/c=1234")));
    let agent = seen.header("user-agent").unwrap();
    assert!(agent.starts_with("tickerd/") && agent.ends_with("; ops@example.org)"), "{agent}");
    assert_eq!(
        (seen.header("accept"), seen.header("accept-encoding")),
        (Some("application/json"), Some("gzip"))
    );
}

#[test]
fn a_key_that_others_may_read_is_warned_of_once() {
    let server = Server::start(|_| Answer::json(&json!({})));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "c0ffee1234\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut settings = Settings::new("mock", server.url());
    settings.secrets = vec![SecretSource::File(path).read().unwrap()];
    let (client, test) = (Client::new(settings).unwrap(), TestHost::new());
    for _ in 0..2 {
        body(client.get(&Request::new("/"), &test.host()));
    }
    let logs = test.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(logs[0].1.contains("chmod 0600") && !logs[0].1.contains("c0ffee"), "{logs:?}");
}

#[test]
fn an_unchanged_answer_is_not_sent_again() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some("\"one\"") => Answer::status(304).header("cache-control", "max-age=60"),
        _ => Answer::json(&json!([1]))
            .header("etag", "\"one\"")
            .header("last-modified", "Mon, 23 Nov 2026 12:00:00 GMT"),
    });
    let (client, test) = (client(&server), TestHost::new());
    body(client.get(&Request::new("/a"), &test.host()));
    let second = client.get(&Request::new("/a"), &test.host()).unwrap();
    assert!(
        matches!(second, Reply::Unchanged { .. }) && second.fresh_for().unwrap().as_secs() == 60,
        "{second:?}"
    );
    body(client.get(&Request::new("/b"), &test.host()));

    let seen = server.requests();
    assert_eq!(seen[0].header("if-none-match"), None);
    assert_eq!(seen[1].header("if-modified-since"), Some("Mon, 23 Nov 2026 12:00:00 GMT"));
    assert_eq!(seen[2].header("if-none-match"), None, "another URL");
}

#[test]
fn what_could_not_be_read_is_asked_for_again_in_full() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::status(304),
        None => Answer::json(&json!({"wrong": true})).header("etag", "\"one\""),
    });
    let (client, test) = (client(&server), TestHost::new());
    for _ in 0..2 {
        let answer = body(client.get(&Request::new("/a"), &test.host()));
        assert!(matches!(answer.json::<Vec<u32>>(), Err(Fault::Nonsense { .. })));
    }
}

#[test]
fn nothing_to_read_is_said() {
    for answer in [Answer::status(204), Answer::status(200), Answer::json_text(" \n")] {
        let server = Server::start(move |_| answer.clone());
        let reply = client(&server).get(&Request::new("/"), &TestHost::new().host()).unwrap();
        assert!(matches!(reply, Reply::Empty { .. }), "{reply:?}");
    }
}

#[test]
fn chunks_and_kept_connections_are_understood() {
    let server = Server::start(|_| Answer::json(&json!({"text": "x".repeat(10_000)})).chunked(1000));
    let (client, test) = (client(&server), TestHost::new());
    for _ in 0..3 {
        let answer: Value = body(client.get(&Request::new("/"), &test.host())).json().unwrap();
        assert_eq!(answer["text"].as_str().unwrap().len(), 10_000);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_that_was_closed_in_between_is_replaced() {
    for server in [Server::start(|_| Answer::json(&json!(1))), Server::start_tls(|_| Answer::json(&json!(1)))]
    {
        let mut settings = Settings::new("mock", server.url());
        settings.ca_file = server.ca_file();
        let (client, test) = (Client::new(settings).unwrap(), TestHost::new());
        for round in 1..=3 {
            assert_eq!(body(client.get(&Request::new("/"), &test.host())).json::<u32>(), Ok(1));
            assert_eq!(server.connections(), round);
            server.cut();
        }
    }
}

#[test]
fn redirections_within_the_host_are_followed_and_others_are_not() {
    let elsewhere = Server::start(|_| Answer::json(&json!("stolen")));
    let to = elsewhere.url().replace("http://", "");
    let server = Server::start(move |request| match request.path.as_str() {
        "/points/1.00001" => Answer::status(301).header("location", "/points/1"),
        "/points/1" => Answer::json(&json!("here")),
        "/loop" => Answer::status(302).header("location", "/loop"),
        // The text begins like this server's own address, but that part is a user's name at another host.
        "/trick" => Answer::status(302)
            .header("location", &format!("http://{}@{to}/steal", request.header("host").unwrap_or(""))),
        _ => Answer::status(302).header("location", &format!("http://{to}/steal?key=1")),
    });
    let key = Secret::new("c0ffee1234").unwrap();
    let (client, test) = (client(&server), TestHost::new());
    let get = |path: &str| client.get(&Request::new(path).secret_header("x-key", &key), &test.host());
    assert_eq!(body(get("/points/1.00001")).json::<String>().unwrap(), "here");
    let refused = "a key is not taken to another host";
    for (path, says) in [("/away", refused), ("/trick", refused), ("/loop", "without end")] {
        match get(path) {
            Err(Fault::Nonsense { message }) => assert!(message.contains(says), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(elsewhere.requests(), []);
}

#[test]
fn tls_with_an_authority_of_its_own_works_and_an_unknown_one_fails_in_words() {
    let server = Server::start_tls(|_| Answer::json(&json!("safe")));
    let mut settings = Settings::new("mock", server.url());
    settings.ca_file = server.ca_file();
    let test = TestHost::new();
    let trusting = Client::new(settings.clone()).unwrap();
    assert_eq!(body(trusting.get(&Request::new("/"), &test.host())).json::<String>().unwrap(), "safe");

    let stranger = Server::start_tls(|_| Answer::json(&json!("safe")));
    settings.ca_file = stranger.ca_file();
    match Client::new(settings).unwrap().get(&Request::new("/"), &test.host()) {
        Err(Fault::Unavailable { message }) => {
            assert!(message.contains("signed by nobody this machine trusts"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wrong_setting_is_refused_with_its_key() {
    let refused = |settings: Settings| match Client::new(settings) {
        Err(Error::Config(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(refused(Settings::new("mock", "finnhub.io")).starts_with("base_url: "));
    let mut settings = Settings::new("mock", "https://finnhub.io");
    settings.ca_file = Some("/does/not/exist".into());
    assert!(refused(settings).starts_with("ca_file: `/does/not/exist` cannot be read"));
}
