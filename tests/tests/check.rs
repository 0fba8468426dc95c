//! `tickerd check`: says ok only for a file that a daemon can run here, with all of its feeds, and tells each mistake with
//! its place, all in one run.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use tickerd_tests::author::program;
use tickerd_tests::daemon::command;
use tickerd_tests::*;

/// What a check said, and how it ended.
#[derive(Debug)]
struct Checked {
    code: i32,
    out: String,
    err: String,
}

/// Checks a file with this text, on free ports unless it says others.
async fn check_in(folder: &Path, text: &str, env: &[(&str, &str)]) -> Checked {
    let file = folder.join("t.toml");
    std::fs::write(&file, text).unwrap();
    check_file(&file, env).await
}

async fn check_file(file: &Path, env: &[(&str, &str)]) -> Checked {
    let mut command = command();
    command.arg("check").arg(file).env("TICKERD_SERVER__ADMIN", "127.0.0.1:0");
    command.env("TICKERD_SERVER__LISTEN", "127.0.0.1:0").envs(env.iter().copied());
    let output = within("the check", command.output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Checked { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A mistake: the lines of a `[[feed]]` named `a` (from line 2 on), where it is told, and in which words.
type Mistake = (String, &'static str, &'static [&'static str]);

fn mistakes(folder: &Path) -> Vec<Mistake> {
    std::fs::write(folder.join("text.so"), "not a library\n").unwrap();
    std::fs::write(folder.join("plain.py"), "#!/bin/sh\n").unwrap();
    program(folder, "lost.sh", "#!/no/such/interpreter\n");
    let open = program(folder, "open.sh", "#!/bin/sh\n");
    std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(folder.join("day.ndjson"), "hello\n").unwrap();
    let plugin = |name: &str, lines: &str| format!("plugin = \"{name}\"\n{lines}");
    let configured =
        |name: &str, lines: &str| plugin(&format!("tickerd_feed_{name}"), &format!("[feed.config]\n{lines}"));
    let zeros = "0".repeat(64);
    vec![
        // What is to run.
        (plugin("tickerd_feed_simm", ""), "t.toml:3:10: feed[0].plugin", &["did you mean tickerd_feed_sim"]),
        (plugin("./none.so", ""), "t.toml:3:10: feed[0].plugin", &["there is no file", "correct its path"]),
        (plugin("./text.so", ""), "t.toml:3:10: feed[0].plugin", &["no ELF file"]),
        (plugin("./plain.py", ""), "t.toml:3:10: feed[0].plugin", &["chmod +x"]),
        ("exec = [\"./none.py\"]\n".into(), "t.toml:3:8: feed[0].exec", &["is not found from"]),
        ("exec = [\"no-such-program\"]\n".into(), "t.toml:3:8: feed[0].exec", &["is not found from PATH"]),
        ("exec = [\"./plain.py\"]\n".into(), "t.toml:3:8: feed[0].exec", &["not executable", "chmod +x"]),
        ("exec = [\"./lost.sh\"]\n".into(), "t.toml:3:8: feed[0].exec", &["/no/such/interpreter"]),
        (
            "exec = [\"./open.sh\"]\n".into(),
            "t.toml:3:8: feed[0].exec",
            &["written by everyone", "chmod go-w"],
        ),
        (
            plugin("tickerd_feed_sim", &format!("sha256 = \"{zeros}\"\n")),
            "t.toml:4:10: feed[0].sha256",
            &["its SHA-256 is "],
        ),
        (plugin("tickerd_feed_replay", "isolation = \"in-process\"\n"), "feed[0].", &["is a program"]),
        // Its own keys.
        (
            configured("sim", "sede = 7\n"),
            "t.toml:5:1: feed[0].config.sede",
            &["is no key", "did you mean seed?"],
        ),
        (
            configured("crypto", "symbols = \"AAPL\"\n"),
            "t.toml:5:11: feed[0].config.symbols",
            &["this is a text", "a list"],
        ),
        (
            configured("crypto", "provider = \"krakn\"\n"),
            "t.toml:5:12: feed[0].config.provider",
            &["did you mean kraken?", "kraken, coinbase or binance"],
        ),
        (
            configured("weather", "places = [{ name = \"x\", latitude = 99, longitude = 1 }]\n"),
            "t.toml:5:",
            &["feed[0].config.places"],
        ),
        (
            configured("weather", "places = [{ name = \"x\", longitude = 1 }]\n"),
            "t.toml:5:",
            &["latitude is missing", "add it to places[0]"],
        ),
        (
            configured("stocks", "provider = \"finnhub\"\nsymbols = [\"A\"]\nkey = \"CANARY-4711\"\n"),
            "t.toml:7:7: feed[0].config.key",
            &["this is a text", "a table with the key"],
        ),
        (plugin("tickerd_feed_stocks", ""), "feed[0].config", &["provider is missing; add it"]),
        // What only the plugin knows.
        (
            configured(
                "stocks",
                "provider = \"finnhub\"\nsymbols = [\"A\"]\nkey = { file = \"/nowhere/finnhub.key\" }\n",
            ),
            "t.toml:7:16: feed[0].config.key.file",
            &["<key.file>", "No such file"],
        ),
        (
            configured(
                "stocks",
                "provider = \"finnhub\"\nsymbols = [\"A\"]\nkey = { env = \"TICKERD_NO_SUCH_KEY\" }\n",
            ),
            "t.toml:7:15: feed[0].config.key.env",
            &["there is no variable of"],
        ),
        (
            configured("replay", "file = \"none.ndjson\"\n"),
            "t.toml:5:8: feed[0].config.file",
            &["No such file"],
        ),
        (
            configured("replay", "file = \"day.ndjson\"\n"),
            "t.toml:5:8: feed[0].config.file",
            &["no header of a recording"],
        ),
        (
            configured("replay", "file = \"day.ndjson\"\nspeed = -1\n"),
            "t.toml:6:9: feed[0].config.speed",
            &["speed is neither a number from"],
        ),
        (
            configured("sim", "volatility = 9\n"),
            "t.toml:5:14: feed[0].config.volatility",
            &["this number is too large", "a number from 0 to 5"],
        ),
        (
            configured("zoo", "behave = \"bad_config\"\n"),
            "t.toml:5:10: feed[0].config.behave: `bad_config`",
            &["was asked for"],
        ),
        (configured("zoo", "behave = \"panic_create\"\n"), "t.toml:", &["feed[0].config"]),
    ]
}

/// Goal: what would keep a feed from running here is told with its place. Method: each mistake in a file of its own.
#[tokio::test]
async fn a_feed_that_cannot_run_here_is_not_ok() {
    let folder = TempDir::new().unwrap();
    for (lines, place, words) in mistakes(folder.path()) {
        let text = format!("[[feed]]\nname = \"a\"\n{lines}");
        let checked = check_in(folder.path(), &text, &[]).await;
        assert_eq!((checked.code, checked.out.as_str()), (78, ""), "{lines}: {checked:?}");
        assert!(checked.err.contains(place), "{lines}lacks {place}: {}", checked.err);
        for word in words {
            assert!(checked.err.contains(word), "{lines}lacks {word}: {}", checked.err);
        }
        assert!(checked.err.contains('^') && checked.err.contains("  change:  "), "{}", checked.err);
        assert!(!checked.err.contains("CANARY"), "{}", checked.err);
    }
    let pinned = "[[feed]]\nname = \"a\"\nexec = [\"/bin/true\"]\nsha256 = \"";
    let checked = check_in(folder.path(), &format!("{pinned}{}\"\n", "0".repeat(64)), &[]).await;
    assert!(checked.err.contains("delete the line") && checked.err.contains("1 problem in"), "{checked:?}");
}

/// Goal: one run tells all. Method: keys, relations, variables, folders and feeds are wrong at once.
#[tokio::test]
async fn mistakes_of_every_layer_are_told_in_one_run() {
    let text = "[server]\nheartbeet = \"1s\"\nping = \"2h\"\n[history]\npath = \"nowhere/history\"\n\
                [[feed]]\nname = \"a\"\nplugin = \"tickerd_feed_simm\"\ninterval = 5\n\
                [[feed]]\nname = \"b\"\nplugin = \"tickerd_feed_sim\"\n[feed.config]\nsede = 1\n\
                [[feed]]\nname = \"a\"\nexec = [\"cat\"]\n";
    let folder = TempDir::new().unwrap();
    let checked = check_in(folder.path(), text, &[("TICKERD_LOG", "banana")]).await;
    assert_eq!(checked.code, 78, "{checked:?}");
    for told in [
        "t.toml:2:1: server.heartbeet",
        "t.toml:3:8: server.ping",
        "t.toml:5:8: history.path: there is no folder",
        "t.toml:8:10: feed[0].plugin",
        "t.toml:9:12: feed[0].interval",
        "t.toml:14:1: feed[1].config.sede",
        "t.toml:16:8: feed[2].name",
        "environment TICKERD_LOG: `banana` is no log level",
        "note: 1 feed was not looked at",
        "8 problems in the configuration",
    ] {
        assert!(checked.err.contains(told), "lacks {told}: {}", checked.err);
    }
    let checked = check_in(folder.path(), "[server\n[[feed]]\nname = \"a\"\nplugin = \"none\"\n", &[]).await;
    assert!(
        checked.code == 78 && checked.err.contains("note: addresses, folders and feeds were not looked at"),
        "{checked:?}"
    );
}

#[tokio::test]
async fn what_the_file_needs_of_the_machine_is_looked_at() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::write(path("file"), "").unwrap();
    for (text, says) in [
        (format!("[history]\npath = {}\n", json!(path("none/history"))), "make it (mkdir -p "),
        (format!("[history]\npath = {}\n", json!(path("folder"))), "this is a folder"),
        (format!("[history]\npath = {}\n", json!(path("file/history"))), "there is no folder"),
        ("[history]\npath = \"/proc/history\"\n".into(), "/proc"),
        (format!("[server]\nadmin_socket = \"unix:{}\"\n", path("none/a")), "there is no folder"),
        (
            format!("[server]\nadmin_socket = \"unix:{}\"\n", path("file")),
            "a file that is not a socket is there",
        ),
    ] {
        let checked = check_in(folder.path(), &text, &[]).await;
        // Root may write anywhere but in /proc, where nobody can.
        if text.contains("/proc") && checked.code == 0 {
            continue;
        }
        assert!(checked.code == 78 && checked.err.contains(says), "{text}: {checked:?}");
        assert!(checked.err.contains("t.toml:2:"), "{checked:?}");
    }
    let checked = check_in(folder.path(), "[history]\npath = \"folder/history\"\n", &[]).await;
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{checked:?}");
}

/// Goal: a check beside the running daemon is a normal day, and any other holder of an address is not.
#[tokio::test]
async fn who_holds_an_address_is_told() {
    let running = daemon().run().await;
    let folder = TempDir::new().unwrap();
    let (listen, admin) = (running.address().to_string(), running.admin().to_string());
    let ours = [("TICKERD_SERVER__LISTEN", listen.as_str()), ("TICKERD_SERVER__ADMIN", admin.as_str())];
    let checked = check_in(folder.path(), "", &ours).await;
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{checked:?}");
    for key in [
        "warning: environment TICKERD_SERVER__LISTEN: server.listen",
        "warning: environment TICKERD_SERVER__ADMIN: server.admin",
    ] {
        assert!(checked.out.contains(key), "{checked:?}");
    }
    assert!(checked.out.contains("a tickerd listens there now; if it is the one"), "{checked:?}");

    // Where it speaks something else than HTTP, it is known all the same; where it hears its proxy alone, it may be it.
    let authority = crate::tls::Authority::new();
    for (speaks, more, says) in [
        ("tls = true", "", "a tickerd listens there now"),
        ("proxy = true", "", "a tickerd listens there now"),
        ("tls = true, proxy = true", "", "a tickerd listens there now"),
        (
            "proxy = true",
            "trusted = [\"10.0.0.1\"]",
            "a program listens there now that answers its proxy alone",
        ),
    ] {
        let on = |port: u16| format!("{{ address = \"127.0.0.1:{port}\", {speaks} }}");
        let running = authority.daemon("").server(more).listen(on(0)).run().await;
        let again = authority.daemon("").server(more).listen(on(running.address().port()));
        let file = folder.path().join("again.toml");
        std::fs::write(&file, again.toml()).unwrap();
        let checked = check_file(&file, &[("TICKERD_SERVER__LISTEN", "")]).await;
        assert!(checked.code == 0 && checked.out.contains(says), "{speaks} {more}: {checked:?}");
    }

    // Where nobody may see a page without a token, and where the admin listener hears TLS alone.
    let socket = folder.path().join("t.sock");
    let shut = |port: u16| {
        let listen = format!("{{ address = \"127.0.0.1:{port}\" }}, \"unix:{}\"", socket.display());
        daemon().listen(listen).config("[auth]")
    };
    let running = shut(0).run().await;
    let file = folder.path().join("shut.toml");
    std::fs::write(&file, shut(running.address().port()).toml()).unwrap();
    let checked = check_file(&file, &[("TICKERD_SERVER__LISTEN", "")]).await;
    assert!(checked.code == 0 && checked.out.matches("a tickerd listens there").count() == 2, "{checked:?}");
    let running = authority.daemon("admin = true").run().await;
    let admin = running.admin().to_string();
    std::fs::write(&file, authority.daemon("admin = true").toml()).unwrap();
    let ours = [("TICKERD_SERVER__LISTEN", ""), ("TICKERD_SERVER__ADMIN", admin.as_str())];
    let checked = check_file(&file, &ours).await;
    assert!(checked.code == 0 && checked.out.contains("that answers TLS alone"), "{checked:?}");

    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in stranger.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
        }
    });
    let text = format!("[server]\nlisten = [\"127.0.0.1:0\", \"{address}\"]\n");
    let file = folder.path().join("own.toml");
    std::fs::write(&file, &text).unwrap();
    let checked = check_file(&file, &[("TICKERD_SERVER__LISTEN", "")]).await;
    assert!(checked.code == 78 && checked.err.contains("another program listens there"), "{checked:?}");
    assert!(checked.err.contains("own.toml:2:26: server.listen[1]"), "{checked:?}");
}

#[tokio::test]
async fn what_runs_here_is_ok() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/tickerd.toml");
    let checked = check_file(&shipped, &[]).await;
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{checked:?}");
    assert!(!checked.out.contains("warning") && checked.out.contains(": ok (2 feeds, "), "{checked:?}");
    let bars = "bars: 256MiB hold 10s for 1h and 1m for 24h of at least 2,330 topics\n";
    assert!(checked.out.contains(bars), "{checked:?}");

    // A source that cannot be reached, and one that waits, are no mistakes: nobody asks them.
    let folder = TempDir::new().unwrap();
    let text = "[[feed]]\nname = \"a\"\nplugin = \"tickerd_feed_crypto\"\n[feed.config]\nbase_url = \"ws://127.0.0.1:1\"\n\
                [[feed]]\nname = \"b\"\nexec = [\"sh\", \"-c\", \"touch began\"]\n\
                [[feed]]\nname = \"c\"\nplugin = \"tickerd_feed_stocks\"\n\
                [feed.config]\nprovider = \"finnhub\"\nsymbols = [\"A\"]\nkey = { credential = \"finnhub.key\" }\n";
    let checked = check_in(folder.path(), text, &[]).await;
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{checked:?}");
    assert!(!folder.path().join("began").exists(), "a program was run");
    assert!(
        checked.out.contains("note: feed b: a program: its own configuration is looked at only when it runs"),
        "{checked:?}"
    );
    assert!(checked.out.contains("its credentials are there only inside tickerd's unit"), "{checked:?}");
}

/// Goal: whoever names how many topics there are hears whether the bars' limit suffices.
#[tokio::test]
async fn a_limit_of_bars_that_does_not_suffice_is_told() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "feed.sh", "#!/bin/sh\n");
    let feed =
        |lines: &str| format!("[[feed]]\nname = \"a\"\nexec = [\"./feed.sh\"]\ntopics_max = 5000\n{lines}");
    let told = check_in(folder.path(), &feed("[bars]\nbytes = \"256MiB\"\n"), &[]).await;
    assert_eq!(told.code, 0, "{told:?}");
    for part in [
        "warning: ",
        "t.toml:6:9: bars.bytes: its 256MiB hold 10s for 1h and 1m for 24h of at least 2,330 topics",
        "may open 5,000 (topics_max)",
        "change:  write bytes = \"550MiB\" or more",
    ] {
        assert!(told.out.contains(part), "lacks {part}: {told:?}");
    }
    // What is needed is more than bars may have, so it is not offered.
    let many = feed("").replace("5000", "1000000");
    let told = check_in(folder.path(), &many, &[]).await;
    assert!(told.code == 0 && told.out.contains("change:  keep fewer bars, or"), "{told:?}");
    for quiet in [
        feed("bars = false\n"),
        feed("[bars]\nkeep = {}\n"),
        feed("[bars]\nbytes = \"1GiB\"\n"),
        feed("").replace("topics_max = 5000", ""),
    ] {
        let told = check_in(folder.path(), &quiet, &[]).await;
        assert!(told.code == 0 && !told.out.contains("warning"), "{quiet}\n{told:?}");
        assert_eq!(told.out.contains("bars: "), !quiet.contains("{}"), "{quiet}\n{told:?}");
    }
}

/// Goal: rooms that are to keep more than there is memory for are told, with both figures.
#[tokio::test]
async fn a_rooms_history_that_cannot_be_reached_is_told() {
    let folder = TempDir::new().unwrap();
    let rooms = |history: &str, bytes: &str| {
        let room = |name: &str| format!("[[topic]]\nname = \"rooms.{name}\"\npublish = true\n{history}\n");
        format!("{}{}[history]\nbytes = \"{bytes}\"\n", room("a"), room("b"))
    };
    let told =
        check_in(folder.path(), &rooms("history = { count = 50000, age = \"24h\" }", "16MiB"), &[]).await;
    assert_eq!(told.code, 0, "{told:?}");
    for part in [
        "warning: ",
        "t.toml:4:11: topic[0].history: the 2 rooms' 100,000 messages take 31MiB at least",
        "history.bytes of all topics is 16MiB",
        "change:  write bytes = \"62MiB\" or more in [history]",
    ] {
        assert!(told.out.contains(part), "lacks {part}: {told:?}");
    }
    for (history, bytes) in [
        ("history = { count = 50000, age = \"24h\" }", "64MiB"),
        ("history = { age = \"168h\" }", "64KiB"),
        ("", "64KiB"),
    ] {
        let told = check_in(folder.path(), &rooms(history, bytes), &[]).await;
        assert!(told.code == 0 && !told.out.contains("warning"), "{history} {bytes}\n{told:?}");
    }
}
