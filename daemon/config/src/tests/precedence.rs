//! Environment and flags, over the file.

use super::*;

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let text = "[server]\nlisten = [\"127.0.0.1:1\"]\nadmin = \"127.0.0.1:2\"\nshards = 3\n";
    let env = [
        ("TICKERD_SERVER__LISTEN", "127.0.0.1:11, [::1]:11"),
        ("TICKERD_SERVER__ADMIN", "127.0.0.1:12"),
        ("TICKERD_SERVER__LIMITS__TOPICS", "7"),
        ("TICKERD_SERVER__TIERS", "1s,2s"),
        ("TICKERD_SERVER__ECHO", "true"),
        ("TICKERD_HISTORY__AGE", "5s"),
    ];
    let flags = Overrides { listen: vec![tcp("127.0.0.1:21")], admin: None, dev: false };
    let config = with_env(text, &env, &flags).unwrap();
    assert_eq!(config.server.listen, [tcp("127.0.0.1:21").into()]);
    assert_eq!(config.server.admin, tcp("127.0.0.1:12"));
    assert_eq!((config.server.shards, config.server.limits.topics), (3, 7));
    assert_eq!(config.server.tiers, [Duration::from_secs(1), Duration::from_secs(2)]);
    assert_eq!(config.server.echo, Some(EchoLimits::default()));
    assert_eq!(config.history.age, Duration::from_secs(5));
    assert_eq!(config.history.count, History::default().count);

    let config =
        with_env(text, &env, &Overrides { admin: Some(tcp("[::1]:3")), ..Overrides::default() }).unwrap();
    assert_eq!(config.server.listen, [tcp("127.0.0.1:11").into(), tcp("[::1]:11").into()]);
    assert_eq!(config.server.admin, tcp("[::1]:3"));
}

#[test]
fn environment_without_a_file_keeps_the_built_in_feeds() {
    let env = [("TICKERD_SERVER__SHARDS".to_owned(), "2".to_owned())];
    let config = Config::load(None, env.into_iter(), &Overrides::default()).unwrap();
    assert_eq!((config.server.shards, config.feeds.len()), (2, 2));
}

#[test]
fn environment_slips_are_told_by_name() {
    for (name, value, parts) in [
        (
            "TICKERD_SERVER__LISTN",
            "x",
            ["environment TICKERD_SERVER__LISTN", "did you mean `TICKERD_SERVER__LISTEN`?"],
        ),
        (
            "TICKERD_SERVER__TOPICS",
            "1",
            ["no key `topics`", "did you mean `TICKERD_SERVER__LIMITS__TOPICS`?"],
        ),
        ("TICKERD_SERVER__LIMITS__TOPICZ", "1", ["no key", "did you mean `TICKERD_SERVER__LIMITS__TOPICS`?"]),
        ("TICKERD_SEVER__LISTEN", "x", ["no table `sever`", "did you mean `TICKERD_SERVER__LISTEN`?"]),
        ("TICKERD_SERVER_LISTEN", "x", ["single underscore", "did you mean `TICKERD_SERVER__LISTEN`?"]),
        ("TICKERD_SERVER_LIMITS_TOPICS", "x", ["single", "did you mean `TICKERD_SERVER__LIMITS__TOPICS`?"]),
        ("TICKERD_FEED__NAME", "x", ["feeds cannot be set", "write a [[feed]]"]),
        ("TICKERD_SERVER__LIMITS", "x", ["limits is a table", "TICKERD_SERVER__LIMITS__KEY"]),
        ("TICKERD_SERVER__HEARTBEAT", "15", ["server.heartbeat = 15", "write 15s"]),
        ("TICKERD_SERVER__SHARDS", "many", ["server.shards = many", "not a whole number"]),
        ("TICKERD_SERVER__ECHO", "on", ["server.echo = on", "write true"]),
        ("TICKERD_SERVER__LISTEN", "127.0.0.1:1,0.0.0.0:2", ["server.listen[1]", "insecure_public = true"]),
        ("TICKERD_SERVER__A__B__C__D__E", "1", ["no key", "change"]),
    ] {
        let message = with_env("", &[(name, value)], &Overrides::default()).expect_err(name).to_string();
        for part in parts {
            assert!(message.contains(part), "{name}={value}\nlacks: {part}\n{message}");
        }
    }
}

/// Goal: a variable of a key inside wins over a value of the file that is no table, and over another place of a secret.
#[test]
fn a_variable_wins_over_what_has_no_room_for_it() {
    let read = |text: &str, env: &[(&str, &str)]| with_env(text, env, &Overrides::default());
    let level = ("TICKERD_SERVER__COMPRESSION__LEVEL", "9");
    for text in ["[server]\ncompression = true", "[server]\ncompression = { level = 3 }", ""] {
        assert_eq!(read(text, &[level]).unwrap().server.compression.unwrap().level, 9, "{text}");
    }
    let slip = [("TICKERD_SERVER__COMPRESSION__LEVL", "9")];
    let message = read("[server]\ncompression = true", &slip).unwrap_err().to_string();
    assert!(message.contains("did you mean `TICKERD_SERVER__COMPRESSION__LEVEL`?"), "{message}");
    for whole in ["true", "false"] {
        let both = [level, ("TICKERD_SERVER__COMPRESSION", whole)];
        let message = read("", &both).unwrap_err().to_string();
        assert!(message.contains("TICKERD_SERVER__COMPRESSION is set as well"), "{message}");
        assert!(message.starts_with("environment TICKERD_SERVER__COMPRESSION__LEVEL: "), "{message}");
    }

    let digest = "ab".repeat(32);
    let sha256 = ("TICKERD_SERVER__ADMIN_TOKEN__SHA256", digest.as_str());
    let text = "[server]\nadmin_token = { file = \"/t\" }\nsigning = { key = { file = \"/k\" } }";
    let key = ("TICKERD_SERVER__SIGNING__KEY__CREDENTIAL", "k");
    let server = read(text, &[sha256, key]).unwrap().server;
    assert!(matches!(server.admin_token, Some(TokenSource::Sha256(_))), "{server:?}");
    assert_eq!(server.signing.unwrap().key, SecretSource::Credential("k".into()));
    // Two of the environment are two.
    let two = [sha256, ("TICKERD_SERVER__ADMIN_TOKEN__FILE", "/t")];
    let message = read(text, &two).unwrap_err().to_string();
    assert!(message.contains("several places of one secret"), "{message}");
    assert!(message.starts_with("environment TICKERD_SERVER__ADMIN_TOKEN__"), "{message}");
}

#[test]
fn environment_of_others_is_passed_over() {
    let env = [
        ("TICKERD_PLUGIN_PATH", "/x"),
        ("TICKERD_LOG", "info"),
        ("TICKERD_CONFIG", "/x"),
        ("TICKERD_PORT", "tcp://10.0.0.1:8425"),
        ("TICKERD_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("TICKERD_SERVER_PORT_8425_TCP_ADDR", "10.0.0.1"),
        ("TICKERD_SERVER__LISTEN", ""),
        ("PATH", "/bin"),
    ];
    assert_eq!(
        with_env("", &env, &Overrides::default()),
        load("").map(|mut config| {
            config.feeds.clear();
            config
        })
    );
}

#[test]
fn a_public_flag_is_refused_by_name() {
    let flags = Overrides { listen: vec![tcp("0.0.0.0:0")], admin: None, dev: false };
    let message = with_env("", &[], &flags).unwrap_err().to_string();
    assert!(message.starts_with("flag --listen: server.listen[0] = \"0.0.0.0:0\": "), "{message}");
    assert!(with_env("", &[("TICKERD_SERVER__INSECURE_PUBLIC", "true")], &flags).is_ok());
}
