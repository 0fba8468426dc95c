//! Listens to this process's log, and passes on what it says about a feed, so that a command can show it.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use tickerd_host::trace;
use tickerd_process::Bell;
use tickerd_process::log::filter;

/// Most events that wait to be shown. Others are dropped, and counted.
const WAITING_MAX: usize = 4096;

/// Something that was logged about a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// The feed's state changed.
    State { level: Level, text: String },
    /// A line of its log, or a line of tickerd's about it.
    Log { level: Level, pid: Option<u64>, text: String },
    /// `count` samples were refused.
    Refused { code: String, why: String, count: u64 },
    /// A poll has returned; `error` is empty if it went well.
    Poll { poll: u64, took: Duration, error: String },
}

/// The listener, from which events are taken.
pub struct LogListener {
    heard: Receiver<(Instant, FeedEvent)>,
    missed: Arc<AtomicU64>,
}

impl LogListener {
    /// Listens to all that this process logs, which then does not go to standard error. Each event rings `bell`.
    ///
    /// # Errors
    /// What is wrong with `TICKERD_LOG`.
    pub fn open(bell: Arc<Bell>) -> Result<LogListener, String> {
        let (tell, heard) = sync_channel(WAITING_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let layer = EventLayer { tell, missed: missed.clone(), bell };
        let filter = filter(std::env::var("TICKERD_LOG").ok().as_deref())?;
        tracing_subscriber::registry().with(layer.with_filter(all_of_it(filter))).init();
        Ok(LogListener { heard, missed })
    }

    /// The events since the last call, each with its time, and how many were dropped.
    pub fn take(&self) -> (Vec<(Instant, FeedEvent)>, u64) {
        (self.heard.try_iter().collect(), self.missed.swap(0, Ordering::Relaxed))
    }
}

/// What is listened to: what `TICKERD_LOG` asks for, and always polls and refusals. Summaries of refusals are left out.
fn all_of_it(filter: Targets) -> Targets {
    let of_the_feed = filter.with_target(trace::POLL, LevelFilter::TRACE);
    of_the_feed.with_target(trace::REFUSAL, LevelFilter::TRACE).with_target(trace::REFUSALS, LevelFilter::OFF)
}

struct EventLayer {
    tell: SyncSender<(Instant, FeedEvent)>,
    missed: Arc<AtomicU64>,
    bell: Arc<Bell>,
}

impl<S: Subscriber> Layer<S> for EventLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let heard = match event.metadata().target() {
            trace::POLL => FeedEvent::Poll {
                poll: fields.poll,
                took: Duration::from_micros(fields.took_us),
                error: fields.error,
            },
            trace::REFUSAL => FeedEvent::Refused { code: fields.code, why: fields.why, count: fields.count },
            trace::STATE => FeedEvent::State { level, text: fields.text },
            _ => FeedEvent::Log { level, pid: fields.pid, text: fields.text + &fields.others },
        };
        // The queue is full because the terminal is slow. Whoever logs must not wait for that.
        if self.tell.try_send((Instant::now(), heard)).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        self.bell.ring();
    }
}

#[derive(Default)]
struct Fields {
    text: String,
    others: String,
    code: String,
    why: String,
    error: String,
    pid: Option<u64>,
    poll: u64,
    count: u64,
    took_us: u64,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.text = text,
            "why" => self.why = text,
            // There is only one feed.
            "feed" => {}
            name => drop(write!(self.others, " {name}={text}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "code" => self.code = value.to_owned(),
            "error" => self.error = value.to_owned(),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "poll" => self.poll = value,
            "count" => self.count = value,
            "took_us" => self.took_us = value,
            "pid" => self.pid = Some(value),
            _ => self.record_debug(field, &value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tickerd_host::Failure;

    #[test]
    fn all_that_is_said_about_a_feed_is_heard() {
        let (tell, heard) = sync_channel(8);
        let (missed, bell) = (Arc::new(AtomicU64::new(0)), Arc::<Bell>::default());
        let layer = EventLayer { tell, missed: missed.clone(), bell };
        let filter = all_of_it(filter(Some("warn")).unwrap());
        let log = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::with_default(log, || {
            trace::poll("f", 7, Duration::from_micros(1500), &Err(Failure::transient("no route")));
            trace::refusal("f", "bad_json", &"a comma too much", 3);
            tracing::warn!(target: trace::STATE, feed = "f", "down: gone");
            tracing::warn!(target: trace::REFUSALS, feed = "f", "refused 3 samples");
            tracing::warn!(feed = "f", pid = Some(12u32), "from {}", "a child");
            tracing::info!("not asked for");
            tracing::error!(signal = "SIGTERM", "stopping");
        });
        let heard: Vec<FeedEvent> = heard.try_iter().map(|(_, heard)| heard).collect();
        let log = |level, pid, text: &str| FeedEvent::Log { level, pid, text: text.into() };
        let expected = [
            FeedEvent::Poll { poll: 7, took: Duration::from_micros(1500), error: "no route".into() },
            FeedEvent::Refused { code: "bad_json".into(), why: "a comma too much".into(), count: 3 },
            FeedEvent::State { level: Level::WARN, text: "down: gone".into() },
            log(Level::WARN, Some(12), "from a child"),
            log(Level::ERROR, None, "stopping signal=SIGTERM"),
        ];
        assert_eq!(heard, expected);
        assert_eq!(missed.load(Ordering::Relaxed), 0);
    }
}
