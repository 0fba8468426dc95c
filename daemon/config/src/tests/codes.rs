//! The codes and their page, and what is printed of a configuration.

use super::*;

const PAGE: &str = include_str!("../../../../systemd/codes.md");

/// The blocks of TOML below a code's header: what is wrong, and what to write.
fn examples(code: Code) -> Vec<&'static str> {
    let header = format!("\n## {code}\n");
    let section = PAGE.split_once(header.as_str()).expect("a section").1.split("\n## ").next().unwrap();
    section.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Goal: the examples of the page are true. Method: the wrong one has this code and no other, the right one none.
/// `too-little-room` is told by `tickerd check` alone.
#[test]
fn the_page_shows_what_is_wrong_and_what_is_right() {
    let mut shown = 0;
    for code in Code::ALL {
        let examples = examples(*code);
        let [wrong, right] = examples.as_slice() else { continue };
        let reading = |text: &str| {
            let reading = examine(
                Text::of("t.toml", text),
                Some(Path::new("/")),
                std::iter::empty(),
                &Overrides::default(),
            );
            let warnings = reading.found.map(|(config, _)| config.warnings).unwrap_or_default();
            let codes: BTreeSet<Code> =
                reading.problems.iter().chain(&warnings).map(|one| one.code).collect();
            codes
        };
        let told = if *code == Code::TooLittleRoom { None } else { Some(*code) };
        assert_eq!(reading(wrong), told.into_iter().collect(), "{code}: {wrong}");
        assert_eq!(reading(right), BTreeSet::new(), "{code}: {right}");
        shown += 1;
    }
    assert!(shown >= 19, "{shown} codes have examples");
}

#[test]
fn a_problem_ends_with_its_code() {
    let told = message("[server]\nheartbeet = 1\n");
    assert!(told.contains("there is no key `heartbeet` in server [unknown-key]\n"), "{told}");
    assert_eq!("unknown-key".parse(), Ok(Code::UnknownKey));
}

#[test]
fn remedies_are_what_was_meant() {
    let feed = |lines: &str| format!("[[feed]]\nname = \"a\"\nplugin = \"p\"\n{lines}");
    for (text, change) in [
        (feed("interval = \"250\""), "write \"250ms\""),
        (feed("interval = 5"), "write \"5s\""),
        (feed("max_age = \"never\""), "write \"168h\""),
        (feed("heartbeat = \"never\""), "write \"off\""),
        (feed("memory_max = \"none\""), "write \"off\""),
        ("[[topic]]\nname = \"rooms lobby\"".to_owned(), "write \"rooms.lobby\""),
        ("[[topic]]\nname = \"rooms/lobby \"".to_owned(), "write \"rooms.lobby\""),
        ("[[topic]]\nname = \"rooms..x\"".to_owned(), "write one such as \"rooms.lobby\""),
        ("[server]\ncompression = { window = 9 }".to_owned(), "did you mean `window_bits`?"),
        ("[history]\nage = 3600".to_owned(), "write \"3600s\""),
        ("[server]\nadmin = \"unix:/run/a\"".to_owned(), "write \"127.0.0.1:8426\""),
        (
            "[server]\nlisten = [\"0.0.0.0:1\", \"127.0.0.1:1\"]\ninsecure_public = true".to_owned(),
            "delete one of the two",
        ),
    ] {
        let told = message(&text);
        assert!(told.contains(&format!("change:  {change}")), "{text}\nlacks {change}\n{told}");
    }
}

fn shown(text: &str, origins: bool) -> String {
    let env = [
        ("TICKERD_SERVER__TIERS", "1s, 2s"),
        ("TICKERD_SERVER__SHARDS", "2"),
        ("TICKERD_BARS__KEEP", "1m=2h"),
        ("TICKERD_SERVER__COMPRESSION", "true"),
    ];
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let reading = examine(Text::of("t.toml", text), Some(Path::new("/")), env, &Overrides::default());
    assert_eq!(reading.problems, []);
    reading.found.unwrap().1.shown(origins)
}

const WHOLE: &str = "[server]\nlisten = [{ address = \"0.0.0.0:0\", tls = true }, \"unix:/run/t\"]\nshards = 1\n\
    [server.tls]\ncertificate = \"c\"\nkey = \"k\"\n[server.signing]\nkey = { file = \"CANARY\" }\n\
    [auth]\nanonymous = [\"a.**\"]\n[[auth.token]]\nname = \"wall\"\ntoken = { file = \"CANARY\" }\n\
    [[feed]]\nname = \"a\"\nexec = [\"./feed.py\", \"CANARY\"]\nbars = { field = \"\" }\n\
    [feed.config]\nkey = \"CANARY\"\nsymbols = [\"CANARY\"]\n\"a b\" = { c = \"CANARY\" }\n\
    [[topic]]\nname = \"rooms.a\"\nhistory = { count = 0x10 }\n";

/// Goal: what is shown is the configuration. Method: it is read again, and gives the same, but for what is not shown.
#[test]
fn what_is_shown_reads_back_and_has_no_secret() {
    let keys = "[auth]\n[[auth.issuer]]\nissuer = \"i\"\naudience = \"a\"\nalgorithms = [\"RS256\"]\n\
                keys = \"https://a.example/jwks?key=CANARY\"\n";
    assert!(shown(keys, false).contains("keys = \"https://a.example/jwks?…\"\n"));
    let text = shown(WHOLE, true);
    assert!(!text.contains("CANARY"), "{text}");
    let again = load(&text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    assert_eq!(again.server.tiers, [Duration::from_secs(1), Duration::from_secs(2)]);
    assert_eq!((again.server.shards, again.server.compression.is_some()), (2, true));
    assert_eq!(again.topics[0].count, Some(16));
    assert_eq!(again.bars.keep.len(), 1);
    assert_eq!(again.feeds[0].config, serde_json::json!({"key": "…", "symbols": "…", "a b": {"c": "…"}}));
    for line in [
        "shards = 2  # TICKERD_SERVER__SHARDS, in place of t.toml:3",
        "heartbeat = \"15s\"  # default",
        "listen = [{ address = \"0.0.0.0:0\", tls = true }, \"unix:/run/t\"]  # t.toml:2",
        "token = { file = \"…\" }  # t.toml:13",
        "exec = [\"./feed.py\", \"…\"]  # t.toml:16",
    ] {
        let squeezed = text.lines().filter_map(|line| line.split_once("  # "));
        let mut squeezed = squeezed.map(|(key, origin)| format!("{}  # {origin}", key.trim_end()));
        assert!(squeezed.any(|shown| shown == line), "lacks {line}\n{text}");
    }
    assert!(!shown(WHOLE, false).contains('#'));
    // Of two limits, the default of one follows the other.
    let text = shown("[server.limits]\ncommands_per_s = 100\n", false);
    assert!(text.contains("commands_burst = 100\n"), "{text}");
}

/// Goal: defaults are shown as they are. Method: what is shown of nothing reads back as the default, feeds included.
#[test]
fn defaults_are_shown_as_they_are() {
    let built_in = Config::built_in(std::iter::empty());
    let (config, places) = built_in.found.unwrap();
    assert_eq!(config, Config::default());
    let again = Config::from_text("t.toml", &places.shown(false), Path::new(".")).unwrap();
    assert_eq!(again, Config::default(), "{}", places.shown(false));
    // Tables that are not there have defaults too.
    let text = "[server]\necho = true\ncompression = { level = 6 }\nlisten = [{ address = \"127.0.0.1:1\", tls = true }]\n\
                [server.echo_limits]\nmessage = \"17MiB\"\n[server.tls]\ncertificate = \"/c\"\nkey = \"/k\"\n[auth]\n\
                [[auth.issuer]]\nissuer = \"i\"\naudience = \"a\"\nalgorithms = [\"RS256\"]\nkeys = \"/k\"\n";
    let config = load(text).unwrap();
    let reading = examine(
        Text::of("t", text),
        Some(Path::new("/etc/tickerd")),
        std::iter::empty(),
        &Overrides::default(),
    );
    let text = reading.found.unwrap().1.shown(false);
    assert_eq!(load(&text).unwrap(), config, "{text}");
    assert!(
        text.contains("[server.echo_limits]\nfragments = 70000\n") && text.contains("claims = \"tickerd\""),
        "{text}"
    );
}

/// Goal: the schema and the readers know the same keys.
#[test]
fn the_schema_has_every_key_and_no_other() {
    fn keys(path: &str, schema: &serde_json::Value, found: &mut BTreeSet<String>) {
        let parts = schema.get("anyOf").and_then(|ways| ways.as_array()).into_iter().flatten();
        let whole = schema.get("allOf").and_then(|all| all.as_array()).into_iter().flatten();
        for part in std::iter::once(schema).chain(parts).chain(whole).chain(schema.get("items")) {
            if part != schema {
                keys(path, part, found);
            }
            for (key, schema) in
                part.get("properties").and_then(|table| table.as_object()).into_iter().flatten()
            {
                let path = document::join(path, key);
                keys(&path, schema, found);
                found.insert(path);
            }
        }
    }
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let mut found = BTreeSet::new();
    keys("", &schema, &mut found);
    let secrets = [
        "auth.token.token",
        "auth.issuer.secret",
        "server.admin_token",
        "server.signing.key",
        "server.signing.previous",
        "cluster.credentials",
        "cluster.password",
    ];
    for secret in secrets {
        found.extend(["file", "credential", "env"].map(|key| format!("{secret}.{key}")));
    }
    assert_eq!(found, known_keys());
}
