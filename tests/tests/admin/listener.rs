//! The administration over HTTP: who gets in, what is answered, and what is never there.

use tokio::net::TcpStream;

use super::{told, within};
use tickerd_tests::*;

const TOKEN: &str = "ADMIN-CANARY-0123456789-0123456789";
const OPS: &str = "OPS-CANARY-0123456789-0123456789-01";
const READER: &str = "READER-CANARY-0123456789-0123456789";
/// The token as the password of `ops`.
const BASIC: &str = "Authorization: Basic b3BzOkFETUlOLUNBTkFSWS0wMTIzNDU2Nzg5LTAxMjM0NTY3ODk=";

fn with_token() -> Builder {
    daemon().server("admin_token = { env = \"ADMIN\" }").env("ADMIN", TOKEN)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// Asks the admin listener; the status and the whole answer.
async fn ask(daemon: &Daemon, request: &str, headers: &[&str], body: &str) -> (u16, String) {
    let stream = within("a connection", TcpStream::connect(daemon.admin())).await.unwrap();
    let mut raw = Raw::new(stream);
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    raw.say(format!(
        "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}",
        daemon.admin()
    ))
    .await;
    let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{request}: {answer}")), answer)
}

fn json_of(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Goal: the token opens everything, nothing else does, and nothing of it is told or logged.
#[tokio::test]
async fn the_token_opens_it_and_nothing_else_does() {
    let script = Script::new("s");
    let daemon = with_token().feed(script.feed()).run().await;
    script.tick("a", json!({"price": 5})).await;
    let mut client = daemon.client("/ws?name=ann").await;
    client.expect("connected").await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    client.until_tick("s.a").await;
    let right = bearer(TOKEN);
    let of = async |path: &str| {
        let (status, answer) = ask(&daemon, &format!("GET /admin/v1/{path}"), &[&right], "").await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("content-type: application/json") && answer.contains("no-store"), "{answer}");
        json_of(&answer)
    };
    assert_eq!(of("status").await["status"]["pid"], daemon.pid());
    assert_eq!(of("feeds").await["feeds"][0]["feed"], "s");
    assert_eq!(of("topics?pattern=s.*").await["topics"][0]["topic"], "s.a");
    assert_eq!(of("topics?pattern=s%2Ea").await["topics"][0]["subscribers"], 1);
    assert_eq!(of("connections?user=ann&topic=s.a").await["connections"][0]["name"], "ann");
    assert_eq!(of("connections?user=bob").await["connections"], json!([]));

    let wrong = bearer(&TOKEN.replace('9', "8"));
    for path in ["status", "feeds", "topics", "connections", "nothing", ""] {
        for (headers, says) in [(&[][..], "send the token"), (&[wrong.as_str()][..], "not the token")] {
            let (status, answer) = ask(&daemon, &format!("GET /admin/v1/{path}"), headers, "").await;
            assert!(status == 401 || status == 429, "{path}: {answer}");
            assert!(
                status == 429 || answer.contains(says) && answer.contains("www-authenticate"),
                "{answer}"
            );
            assert!(!answer.contains("CANARY"), "{answer}");
        }
    }
    assert!(daemon.metric("tickerd_admin_auth_total{result=\"ok\"}").await >= Some(6.0));
    assert_eq!(daemon.metric("tickerd_admin_auth_total{result=\"wrong\"}").await, Some(6.0));
    daemon.logged("a wrong token for the administration came from 127.0.0.1").await;
    assert!(!daemon.log().contains("CANARY"));
    // On the clients' port there is no such thing, with the token or without.
    let mut raw = daemon.raw().await;
    let host = daemon.address();
    raw.say(format!("GET /admin/v1/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{right}\r\n\r\n"))
        .await;
    assert!(String::from_utf8(raw.rest().await).unwrap().starts_with("HTTP/1.1 404"));
}

/// Goal: odd requests are refused with words, and none of them does anything.
#[tokio::test]
async fn odd_requests_are_refused() {
    let script = Script::new("s");
    let daemon = with_token().feed(script.feed()).run().await;
    let mut client = daemon.connected().await;
    let right = bearer(TOKEN);
    let long = "x".repeat(5_000);
    for (request, headers, body, status, says) in [
        (&*format!("GET /admin/v1/status?token={TOKEN}"), &[][..], "", 400, "in an address"),
        (&format!("GET /?token={TOKEN}"), &[], "", 400, "in an address"),
        ("GET /admin/v1/status?verbose", &[&*right], "", 400, "no query"),
        ("GET /admin/v1/topics?pattern=a..b", &[&right], "", 400, "no pattern"),
        ("GET /admin/v1/topics?pattern=%zz", &[&right], "", 400, "%25"),
        ("GET /admin/v1/connections?topic=s.*", &[&right], "", 400, "is a pattern"),
        ("GET /admin/v1/nothing", &[&right], "", 404, "there are GET status"),
        ("GET /admin/v1/disconnect", &[&right], "", 405, "POST"),
        ("DELETE /admin/v1/status", &[&right], "", 405, "GET, HEAD"),
        ("POST /admin/v1/status", &[&right], "", 405, "GET, HEAD"),
        ("POST /admin/v1/disconnect", &[], "{\"conn\":\"0-1\"}", 401, "send the token"),
        ("POST /admin/v1/disconnect", &[BASIC], "{\"conn\":\"0-1\"}", 401, "Bearer TOKEN alone"),
        ("POST /admin/v1/disconnect", &[&right], "", 400, "no JSON object"),
        ("POST /admin/v1/disconnect", &[&right], "[]", 400, "no JSON object"),
        ("POST /admin/v1/disconnect", &[&right], "{\"command\":\"status\"}", 400, "whom to disconnect"),
        ("POST /admin/v1/disconnect", &[&right], "{\"who\":\"CANARY\"}", 400, "another way"),
        ("POST /admin/v1/disconnect", &[&right], "{\"user\":\"a\",\"jti\":\"b\"}", 400, "whom to disconnect"),
        ("POST /admin/v1/disconnect", &[&right], "{\"conn\":\"7-7\"}", 400, "no connection"),
        ("POST /admin/v1/disconnect", &[&right], &long, 400, "4096 bytes"),
        ("POST /admin/v1/feeds/none/reload", &[&right], "", 400, "there is no feed"),
        ("POST /admin/v1/feeds//reload", &[&right], "", 404, "there are GET status"),
    ] {
        let (found, answer) = ask(&daemon, request, headers, body).await;
        assert_eq!(found, status, "{request}: {answer}");
        assert!(answer.contains(says), "{request}: {answer}");
        assert!(!answer.contains("CANARY"), "{request}: {answer}");
    }
    client.sync().await;
    let connections = ask(&daemon, "GET /admin/v1/connections", &[&right], "").await.1;
    let conn = json_of(&connections)["connections"][0]["conn"].clone();
    let body = json!({ "conn": conn }).to_string();
    assert_eq!(ask(&daemon, "POST /admin/v1/disconnect", &[&right], &body).await.0, 200);
    assert_eq!(client.closed().await.0, 4200);
    let reload = ask(&daemon, "POST /admin/v1/feeds/s/reload", &[&right], "").await;
    assert_eq!(json_of(&reload.1)["reloads"][0]["feed"], "s");
}

/// Goal: wrong tokens from one address are limited, and the page of another site cannot use a browser's password.
#[tokio::test]
async fn wrong_tokens_are_limited() {
    let daemon = with_token().run().await;
    let wrong = bearer("wrong");
    let asked = (0..30).map(async |_| ask(&daemon, "GET /admin/v1/status", &[&wrong], "").await.0);
    let statuses: Vec<u16> = futures_util::future::join_all(asked).await;
    let limited = statuses.iter().filter(|status| **status == 429).count();
    assert!(limited >= 10 && statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    let limited = daemon.metric("tickerd_admin_auth_total{result=\"limited\"}").await;
    assert!(limited >= Some(10.0), "{limited:?}");
    // Metrics and health stay for everyone.
    assert_eq!(daemon.get("/livez").await, (200, "ok".to_owned()));
}

/// Goal: without a token there is no administration, and the page shows no more than `/readyz?verbose`.
#[tokio::test]
async fn without_a_configured_token_it_is_shut() {
    let (script, daemon) = scripted().await;
    script.tick("a", json!("VALUE-CANARY")).await;
    daemon.connected().await.catch_up(&script).await;
    for path in ["status", "connections", "x"] {
        let (status, answer) = ask(&daemon, &format!("GET /admin/v1/{path}"), &[&bearer(TOKEN)], "").await;
        assert!(status == 403 && answer.contains("admin_token = { file"), "{answer}");
    }
    let (status, page) = ask(&daemon, "GET /", &[], "").await;
    assert_eq!(status, 200);
    assert!(page.contains("feed s") && page.contains("admin_token") && !page.contains("CANARY"), "{page}");
}

/// Goal: the page shows feeds, topics and clients as plain text, to who brings the token as a password or a header.
#[tokio::test]
async fn the_status_page_shows_all_and_runs_nothing() {
    let script = Script::new("s");
    let daemon = with_token().feed(script.feed()).run().await;
    script.tick("a", json!("<script>alert(1)</script>")).await;
    let mut raw = daemon.raw().await;
    raw.say(Raw::handshake("/ws?topics=s.a").replace("\r\n\r\n", "\r\nUser-Agent: <img src=x>\r\n\r\n"))
        .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    daemon.connected().await.catch_up(&script).await;
    let (status, answer) = ask(&daemon, "GET /", &[], "").await;
    assert!(status == 401 && answer.contains("Basic realm"), "{answer}");
    for header in [BASIC, &format!("Authorization: Bearer {TOKEN}")] {
        let (status, page) = ask(&daemon, "GET /?every=5", &[header], "").await;
        assert_eq!(status, 200, "{page}");
        for says in
            ["s.a", "&lt;script&gt;", "&lt;img src=x&gt;", "content=5", "default-src 'none'", "text/html"]
        {
            assert!(page.contains(says), "{says} is not in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("CANARY"), "{page}");
    }
    for (path, status) in [("/?every=0", 200), ("/?every=x", 200), ("/?other=1", 400), ("/index.html", 404)] {
        let found = ask(&daemon, &format!("GET {path}"), &[&bearer(TOKEN)], "").await;
        assert_eq!(found.0, status, "{path}");
        assert!(!found.1.contains("http-equiv"), "{path}");
    }
}

/// Goal: `admin = true` of a group lets its tokens in, and those of others not; a revoked one is out.
#[tokio::test]
async fn a_group_may_have_the_administration() {
    let auth = "[auth]\n[[auth.token]]\nname = \"ops\"\ntoken = { env = \"OPS\" }\ngroups = [\"ops\"]\n\
                [[auth.token]]\nname = \"reader\"\ntoken = { env = \"READER\" }\n[[auth.group]]\nname = \"ops\"\nadmin = true\n";
    let daemon = daemon().config(auth).env("OPS", OPS).env("READER", READER).run().await;
    let status = async |token: &str| ask(&daemon, "GET /admin/v1/status", &[&bearer(token)], "").await.0;
    assert_eq!((status(OPS).await, status(READER).await, status("x").await), (200, 401, 401));
    let gone = told(&daemon, &["disconnect", "--token", "ops"]).await;
    assert!(gone.status.success(), "{}", String::from_utf8_lossy(&gone.stderr));
    assert_eq!(status(OPS).await, 401);
}

/// Goal: the commands work over the listener too, with the token from a file, which is read again at SIGHUP.
#[tokio::test]
async fn the_commands_ask_the_listener_with_a_token_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let daemon = daemon().server(&format!("admin_token = {{ file = \"{}\" }}", file.display())).run().await;
    let url = format!("http://{}", daemon.admin());
    let at = file.to_str().unwrap();
    let status = told(&daemon, &["status", "--json", "--admin", &url, "--admin-token", at]).await;
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let said: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(said["status"]["pid"], daemon.pid());
    let without = told(&daemon, &["status", "--admin", &url]).await;
    assert_eq!(without.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&without.stderr).contains("--admin-token FILE"));
    let other = folder.path().join("other");
    std::fs::write(&other, OPS).unwrap();
    let refused =
        told(&daemon, &["connections", "--admin", &url, "--admin-token", other.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && said.contains("not the token") && !said.contains("CANARY"),
        "{said}"
    );
    std::fs::write(&file, OPS).unwrap();
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.logged("the token of the administration is another one").await;
    let (status, _) = ask(&daemon, "GET /admin/v1/status", &[&bearer(OPS)], "").await;
    assert_eq!(status, 200);
    let short = folder.path().join("short");
    std::fs::write(&short, "short-CANARY").unwrap();
    let mut bad = tickerd_tests::daemon()
        .server(&format!("admin_token = {{ file = \"{}\" }}", short.display()))
        .spawn();
    assert!(!bad.exit().await.success());
    bad.logged("server.admin_token").await;
    assert!(!bad.log().contains("CANARY"), "{}", bad.log());
}
