//! What is offered is taken: for every key, and for texts of any kind.

use proptest::prelude::*;

use super::offers::{CLIENTS, taken};
use super::*;

/// What is put in the place of each key.
const VALUES: &[&str] = &[
    "0",
    "-1",
    "7",
    "5.0",
    "0.5",
    "1e300",
    "inf",
    "18446744073709551616",
    "true",
    "\"\"",
    "\"x\"",
    "\"a b\"",
    "\"a.b/c\"",
    "\"tickerd/x\"",
    "\"true\"",
    "\"never\"",
    "\"12\"",
    "\"0.5s\"",
    "\"2 days\"",
    "\"99999999999999999999 s\"",
    "\"500d\"",
    "\"1k\"",
    "\"1.5TiB\"",
    "\"9%\"",
    "\"400 %\"",
    "\"127.0.0.1\"",
    "\"::1\"",
    "\"/run/x\"",
    "\"/\"",
    "\"https://a.example/x\"",
    "\"*.example\"",
    "\"\\u0000\"",
    "[]",
    "[\"\"]",
    "[\"x y\", 1]",
    "[\"1ms\", \"0.5s\"]",
    "[\"dash.example/\"]",
    "[\"::1\", \"/run/x\"]",
    "[\"nats:a\", \"tls://a:0\"]",
    "{}",
    "{ a = 1 }",
    "{ \"7 m\" = \"500d\" }",
];

/// A text in which this key has this value, and what is needed beside it.
fn with_value(key: &str, value: &str) -> String {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let beside = |lines: &[&str]| {
        let others = lines.iter().filter(|line| !line.starts_with(&format!("{name} = ")));
        others.map(|line| format!("{line}\n")).collect::<String>()
    };
    let lines = match table.split('.').next() {
        Some("feed") if key == "feed.exec" => beside(&["name = \"a\""]),
        Some("feed") => beside(&["name = \"a\"", "plugin = \"p\""]),
        Some("topic") => beside(&["name = \"r.a\""]),
        Some("cluster") => beside(&["name = \"p\"", "node = \"a\"", "nats = [\"nats://127.0.0.1\"]"]),
        _ => String::new(),
    };
    match table {
        "" => format!("{name} = {value}\n"),
        "server.tls" if !CLIENTS.contains(&format!("{name} = ")) => format!("{CLIENTS}{name} = {value}\n"),
        "auth" => format!("{CLIENTS}[auth]\n{name} = {value}\n"),
        "auth.certificate" => format!("{CLIENTS}[[auth.certificate]]\n{name} = {value}\n"),
        "server.listen" => format!("[[server.listen]]\naddress = \"127.0.0.1:1\"\n{name} = {value}\n"),
        "feed" | "topic" => format!("[[{table}]]\n{lines}{name} = {value}\n"),
        "cluster" => format!("[cluster]\n{lines}{name} = {value}\n"),
        _ if table.starts_with("feed.") || table.starts_with("topic.") => {
            let (list, _) = table.split_once('.').unwrap_or_default();
            format!("[[{list}]]\n{lines}[{table}]\n{name} = {value}\n")
        }
        _ if table.starts_with("cluster.") => format!("[cluster]\n{lines}[{table}]\n{name} = {value}\n"),
        "auth.token" | "auth.issuer" | "auth.group" => {
            format!("[[{table}]]\n{name} = {value}\n")
        }
        _ => format!("[{table}]\n{name} = {value}\n"),
    }
}

/// Goal: the rule holds for all keys. Method: each key, with values of every kind.
#[test]
fn what_is_offered_for_any_key_is_taken() {
    let (mut offers, mut refused) = (0, Vec::new());
    for key in known_keys() {
        for value in VALUES {
            match taken(&with_value(&key, value)) {
                Ok(more) => offers += more,
                Err(told) => refused.push(told),
            }
        }
    }
    assert!(refused.is_empty(), "{} offers are refused:\n{}", refused.len(), refused.join("\n\n"));
    assert!(offers > 1_000, "{offers}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Quantities, addresses and names of any kind.
    #[test]
    fn what_is_offered_for_any_text_is_taken(
        key in prop::sample::select(&[
            "server.heartbeat", "server.drain", "server.admin", "server.limits.message", "server.limits.memory",
            "history.age", "feed.name", "feed.interval", "feed.memory_max", "feed.exec", "topic.name", "cluster.join",
            "cluster.name", "server.admin_socket", "server.origins", "server.hosts", "server.trusted",
            "server.listen", "cluster.nats", "bars.keep",
        ][..]),
        is_period: bool,
        text in "[0-9]{1,22}(\\.[0-9]{1,3})? ?(ms|s|m|h|d|days|sec|KiB|k|GB|%|)|(https?://|nats:|tls://|unix:|/|)[a-z0-9.:*\\[\\] /@-]{0,12}",
    ) {
        let text = format!("{text:?}");
        let list = ["server.origins", "server.hosts", "server.trusted", "server.listen", "cluster.nats"];
        let value = match key {
            "bars.keep" if is_period => format!("{{ {text} = \"48h\" }}"),
            "bars.keep" => format!("{{ \"1m\" = {text} }}"),
            key if list.contains(&key) => format!("[{text}]"),
            _ => text,
        };
        let result = taken(&with_value(key, &value));
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

/// Goal: no variable is offered that is refused. Method: names that are nearly right, and what is offered for them.
#[test]
fn variables_that_are_offered_can_be_set() {
    let value = |key: &str| match key.rsplit(['.', '_']).next().unwrap_or_default() {
        "topics" | "topic" | "level" | "levl" => "1",
        "listen" | "address" => "127.0.0.1:1",
        "1h" => "24h",

        "compression" | "compresion" => "true",
        _ => "x",
    };
    for (name, offered) in [
        ("SERVER_LISTEN", Some("SERVER__LISTEN")),
        ("SERVER_LIMITS_TOPICS", Some("SERVER__LIMITS__TOPICS")),
        ("SERVER_LISTEN_ADDRESS", None),
        ("SERVER_TLS", None),
        ("TOPIC_NAME", None),
        ("TOPIC__NAME", None),
        ("FEED__NAME", None),
        ("SEVER__LISTEN", Some("SERVER__LISTEN")),
        ("SEVER__LIMITS__TOPICS", Some("SERVER__LIMITS__TOPICS")),
        ("SERVER__LISTN__ADDRESS", None),
        ("SERVER__LIMIT__TOPICS", Some("SERVER__LIMITS__TOPICS")),
        ("SERVER__LIMIT__TOPIC", Some("SERVER__LIMITS__TOPICS")),
        ("SERVER__LIMIT", None),
        ("SERVER__TOPICS", Some("SERVER__LIMITS__TOPICS")),
        ("SERVER__INTERVAL", None),
        ("SERVER__PUBLISH", None),
        ("SERVER__PROXY", None),
        ("SERVER__LEVEL", Some("SERVER__COMPRESSION__LEVEL")),
        ("SERVER__COMPRESION__LEVL", Some("SERVER__COMPRESSION__LEVEL")),
        ("SERVER__COMPRESION", Some("SERVER__COMPRESSION")),
        ("BAR__KEEP__1H", Some("BARS__KEEP__1H")),
    ] {
        let value = value(&name.to_ascii_lowercase().replace("__", "."));
        let with = |name: &str| with_env("", &[(&format!("TICKERD_{name}"), value)], &Overrides::default());
        let problems = with(name).map_or_else(|problems| problems.to_string(), |_| String::new());
        let found = problems.split_once("did you mean `TICKERD_").and_then(|(_, rest)| rest.split_once('`'));
        assert_eq!(found.map(|(found, _)| found), offered, "{name}: {problems}");
        if let Some(offered) = offered.map(with) {
            assert!(offered.is_ok(), "{name}: {offered:?}");
        }
    }
}

/// Goal: a variable is offered exactly where it can be set. Method: each key, set by a variable to what no key takes, is told
/// of its value, or as what no variable can set.
#[test]
fn what_can_be_set_is_known() {
    let known = known_keys();
    for key in &known {
        let name = environment::name_of(key);
        let told = with_env("", &[(&name, "\u{1}")], &Overrides::default());
        let told = told.map_or_else(|problems| problems.to_string(), |_| String::new());
        let refused =
            ["is a table", "cannot be set", "a list is needed", "there is no table", "there is no key `"];
        let is_free = key.contains('.') && !refused.iter().any(|part| told.contains(part));
        // The place of a secret says so itself.
        let is_secret = told.contains("a secret does not stand in the configuration");
        assert_eq!(environment::is_settable(&known, key), is_free && !is_secret, "{key}: {told}");
    }
}

/// Goal: what is offered for the value of a variable is taken too. Method: each key that a variable can set, with values of
/// every kind; what stands in quotes in a message is written without them.
#[test]
fn what_is_offered_for_the_value_of_a_variable_is_taken() {
    let known = known_keys();
    let mut offers = 0;
    for key in
        known.iter().filter(|key| environment::is_settable(&known, key) && !key.starts_with("cluster."))
    {
        let name = environment::name_of(key);
        for value in VALUES.iter().map(|value| value.trim_matches('"')) {
            let with = |value: &str| with_env("", &[(&name, value)], &Overrides::default());
            let Err(problems) = with(value) else { continue };
            // In a list, others may be wrong as well.
            let [problem] = problems.iter().collect::<Vec<_>>()[..] else { continue };
            let is_list = problem.key.ends_with(']') && value.contains(',');
            let Some(offer) = problem.change.strip_prefix("write ").filter(|_| !is_list) else { continue };
            let word = offer.split([',', ';', ' ']).next().unwrap_or_default();
            let is_value =
                ["true", "false", "off"].contains(&word) || word.starts_with(|c: char| c.is_ascii_digit());
            let quoted = offer.split('"').nth(1).filter(|_| !is_value);
            let Some(offer) = quoted.or(is_value.then_some(word)) else { continue };
            let told = with(offer).map_or_else(|problems| problems.to_string(), |_| String::new());
            assert!(
                !told.contains(&problem.key),
                "{name}={value}\n{problem}\n--- and so it is written\n{told}"
            );
            offers += 1;
        }
    }
    assert!(offers > 100, "{offers}");
}
