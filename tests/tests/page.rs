//! The page and the client as a browser gets them, and a folder in the page's place.

use std::path::Path;

use tempfile::TempDir;
use tickerd_tests::daemon::{command, http};
use tickerd_tests::{Daemon, Raw, daemon, within};

/// The answer to a request from a page of another site: its head, and its body.
async fn from_elsewhere(daemon: &Daemon, path: &str) -> (String, String) {
    let mut raw = daemon.raw().await;
    raw.say(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://elsewhere.example\r\nConnection: close\r\n\r\n"
    ))
    .await;
    let text = String::from_utf8(raw.rest().await).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// The names in quotes behind a word.
fn named<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.split(word).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Goal: any site's page has the client with two rounds of requests, while the socket stays for those that are listed.
#[tokio::test]
async fn pages_of_every_site_may_load_the_client_and_none_of_them_connects() {
    let daemon = daemon().run().await;
    let (head, entry) = from_elsewhere(&daemon, "/client.js").await;
    assert!(
        head.starts_with("http/1.1 200 ") && head.contains("\r\naccess-control-allow-origin: *"),
        "{head}"
    );
    let modules = named(&entry, " \"./");
    assert!(modules.contains(&"client/index.js") && modules.len() > 5, "{entry}");
    for module in modules {
        let (head, text) = from_elsewhere(&daemon, &format!("/{module}")).await;
        assert!(head.contains("\r\naccess-control-allow-origin: *"), "{module}: {head}");
        assert!(head.contains("\r\ncross-origin-resource-policy: cross-origin"), "{module}: {head}");
        let below = named(&text, " from \"./");
        let missing = below.iter().find(|name| !entry.contains(&format!("\"./client/{name}\"")));
        assert_eq!(missing, None, "/client.js does not name what {module} imports");
    }
    for path in ["/v1/topics", "/v1/feeds"] {
        let (head, _) = from_elsewhere(&daemon, path).await;
        assert!(head.starts_with("http/1.1 403 ") && !head.contains("allow-origin"), "{path}: {head}");
    }
    let mut raw = daemon.raw().await;
    let origin = "Host: localhost\r\nOrigin: https://elsewhere.example";
    raw.say(Raw::handshake("/ws").replace("Host: localhost", origin)).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 403 "));
}

/// The daemon with a folder beside its configuration as its page.
async fn with_page(files: &[(&str, &str)]) -> (TempDir, Daemon) {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let daemon = daemon().server(&format!("page = {:?}", folder.path())).run().await;
    (folder, daemon)
}

#[tokio::test]
async fn a_folder_takes_the_pages_place_and_nothing_else() {
    let (folder, daemon) =
        with_page(&[("index.html", "mine"), ("app.js", "one"), ("client.js", "mine")]).await;
    for (path, body) in [("/", "mine"), ("/app.js", "one")] {
        assert_eq!(http(daemon.address(), path).await, (200, body.to_owned()));
    }
    std::fs::write(folder.path().join("app.js"), "two").unwrap();
    assert_eq!(http(daemon.address(), "/app.js").await.1, "two");
    assert!(http(daemon.address(), "/client.js").await.1.contains("./client/index.js"));
    for path in ["/v1/feeds", "/v1/openapi.json", "/vendor/uplot.js", "/client/index.js"] {
        assert_eq!(http(daemon.address(), path).await.0, 200, "{path}");
    }
    assert_eq!(http(daemon.address(), "/favicon.svg").await.0, 404);
    daemon.client("/ws?topics=tickerd.stats").await.until("stats").await;
}

/// Goal: with `[auth]` the page comes without a token, since it is what asks for one; what it shows does not.
#[tokio::test]
async fn a_page_needs_no_token() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("index.html"), "mine").unwrap();
    let auth = "[[auth.group]]\nname = \"all\"\nsubscribe = [\"**\"]";
    let daemon = daemon().server(&format!("page = {:?}", folder.path())).config(auth).run().await;
    assert_eq!(http(daemon.address(), "/").await, (200, "mine".to_owned()));
    assert_eq!(http(daemon.address(), "/none.js").await.0, 404);
    assert_eq!(http(daemon.address(), "/v1/feeds").await.0, 401);
}

/// What `tickerd check` and `tickerd run` say of a file with this line.
async fn refused(file: &Path, line: &str) -> (String, String) {
    std::fs::write(file, format!("[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n{line}\n"))
        .unwrap();
    let mut check = command();
    let check = within("the check", check.arg("check").arg(file).output()).await.unwrap();
    assert_eq!(check.status.code(), Some(78), "{line}: {check:?}");
    let mut run = command();
    let run = within("the end", run.arg("run").arg("--config").arg(file).output()).await.unwrap();
    assert!(!run.status.success(), "{line}: {run:?}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(check.stderr), text(run.stderr))
}

#[tokio::test]
async fn a_folder_without_a_page_is_told_by_check_and_at_the_start() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let file = folder.path().join("t.toml");
    for (line, what, change) in [
        ("page = \"none\"", "cannot be read: No such file or directory", "make it, or correct the path"),
        ("page = \"file\"", "is not a folder", "name the folder that has index.html in it"),
        ("page = \"./empty\"", "has no file index.html", "put one there, or correct the path"),
    ] {
        let (check, run) = refused(&file, line).await;
        assert!(check.contains("t.toml:4:8: server.page: "), "{check}");
        for text in [&check, &run] {
            assert!(text.contains("server.page") && text.contains(what) && text.contains(change), "{text}");
        }
    }
    let (check, _) = refused(&file, "page = \"\"").await;
    assert!(check.contains("this names no folder") && check.contains("/etc/tickerd/page"), "{check}");
}
