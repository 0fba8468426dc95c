//! A line of a feed that comes again within a minute is counted, and not written again. At the end of the minute one line
//! tells how often it came: `… and 12 more like it in 60 s: ` and the last of them.
//!
//! Two lines of one feed are alike if they differ in the process's number alone. A feed's states are alike too if they differ
//! in figures: `trying again in 0.5 s`, `trying again in 2 s`. A state that is another than the last one is always written, so
//! that the log's last line about a feed tells how it is. Debug lines are all written.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Value, Visit};
use tracing::{Event, Level, Metadata, Subscriber, dispatcher};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How long a line is not written again.
const WINDOW: Duration = Duration::from_secs(60);
/// Lines that are remembered. One that finds no room is written each time.
const LINES_MAX: usize = 256;
/// How long the end of the process waits for the lines that are remembered.
const SETTLE_MAX: Duration = Duration::from_millis(100);
/// Bytes of the last one that are told.
const LAST_BYTES_MAX: usize = 1024;
/// The target of a feed's changes of state, in `tickerd-host`.
const STATE: &str = "tickerd::feed::state";

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

thread_local! {
    /// What is logged now tells of repeats, and is none.
    static IS_TELLING: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    /// A first line is remembered.
    came: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A layer whose `L` gets each line of a feed once.
pub struct Once<L>(L);

impl<L> Once<L> {
    /// A thread of its own tells of repeats when their time is over. Without one every line is written.
    pub fn start(layer: L) -> Once<L> {
        let thread = std::thread::Builder::new().name("log-repeats".into());
        let is_started = thread.spawn(tell_in_time).is_ok();
        SHARED.lock().is_open = is_started;
        Once(layer)
    }
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Once<L> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let is_looked_at = *event.metadata().level() <= Level::INFO && !IS_TELLING.get();
        let line = is_looked_at.then(|| Line::of(event)).flatten();
        if let Some(line) = line {
            match SHARED.lock().take(line, Instant::now()) {
                Taken::Again => return,
                Taken::First => SHARED.came.notify_one(),
                Taken::Other(before) => {
                    if let Some(before) = before {
                        before.with_event(|event| self.0.on_event(event, context.clone()));
                    }
                    SHARED.came.notify_one();
                }
                Taken::NoRoom => {}
            }
        }
        self.0.on_event(event, context);
    }
}

/// Tells of all repeats now: the process is about to end.
pub fn settle() {
    let until = Instant::now() + SETTLE_MAX;
    let all = loop {
        match SHARED.table.try_lock() {
            Ok(mut table) => break table.due(Instant::now(), true),
            Err(TryLockError::Poisoned(table)) => break table.into_inner().due(Instant::now(), true),
            // Others hold it for a moment. Whoever panics may hold it for good, and then it matters more that the process ends.
            Err(TryLockError::WouldBlock) if Instant::now() > until => return,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    all.iter().for_each(Repeats::tell);
}

fn tell_in_time() {
    let mut table = SHARED.lock();
    loop {
        let due = table.due(Instant::now(), false);
        if !due.is_empty() {
            drop(table);
            due.iter().for_each(Repeats::tell);
            table = SHARED.lock();
            continue;
        }
        table = match table.next() {
            None => SHARED.came.wait(table).unwrap_or_else(PoisonError::into_inner),
            Some(next) => {
                let left = next.saturating_duration_since(Instant::now());
                SHARED.came.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// A line of a feed.
struct Line {
    feed: String,
    text: String,
    metadata: &'static Metadata<'static>,
}

impl Line {
    /// Nothing: the line is of no feed.
    fn of(event: &Event<'_>) -> Option<Line> {
        let (mut line, metadata) = (Words::default(), event.metadata());
        event.record(&mut line);
        Some(Line { feed: line.feed?, text: line.message + &line.others, metadata })
    }

    fn is_state(&self) -> bool {
        self.metadata.target() == STATE
    }
}

#[derive(Default)]
struct Words {
    feed: Option<String>,
    message: String,
    others: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // A feed that is started again and again has another each time.
            "pid" => Ok(()),
            name => write!(self.others, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "feed" => self.feed = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }
}

/// The lines that were written of late.
#[derive(Default)]
struct Table {
    hasher: RandomState,
    is_open: bool,
    /// By what they say; a feed's state by the feed.
    lines: HashMap<u64, Seen>,
}

struct Seen {
    /// What says whether the next is like it.
    mark: u64,
    since: Instant,
    repeats: Repeats,
}

/// How often a line came again.
#[derive(Debug)]
struct Repeats {
    feed: String,
    metadata: &'static Metadata<'static>,
    count: u64,
    took: Duration,
    last: String,
}

enum Taken {
    /// It is written, and remembered.
    First,
    /// It is written, after what came again of the state before.
    Other(Option<Repeats>),
    /// It is counted, and not written.
    Again,
    /// It is written.
    NoRoom,
}

impl Table {
    fn take(&mut self, line: Line, now: Instant) -> Taken {
        if !self.is_open {
            return Taken::NoRoom;
        }
        let mark = match line.is_state() {
            true => self.hasher.hash_one((line.metadata.level(), without_figures(&line.text))),
            false => self.hasher.hash_one((line.metadata.level(), &line.text)),
        };
        let key = self.hasher.hash_one((&line.feed, (!line.is_state()).then_some(mark)));
        let first = |line: Line| {
            let Line { feed, metadata, .. } = line;
            let repeats = Repeats { feed, metadata, count: 0, took: Duration::ZERO, last: String::new() };
            Seen { mark, since: now, repeats }
        };
        let is_full = self.lines.len() >= LINES_MAX;
        match self.lines.get_mut(&key) {
            Some(seen) if seen.mark == mark => {
                seen.repeats.count += 1;
                seen.repeats.last = line.text;
                Taken::Again
            }
            Some(seen) => {
                let mut before = std::mem::replace(seen, first(line));
                before.repeats.took = now.saturating_duration_since(before.since);
                Taken::Other((before.repeats.count > 0).then_some(before.repeats))
            }
            None if is_full => Taken::NoRoom,
            None => {
                self.lines.insert(key, first(line));
                Taken::First
            }
        }
    }

    /// Forgets what is older than the window at `now`, or `all`, and answers what came again of it.
    fn due(&mut self, now: Instant, all: bool) -> Vec<Repeats> {
        let age = |seen: &Seen| now.saturating_duration_since(seen.since);
        let mut due: Vec<Seen> =
            self.lines.extract_if(|_, seen| all || age(seen) >= WINDOW).map(|(_, seen)| seen).collect();
        due.sort_by_key(|seen| seen.since);
        let told = due.into_iter().map(|seen| Repeats { took: age(&seen), ..seen.repeats });
        told.filter(|repeats| repeats.count > 0).collect()
    }

    /// When something is due.
    fn next(&self) -> Option<Instant> {
        self.lines.values().map(|seen| seen.since + WINDOW).min()
    }
}

impl Repeats {
    /// Calls `with` with an event as the line's own.
    fn with_event(&self, with: impl FnOnce(&Event<'_>)) {
        let fields = self.metadata.fields();
        let (Some(message), Some(feed)) = (fields.field("message"), fields.field("feed")) else { return };
        let cut = (0..4).find_map(|back| self.last.get(..LAST_BYTES_MAX - back));
        let last = cut.map_or_else(|| self.last.clone(), |cut| format!("{cut}…"));
        let text =
            format_args!("… and {} more like it in {} s: {last}", self.count, self.took.as_secs().max(1));
        let values = [(&message, Some(&text as &dyn Value)), (&feed, Some(&self.feed as &dyn Value))];
        with(&Event::new(self.metadata, &fields.value_set(&values)));
    }

    fn tell(&self) {
        IS_TELLING.set(true);
        self.with_event(|event| dispatcher::get_default(|log| log.event(event)));
        IS_TELLING.set(false);
    }
}

/// The text with each number, and its unit of time, as `#`.
fn without_figures(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, figure) = rest.split_at(at);
        plain.push_str(before);
        plain.push('#');
        let after = figure.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = [" ms", " s", " min"].into_iter().find_map(|unit| after.strip_prefix(unit));
        // `5 seconds` has no unit of ours.
        rest = unit.filter(|rest| !rest.starts_with(char::is_alphanumeric)).unwrap_or(after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    /// What `log` writes: each line's text, with the process's `Once` around it.
    fn written(log: impl FnOnce()) -> Vec<String> {
        struct Kept(Arc<Mutex<Vec<String>>>);
        impl<S: Subscriber> Layer<S> for Kept {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let mut words = Words::default();
                event.record(&mut words);
                self.0.lock().unwrap().push(words.message);
            }
        }
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let layer = Once::start(Kept(lines.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            log();
            settle();
        });
        let lines = lines.lock().unwrap();
        lines.clone()
    }

    /// One test, for all share the process's table.
    #[test]
    fn a_feeds_line_is_written_once_and_then_counted() {
        let lines = written(|| {
            for pid in 0..3_u32 {
                tracing::info!(feed = "a", pid, "hello");
                tracing::info!(feed = "b", pid, "hello {pid}");
                tracing::info!(pid, "of no feed");
                tracing::debug!(feed = "a", "detail");
            }
            tracing::warn!(feed = "a", "hello");
        });
        let count = |text: &str| lines.iter().filter(|line| *line == text).count();
        assert_eq!((count("hello"), count("of no feed"), count("detail")), (2, 3, 3), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("hello ")).count(), 3);
        assert_eq!(lines.last().unwrap(), "… and 2 more like it in 1 s: hello");

        let state = |text: &str| tracing::warn!(target: STATE, feed = "a", "{text}");
        let lines = written(|| {
            state("down: no route; trying again in 500 ms");
            state("down: no route; trying again in 1.0 s");
            state("down: no route; trying again in 2 min");
            state("up");
            state("down: no route; trying again in 500 ms");
            state("up");
        });
        let expected = [
            "down: no route; trying again in 500 ms",
            "… and 2 more like it in 1 s: down: no route; trying again in 2 min",
            "up",
            "down: no route; trying again in 500 ms",
            "up",
        ];
        assert_eq!(lines, expected);

        let many = written(|| (0..LINES_MAX + 2).for_each(|n| tracing::info!(feed = "a", "line {n}")));
        assert_eq!(many.len(), LINES_MAX + 2);
        assert!(SHARED.lock().lines.is_empty(), "all is told");
        let long = written(|| (0..2).for_each(|_| tracing::info!(feed = "a", "{}", "é".repeat(2000))));
        assert!(long[1].len() < LAST_BYTES_MAX + 60 && long[1].ends_with('…'));
    }

    #[test]
    fn what_is_old_is_due_and_forgotten() {
        let (mut table, now) = (Table { is_open: true, ..Table::default() }, Instant::now());
        let metadata = {
            let seen = Arc::new(Mutex::new(None));
            struct Take(Arc<Mutex<Option<&'static Metadata<'static>>>>);
            impl<S: Subscriber> Layer<S> for Take {
                fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                    *self.0.lock().unwrap() = Some(event.metadata());
                }
            }
            let log = tracing_subscriber::registry().with(Take(seen.clone()));
            tracing::subscriber::with_default(log, || tracing::info!(feed = "a", "x"));
            let seen = seen.lock().unwrap();
            seen.unwrap()
        };
        let line = |text: &str| Line { feed: "a".into(), text: text.into(), metadata };
        assert!(matches!(table.take(line("x"), now), Taken::First));
        assert!(matches!(table.take(line("x"), now + WINDOW / 2), Taken::Again));
        assert_eq!(table.next(), Some(now + WINDOW));
        assert!(table.due(now + WINDOW / 2, false).is_empty());
        let due = table.due(now + WINDOW, false);
        assert_eq!((due.len(), due[0].count, due[0].took), (1, 1, WINDOW));
        assert!(table.next().is_none());
        assert!(matches!(table.take(line("x"), now + WINDOW), Taken::First));
    }

    #[test]
    fn figures_do_not_count() {
        assert_eq!(without_figures("again in 0.5 s, 3 of 12; 7 seconds"), "again in #, # of #; # seconds");
        assert_eq!(without_figures("10 min"), without_figures("250 ms"));
    }
}
