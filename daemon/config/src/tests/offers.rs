//! What a message offers is right itself: it is put where the message says, and the key is not told again.

use toml::de::DeTable;

use super::*;

/// A place in a text that an offer changes, and the text with the offer in it.
struct Mended {
    text: String,
    /// Lines that are new, counted from 1.
    lines: Vec<usize>,
    /// Where on its line it stands, if only a part of the line is new.
    column: Option<usize>,
}

/// The values at the start of what a message offers: `"6m" or "8m"` are two.
fn values(offer: &str) -> Vec<&str> {
    let ends = offer.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    let is_value = |value: &&str| {
        let text = format!("k = {value}");
        !value.ends_with(' ') && DeTable::parse(&text).is_ok()
    };
    let Some(value) = ends.filter_map(|end| offer.get(..end)).find(is_value) else { return Vec::new() };
    let rest = offer[value.len()..].strip_prefix(" or ").map(values).unwrap_or_default();
    std::iter::once(value).chain(rest).collect()
}

/// The texts between these marks.
fn between<'t>(text: &'t str, open: &str, close: &str) -> Vec<&'t str> {
    text.split(open).skip(1).filter_map(|rest| Some(rest.split_once(close)?.0)).collect()
}

/// Puts each thing that a message offers in the place it is about.
fn mended(text: &str, problem: &Problem) -> Vec<Mended> {
    let Place::File(spot) = &problem.place else { return Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    let at = spot.line - 1;
    let line = lines[at];
    let (before, rest): (String, String) =
        (line.chars().take(spot.column - 1).collect(), line.chars().skip(spot.column - 1).collect());
    // The marks may not reach to the end of a long value, or one that is hidden.
    let value = values(&rest).first().map(|value| value.chars().count());
    let width = value.filter(|_| problem.code != Code::UnknownKey).unwrap_or(spot.caret_width);
    let with = |new: &str| {
        let after: String = rest.chars().skip(width).collect();
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = format!("{before}{new}{after}");
        Mended { text: lines.join("\n") + "\n", lines: vec![at + 1], column: Some(spot.column) }
    };
    let without = |more: &str| {
        let kept = lines.iter().enumerate().filter(|(nth, _)| *nth != at).map(|(_, line)| *line);
        let mut kept: Vec<&str> = kept.collect();
        let first = kept.len() + 1;
        kept.extend(more.lines());
        Mended { lines: (first..=kept.len()).collect(), text: kept.join("\n") + "\n", column: None }
    };
    let change = problem.change.as_str();
    if change.contains(" and the address without them") {
        // More than one step.
        return Vec::new();
    }
    if let [key] = between(change, "did you mean `", "`").as_slice() {
        return vec![with(key)];
    }
    if let [word] = between(change, "did you mean \"", "\"").as_slice() {
        return vec![with(&format!("{word:?}"))];
    }
    if let Some((_, places)) = change.split_once("below ").filter(|_| change.contains("move it")) {
        let places = places.split(": move").next().unwrap_or_default().replace("its ", "");
        return places.split(" or ").map(|header| without(&format!("{header}\n{line}"))).collect();
    }
    if change.contains("belongs at the top of the file") {
        let kept = without("").text;
        return vec![Mended { text: format!("{line}\n{kept}"), lines: vec![1], column: None }];
    }
    if change.starts_with("delete the line") {
        return vec![without("")];
    }
    if let [header] = between(change, "write ", " on a line of its own").as_slice() {
        return vec![without(header)];
    }
    if let Some(such) =
        change.split_once("such as ").map(|(_, such)| values(such)).filter(|such| !such.is_empty())
    {
        return such.into_iter().map(with).collect();
    }
    // `put it into a file, and write …` too.
    let Some((_, offer)) = change.split_once("write ") else { return Vec::new() };
    let value = line.split_once(" = ").map_or("", |(_, value)| value);
    let offer = offer.replace("ADDRESS:PORT", "127.0.0.1:1").replace('…', value);
    if let Some((key, offer)) = offer.split_once(" = ").filter(|(key, _)| !key.contains(['"', ' ', '['])) {
        let written: Vec<String> = values(offer).iter().map(|value| format!("{key} = {value}")).collect();
        let is_own = line.starts_with(&format!("{key} = ")) || problem.code == Code::UnknownKey;
        let same = lines.iter().position(|line| line.starts_with(&format!("{key} = ")));
        return written
            .into_iter()
            .map(|new| {
                let mut lines: Vec<&str> = lines.clone();
                let at = if is_own { at } else { same.unwrap_or(at) };
                match is_own || same.is_some() {
                    true => lines[at] = &new,
                    false => lines.insert(at + 1, &new),
                }
                Mended { text: lines.join("\n") + "\n", lines: vec![at + 1], column: None }
            })
            .collect();
    }
    values(&offer).into_iter().map(with).collect()
}

/// How many offers there are for what is wrong in a text. Each is put in its place, and what is told again is the error.
pub(super) fn taken(text: &str) -> Result<usize, String> {
    let Err(problems) = load(text) else { return Ok(0) };
    let mut offers = 0;
    for problem in problems.iter() {
        for Mended { text: new, lines, column } in mended(text, problem) {
            offers += 1;
            let Err(left) = load(&new) else { continue };
            // A line may hold another mistake, and a table may lack another key.
            let is_old =
                |one: &Problem| one.key != problem.key && problems.iter().any(|old| old.key == one.key);
            let again = |one: &&Problem| {
                let is_new = match &one.place {
                    Place::File(spot) => {
                        lines.contains(&spot.line) && column.is_none_or(|at| at == spot.column)
                    }
                    _ => false,
                };
                let is_near = one.key == problem.key || is_new;
                one.code == Code::NotToml || is_near && one.code != Code::MissingKey && !is_old(one)
            };
            if let Some(again) = left.iter().find(again) {
                return Err(format!(
                    "{text}\n--- is told\n{problem}\n--- and so it is written\n{new}\n--- which is told\n{again}"
                ));
            }
        }
    }
    Ok(offers)
}

pub(super) const CLIENTS: &str = "[server.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"c\"\n";
pub(super) const FEED: &str = "[[feed]]\nname = \"a\"\nplugin = \"p\"\n";

/// Goal: nobody is sent from one mistake to the next. Method: slips of every kind, and what is offered for them.
#[test]
fn what_is_offered_is_taken() {
    let server = |lines: &str| format!("[server]\n{lines}\n");
    let feed = |lines: &str| format!("{FEED}{lines}\n");
    let nats = |server: &str| format!("[cluster]\nname = \"p\"\nnode = \"a\"\nnats = {server}\n");
    let topic = |name: &str| format!("[[topic]]\nname = {name}\n");
    let cases = [
        // Durations and sizes.
        server("heartbeat = \"0.5s\""),
        server("heartbeat = 0.5"),
        server("heartbeat = 15.0"),
        server("heartbeat = \"2days\""),
        server("heartbeat = \"99999999999999999999s\""),
        server("heartbeat = \"99999999999999999999 s\""),
        server("heartbeat = 99999999999999999999"),
        server("heartbeat = inf"),
        server("ping = \"0.0s\""),
        server("tiers = [\"1ms\"]"),
        server("tiers = \"1s\""),
        "[history]\nage = \"365days\"\n".into(),
        "[history]\nbytes = \"1k\"\n".into(),
        "[history]\nbytes = 65536.0\n".into(),
        feed("interval = 5.0"),
        feed("memory_max = \"1TiB\""),
        "[bars]\nkeep = { \"1m\" = \"500d\" }\n".into(),
        "[bars]\nkeep = { \"1m\" = \"70.0d\" }\n".into(),
        "[bars]\nkeep = { \"7 m\" = \"1h\" }\n".into(),
        "[bars]\nkeep = { \"420.0s\" = \"1h\" }\n".into(),
        // Addresses.
        server("admin = \"127.0.0.1\""),
        server("admin = \"/run/a.sock\""),
        server("admin = \"unix:/run/a.sock\""),
        server("admin = \"unix:a\""),
        server("admin_socket = \"/run/a.sock\""),
        server("admin_socket = \"127.0.0.1:1\""),
        server("listen = [\"127.0.0.1\"]"),
        server("listen = \"127.0.0.1:1, 127.0.0.1:2\""),
        server("listen = [\"/run/a.sock\"]"),
        server(&format!("listen = [\"/{}\"]", "x".repeat(200))),
        server("listen = [\"/\"]"),
        server("origins = [\"dash.example/\"]"),
        server("origins = [\"\"]"),
        server("origins = [\"foo bar\"]"),
        server("origins = [\"https://a b/\"]"),
        server("origins = [\"wss://a b\"]"),
        server("origins = [\"//dash.example\"]"),
        server("origins = \"https://dash.example\""),
        server("hosts = [\"https://a.example/\"]"),
        server("trusted = [\"10.1.2.3/8\"]"),
        nats("[\"nats:127.0.0.1\"]"),
        nats("[\"http://h:80/p/\"]"),
        nats("[\"::1\"]"),
        nats("[\"\"]"),
        nats("[\"nats://\"]"),
        nats("[\"nats://a:0/x\"]"),
        nats("[\"tls://[::1]:0\"]"),
        nats("[\"tls://a\", \"b\"]"),
        nats("\"nats://a\""),
        // Names.
        topic("\"tickerd/x\""),
        topic("\"rooms lobby\""),
        feed("[[topic]]\nname = \"a lobby\""),
        feed("[[topic]]\nname = \"b..\""),
        topic("\"rooms.lobby\"\n[[topic]]\nname = \"rooms lobby\""),
        format!("{FEED}{}", FEED.replace("\"a\"", "\"a b\"")) + &FEED.replace("\"a\"", "\"a_b\""),
        format!("{FEED}{FEED}"),
        FEED.replace("\"a\"", &format!("{:?}", "x".repeat(64))).repeat(3),
        "[[feed]]\nname = \"a\"\nexec = \"\"\n".into(),
        "[[feed]]\nname = \"a\"\nexec = \"./f.py --x\"\n".into(),
        "[[feed]]\nname = \"a\"\nexec = \"./f.py \\u0000\"\n".into(),
        feed("bars = \"price\\u007f\""),
        "[server.tls]\nclient_ca = \"c\"\n[[auth.certificate]]\nname = \"a\"\nsan = \"\"\n".into(),
        "[server.tls]\nclient_ca = \"c\"\n[[auth.certificate]]\nname = \"a\"\nsan = \"a.example\"\n".into(),
        // Keys in the wrong place.
        feed("key = \"x\""),
        feed("symbols = [\"A\"]"),
        feed("provider = \"x\""),
        feed("intervall = \"1s\""),
        server("certificate = \"c\""),
        server("key = \"k\""),
        server("proxy = true"),
        server("san = \"DNS:a\"\n[server.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"c\""),
        server("publish = true"),
        server("audience = \"a\""),
        server("topics = 1"),
        server("topics_max = 1"),
        server("level = 1"),
        "[server.limits]\nheartbeat = \"2s\"\n".into(),
        "[[topic]]\nname = \"r.a\"\nage = \"1h\"\n".into(),
        "[[topic]]\nname = \"r.a\"\ncount = 1\n".into(),
        "interval = \"1s\"\n".into(),
        "join = \"1ms\"\n".into(),
        "heartbeat = \"3s\"\n".into(),
        "xyzzy = 1\n".into(),
        "server = 1\n".into(),
        "feed = 1\n".into(),
        "auth = 1\n".into(),
    ];
    for text in cases {
        match taken(&text) {
            Ok(0) => panic!("nothing is offered: {text}\n{}", message(&text)),
            Ok(_) => {}
            Err(refused) => panic!("{refused}"),
        }
    }
}

/// Goal: a key is sent where it belongs. Method: keys in the wrong place, and what is said of them.
#[test]
fn keys_are_sent_where_they_belong() {
    for (text, says) in [
        (
            format!("{FEED}symbols = [\"A\"]"),
            "if `symbols` is a key of what the feed runs, move it below [feed.config]",
        ),
        (format!("{FEED}key = 1"), "move it below [feed.config]"),
        ("[server]\ncertificate = \"c\"".into(), "`certificate` belongs below [server.tls]"),
        ("[server]\nkey = \"c\"".into(), "`key` belongs below [server.tls]"),
        ("[server]\nproxy = true".into(), "write listen = [{ address = \"ADDRESS:PORT\", proxy = … }]"),
        ("[server]\nsan = \"c\"".into(), "below [[auth.certificate]]"),
        ("[server]\nsubscribe = 1".into(), "below [[auth.group]]"),
        ("[[topic]]\nname = \"r.a\"\nage = \"1h\"".into(), "`age` belongs below [topic.history]"),
        ("age = \"1h\"".into(), "`age` belongs below [history]"),
        ("[server]\ntopic = 1".into(), "write [[topic]]"),
    ] {
        let message = message(&text);
        assert!(message.contains(says), "{text}\nlacks {says}\n{message}");
    }
}

/// Goal: what is offered is what was meant, not only what is taken.
#[test]
fn what_is_offered_was_meant() {
    for (text, says) in [
        ("[server]\nheartbeat = 15.0", "write \"15s\""),
        ("[server]\nheartbeat = \"0.5s\"", "write \"1s\""),
        ("[server]\nheartbeat = \"2days\"", "write \"1h\""),
        ("[server]\nheartbeat = \"99999999999999999999s\"", "write \"1h\""),
        ("[server]\nadmin = \"127.0.0.1\"", "write \"127.0.0.1:8426\""),
        ("[server]\nadmin = \"/run/a.sock\"", "admin_socket"),
        ("[server]\norigins = [\"dash.example/\"]", "write \"https://dash.example\""),
        ("[server]\norigins = [\"*.example.com\"]", "one site, not a pattern"),
        ("[server]\norigins = [\"http://a.*:80\"]", "one site, not a pattern"),
        ("[cluster]\nnats = [\"nats:127.0.0.1\"]", "write \"nats://127.0.0.1\""),
        ("[cluster]\nnats = [\"::1\"]", "write \"nats://[::1]\""),
        ("[cluster]\nnats = [\"http://h:80/p/\"]", "write \"nats://h:80\", or tls:// for TLS"),
        ("[bars]\nkeep = { \"1m\" = \"500d\" }", "write \"1666h\""),
    ] {
        let message = message(text);
        assert!(message.contains(says), "{text}\nlacks {says}\n{message}");
    }
    assert!(load("[server]\norigins = [\"http://a.example:*\"]").is_ok());
}
