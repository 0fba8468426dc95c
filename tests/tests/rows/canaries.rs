//! Twenty secrets, each brought to the daemon in another way, are nowhere that anybody reads: logs, metrics, errors, notices,
//! documents, pages, and what the command line prints.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tickerd_tests::*;

/// In every secret. Whoever prints a part of one prints this, or its base64.
const FEATHER: &str = "CANARY";

fn canary(at: usize) -> String {
    format!("CANARY{at:02}CANARY-CANARY-CANARY-CANARY-CANARY")
}

fn search(what: &str, text: &str) {
    let encoded = [STANDARD.encode(FEATHER), URL_SAFE_NO_PAD.encode("{\"kid\":\"CANARY")];
    for feather in encoded.iter().map(String::as_str).chain([FEATHER]) {
        assert!(!text.contains(feather), "{what} tells a secret: {text}");
    }
}

/// The whole answer to a request with these header lines.
async fn ask(daemon: &Daemon, request: &str, lines: &[String]) -> String {
    let mut raw = daemon.raw().await;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let host = daemon.address();
    raw.say(format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n")).await;
    String::from_utf8_lossy(&raw.rest().await).into_owned()
}

/// All that is said to an upgrade with these header lines, until the server closes.
async fn upgrade(daemon: &Daemon, path: &str, lines: &[String]) -> String {
    let mut raw = daemon.raw().await;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = Raw::handshake(path).replace("localhost", &daemon.address().to_string());
    raw.say(request.replacen("\r\n", &format!("\r\n{lines}"), 1)).await;
    String::from_utf8_lossy(&raw.rest().await).into_owned()
}

#[tokio::test]
async fn twenty_secrets_are_nowhere() {
    let script = Script::new("s");
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    // 0 to 3: good ones, from a file, from variables, and an issuer's secret.
    let auth = format!(
        "[auth]\ncookie = \"tickerd\"\nquery_token = true\nanonymous = [\"s.a\"]\n\
         [[auth.token]]\nname = \"filed\"\ntoken = {{ file = \"{}\" }}\ngroups = [\"all\"]\n\
         [[auth.token]]\nname = \"named\"\ntoken = {{ env = \"NAMED\" }}\ngroups = [\"all\"]\n\
         [[auth.token]]\nname = \"asked\"\ntoken = {{ env = \"ASKED\" }}\ngroups = [\"all\"]\n\
         [[auth.group]]\nname = \"all\"\nsubscribe = [\"**\", \"tickerd.*\"]\nhistory = [\"**\"]\npublish = [\"rooms.*\"]\n\
         presence = [\"rooms.*\"]\n\
         [[auth.issuer]]\nissuer = \"shop\"\naudience = \"tickerd\"\nalgorithms = [\"HS256\"]\n\
         secret = {{ file = \"{}\" }}\n\
         [[topic]]\nname = \"rooms.desk\"\npublish = true\npresence = true\n",
        file("filed", &canary(0)),
        file("shop", &canary(3)),
    );
    let settings = || {
        daemon()
            .config(&auth)
            .env("NAMED", &canary(1))
            .env("ASKED", &canary(2))
            .env("TICKERD_LOG", "trace")
            .feed(script.feed())
    };
    let daemon = settings().run().await;
    let address = daemon.address();
    let mut watching = daemon.connected().await;
    watching.send(json!({"event": "auth", "data": {"id": 1, "token": canary(0)}})).await;
    let mut notices = vec![watching.until("authenticated").await.text];
    watching.subscribe(json!({"topics": ["**", "tickerd.*", "rooms.desk"]})).await;

    let mut said: Vec<(String, String)> = Vec::new();
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let own = format!("Origin: http://{address}");
    let of_header = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = URL_SAFE_NO_PAD.encode(json!({"iss": "shop", "aud": "tickerd", "sub": "ann"}).to_string());
    let algorithm = of_header(&json!({"alg": canary(12)}).to_string());
    let kid = of_header(&json!({"kid": canary(13), "alg": "HS256"}).to_string());
    let key = of_header(r#"{"alg":"HS256"}"#);
    let subprotocol =
        format!("Sec-WebSocket-Protocol: tickerd.v1.json, bearer.{}", URL_SAFE_NO_PAD.encode(canary(7)));
    // Over HTTP and in handshakes, as programs and as pages.
    for (what, path, lines) in [
        ("a good token", "/v1/topics".to_owned(), vec![bearer(&canary(1))]),
        ("a good token in the address", format!("/v1/topics?token={}", canary(2)), vec![]),
        ("an unknown token", "/v1/topics".into(), vec![bearer(&canary(4))]),
        ("another scheme", "/v1/topics".into(), vec![format!("Authorization: Basic {}", canary(5))]),
        ("a cookie", "/v1/topics".into(), vec![format!("Cookie: tickerd={}", canary(6)), own.clone()]),
        ("a subprotocol", "/v1/topics".into(), vec![subprotocol]),
        ("an unknown token in the address", format!("/v1/topics?token={}", canary(8)), vec![]),
        ("the same, encoded wrong", format!("/v1/topics?token={}%zz", canary(9)), vec![]),
        ("a ticket", format!("/v1/topics?ticket=tkt_{}", canary(10)), vec![]),
        ("no ticket", format!("/v1/topics?ticket={}", canary(11)), vec![]),
        ("an algorithm", "/v1/topics".into(), vec![bearer(&format!("{algorithm}.{claims}.AAAA"))]),
        ("a key's name", "/v1/topics".into(), vec![bearer(&format!("{kid}.{claims}.AAAA"))]),
        ("a signature", "/v1/topics".into(), vec![bearer(&format!("{key}.{claims}.{}", canary(14)))]),
        ("two tokens", format!("/v1/topics?token={}", canary(15)), vec![bearer(&canary(15))]),
        ("a long token", "/v1/topics".into(), vec![bearer(&canary(16).repeat(200))]),
    ] {
        for method in ["GET", "POST"] {
            said.push((what.into(), ask(&daemon, &format!("{method} {path}"), &lines).await));
        }
        let stream = path.replace("/v1/topics", "/v1/sse");
        let separator = if stream.contains('?') { '&' } else { '?' };
        let stream = format!("{stream}{separator}topics=no.such.one");
        // A stream that is served goes on: its head tells enough.
        let mut raw = daemon.raw().await;
        let headers: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        raw.say(format!("GET {stream} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n")).await;
        said.push((what.into(), raw.head().await));
        if !what.starts_with("a good") {
            let page = [lines.clone(), vec![own.clone()]].concat();
            let path = path.replace("/v1/topics", "/ws");
            for lines in [lines, page] {
                // Who has not said who it is may have what is anonymous, and would stay.
                if what != "another scheme" && what != "a cookie" {
                    said.push((what.into(), upgrade(&daemon, &path, &lines).await));
                }
            }
        }
    }
    // As commands: unknown, of another type, and in the place of something else.
    let mut client = daemon.connected().await;
    for text in [
        json!({"event": "auth", "data": {"id": 1, "token": {"token": canary(17)}}}).to_string(),
        json!({"event": "auth", "data": {"id": 1, "tokn": canary(17)}}).to_string(),
        json!({"event": "token", "data": {"token": canary(18)}}).to_string(),
        json!({"event": "token", "data": [canary(18)]}).to_string(),
        format!("{{\"event\":\"auth\",\"data\":{{\"token\":\"{}\"", canary(18)),
    ] {
        client.send_text(&text).await;
        said.extend(client.sync().await.into_iter().map(|event| ("a command".to_owned(), event.text)));
    }
    client.send(json!({"event": "token", "data": canary(19)})).await;
    said.push(("an answer to token".into(), client.until("error").await.text));
    // What others are told meanwhile, and what there is to read.
    script.tick("a", json!(1)).await;
    while notices.last().is_some_and(|text| !text.contains("\"s.a\"") || !text.contains("\"value\"")) {
        notices.push(watching.next().await.text);
    }
    notices.extend(watching.sync().await.into_iter().map(|event| event.text));
    said.push(("a notice".into(), notices.join("\n")));
    for path in ["/v1/topics", "/v1/feeds", "/v1/openapi.json", "/v1/asyncapi.json", "/", "/v1/keys"] {
        said.push((path.into(), ask(&daemon, &format!("GET {path}"), &[bearer(&canary(1))]).await));
    }
    for path in ["/metrics", "/readyz?verbose", "/livez"] {
        said.push((path.into(), daemon.get(path).await.1));
    }
    let config = folder.path().join("tickerd.toml");
    std::fs::write(&config, settings().toml()).unwrap();
    for (named, is_right) in [(canary(1), true), ("CANARY-short".into(), false), (canary(0), false)] {
        let mut check = tickerd_tests::daemon::command();
        check.arg("check").arg(&config).env("NAMED", named).env("ASKED", canary(2));
        let output = within("check", check.output()).await.unwrap();
        let text =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert_eq!(output.status.success(), is_right, "{text}");
        said.push(("check".into(), text));
    }
    said.push(("the log".into(), daemon.log()));
    assert!(
        daemon.log().contains("DEBUG") || daemon.log().contains("TRACE"),
        "the log tells all that it can"
    );
    assert!(said.len() > 80, "{}", said.len());
    for (what, text) in &said {
        search(what, text);
    }
    let answers = said.iter().filter(|(_, text)| text.contains("token_unknown")).count();
    assert!(answers >= 5, "unknown tokens are refused as such: {answers}");
}
