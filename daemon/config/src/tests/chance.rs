//! Any text is read, or is refused with a remedy.

use proptest::prelude::*;

use super::*;

/// Words that occur in configurations, so that random texts come near real ones.
const WORDS: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    " = ",
    ",",
    ".",
    "\n",
    "\r\n",
    "#",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "server",
    "limits",
    "history",
    "feed",
    "listen",
    "tiers",
    "name",
    "plugin",
    "exec",
    "config",
    "echo",
    "ping",
    "echo_limits",
    "compression",
    "[server]\n",
    "[[feed]]\n",
    "[server.limits]\n",
    "[feed.config]\n",
    "\"1s\"",
    "\"127.0.0.1:0\"",
    "[\"a\"]",
    "1",
    "-1",
    "0x",
    "1.5",
    "nan",
    "true",
    "1979-05-27",
    "15s",
    "a b",
    "ü",
    "\\u",
    "\u{0}",
    "\t",
    "max_age",
    "\"1h\"",
    "emit",
    "pace",
    "auth",
    "[auth]\n",
    "[[auth.token]]\n",
    "[[auth.issuer]]\n",
    "[[auth.group]]\n",
    "token",
    "file",
    "algorithms",
    "subscribe",
    "[bars]\n",
    "[bars.keep]\n",
    "bars",
    "keep",
    "10s = ",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        let _ = load(&text).map_err(|problems| problems.to_string());
    }

    #[test]
    fn nothing_near_a_configuration_panics(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        if let Err(problems) = load(&words.concat()) {
            prop_assert!(!problems.is_empty());
            for problem in problems.iter() {
                prop_assert!(!problem.what.is_empty() && !problem.change.is_empty(), "{}", problem);
            }
        }
    }

    /// Every key with every kind of value is read or refused with a remedy.
    #[test]
    fn any_value_of_any_key_is_read_or_refused(at in 0usize..128, value in prop::sample::select(VALUES), env: bool) {
        let keys: Vec<String> = known_keys().into_iter().collect();
        let key = &keys[at % keys.len()];
        let result = match key.rsplit_once('.') {
            Some((table, key)) if env && table != "feed" => {
                let name = environment::name_of(&format!("{table}.{key}"));
                with_env("", &[(&name, value)], &Overrides::default())
            }
            Some((list @ ("feed" | "auth.token" | "auth.issuer" | "auth.certificate" | "auth.group"), key)) => {
                load(&format!("[[{list}]]\n{key} = {value}\n"))
            }
            Some((table, key)) => load(&format!("[{table}]\n{key} = {value}\n")),
            None => load(&format!("{key} = {value}\n")),
        };
        if let Err(problems) = result {
            for problem in problems.iter() {
                prop_assert!(!problem.what.is_empty() && !problem.change.is_empty(), "{}", problem);
            }
        }
    }
}

const VALUES: &[&str] = &[
    "0",
    "-1",
    "18446744073709551616",
    "1.5",
    "inf",
    "true",
    "\"\"",
    "\"x\"",
    "\"1s\"",
    "\"1MiB\"",
    "\"\\u0000\"",
    "[]",
    "[[]]",
    "[\"x\", 1]",
    "{}",
    "{ a = 1 }",
    "1979-05-27",
    "\"99999999999999999h\"",
    "\"127.0.0.1:0\"",
    ",",
    "x",
];
