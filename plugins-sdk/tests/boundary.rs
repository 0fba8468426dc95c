//! A plugin made with `export!`, called through its C entry: statuses, panics, interrupts, stray threads, sizes.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickerd_sdk::abi::*;
use tickerd_sdk::schemars::{self, JsonSchema};
use tickerd_sdk::testing::{TestHost, feed_types};
use tickerd_sdk::{
    Emitted, Error, EventInfo, Feed, FeedInfo, Health, Host, Interrupter, NoConfig, PollFeed, PushFeed,
    Sample,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Script {
    /// What poll does.
    #[serde(default)]
    poll: String,
    #[serde(default)]
    create: String,
}

#[derive(Serialize, JsonSchema)]
struct Count {
    n: u32,
}

struct Scripted {
    script: Script,
    n: u32,
}

impl Feed for Scripted {
    const INFO: FeedInfo = FeedInfo::new("test.scripted", "Scripted")
        .description("Does what its configuration says.")
        .license("MIT")
        .events(&[
            EventInfo::state("count", "A number.").value::<Count>(),
            EventInfo::event("beep", "A noise."),
        ])
        .poll_ms(500, 5);
    type Config = Script;

    fn create(script: Script, _: Host) -> Result<Self, Error> {
        match script.create.as_str() {
            "config" => Err(Error::config("create: use another word")),
            "panic" => panic!("no {}", "create"),
            _ => Ok(Scripted { script, n: 0 }),
        }
    }
}

impl PollFeed for Scripted {
    fn poll(&mut self, host: &Host) -> Result<(), Error> {
        self.n += 1;
        match self.script.poll.as_str() {
            "transient" => Err(Error::transient("source is away")),
            "fatal" => Err(Error::fatal("lost")),
            "panic" if self.n == 2 => panic!("second poll"),
            "undeclared" => host.emit(Sample::json("a", "nope", "1")).map(drop),
            "not json" => host.emit(Sample::json("a", "count", "{")).map(drop),
            "bad topic" => host.emit(Sample::json("a..b", "count", "1")).map(drop),
            _ => {
                assert_eq!(host.emit(Sample::new("a", "count", &Count { n: self.n }))?, Emitted::Accepted);
                host.emit(Sample::json("a.beep", "beep", "\"1.10\"").source_time_ms(7)).map(drop)
            }
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        assert_ne!(self.script.poll, "panic in drop");
    }
}

/// Blocks in `run` until interrupted, and leaves a clone of its host behind.
struct Blocking {
    wake: Arc<AtomicBool>,
    woken: mpsc::Receiver<()>,
    interrupt: mpsc::SyncSender<()>,
}

static LEFT_BEHIND: Mutex<Option<Host>> = Mutex::new(None);

impl Feed for Blocking {
    const INFO: FeedInfo =
        FeedInfo::new("test.blocking", "Blocking").events(&[EventInfo::state("count", "A number.")]);
    type Config = NoConfig;

    fn create(_: NoConfig, host: Host) -> Result<Self, Error> {
        *LEFT_BEHIND.lock().expect("nobody panics with it") = Some(host);
        let (interrupt, woken) = mpsc::sync_channel(1);
        Ok(Blocking { wake: Arc::default(), woken, interrupt })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        let (wake, interrupt) = (self.wake.clone(), self.interrupt.clone());
        Some(Box::new(move || {
            wake.store(true, Ordering::Release);
            let _ = interrupt.try_send(());
        }))
    }
}

impl PushFeed for Blocking {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        host.health(Health::Closed, "market closed");
        host.emit(Sample::json("", "count", "0"))?;
        self.woken.recv().map_err(Error::fatal)?;
        assert!(self.wake.load(Ordering::Acquire));
        host.sleep(Duration::from_millis(20))?;
        host.retire("gone")?;
        Err(Error::Stopping)
    }
}

tickerd_sdk::export!(poll: [Scripted], push: [Blocking]);

fn text<'a>(p: *const std::ffi::c_char) -> &'a str {
    assert!(!p.is_null());
    // SAFETY: descriptors' texts are ended by NUL and live as long as the process.
    #[expect(unsafe_code, reason = "reads a descriptor")]
    unsafe { CStr::from_ptr(p) }.to_str().expect("UTF-8")
}

#[test]
fn descriptors_say_what_info_says() {
    let plugin = tickerd_plugin_v1();
    assert_eq!(plugin, tickerd_plugin_v1(), "made once");
    let types = feed_types(tickerd_plugin_v1);
    let [scripted, blocking] = types[..] else { panic!("{} feed types", types.len()) };
    assert_eq!(text(scripted.id), "test.scripted");
    assert_eq!(text(scripted.license), "MIT");
    assert!(scripted.vendor.is_null());
    assert_eq!((scripted.mode, scripted.default_poll_ms, scripted.min_poll_ms), (TKR_MODE_POLL, 500, 5));
    assert!(scripted.poll.is_some() && scripted.run.is_none());
    assert_eq!((blocking.mode, blocking.default_poll_ms), (TKR_MODE_PUSH, 0));
    assert!(blocking.poll.is_none() && blocking.run.is_some());
    let schema: serde_json::Value = serde_json::from_str(text(scripted.config_schema)).unwrap();
    assert_eq!(schema["properties"]["poll"]["description"], "What poll does.");

    // SAFETY: the array is NULL-ended and each entry is a whole event type.
    #[expect(unsafe_code, reason = "reads a descriptor")]
    let (count, beep, end) =
        unsafe { (&**scripted.event_types, &**scripted.event_types.add(1), *scripted.event_types.add(2)) };
    assert!(end.is_null());
    assert_eq!((text(count.name), count.event_class), ("count", TKR_CLASS_STATE));
    assert!(text(count.value_schema).contains("\"n\""));
    assert_eq!((text(beep.name), beep.event_class), ("beep", TKR_CLASS_EVENT));
    assert!(beep.value_schema.is_null());
}

#[test]
fn samples_arrive_as_they_were_said() {
    let test = TestHost::of::<Scripted>();
    let mut feed = test.load(tickerd_plugin_v1, "test.scripted", "{}").unwrap();
    feed.poll().unwrap();
    let samples = test.samples();
    assert_eq!((samples[0].topic.as_str(), samples[0].json.as_str()), ("a", r#"{"n":1}"#));
    assert_eq!((samples[1].json.as_str(), samples[1].source_time_ms), ("\"1.10\"", Some(7)));
    test.stop();
    assert_eq!(feed.poll().unwrap_err().0, TKR_ERR_STOPPING);
}

/// What a test's host refuses, tickerd refuses, for the same reason.
#[test]
fn samples_are_checked_as_tickerd_does() {
    let test = TestHost::of::<Scripted>();
    let emit = |topic: &str, event: &str, json: &str| {
        let before = test.rejects().len();
        match test.host().emit(Sample::json(topic, event, json)) {
            Ok(_) => "taken".to_owned(),
            Err(_) => test.rejects()[before].split(':').next().unwrap_or_default().to_owned(),
        }
    };
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(emit("a", "count", "{"), "bad_json");
    assert_eq!(emit("a", "beep", "1"), "taken", "what was refused fixes nothing");
    assert_eq!(emit("a", "count", "1"), "kind_changed");
    assert_eq!(emit("a", "beep", &nested(64)), "taken");
    assert_eq!(emit("a", "beep", &nested(65)), "bad_json");
    test.host().retire("a").unwrap();
    assert_eq!(emit("a", "count", "1"), "taken", "it is another topic now");
    let segments = ["x".repeat(64), "y".repeat(64), "z".repeat(160 - 5 - 2 * 65)].join(".");
    assert_eq!(emit(&segments, "count", "1"), "taken", "160 bytes with `test.`");
    assert_eq!(emit(&format!("{segments}z"), "count", "1"), "bad_topic");
    test.host().emit(Sample::json("b", "count", "1").source_time_ms(1 << 53)).unwrap();
    assert_eq!(test.samples().last().unwrap().source_time_ms, None, "it is no exact number to clients");
}

#[test]
fn failures_carry_their_text() {
    let create = |config: &str| {
        TestHost::new().load(tickerd_plugin_v1, "test.scripted", config).err().expect("create fails")
    };
    let (status, text) = create(r#"{"pol":""}"#);
    assert_eq!(status, TKR_ERR_CONFIG);
    assert!(text.contains("unknown field `pol`"), "{text}");
    assert_eq!(create(r#"{"create":"config"}"#), (TKR_ERR_CONFIG, "create: use another word".to_owned()));
    assert_eq!(create(r#"{"create":"panic"}"#), (TKR_ERR_PANIC, "panic: no create".to_owned()));

    for (poll, status, says) in [
        ("transient", TKR_ERR_TRANSIENT, "source is away"),
        ("fatal", TKR_ERR_FATAL, "lost"),
        ("undeclared", TKR_ERR_INVALID, "refused a `nope` sample"),
        ("not json", TKR_ERR_INVALID, "topic `a`"),
        ("bad topic", TKR_ERR_INVALID, "topic `a..b`"),
    ] {
        let test = TestHost::of::<Scripted>();
        let config = format!(r#"{{"poll":"{poll}"}}"#);
        let mut feed = test.load(tickerd_plugin_v1, "test.scripted", &config).unwrap();
        let (got, text) = feed.poll().unwrap_err();
        assert_eq!(got, status, "{poll}");
        assert!(text.contains(says), "{poll}: {text}");
    }
}

#[test]
fn a_panic_poisons_the_instance_alone() {
    let test = TestHost::new();
    let mut feed = test.load(tickerd_plugin_v1, "test.scripted", r#"{"poll":"panic"}"#).unwrap();
    feed.poll().unwrap();
    assert_eq!(feed.poll().unwrap_err(), (TKR_ERR_PANIC, "panic: second poll".to_owned()));
    let (status, text) = feed.poll().unwrap_err();
    assert_eq!(status, TKR_ERR_PANIC);
    assert!(text.contains("only destroy"), "{text}");
    drop(feed);
    test.load(tickerd_plugin_v1, "test.scripted", "{}").unwrap().poll().unwrap();

    drop(test.load(tickerd_plugin_v1, "test.scripted", r#"{"poll":"panic in drop"}"#).unwrap());
    assert!(test.logs().iter().any(|(level, text)| *level == TKR_LOG_ERROR && text.contains("destroy")));
}

#[test]
fn interrupt_ends_run_and_stray_hosts_are_harmless() {
    let test = TestHost::new();
    let mut feed = test.load(tickerd_plugin_v1, "test.blocking", "").unwrap();
    feed.interrupt(); // before run: remembered by the feed's own channel
    assert_eq!(feed.run().unwrap_err().0, TKR_ERR_STOPPING);
    assert_eq!(test.health(), Some((Health::Closed, "market closed".to_owned())));
    assert_eq!(test.retired(), ["gone"]);
    assert_eq!((test.samples().len(), test.heartbeats()), (1, 1));
    assert_eq!(feed.poll().unwrap_err().0, TKR_ERR_UNSUPPORTED);

    let stray = LEFT_BEHIND.lock().unwrap().clone().unwrap();
    assert_eq!(stray.instance(), "test");
    drop(feed);
    assert_eq!(stray.emit(Sample::json("", "count", "1")), Err(Error::Stopping));
    assert_eq!(stray.sleep(Duration::ZERO), Err(Error::Stopping));
    assert_eq!(stray.retire("x"), Err(Error::Stopping));
    assert!(stray.should_stop());
    assert_eq!((stray.now_ms(), stray.instance()), (0, String::new()));
    stray.heartbeat();
    stray.health(Health::Up, "");
    assert_eq!(test.samples().len(), 1);
}

#[test]
fn smaller_and_larger_hosts_work() {
    let upto_emit = std::mem::offset_of!(TkrHost, emit) + 8;
    let small = TestHost::with_table_size(upto_emit as u32);
    let host = small.host();
    host.emit(Sample::json("a", "b", "1")).unwrap();
    host.log(tickerd_sdk::Level::Warn, "not heard");
    host.health(Health::Down, "not heard");
    host.retire("a").unwrap();
    assert!(!host.should_stop());
    assert_eq!(host.sleep(Duration::from_secs(1)), Err(Error::Stopping), "rather stop than spin");
    assert!(small.logs().is_empty() && small.health().is_none() && small.retired().is_empty());

    let large = TestHost::with_table_size(4096);
    large.load(tickerd_plugin_v1, "test.scripted", "{}").unwrap().poll().unwrap();
    assert_eq!(large.samples().len(), 2);
}
