//! The golden plugin of ABI 1.0 in Rust: a push feed that says the same for ever. `golden.expected.ndjson` is what a client
//! gets, and it is what `golden.c` says too.
//!
//! Nothing is emitted before the file `gate` exists, and the second half waits for `gate.second`, so that a client can be
//! there first and see each half. `gate.half`, which the plugin writes, tells that the first half is said. A panic is
//! caught on the way, so that unwinding inside the plugin is a part of what is kept. See `build.sh` for how the binary was
//! made.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use tickerd_sdk::schemars::{self, JsonSchema};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Health, Host, Interrupter, Level, PushFeed, Sample};

const SECOND: u64 = 1_767_225_600_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file to wait for.
    gate: PathBuf,
}

pub struct Golden {
    gate: PathBuf,
    interrupted: Arc<AtomicBool>,
}

impl Feed for Golden {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.golden.rust", "Golden")
        .description("Says the same for ever.")
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[
            EventInfo::event("bell", "Rings."),
            EventInfo::event("trade", "One trade."),
            EventInfo::event("note", "Anything."),
            EventInfo::state("quote", "The last price."),
        ]);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        Ok(Golden { gate: config.gate, interrupted: Arc::default() })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        let interrupted = self.interrupted.clone();
        Some(Box::new(move || interrupted.store(true, Ordering::Release)))
    }
}

impl PushFeed for Golden {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        wait_for(&self.gate, host)?;
        // After a failure `run` is called on a new instance, perhaps in a new process.
        let half = self.gate.with_extension("half");
        if !half.exists() {
            std::fs::write(&half, "").map_err(Error::fatal)?;
            return first_half(host);
        }
        wait_for(&self.gate.with_extension("second"), host)?;
        second_half(host)?;
        while !self.interrupted.load(Ordering::Acquire) {
            host.sleep(Duration::from_secs(3600))?;
        }
        Err(Error::Stopping)
    }
}

fn wait_for(gate: &Path, host: &Host) -> Result<(), Error> {
    while !gate.exists() {
        host.sleep(Duration::from_millis(20))?;
    }
    Ok(())
}

fn emit(host: &Host, topic: &str, event: &str, json: &[u8], source_ms: u64) -> Result<(), Error> {
    host.emit(Sample::json(topic, event, json).source_time_ms(source_ms)).map(drop)
}

/// Numbers keep their digits, text its characters, and whitespace between values goes.
fn first_half(host: &Host) -> Result<(), Error> {
    let nested = format!("{}64{}", "[".repeat(64), "]".repeat(64));
    for (topic, event, json, source_ms) in [
        ("end", "note", r#"{"end":false}"#, 0),
        ("", "bell", "1", 0),
        ("", "bell", "2", 0),
        ("trades", "trade", r#"{"price":"189.30","size":1.50}"#, SECOND + 123),
        (
            "trades",
            "trade",
            r#"{"price":189.3000,"size":2.000,"id":123456789012345678901234567890.10}"#,
            SECOND,
        ),
        ("trades", "trade", "[-0.0,1.0E+2,1e-7,0.10]", 1),
        ("text", "note", "\"Z\u{fc}rich \u{6771}\u{4eac} \u{1f680}\"", 0),
        ("text", "note", r#""caf\u00e9 \ud83d\ude80 \"\\\/\b\f\n\r\t""#, 0),
        ("text", "note", r#""""#, 0),
        ("a.b_c.D-4.e.f.g.h", "note", " { \"spaced\" :\t[ 1 ,\r\n 2 ] , \"spaced\" : \" kept \" } ", 0),
        ("scalars", "note", "true", 0),
        ("scalars", "note", "false", 0),
        ("scalars", "note", "null", 0),
        ("scalars", "note", "{}", 0),
        ("scalars", "note", "[]", 0),
        ("scalars", "note", &nested, 0),
        ("AAPL", "quote", r#"{"price":"189.10"}"#, 0),
        ("AAPL", "quote", r#"{"price":"189.20"}"#, 0),
        ("gone", "note", "1", 0),
    ] {
        emit(host, topic, event, json.as_bytes(), source_ms)?;
    }
    host.log(Level::Info, "golden says info");
    host.log(Level::Warn, "golden says warn: \u{fc}");
    host.log(Level::Trace, "golden says it at a level of tomorrow");
    host.health(Health::Degraded, "golden: one source of two is away");
    Err(Error::transient("golden: the source is away"))
}

fn second_half(host: &Host) -> Result<(), Error> {
    host.heartbeat();
    if std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(()))).is_ok() {
        return Err(Error::fatal("golden: a panic went by"));
    }
    emit(host, "trades", "trade", br#"{"price":"189.31","size":0.0}"#, SECOND + 1000)?;
    emit(host, "AAPL", "quote", br#"{"price":"189.30"}"#, SECOND + 1000)?;
    report(host)?;
    host.health(Health::Closed, "golden: the market is closed");
    host.retire("gone")?;
    emit(host, "end", "note", br#"{"end":true}"#, 0)
}

/// What the host answers is a part of the promise.
fn report(host: &Host) -> Result<(), Error> {
    let refused = [
        emit(host, "report", "undeclared", b"1", 0),
        emit(host, "report", "note", b"{", 0),
        emit(host, "report", "note", b"\"\xff\"", 0),
        emit(host, "report..x", "note", b"1", 0),
        emit(host, "trades", "note", b"1", 0),
        host.retire("a..b"),
    ];
    let refused = refused.map(|answer| if matches!(answer, Err(Error::Invalid(_))) { "-4" } else { "\"?\"" });
    let unknown_topic = if host.retire("never").is_ok() { "0" } else { "\"?\"" };
    let clock = host.now_ms() > SECOND;
    let stop = u8::from(host.should_stop() || host.sleep(Duration::from_millis(1)).is_err());
    let instance = host.instance();
    let refused = refused.join(",");
    let json = format!(
        r#"{{"refused":[{refused}],"unknown_topic":{unknown_topic},"clock":{clock},"stop":{stop},"instance":"{instance}"}}"#
    );
    emit(host, "report", "note", json.as_bytes(), 0)
}

tickerd_sdk::export!(push: [Golden]);
