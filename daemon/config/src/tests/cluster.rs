//! `[cluster]`: what is read, what is refused, what is warned of, and that no secret is repeated.

use super::*;
use crate::cluster::fitted;

fn cluster(lines: &str) -> String {
    format!("[cluster]\nname = \"prod\"\nnode = \"a\"\nnats = [\"nats://127.0.0.1\"]\n{lines}")
}

fn feed(lines: &str) -> String {
    format!("[[feed]]\nname = \"stocks\"\nplugin = \"p\"\n{lines}\n")
}

#[test]
fn defaults_are_those_of_the_guide() {
    let config = load(&cluster("")).unwrap();
    let found = config.cluster.unwrap();
    assert_eq!(
        (found.role, found.join, found.login, found.feeds),
        (Role::Node, Duration::from_millis(2), None, None)
    );
    assert_eq!(found.nats[0].to_string(), "nats://127.0.0.1:4222");
    assert_eq!(config.warnings, []);
    assert_eq!(load("").unwrap().cluster, None);
}

#[test]
fn addresses_are_read_and_written() {
    for (text, written) in [
        ("nats://localhost", "nats://localhost:4222"),
        ("tls://N1.example.org:5222", "tls://n1.example.org:5222"),
        ("nats://[::1]", "nats://[::1]:4222"),
        ("nats://[::1]:9", "nats://[::1]:9"),
    ] {
        let text = format!("[cluster]\nname = \"p\"\nnode = \"a\"\nnats = [{text:?}]\n");
        assert_eq!(load(&text).unwrap().cluster.unwrap().nats[0].to_string(), written);
    }
}

/// Goal: a node has a name without being given one. Method: what hosts are called.
#[test]
fn a_hosts_name_is_made_to_fit() {
    assert_eq!(fitted("web1").as_deref(), Ok("web1"));
    assert_eq!(fitted("ip-10-0-0-7.ec2.internal").as_deref(), Ok("ip-10-0-0-7-ec2-internal"));
    for host in ["", "localhost", "localhost.localdomain", "börse", &"a".repeat(65)] {
        assert!(fitted(host).is_err(), "{host}");
    }
}

#[test]
fn slips_are_told_with_place_and_remedy() {
    let with = |key: &str, value: &str| {
        let lines = [("name", "\"prod\""), ("node", "\"a\""), ("nats", "[\"nats://127.0.0.1\"]")];
        let lines = lines.map(|(one, right)| format!("{one} = {}\n", if one == key { value } else { right }));
        format!("[cluster]\n{}", lines.concat())
    };
    let cases: Vec<(String, &[&str])> = vec![
        (
            "[cluster]\nnode = \"a\"\n".into(),
            &[
                "t.toml:1:1: cluster.name",
                "add name = \"prod\"",
                "add nats = [\"nats://127.0.0.1:4222\"]",
                "2 problems",
            ],
        ),
        (with("name", "\"a.b\""), &["t.toml:2:8: cluster.name", "'.' has no place", "write \"a-b\""]),
        (with("node", "\"\""), &["cluster.node", "and this has 0"]),
        (with("nats", "\"nats://a\""), &["write [\"nats://a\"]"]),
        (with("nats", "[]"), &["a list of 0 NATS servers", "1 to 16"]),
        (with("nats", "[\"nats.example:4222\"]"), &["cluster.nats[0]", "write \"nats://nats.example:4222\""]),
        (with("nats", "[\"wss://a:1/\"]"), &["no scheme", "write \"nats://a:1\", or tls://"]),
        (with("nats", "[\"tls://a/x\"]"), &["ends with its host or port", "write \"tls://a\""]),
        (with("nats", "[\"tls://a:99999\"]"), &["no port", "write \"tls://a:4222\""]),
        (with("nats", "[\"tls://a b\"]"), &["no host and port"]),
        (with("nats", "[\"tls://[::1\"]"), &["no host and port"]),
        (with("nats", "[\"tls://a\", \"tls://a:4222\"]"), &["cluster.nats[1]", "there twice"]),
        (
            with("nats", "[\"tls://a\", \"nats://b\"]"),
            &["t.toml:4:20: cluster.nats[1]", "all of them or none", "write \"tls://b:4222\""],
        ),
        (cluster("role = \"egde\"\n"), &["cluster.role", "did you mean \"edge\"?"]),
        (cluster("join = \"1s\"\n"), &["cluster.join", "more than the most, 20ms"]),
        (cluster("feeds = []\n"), &["a list of 0 feeds", "delete the line, which means all of them"]),
        (cluster("feeds = [\"a\", \"a\"]\n"), &["cluster.feeds[1]", "there twice"]),
        (cluster("feeds = [\"a.b\"]\n"), &["cluster.feeds[0]", "name of a feed"]),
        (cluster("ca = \"\"\n"), &["cluster.ca", "names no file"]),
        (cluster("certificate = \"/c.pem\"\n"), &["there is no key", "add key = \"/PATH\""]),
        (cluster("key = \"/k.pem\"\n"), &["there is no certificate", "delete the line key"]),
        (cluster("user = \"a\"\n"), &["no password", "add password = { file = \"/PATH\" }"]),
        (cluster("password = { file = \"/p\" }\n"), &["of no user", "add user = \"tickerd\""]),
        (
            cluster("user = \"a\"\npassword = { file = \"/p\" }\ncredentials = { file = \"/c\" }\n"),
            &[
                "t.toml:5:8: cluster.user",
                "credentials say who",
                "delete credentials, or delete user and password",
            ],
        ),
        (cluster("credentials = {}\n"), &["names no place of a secret"]),
        (cluster("") + &feed("nodes = []"), &["feed[0].nodes", "a list of 0 nodes"]),
        (cluster("") + &feed("nodes = [\"b\", \"c c\"]"), &["feed[0].nodes[1]", "write \"c-c\""]),
        ("[clutser]\n".into(), &["did you mean `cluster`?"]),
        ("cluster = \"prod\"\n".into(), &["write [cluster] on a line of its own"]),
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
fn what_works_and_may_not_be_meant_is_warned_of() {
    let cases: Vec<(String, Code, &str)> = vec![
        (feed("nodes = [\"a\"]"), Code::NoEffect, "add [cluster], or delete the line"),
        (cluster("ca = \"/ca.pem\"\n"), Code::NoEffect, "write tls://"),
        (cluster("role = \"edge\"\n") + &feed(""), Code::NoEffect, "role = \"node\""),
        (cluster("feeds = [\"crypto\"]\n") + &feed(""), Code::NoEffect, "add \"stocks\" to feeds"),
        (cluster("").replace("127.0.0.1", "10.0.0.1"), Code::OpenToAll, "write \"tls://10.0.0.1:4222\""),
    ];
    for (text, code, change) in cases {
        let warnings = load(&text).unwrap().warnings;
        let [warning] = warnings.as_slice() else { panic!("{text}\n{warnings:?}") };
        assert_eq!(warning.code, code, "{warning}");
        assert!(warning.to_string().contains(change), "{text}\nlacks {change}\n{warning}");
    }
    for quiet in [
        cluster("role = \"edge\"\n"),
        cluster("role = \"node\"\nfeeds = [\"stocks\"]\n") + &feed("nodes = [\"b\", \"c\"]"),
        cluster("").replace("127.0.0.1", "localhost"),
        cluster("").replace("nats://127.0.0.1", "tls://nats.example"),
    ] {
        assert_eq!(load(&quiet).unwrap().warnings, [], "{quiet}");
    }
}

#[test]
fn who_may_hold_a_feed() {
    let may = |lines: &str, nodes: &str| {
        let config = load(&(cluster(lines) + &feed(nodes))).unwrap();
        config.cluster.unwrap().may_hold(&config.feeds[0])
    };
    assert!(may("", ""));
    assert!(may("feeds = [\"stocks\"]\n", "nodes = [\"b\", \"a\"]"));
    assert!(!may("", "nodes = [\"b\"]"));
    assert!(!may("role = \"edge\"\n", ""));
    assert!(!may("feeds = [\"crypto\"]\n", ""));
}

/// Goal: a password is never repeated. Method: marked ones where they are written by mistake.
#[test]
fn a_password_is_never_repeated() {
    for lines in [
        "nats = [\"nats://tickerd:CANARY@127.0.0.1\"]\n",
        "nats = [\"nats://CANARY@127.0.0.1\", 3]\n",
        "nats = \"nats://tickerd:CANARY@127.0.0.1\"\n",
        "nats = [\"nats://tickerd:CANARY@127.0.0.1\n",
        "nats = [\n\"nats://tickerd:CANARY@127.0.0.1\",\nx]\n",
        "password = \"CANARY\"\n",
        "password = CANARY\n",
        "pasword = \"CANARY\"\n",
        "credentials = \"CANARY\"\n",
        "credentials = { flie = \"CANARY\" }\n",
    ] {
        let message = message(&format!("[cluster]\n{lines}"));
        assert!(!message.contains("CANARY"), "{lines}\nis told as\n{message}");
    }
    assert!(!message("cluster = \"CANARY\"\n").contains("CANARY"));
    for variable in ["NATS", "PASSWORD", "CREDENTIALS", "PASSWORD__FLIE"] {
        let variable = format!("TICKERD_CLUSTER__{variable}");
        let env = [(variable.as_str(), "nats://tickerd:CANARY@127.0.0.1")];
        let problems = with_env("[cluster]\n", &env, &Overrides::default()).unwrap_err().to_string();
        assert!(!problems.contains("CANARY"), "{problems}");
    }
    let text = cluster("user = \"u\"\npassword = { env = \"CANARY\" }\n");
    let reading =
        examine(Text::of("t", &text), Some(Path::new("/")), std::iter::empty(), &Overrides::default());
    let shown = reading.found.unwrap().1.shown(false);
    assert!(
        !shown.contains("CANARY") && shown.contains("\n[cluster]\n") && shown.contains("join = \"2ms\"\n"),
        "{shown}"
    );
}

/// A container is given its node's name so.
#[test]
fn the_environment_names_a_node() {
    let env = [("TICKERD_CLUSTER__NODE", "c"), ("TICKERD_CLUSTER__NATS", "nats://127.0.0.1, nats://b")];
    let found =
        with_env("[cluster]\nname = \"prod\"\n", &env, &Overrides::default()).unwrap().cluster.unwrap();
    assert_eq!((found.node.as_str(), found.nats.len()), ("c", 2));
}
