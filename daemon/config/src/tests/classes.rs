//! Each key has a class, and a change of it is seen.

use std::collections::BTreeSet;
use std::path::Path;

use crate::classes::{Changes, Class, Renews, keys};
use crate::{Config, known_keys};

fn config(text: &str) -> Config {
    Config::from_text("test", text, Path::new("/etc/tickerd")).unwrap_or_else(|e| panic!("{text}\n{e}"))
}

#[test]
fn every_key_has_one_class() {
    let mut seen = BTreeSet::new();
    for key in keys() {
        assert!(seen.insert(key.path.to_owned()), "{} is in the table twice", key.path);
    }
    let known = known_keys();
    let missing: Vec<_> = known.difference(&seen).collect();
    assert!(missing.is_empty(), "give each of these a row in classes/mod.rs: {missing:?}");
    let unknown: Vec<_> = seen.difference(&known).collect();
    assert!(unknown.is_empty(), "these are no keys: {unknown:?}");
}

/// Lines of `[server]`, before and after, and the key that differs.
const SERVER: [(&str, &str, &str); 22] = [
    ("admin = \"127.0.0.1:1\"", "admin = \"127.0.0.1:2\"", "server.admin"),
    ("admin_socket = \"off\"", "admin_socket = \"auto\"", "server.admin_socket"),
    ("", "admin_token = { file = \"/t\" }", "server.admin_token"),
    ("", "[server.compression]\nlevel = 2", "server.compression"),
    ("drain = \"1s\"", "", "server.drain"),
    ("", "echo = true", "server.echo"),
    ("heartbeat = \"9s\"", "", "server.heartbeat"),
    ("hosts = [\"a.example\"]", "hosts = [\"b.example\"]", "server.hosts"),
    ("", "insecure_public = true", "server.insecure_public"),
    ("", "limits.topics = 7", "server.limits.topics"),
    ("", "limits.message = \"32KiB\"", "server.limits.message"),
    ("", "limits.handshake = \"7s\"", "server.limits.handshake"),
    ("", "limits.connections = 7", "server.limits.connections"),
    ("", "limits.dry_run = [\"connections\"]", "server.limits.dry_run"),
    ("listen = [\"127.0.0.1:1\"]", "listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", "server.listen"),
    ("", "origins = [\"https://a.example\"]", "server.origins"),
    ("", "page = \"/srv/page\"", "server.page"),
    ("", "ping = \"10s\"", "server.ping"),
    ("", "pong_timeout = \"41s\"", "server.pong_timeout"),
    ("shards = 1", "shards = 2", "server.shards"),
    ("", "tiers = [\"1s\"]", "server.tiers"),
    ("", "trusted = [\"10.0.0.0/8\"]", "server.trusted"),
];

#[test]
fn a_change_is_seen_under_its_key_alone() {
    for (before, after, key) in SERVER {
        let (old, new) = (config(&format!("[server]\n{before}")), config(&format!("[server]\n{after}")));
        for (old, new) in [(&old, &new), (&new, &old)] {
            let changes = Changes::between(old, new);
            let found: Vec<_> = changes.keys.iter().map(|key| key.path).collect();
            assert_eq!(found, [key]);
            assert!(changes.feeds.is_empty() && changes.topics.is_empty());
        }
        assert!(Changes::between(&old, &old).is_empty());
    }
    let auth = "[auth]\nanonymous = [\"a\"]\n";
    let changes = Changes::between(&config(""), &config(auth));
    assert_eq!(changes.restart().map(|key| key.path).collect::<Vec<_>>(), ["auth"]);
    let changes = Changes::between(&config(auth), &config("[auth]\nanonymous = [\"b\"]\n"));
    assert_eq!(
        changes.keys.iter().map(|key| (key.path, key.class)).collect::<Vec<_>>(),
        [("auth.anonymous", Class::Live)]
    );
}

#[test]
fn spelling_is_no_change() {
    let (one, other) =
        (config("[server]\nheartbeat = \"90s\""), config("# longer\nserver.heartbeat = \"1500ms\""));
    assert!(!Changes::between(&one, &other).is_empty());
    let other = config("# the same\nserver = { heartbeat = \"90000ms\" }");
    assert!(Changes::between(&one, &other).is_empty());
}

fn feed(lines: &str) -> Config {
    config(&format!("[[feed]]\nname = \"f\"\n{lines}\n"))
}

#[test]
fn a_feed_says_what_of_it_is_renewed() {
    let (process, source) =
        (Renews { process: true, source: false }, Renews { process: false, source: true });
    let both = Renews { process: true, source: true };
    let sim = "plugin = \"sim\"";
    for (lines, key, renews) in [
        ("plugin = \"sin\"", "feed.plugin", process),
        ("plugin = \"sim\"\nisolation = \"in-process\"", "feed.isolation", process),
        ("plugin = \"sim\"\ninterval = \"2s\"", "feed.interval", both),
        ("plugin = \"sim\"\npace = \"arrival\"", "feed.pace", source),
        ("plugin = \"sim\"\npoll = \"2s\"", "feed.poll", process),
        ("plugin = \"sim\"\nemit = \"always\"", "feed.emit", source),
        ("plugin = \"sim\"\nmax_age = \"2s\"", "feed.max_age", source),
        ("plugin = \"sim\"\nheartbeat = \"9s\"", "feed.heartbeat", process),
        ("plugin = \"sim\"\nmemory_max = \"32MiB\"", "feed.memory_max", process),
        ("plugin = \"sim\"\ntopics_max = 9", "feed.topics_max", process),
        ("plugin = \"sim\"\nbars = false", "feed.bars", source),
        ("plugin = \"sim\"\nconfig.symbols = 3", "feed.config", process),
    ] {
        let changes = Changes::between(&feed(sim), &feed(lines));
        assert!(changes.keys.is_empty() && changes.topics.is_empty());
        let [changed] = &changes.feeds.changed[..] else { panic!("{lines}: {:?}", changes.feeds) };
        assert_eq!((&changed.keys[..], changed.renews), (&[key][..], renews));
    }
    let renamed = config("[[feed]]\nname = \"g\"\nplugin = \"sim\"\n");
    let changes = Changes::between(&feed(sim), &renamed);
    let names = |feeds: &[crate::Feed]| feeds.iter().map(|feed| feed.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&changes.feeds.removed), names(&changes.feeds.added)),
        (vec!["f".into()], vec!["g".into()])
    );
    assert!(changes.feeds.changed.is_empty());
}

#[test]
fn rooms_come_go_and_change_by_name() {
    let old = config("[[topic]]\nname = \"r.a\"\n[[topic]]\nname = \"r.b\"\npublish = true\n");
    let new = config("[[topic]]\nname = \"r.b\"\n[[topic]]\nname = \"r.c\"\n");
    let changes = Changes::between(&old, &new);
    assert_eq!(changes.topics.removed[0].name, "r.a");
    assert_eq!(changes.topics.added[0].name, "r.c");
    assert_eq!(changes.topics.changed[0].keys, ["topic.publish"]);
}

/// Goal: the operator's guide says of each key what a reload does with it.
#[test]
fn the_guide_has_each_key_in_the_row_of_its_class() {
    let guide = include_str!("../../../../systemd/README.md");
    let section = guide.split("\n## Reload\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    for key in keys().filter(|key| key.is_compared()) {
        let row = format!("\n| {} |", key.class);
        let row = section.split(row.as_str()).nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let family = key.path.rsplit_once('.').map(|(table, _)| format!("`{table}.*`")).unwrap_or_default();
        let is_there = row.contains(&format!("`{}`", key.path)) || row.contains(&family);
        assert!(
            is_there,
            "{} is not in the row {} of systemd/README.md, section Reload",
            key.path, key.class
        );
    }
}

/// Goal: the guide's table of reloads has every key. Method: each key, or its table with `.*`, is in the row of its class.
#[test]
fn the_guide_has_every_key_with_its_class() {
    const GUIDE: &str = include_str!("../../../../systemd/README.md");
    let row = |class: &str| {
        let start = format!("| {class} | ");
        GUIDE.lines().find(|line| line.starts_with(&start) && line.contains('`')).expect(class)
    };
    let is_table = |path: &str| keys().any(|other| other.path.starts_with(&format!("{path}.")));
    for key in keys().filter(|key| !is_table(key.path)) {
        let row = row(key.class.as_str());
        let is_told = key
            .path
            .match_indices('.')
            .map(|(at, _)| &key.path[..at])
            .chain([key.path])
            .any(|path| row.contains(&format!("`{path}`")) || row.contains(&format!("`{path}.*`")));
        assert!(is_told, "{} is not among {}: {row}", key.path, key.class.as_str());
    }
}
