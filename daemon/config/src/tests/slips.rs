//! What is refused, and the text of the refusal.

use super::*;

/// Each age is looked at with every beat.
#[test]
fn rooms_have_few_different_ages() {
    let room =
        |nth: u32, age: u32| format!("[[topic]]\nname = \"r.{nth}\"\nhistory = {{ age = \"{age}h\" }}\n");
    let many: String = (1..=100).map(|nth| room(nth, 1 + nth % 16)).collect();
    assert_eq!(load(&many).unwrap().topics.len(), 100);
    let message = message(&(many + &room(101, 30)));
    for part in ["topic[100].history.age", "one more age than 16", "write \"16h\", as others do"] {
        assert!(message.contains(part), "lacks: {part}\n{message}");
    }
}

/// Goal: a message is enough to solve the problem. Method: for each mistake, the message holds the place, the marked
/// line, the value and the remedy.
#[test]
fn slips_are_told_with_place_and_remedy() {
    let feed = |lines: &str| format!("[[feed]]\nname = \"a\"\nplugin = \"p\"\n{lines}");
    let cases: Vec<(String, &[&str])> = vec![
        (
            "[server]\nheartbeat = 15\n".into(),
            &[
                "t.toml:2:13: server.heartbeat = 15: a duration carries its unit",
                "2 | heartbeat = 15",
                "  |             ^^\n",
                "allowed: a duration from \"1s\" to \"1h\" (ms, s, m, h, d)",
                "change:  write \"15s\"",
            ],
        ),
        ("[server]\nheartbeat = \"15\"".into(), &["carries its unit", "write \"15s\""]),
        ("[server]\nheartbeat = 15000".into(), &["write \"15000ms\""]),
        (
            "[server]\nheartbeat = 15s".into(),
            &["t.toml:2:13: `15s` is not", "^^^", "write heartbeat = \"15s\""],
        ),
        ("[server]\nheartbeat = 1.5".into(), &["whole number and its unit", "write \"1500ms\""]),
        ("[server]\nheartbeat = \"1ms\"".into(), &["shorter than the least, 1s", "write \"1s\""]),
        ("[server]\ndrain = \"2h\"".into(), &["more than the most, 5m", "write \"5m\""]),
        ("[server]\nping = true".into(), &["a duration is needed, and this is true or false"]),
        ("[server.limits]\nmessage = 65536".into(), &["a size carries its unit", "write \"65536B\""]),
        ("[server.limits]\nmessage = \"64kb\"".into(), &["not a unit", "write \"64KB\""]),
        ("[server.limits]\nmessage = \"1GiB\"".into(), &["more than the most, 16MiB", "write \"16MiB\""]),
        ("[server]\nshards = \"4\"".into(), &["without quotes", "write 4"]),
        ("[server]\nshards = -1".into(), &["server.shards = -1: this is below the least, 0"]),
        ("[server]\nshards = 99999999999999999999999".into(), &["above the most, 256", "write 256"]),
        ("[server]\nshards = 1.0".into(), &["a number with a fraction"]),
        ("[server]\necho = \"yes\"".into(), &["write true, without quotes"]),
        (
            "[server]\nlissten = 1".into(),
            &["t.toml:2:1: server.lissten", "did you mean `listen`?", "^^^^^^^"],
        ),
        ("[server]\nbind = 1".into(), &["did you mean `listen`?"]),
        ("[server]\ntopics = 1".into(), &["`topics` belongs below [server.limits]"]),
        ("[server]\ntopics_max = 1".into(), &["belongs to a feed"]),
        (
            "[serve]\n".into(),
            &["t.toml:1:2: serve", "there is no key `serve` at the top", "did you mean `server`?"],
        ),
        (
            "[xyzzy]\n".into(),
            &["allowed: auth, bars, cluster, feed, history, server, topic", "delete the line"],
        ),
        ("server = 1".into(), &["server is a table, and this is an integer", "write [server]"]),
        ("[[topic]]\npublish = true".into(), &["this topic has no name", "add name = \"rooms.…\""]),
        ("[[topic]]\nname = \"rooms.*\"".into(), &["this is a pattern", "declare each by its name"]),
        ("[[topic]]\nname = \"a b\"".into(), &["this is no topic"]),
        ("[[topic]]\nname = \"tickerd.x\"".into(), &["the server's own"]),
        (feed("[[topic]]\nname = \"a.chat\"\n"), &["those of the feed", "rooms.…"]),
        ("[[topic]]\nname = \"r.a\"\n[[topic]]\nname = \"r.a\"".into(), &["declared twice", "t.toml:4:8"]),
        ("[[topic]]\nname = \"r.a\"\npresense = true".into(), &["did you mean `presence`?"]),
        ("[[topic]]\nname = \"r.a\"\nhistory = -1".into(), &["below the least, 0", "or { count = 100"]),
        (
            "[[topic]]\nname = \"r.a\"\nhistory = \"24h\"".into(),
            &["topic[0].history", "write history = { age = \"24h\" }"],
        ),
        (
            "[[topic]]\nname = \"r.a\"\nhistory = { count = 65537, age = \"1h\" }".into(),
            &["topic[0].history.count", "above the most, 65536"],
        ),
        (
            "[[topic]]\nname = \"r.a\"\nhistory = { age = \"8d\" }".into(),
            &["topic[0].history.age", "more than the most, 168h"],
        ),
        ("[[topic]]\nname = \"r.a\"\nhistory = { ages = \"8d\" }".into(), &["did you mean `age`?"]),
        ("[feed]\nname = \"a\"".into(), &["this is one table", "write [[feed]]"]),
        ("feed = 3".into(), &["write [[feed]]"]),
        ("feed = [3]".into(), &["feed[0]: this is an integer, not a table"]),
        ("[server]\nlisten = \"127.0.0.1:1\"".into(), &["write [\"127.0.0.1:1\"]"]),
        ("[server]\nlisten = []".into(), &["1 to 16 addresses"]),
        (
            "[server]\nlisten = [{ address = \"127.0.0.1:1\", tls = true }]".into(),
            &[
                "t.toml:2:23: server.listen[0]: this listener speaks TLS",
                "[server.tls]",
                "certificate = ",
                "key = ",
            ],
        ),
        (
            "[server]\nlisten = [\"127.0.0.1:1\", { tls = true }]".into(),
            &[
                "server.listen[1].address",
                "this listener has no address",
                "{ address = \"0.0.0.0:8443\", tls = true }",
            ],
        ),
        (
            "[server]\nlisten = [{ address = \"127.0.0.1\", tsl = true }]".into(),
            &[
                "server.listen[0].address = \"127.0.0.1\": the port is missing",
                "server.listen[0].tsl",
                "did you mean `tls`?",
            ],
        ),
        ("[server]\nlisten = [{ address = \"127.0.0.1:1\", tls = 1 }]".into(), &["server.listen[0].tls = 1"]),
        (
            "[server]\nlisten = [{ address = \"127.0.0.1:1\", tls = true }]\n[server.tls]\nkey = \"k\""
                .into(),
            &["server.tls.certificate: [server.tls] has no certificate", "add certificate = "],
        ),
        (
            "[server.tls]\ncertificate = \"c\"\nkey = \"\"\nclient_required = true\nclient_crl = \"l\""
                .into(),
            &[
                "this names no file",
                "server.tls.client_required",
                "server.tls.client_crl",
                "write client_ca = ",
            ],
        ),
        ("[server]\nadmin_socket = \"on\"".into(), &["this is no unix socket", "\"auto\""]),
        ("[server]\nadmin_socket = \"/run/a\"".into(), &["write \"unix:/run/a\""]),
        ("[server]\nadmin_socket = \"127.0.0.1:8427\"".into(), &["known by a unix socket alone"]),
        (
            "[server]\nlisten = [\"unix:/run/a\"]\nadmin_socket = \"unix:/run/a\"".into(),
            &["admin_socket and listen[0] are the same socket"],
        ),
        (feed("sha256 = \"abc\""), &["64 hexadecimal digits", "this has 3 characters", "sha256sum FILE"]),
        (feed(&format!("sha256 = \"{}\"", "g".repeat(64))), &["'g' is no hexadecimal digit"]),
        (feed("sha256 = 12"), &["sha256 = 12"]),
        (
            format!("[[feed]]\nname = \"a\"\nexec = [\"x\"]\nsha256 = \"{}\"", "0".repeat(64)),
            &["its bytes cannot be pinned", "delete the line"],
        ),
        (
            "[server]\nlisten = [\"127.0.0.1:1\", \"8425\"]".into(),
            &["t.toml:2:26: server.listen[1] = \"8425\"", "write \"127.0.0.1:8425\""],
        ),
        ("[server]\nlisten = [\"[::1]:1\", \"[::1]:1\"]".into(), &["same address as listen[0]"]),
        ("[server]\nlisten = [\"127.0.0.1:8426\"]".into(), &["admin and listen[0] are the same address"]),
        (
            "[server]\nlisten = [\"0.0.0.0:1\"]".into(),
            &["t.toml:2:11", "no authentication", "insecure_public = true in [server]"],
        ),
        (
            "[server]\nadmin = \"10.0.0.1:1\"".into(),
            &["server.admin", "may read metrics", "client_required = true"],
        ),
        ("[server]\ncompression = \"on\"".into(), &["write true, without quotes", "window_bits = 13"]),
        ("[server]\ncompression = 6".into(), &["t.toml:2:15", "true, false, or { level = 6"]),
        ("[server]\ncompression = { level = 0 }".into(), &["server.compression.level", "from 1 to 9"]),
        ("[server]\ncompression = { window_bits = 8 }".into(), &["from 9 to 15", "write 9"]),
        ("[server]\ncompression = { threshold = 128 }".into(), &["carries its unit", "128B"]),
        ("[server]\ncompression = { shared = 1 }".into(), &["server.compression.shared", "true"]),
        ("[server]\ncompression = { members = 0 }".into(), &["server.compression.members", "from 1 to"]),
        ("[server]\ncompression = { contexts = 5000 }".into(), &["from 1 to 4096", "write 4096"]),
        ("[server]\ncompression = { every = \"10ms\" }".into(), &["server.compression.every", "1s"]),
        ("[server]\ncompression = { bits = 9 }".into(), &["there is no key `bits`", "window_bits"]),
        (
            "[server]\npong_timeout = \"20s\"".into(),
            &["pong_timeout (20s) must be more than ping (20s)", "\"40s\""],
        ),
        ("[server]\nping = \"1h\"".into(), &["t.toml:2:8: server.ping", "pong_timeout = \"2h\""]),
        (
            "[server]\ntiers = [\"1s\", \"250ms\"]".into(),
            &["server.tiers[1]", "write tiers = [\"250ms\", \"1s\"]"],
        ),
        ("[server]\ntiers = [\"1s\", \"1s\"]".into(), &["there twice", "write tiers = [\"1s\"]"]),
        ("[server]\ntiers = []".into(), &["a list of 0 tiers"]),
        ("[server]\ntiers = [\"1ms\", 5]".into(), &["tiers[0] = \"1ms\"", "tiers[1] = 5", "2 problems"]),
        ("[server]\norigins = [\"dash.example\"]".into(), &["write \"https://dash.example\""]),
        ("[server]\norigins = [\"https://a.example/\"]".into(), &["write \"https://a.example\""]),
        ("[server]\norigins = [\"*\"]".into(), &["one site, not a pattern"]),
        ("[server]\norigins = [\"Null\"]".into(), &["write \"null\""]),
        ("[server]\norigins = [\"wss://A.example/x\"]".into(), &["write \"https://a.example\""]),
        ("[server]\norigins = [\"htps://a.example\"]".into(), &["write \"https://a.example\""]),
        ("[server]\norigins = [\"http://a:80:81\"]".into(), &["this is no host"]),
        ("[server]\norigins = [\"http://*.a\"]".into(), &["one site, not a pattern"]),
        (
            "[server]\ntrusted = [\"10.1.2.3/8\"]".into(),
            &["server.trusted[0]", "write \"10.0.0.0/8\" for the network"],
        ),
        ("[server]\ntrusted = [\"unix:/run/t.sock\"]".into(), &["every unix socket", "write \"unix\""]),
        (
            "[server]\ntrusted = [\"proxy.example\", \"::/200\"]".into(),
            &["no address and no network", "2 problems"],
        ),
        (format!("[server]\ntrusted = {:?}", vec!["unix"; 65]), &["a list of 65 proxies", "at most 64"]),
        ("[server]\nlisten = [{ address = \"0.0.0.0:1\", proxy = true }]".into(), &["without [auth]"]),
        ("[server]\nhosts = [\"https://A.example:8425/x\"]".into(), &["every port", "write \"a.example\""]),
        ("[server]\nhosts = [\"*.a.example\"]".into(), &["not a pattern", "Host: localhost"]),
        ("[server]\nhosts = [\"börse.example\"]".into(), &["xn--"]),
        ("[server]\nhosts = [\"a b\"]".into(), &["this is no host"]),
        ("[server]\nhosts = \"a.example\"".into(), &["write [\"a.example\"]"]),
        ("[server.limits]\ncommands_burst = 3".into(), &["below commands_per_s, 10", "write 10 or more"]),
        (
            "[server.limits]\ndry_run = [\"connections\", \"conections_per_user\", \"pending\"]".into(),
            &[
                "dry_run[1]",
                "did you mean \"connections_per_user\"?",
                "dry_run[2]",
                "write one of \"connections\", \"connections_per_address\"",
            ],
        ),
        ("[server.limits]\nmemory = \"9%\"".into(), &["not between 10% and 99%", "write \"10%\""]),
        ("[server.limits]\nmemory = 80".into(), &["carries its unit", "write \"80%\"", "or \"off\""]),
        ("[server.limits]\nmemory = \"1GiB\"".into(), &["no part of the memory limit", "write \"90%\""]),
        ("[server.limits]\nconnections_per_user = 0".into(), &["below the least, 1"]),
        ("[[feed]]\nplugin = \"p\"".into(), &["t.toml:1:1: feed[0].name: this feed has no name"]),
        ("[[feed]]\nname = \"a\"".into(), &["feed[0].plugin: this feed has nothing to run"]),
        (feed("exec = [\"x\"]"), &["t.toml:4:8: feed[0].exec", "both plugin and exec", "delete one"]),
        (feed("isolation = \"inprocess\""), &["did you mean \"in-process\"?"]),
        (feed("isolation = \"thread\""), &["write one of \"process\", \"in-process\""]),
        (feed("emit = \"on-change\""), &["did you mean \"on_change\"?"]),
        (feed("pace = \"arrivals\""), &["did you mean \"arrival\"?"]),
        (
            feed("pace = \"arrival\"\nemit = \"always\""),
            &["feed[0].pace", "repeats values at fixed times", "delete one of the two lines"],
        ),
        (feed("push_interval = \"1s\""), &["feed[0].push_interval", "did you mean `interval`?"]),
        (feed("config = 3"), &["[feed.config]"]),
        (
            feed("[feed.config]\nx = [{ y = nan }]"),
            &["feed[0].config.x[0].y: JSON has no such number", "x = [{ y = … }]"],
        ),
        (feed("[[feed]]\nname = \"a\"\nplugin = \"p\""), &["another feed has this name", "\"a2\""]),
        ("[[feed]]\nname = \"tickerd\"\nplugin = \"p\"".into(), &["the server's own"]),
        ("[[feed]]\nname = \"a.b\"\nplugin = \"p\"".into(), &["'.' has no place", "write \"a_b\""]),
        ("[[feed]]\nname = \"\"\nplugin = \"p\"".into(), &["0 bytes"]),
        ("[[feed]]\nname = \"a\"\nexec = \"./f.py --x\"".into(), &["write exec = [\"./f.py\", \"--x\"]"]),
        ("[[feed]]\nname = \"a\"\nexec = []".into(), &["the program is missing"]),
        (
            "[[feed]]\nname = \"a\"\nexec = [\"x\"]\nisolation = \"in-process\"".into(),
            &["a process of its own"],
        ),
        ("[server]\nshards = 1\nshards = 2".into(), &["t.toml:3:1", "duplicate key", "keep one of the two"]),
        ("[server".into(), &["t.toml:1:", "this is not TOML", "tables as [name]"]),
    ];
    for (text, parts) in cases {
        let message = message(&text);
        for part in parts {
            assert!(message.contains(part), "{text}\nlacks: {part}\n{message}");
        }
        assert!(message.contains('^') && message.contains("change:  "), "{message}");
    }
}

#[test]
fn all_problems_are_told_in_one_run_and_in_order() {
    let text =
        "[server]\nshards = -1\nheartbeat = 15s\nbindd = 1\n[history]\nage = 5\n[[feed]]\nname = \"a b\"\n";
    let problems = load(text).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.line().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 6, 7, 8], "{problems}");
}

#[test]
fn a_broken_header_does_not_mislead() {
    let problems = load("[server\nshards = 1\n[historyy]\ncount = 1\n").unwrap_err();
    assert!(problems.iter().all(|problem| problem.what.contains("not TOML")), "{problems}");
}

#[test]
fn a_long_or_strange_line_is_shown_around_its_caret() {
    let text = format!("[server]\norigins = [{}\"\\u001b\", 3]", "\"https://a.example\", ".repeat(20));
    let problems = load(&text).unwrap_err();
    for line in problems.to_string().lines() {
        assert!(line.chars().count() < 300 && !line.contains('\x1b'), "{line}");
    }
    let text = "\u{feff}[server]\r\n\theartbeat = \"1 s\"\t# ü\r\n";
    assert!(
        message(text).contains("\n  2 |  heartbeat = \"1 s\" # ü\n    |              ^^^^^\n"),
        "{}",
        message(text)
    );
}
