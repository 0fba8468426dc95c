//! `tickerd plugin run`: a plugin under the daemon's supervisor, without a daemon, and all there is to see of it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tickerd_tests::author::{compile, envelope, plugin, program};
use tickerd_tests::daemon::command;
use tickerd_tests::{Value, json, raw_c, within};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// A run that goes on until it is told to stop, read line by line.
struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Run {
    fn start(arguments: &[&str]) -> Run {
        let mut child = command().args(["plugin", "run"]).args(arguments).arg("--json").spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Run { child, lines }
    }

    /// The data of the first envelope from now on that is wanted.
    async fn until(&mut self, what: &str, is_it: impl Fn(&str, &Value) -> bool) -> Value {
        let search = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let (event, data) = envelope(&line.unwrap_or_else(|| panic!("it ended before {what}")));
                if is_it(&event, &data) {
                    return data;
                }
            }
        };
        within(what, search).await
    }

    /// Interrupts it; answers its exit code and its summary.
    async fn interrupt(mut self) -> (i32, Value) {
        kill(Pid::from_raw(self.child.id().unwrap() as i32), Signal::SIGINT).unwrap();
        let summary = self.until("the summary", |_, data| data["type"] == "summary").await;
        let status = within("the run to end", self.child.wait()).await.unwrap();
        (status.code().unwrap(), summary)
    }
}

fn notices<'a>(envelopes: &'a [(String, Value)], kind: &str) -> Vec<&'a Value> {
    let of_kind = |(event, data): &&(String, Value)| event == "notice" && data["type"] == *kind;
    envelopes.iter().filter(of_kind).map(|(_, data)| data).collect()
}

#[tokio::test]
async fn a_library_is_run_and_shown_for_people() {
    let arguments = ["run", "tickerd_feed_sim", "--config", "seed=7", "--config", "symbols=[\"ACME\"]"];
    let answer = plugin(&[&arguments[..], &["--poll", "20ms", "--count", "30"]].concat()).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.out.lines().count(), 30, "{answer:?}");
    let quotes: Vec<&str> = answer.out.lines().filter(|line| line.contains("  sim.ACME ")).collect();
    let words: Vec<&str> = quotes[1].split_whitespace().collect();
    let [at, since, topic, event, class, value] = words[..] else { panic!("{words:?}") };
    assert!(at.parse::<f64>().is_ok() && since.starts_with('+'), "{words:?}");
    assert_eq!((topic, event, class), ("sim.ACME", "quote", "state"));
    assert!(serde_json::from_str::<Value>(value).unwrap()["price"].is_string());
    // Once every topic was seen, all values begin in the same column.
    let column = |line: &&str| line.find('{');
    assert!(quotes[1..].iter().all(|line| column(line) == column(&quotes[1])), "{}", answer.out);
    for said in [
        "hello    org.tickerd.sim ",
        "state    up",
        "poll     1 took ",
        "30 samples of 6 topics in ",
        " polls, 0 failed; took p50 ",
    ] {
        assert!(answer.err.contains(said), "{said}: {}", answer.err);
    }
    assert!(!answer.out.contains('\x1b') && !answer.err.contains('\x1b'), "no colour but on a terminal");
}

/// What a run prints on a terminal of 80 columns, without line ends' carriage returns.
async fn on_a_terminal(environment: &[(&str, &str)]) -> String {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
    let mut run = command();
    run.args(["plugin", "run", "tickerd_feed_sim", "--config", "symbols=[\"ACME\"]", "--count", "3"]);
    run.env_remove("NO_COLOR").envs(environment.iter().copied());
    run.stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = run.spawn().unwrap();
    // What it still holds of the terminal's other end.
    drop(run);
    let read = tokio::task::spawn_blocking(move || {
        let (mut terminal, mut text) = (File::from(master), Vec::new());
        // A terminal without another end answers with an error.
        let _ = terminal.read_to_end(&mut text);
        String::from_utf8(text).unwrap().replace("\r\n", "\n")
    });
    let text = within("the run to end", read).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0), "{text}");
    text
}

#[tokio::test]
async fn on_a_terminal_a_tick_is_one_line_in_colour_unless_that_is_not_wanted() {
    let plain = on_a_terminal(&[("NO_COLOR", "1")]).await;
    assert!(!plain.contains('\x1b'), "{plain}");
    let quote = plain.lines().find(|line| line.contains("  sim.ACME  ")).unwrap_or_else(|| panic!("{plain}"));
    assert!(quote.ends_with('…') && quote.chars().count() <= 80, "{quote}");
    let coloured = on_a_terminal(&[]).await;
    assert!(coloured.contains("\x1b[1msim.ACME") && coloured.contains("\x1b[32mstate"), "{coloured}");
}

#[tokio::test]
async fn for_programs_it_says_what_the_wire_would() {
    for isolation in ["process", "in-process"] {
        let library = raw_c("good");
        let arguments =
            ["run", library.to_str().unwrap(), "--name", "c", "--isolation", isolation, "--poll", "10ms"];
        let answer = plugin(&[&arguments[..], &["--count", "3", "--json"]].concat()).await;
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{answer:?}");
        let envelopes = answer.envelopes();
        let ticks: Vec<&Value> =
            envelopes.iter().filter(|(event, _)| event == "count").map(|(_, data)| data).collect();
        for (tick, n) in ticks.iter().zip(1u64..) {
            assert_eq!((&tick["topic"], &tick["seq"]), (&json!("c.counter"), &json!(n)), "{tick}");
            assert_eq!(tick["value"]["n"], n, "{tick}");
        }
        assert_eq!(ticks.len(), 3, "{isolation}");
        assert_eq!(notices(&envelopes, "hello")[0]["id"], "org.tickerd.test.c");
        assert_eq!(notices(&envelopes, "feed")[0]["state"], "up");
        let (last, summary) = envelopes.last().unwrap();
        assert_eq!((last.as_str(), &summary["type"]), ("notice", &json!("summary")));
        assert_eq!((&summary["samples"], &summary["topics"]), (&json!(3), &json!(1)));
        assert!(summary["poll_p95_ms"].is_f64(), "{summary}");
    }
}

#[tokio::test]
async fn logs_refusals_and_ends_of_topics_are_told_with_their_reason() {
    let folder = TempDir::new().unwrap();
    let text = r#"#!/bin/sh
echo '{"topic":"a","event":"tick","data":1.50}'
echo nonsense
echo '{"topic":"a b","event":"tick","data":1}'
echo '{"event":"heartbeat","data":1}'
echo '<4>the source is slow' >&2
echo '{"log":"info","msg":"hello there"}'
echo '{"retire":"a"}'
"#;
    let feed = program(folder.path(), "feed", text);
    let arguments = ["run", feed.to_str().unwrap(), "--json"];
    let answer = plugin(&arguments).await;
    assert_eq!(answer.code, 0, "it ended of itself and had spoken: {answer:?}");
    let envelopes = answer.envelopes();
    let refused = notices(&envelopes, "refused");
    let codes: Vec<&str> = refused.iter().map(|data| data["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["bad_line", "bad_topic", "reserved_event"], "each of them, once");
    let said = refused.iter().map(|data| data["message"].as_str().unwrap());
    for (said, shown) in said.zip([
        "write one JSON object: {\"topic\":\"…\",\"event\":\"…\",\"data\":…}; the line: nonsense",
        "; the line: {\"topic\":\"a b\",\"event\":\"tick\",\"data\":1}",
        "; the line: {\"event\":\"heartbeat\",\"data\":1}",
    ]) {
        assert!(said.ends_with(shown), "{said}");
    }
    let log: Vec<(&Value, &Value)> =
        notices(&envelopes, "log").iter().map(|data| (&data["level"], &data["message"])).collect();
    assert!(log.contains(&(&json!("warn"), &json!("the source is slow"))), "{log:?}");
    assert!(log.contains(&(&json!("info"), &json!("hello there"))), "{log:?}");
    assert_eq!(notices(&envelopes, "topics")[0]["removed"], json!(["feed.a"]));
    let summary = notices(&envelopes, "summary")[0];
    assert_eq!(summary["refused"], json!({"bad_line": 1, "bad_topic": 1, "reserved_event": 1}));

    let answer = plugin(&arguments[..2]).await;
    assert!(answer.out.contains("feed.a  tick state  1.50\n"), "digits stay: {answer:?}");
    for said in [
        "refused  bad_topic: ",
        "warn     the source is slow",
        "info     hello there",
        "ended    feed.a",
        "3 refused: bad_line 1, bad_topic 1, reserved_event 1",
    ] {
        assert!(answer.err.contains(said), "{said}: {}", answer.err);
    }
}

/// Goal: what a feed's author does wrong is named, with the line and without what is in the configuration.
#[tokio::test]
async fn mistakes_in_lines_are_named_and_told_once() {
    let folder = TempDir::new().unwrap();
    let text = r#"#!/bin/sh
read -r setup
echo '{"event":"tick","data":1,"ts":1795899380}'
echo '{"event":"tick","data":{"price":NaN}}'
echo "{'event': 'tick'}"
printf '{"event":"t\377ck","data":1}\n'
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "{\"topic\":\"a b\",\"event\":\"tick\",\"data\":$n}"; done
echo "debug: $setup"
echo '{"event":"tick","data":2,"ts":1795899381}'
"#;
    let feed = program(folder.path(), "feed", text);
    let key = "sk_live_0123456789";
    let answer = plugin(&["run", feed.to_str().unwrap(), "--config", &format!("key={key}")]).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    for said in [
        "NaN at byte 32 is no number of JSON; write null, or leave the value out; the line: {\"event\":\"tick\",\"data\":{\"price\":NaN}}",
        "single quotes, at byte 1, is no JSON; in Python print(json.dumps(…), flush=True)",
        "not UTF-8, at byte 11; write UTF-8",
        "its source time 1795899380 lies before 2001: write Unix milliseconds, and multiply seconds by 1000",
        "bad_topic: ",
        "(10 times so far)",
        "the line: debug: {\"tfp\":1",
        "16 refused: bad_line 4, bad_topic 12",
    ] {
        assert!(answer.err.contains(said), "{said}: {}", answer.err);
    }
    assert_eq!(answer.err.matches("lies before 2001").count(), 1, "{}", answer.err);
    assert_eq!(answer.err.matches("bad_topic: ").count(), 2, "{}", answer.err);
    assert!(!answer.err.contains(key) && !answer.out.contains(key), "{answer:?}");
}

#[tokio::test]
async fn the_exit_code_tells_how_it_went() {
    let folder = TempDir::new().unwrap();
    let silent = program(folder.path(), "silent", "#!/bin/sh\nexec cat >/dev/null\n");
    let failing =
        program(folder.path(), "failing", "#!/bin/sh\necho '<3>no route to the exchange' >&2\nexit 1\n");
    let [silent, failing, no_entry] =
        [silent, failing, raw_c("no_entry")].map(|path| path.to_str().unwrap().to_owned());
    let open = folder.path().join("open.so");
    std::fs::copy(raw_c("good"), &open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    let open = open.to_str().unwrap().to_owned();
    for (arguments, code, says) in [
        (vec![open.as_str()], 78, "may be written by everyone (mode 0666); `chmod go-w "),
        (vec![silent.as_str(), "--for", "300ms"], 1, "it said nothing"),
        (vec![&failing, "--for", "5s"], 1, "exited with status 1: no route to the exchange"),
        (vec![&no_entry], 78, "does not export tickerd_plugin_v1"),
        (vec!["tickerd_feed_zoo", "--config", "behave=bad_config"], 78, "`bad_config` was asked for"),
        (vec!["tickerd_feed_sim", "--config", "sed=7"], 78, "sed is no key; did you mean seed?"),
        (vec!["tickerd_feed_sim", "--config-file", "/nowhere.toml"], 78, "/nowhere.toml: it cannot be read"),
        (vec!["tickerd_feed_simm"], 1, "did you mean tickerd_feed_sim"),
        (vec!["/nowhere.so"], 1, "looked in /nowhere.so"),
        (vec!["tickerd_feed_sim", "--config", "seed"], 64, "write KEY=VALUE"),
        (vec!["tickerd_feed_sim", "--for", "10"], 64, "carries its unit"),
        (vec!["tickerd_feed_sim", "--isolation", "in-process", "--watch"], 64, "--isolation process"),
        (vec!["tickerd_feed_sim", "--name", "a.b"], 64, "no name of a feed"),
        (vec!["tickerd_feed_sim", "--name", "tickerd"], 64, "no name of a feed"),
    ] {
        let answer = plugin(&[&["run"], &arguments[..]].concat()).await;
        assert!(answer.code == code && answer.err.contains(says), "{arguments:?}: {answer:?}");
    }
}

#[tokio::test]
async fn configuration_comes_from_a_file_and_is_gone_over_by_keys() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sim.toml");
    std::fs::write(&file, "symbols = [\"A\", \"B\"]\ntrades = 0\nsine = false\nweather = []\n").unwrap();
    let arguments = ["run", "tickerd_feed_sim", "--config-file", file.to_str().unwrap()];
    let answer = plugin(
        &[&arguments[..], &["--config", "symbols=[\"C\"]", "--count", "2", "--poll", "10ms"]].concat(),
    )
    .await;
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.lines().all(|line| line.contains("  sim.C  ")), "{answer:?}");
}

#[tokio::test]
async fn a_crash_is_a_gap_and_an_interrupt_ends_it_with_the_summary() {
    let mut run = Run::start(&[
        "tickerd_feed_zoo",
        "--config",
        "behave=abort",
        "--config",
        "after=2",
        "--poll",
        "10ms",
    ]);
    run.until("the crash", |_, data| {
        data["type"] == "feed"
            && data["state"] == "down"
            && data["reason"].as_str().unwrap().contains("SIGABRT")
    })
    .await;
    run.until("the next life", |event, _| event != "notice").await;
    let (_, summary) = run.interrupt().await;
    assert!(summary["restarts"].as_u64().unwrap() >= 1, "{summary}");

    let mut run = Run::start(&["tickerd_feed_sim", "--poll", "10ms"]);
    run.until("a tick", |event, _| event == "quote").await;
    let (code, summary) = run.interrupt().await;
    assert_eq!((code, &summary["reason"]), (0, &json!("")), "{summary}");
}

/// A plugin that counts from a number on.
fn counts_from(library: &Path, from: u64) {
    let source = format!(
        "#include \"counter.h\"\n\
         static tkr_status poll(tkr_feed *f) {{ if (f->n < {from}) f->n = {from}; return counter_poll(f); }}\n\
         static const tkr_feed_type type = {{.struct_size = sizeof(tkr_feed_type), .mode = TKR_MODE_POLL,\n\
           .id = \"org.tickerd.test.build\", .name = \"B\", .event_types = counter_events, .default_poll_ms = 20,\n\
           .min_poll_ms = 1, .create = counter_create, .poll = poll, .destroy = counter_destroy}};\n\
         static const tkr_feed_type *const types[] = {{&type}};\n\
         static const tkr_plugin plugin = {{COUNTER_PLUGIN, .feed_types = types}};\n\
         const tkr_plugin *tickerd_plugin_v1(void) {{ return &plugin; }}\n"
    );
    compile(library, &source, &[]);
}

/// Goal: each new build that loads takes the place of the last, and a bad one takes nobody's. Method: the same file is
/// cut off, renamed over, and linked, as linkers and cargo do.
#[tokio::test]
async fn every_new_build_is_started_and_a_broken_one_is_told() {
    let folder = TempDir::new().unwrap();
    let [library, second, third] = ["feed.so", "second.so", "third.so"].map(|name| folder.path().join(name));
    counts_from(&library, 1000);
    counts_from(&second, 2000);
    counts_from(&third, 3000);
    let counts = |from: u64| {
        move |event: &str, data: &Value| event == "count" && data["value"]["n"].as_u64() > Some(from)
    };
    let mut run = Run::start(&[library.to_str().unwrap(), "--watch", "--poll", "20ms"]);
    run.until("the first build", counts(1000)).await;

    // Cut off, in place: what runs is a copy.
    let whole = std::fs::read(&second).unwrap();
    std::fs::write(&library, &whole[..whole.len() / 2]).unwrap();
    let told = run.until("the broken build", |_, data| data["type"] == "build").await;
    assert!(
        told["good"] == false && told["message"].as_str().unwrap().contains("cannot be loaded"),
        "{told}"
    );
    run.until("the first build, still", counts(1000)).await;

    std::fs::rename(&second, &library).unwrap();
    let told = run.until("the second build", |_, data| data["type"] == "build").await;
    assert_eq!(told["good"], true, "{told}");
    let tick = run.until("the second build's ticks", counts(2000)).await;
    assert_eq!(tick["seq"], 1, "another life, other topics");

    std::fs::remove_file(&library).unwrap();
    std::fs::hard_link(&third, &library).unwrap();
    run.until("the third build's ticks", counts(3000)).await;
    let (code, _) = run.interrupt().await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_script_is_watched_too_and_waits_for_its_next_edition() {
    let folder = TempDir::new().unwrap();
    let feed = program(folder.path(), "feed", "#!/bin/sh\nexit 78\n");
    let mut run = Run::start(&[feed.to_str().unwrap(), "--watch"]);
    run.until("the failure", |_, data| data["type"] == "feed" && data["state"] == "down").await;
    let next = program(
        folder.path(),
        "next",
        "#!/bin/sh\necho '{\"event\":\"tick\",\"data\":2}'\nexec cat >/dev/null\n",
    );
    std::fs::rename(next, &feed).unwrap();
    run.until("the next edition", |event, data| event == "tick" && data["value"] == 2).await;
    assert_eq!(run.interrupt().await.0, 0);
}
