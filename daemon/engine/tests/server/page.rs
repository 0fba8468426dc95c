//! A folder of the operator's in place of the page: what is served of it, and what an attacker does not get.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use crate::raw::{Reply, SOON, Served, serve, try_serve};

/// What is beside the folder, and must never be seen.
const SECRET: &str = "top secret";

/// A page with a few files, beside a secret.
fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    let page = site.path().join("page");
    for folder in ["help", "src", ".git", "client", "vendor", "v1"] {
        fs::create_dir_all(page.join(folder)).unwrap();
    }
    for (name, text) in [
        ("index.html", "<!doctype html><title>mine</title>"),
        ("help/index.html", "<!doctype html><title>help</title>"),
        ("src/main.mjs", "export {};"),
        ("a b.svg", "<svg/>"),
        ("data.bin", "\0\u{1}"),
        (".env", SECRET),
        (".git/config", SECRET),
        ("client.js", "mine"),
        ("vendor/uplot.js", "mine"),
        ("v1/feeds", "mine"),
        ("ws", "mine"),
        ("healthz", "mine"),
    ] {
        fs::write(page.join(name), text).unwrap();
    }
    fs::write(site.path().join("secret"), SECRET).unwrap();
    fs::create_dir(site.path().join("page-2")).unwrap();
    fs::write(site.path().join("page-2/index.html"), SECRET).unwrap();
    site
}

fn serving(site: &Path) -> Served {
    serve(|server| server.page = Some(site.join("page")))
}

#[track_caller]
fn ask(server: &Served, method: &str, path: &str, more: &str) -> Reply {
    server.ask(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n"))
}

#[track_caller]
fn get(server: &Served, path: &str) -> Reply {
    ask(server, "GET", path, "")
}

#[test]
fn files_of_the_folder_take_the_place_of_the_page() {
    let site = site();
    let server = serving(site.path());
    for (path, content_type, body) in [
        ("/", "text/html; charset=utf-8", "<!doctype html><title>mine</title>"),
        ("/?kiosk", "text/html; charset=utf-8", "<!doctype html><title>mine</title>"),
        ("/index.html", "text/html; charset=utf-8", "<!doctype html><title>mine</title>"),
        ("/help/", "text/html; charset=utf-8", "<!doctype html><title>help</title>"),
        ("/src/main.mjs", "text/javascript; charset=utf-8", "export {};"),
        ("/a%20b.svg", "image/svg+xml", "<svg/>"),
        ("/data.bin", "application/octet-stream", "\0\u{1}"),
    ] {
        let reply = get(&server, path);
        assert_eq!((reply.status(), reply.body()), (200, body), "{path}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'self'; "));
        assert_eq!(reply.header("access-control-allow-origin"), None);
        let head = ask(&server, "HEAD", path, "");
        assert_eq!((head.status(), head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), reply.header("content-length"));
        let known = format!("If-None-Match: {}\r\n", reply.header("etag").unwrap());
        assert_eq!(ask(&server, "GET", path, &known).status(), 304, "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let refused = ask(&server, method, path, "Content-Length: 0\r\n");
            assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
        }
    }
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status(), 403);
    server.still_serves();
}

/// Goal: an editor sees the change with the next load.
#[test]
fn what_is_written_is_served_at_once() {
    let site = site();
    let server = serving(site.path());
    let page = site.path().join("page");
    let mut tags = vec![get(&server, "/").header("etag").unwrap().to_owned()];
    for text in ["one", "two", "2wo"] {
        fs::write(page.join("index.html"), text).unwrap();
        let reply = get(&server, "/");
        assert_eq!(reply.body(), text);
        tags.push(reply.header("etag").unwrap().to_owned());
    }
    tags.dedup();
    assert_eq!(tags.len(), 4);
    fs::remove_file(page.join("help/index.html")).unwrap();
    assert_eq!(get(&server, "/help/").status(), 404);

    // A page that is put in its place as a whole, by a link.
    let (link, next) = (site.path().join("link"), site.path().join("next"));
    symlink(&page, &link).unwrap();
    let server = serve(|server| server.page = Some(link.clone()));
    assert_eq!(get(&server, "/").body(), "2wo");
    symlink(site.path().join("page-2"), &next).unwrap();
    fs::rename(&next, &link).unwrap();
    assert_eq!(get(&server, "/").body(), SECRET);
    fs::remove_file(&link).unwrap();
    assert_eq!(get(&server, "/").status(), 500);
    server.still_serves();
}

#[test]
fn an_attacker_gets_nothing_from_outside_the_folder() {
    let site = site();
    let page = site.path().join("page");
    symlink(site.path().join("secret"), page.join("absolute")).unwrap();
    symlink("../secret", page.join("relative.html")).unwrap();
    symlink("/proc/self/environ", page.join("environ")).unwrap();
    symlink("/proc/self/root", page.join("root")).unwrap();
    symlink("/proc/self/cwd", page.join("cwd")).unwrap();
    symlink("..", page.join("up")).unwrap();
    symlink("/", page.join("all")).unwrap();
    symlink("loop", page.join("loop")).unwrap();
    symlink("/dev/zero", page.join("zero")).unwrap();
    mkfifo(&page.join("pipe"), Mode::S_IRWXU).unwrap();
    let server = serving(site.path());
    let long = format!("/{}", "a/".repeat(2_000));
    let name = format!("/{}", "a".repeat(300));
    for path in [
        // Up, in every spelling.
        "/../secret",
        "/..",
        "/../",
        "/./../secret",
        "/help/../../secret",
        "/help/../index.html",
        "/%2e%2e/secret",
        "/%2E%2E/secret",
        "/.%2e/secret",
        "/%2e./secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/%252e%252e/secret",
        "/..;/secret",
        "/..%00/secret",
        "/..%c0%af/secret",
        "/%c0%ae%c0%ae/secret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/%u002e%u002e/secret",
        "/.../secret",
        "/....//secret",
        "/..//secret",
        "/../page-2/index.html",
        "/..%2fpage-2%2findex.html",
        // Absolute.
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "//secret",
        "///",
        "/etc/passwd",
        "/C:/secret",
        "/file:///etc/passwd",
        // Names that end early.
        "/index.html%00",
        "/index.html%00.png",
        "/secret%00.html",
        "/%00",
        "/index.html/",
        "/index.html/x",
        "/src",
        "/index.html%2f",
        "/index.html/..",
        "/index.html.",
        "/index.html%20",
        "/INDEX.HTML",
        "/%",
        "/%zz",
        "/%f",
        // Hidden.
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/%2Egit/config",
        "/.git/",
        "/src/../.env",
        "/.",
        "/./",
        "/./index.html",
        // Links, pipes and devices.
        "/absolute",
        "/relative.html",
        "/environ",
        "/root/etc/passwd",
        "/cwd/Cargo.toml",
        "/up/secret",
        "/up/page/index.html",
        "/all/etc/passwd",
        "/loop",
        "/zero",
        "/pipe",
        "/pipe/",
        "/up/",
        "/all/",
        // Much.
        &long,
        &name,
    ] {
        let reply = get(&server, path);
        assert!(matches!(reply.status(), 404 | 500), "{path}: {}", reply.status());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        for word in [SECRET, "root:", "<!doctype", "page-2", "/tmp", "PATH="] {
            assert!(!reply.body().contains(word), "{path}: {}", reply.body());
        }
        assert_eq!(ask(&server, "HEAD", path, "").status(), reply.status(), "{path}");
    }
    // What is no path is not looked up either.
    for line in [
        "GET http://localhost/../secret HTTP/1.1",
        "GET ../secret HTTP/1.1",
        "GET secret HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ] {
        let reply = server.ask(format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!((400..=500).contains(&reply.status()), "{line}: {}", reply.status());
        assert!(!reply.body().contains(SECRET), "{line}");
    }
    server.still_serves();
}

#[test]
fn links_within_the_folder_are_followed() {
    // As Kubernetes lays out a ConfigMap.
    let site = TempDir::new().unwrap();
    let page = site.path().join("page");
    fs::create_dir_all(page.join("..2026_11_29")).unwrap();
    fs::write(page.join("..2026_11_29/index.html"), "mapped").unwrap();
    symlink("..2026_11_29", page.join("..data")).unwrap();
    symlink("..data/index.html", page.join("index.html")).unwrap();
    let server = serving(site.path());
    assert_eq!(get(&server, "/").body(), "mapped");
    assert_eq!(get(&server, "/..data/index.html").status(), 404);
}

#[test]
fn what_is_the_daemons_stays_its_own() {
    let site = site();
    let server = serving(site.path());
    assert!(get(&server, "/vendor/uplot.js").body().contains("export"));
    for path in
        ["/client.js", "/v1/feeds", "/v1/topics", "/v1/none", "/ws", "/healthz", "/client/x.js", "/vendor/"]
    {
        assert!(!get(&server, path).body().contains("mine"), "{path}");
    }
    assert_eq!(
        get(&server, "/src/main.js").status(),
        404,
        "the page that is built in is not served beside it"
    );
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let site = site();
    let large = fs::File::create(site.path().join("page/large")).unwrap();
    large.set_len((16 << 20) + 1).unwrap();
    let server = serving(site.path());
    assert_eq!(get(&server, "/large").status(), 500);
    large.set_len(16 << 20).unwrap();
    assert_eq!(get(&server, "/large").body.len(), 16 << 20);
}

/// Goal: who reads slowly costs the server no memory of his own. Method: many ask for a large file and read none of it.
#[test]
fn those_who_read_slowly_share_a_files_bytes() {
    let site = site();
    let large = fs::File::create(site.path().join("page/large")).unwrap();
    large.set_len(16 << 20).unwrap();
    let server = serving(site.path());
    let mut clients: Vec<_> = (0..40).map(|_| server.client()).collect();
    let before = resident();
    for client in &mut clients {
        client.say("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    let heads = clients.iter_mut().map(|client| {
        let mut first = [0; 12];
        client.stream.read_exact(&mut first).unwrap();
        first
    });
    assert!(heads.into_iter().all(|head| &head == b"HTTP/1.1 200"));
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{} MiB for one file of 16", grown >> 20);
}

/// Bytes of memory this process has.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn a_folder_that_cannot_be_the_page_is_told_at_the_start() {
    let site = site();
    fs::create_dir_all(site.path().join("odd/index.html")).unwrap();
    fs::create_dir_all(site.path().join("linked")).unwrap();
    symlink("../secret", site.path().join("linked/index.html")).unwrap();
    for (folder, says) in [
        ("none", "cannot be read: No such file or directory (os error 2); make it, or correct the path"),
        ("secret", "is not a folder; name the folder that has index.html in it"),
        ("page/src", "has no file index.html; put one there, or correct the path"),
        ("odd", "has no file index.html"),
        ("linked", "index.html: it is a link out of the folder; put the file itself there"),
    ] {
        let error = try_serve(|server| server.page = Some(site.path().join(folder))).err().expect(folder);
        let told = error.to_string();
        assert!(told.starts_with("server.page: ") && told.contains(says), "{folder}: {told}");
    }
}

/// Goal: a folder on a disk that hangs holds up its own requests alone. Method: its files are asked for by many at once
/// while a socket is opened.
#[test]
fn many_requests_for_files_hold_up_nobody_else() {
    let site = site();
    let server = serving(site.path());
    let mut clients: Vec<_> = (0..100).map(|_| server.client()).collect();
    for client in &mut clients {
        for _ in 0..20 {
            client.say("GET /src/main.mjs HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
    }
    let before = std::time::Instant::now();
    server.still_serves();
    assert!(before.elapsed() < SOON);
    assert!(clients.iter_mut().all(|client| client.reply().status() == 200));
}
