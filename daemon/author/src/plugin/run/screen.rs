//! Shows a run to people: one aligned line per tick on standard output, and everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tracing::Level;

use super::printer::Printer;
use super::sum::Figures;
use crate::plugin::log_listener::FeedEvent;
use tickerd_host::{Hello, LINE_FOLLOWS, Mode, printable};
use tickerd_model::tick::Tick;

/// Widest columns. They grow with what comes, but one long name should not push everything aside.
const TOPIC_CHARS_MAX: usize = 40;
const EVENT_CHARS_MAX: usize = 16;

/// Most reasons of refusals that are remembered, so that each is not printed at every poll.
const REASONS_MAX: usize = 32;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";

/// The printer of one run.
pub struct Screen {
    text: String,
    colour: bool,
    colour_aside: bool,
    /// Width of the terminal, in characters; none: standard output is no terminal.
    width: Option<usize>,
    topic_width: usize,
    event_width: usize,
    refused: Vec<Refusal>,
}

/// A reason for which samples are refused again and again.
struct Refusal {
    /// Its code and reason, without the line that was refused.
    reason: String,
    count: u64,
    /// It is printed again when there were so many.
    next: u64,
}

impl Screen {
    /// Prints to this process's standard streams.
    pub fn new() -> Screen {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Screen {
            text: String::new(),
            colour: io::stdout().is_terminal() && !plain,
            colour_aside: io::stderr().is_terminal() && !plain,
            width: if io::stdout().is_terminal() { width() } else { None },
            topic_width: 0,
            event_width: 0,
            refused: Vec::new(),
        }
    }

    /// Counts a refusal. Answers how often there was this reason, if it is to be printed: at 1, 10, 100, 1,000 … times.
    fn times(&mut self, code: &str, why: &str, count: u64) -> Option<u64> {
        let reason = format!("{code}: {}", why.split(LINE_FOLLOWS).next().unwrap_or_default());
        let at = match self.refused.iter().position(|known| known.reason == reason) {
            Some(at) => at,
            None => {
                if self.refused.len() == REASONS_MAX {
                    self.refused.remove(0);
                }
                self.refused.push(Refusal { reason, count: 0, next: 1 });
                self.refused.len() - 1
            }
        };
        let known = self.refused.get_mut(at)?;
        known.count += count;
        (known.count >= known.next).then(|| {
            while known.next <= known.count {
                known.next = known.next.saturating_mul(10);
            }
            known.count
        })
    }

    /// Prints something about the feed, after the ticks that came before it.
    fn aside(&mut self, at: Duration, colour: &str, word: &str, text: &str) -> io::Result<()> {
        self.flush()?;
        let paint = |colour: &str, text: &str| painted(self.colour_aside, colour, text);
        let at = paint(DIM, &format!("{:>9.3}", at.as_secs_f64()));
        // The text may be the feed's: `printable` keeps it to one line, and without control characters.
        let line = format!("{at}  {} {}\n", paint(colour, &format!("{word:<8}")), printable(text));
        io::stderr().write_all(line.as_bytes())
    }
}

fn painted(colour: bool, with: &str, text: &str) -> String {
    if colour && !text.is_empty() { format!("{with}{text}\x1b[0m") } else { text.to_owned() }
}

impl Printer for Screen {
    fn hello(&mut self, at: Duration, hello: &Hello) -> io::Result<()> {
        let Hello { feed, version, default_poll_ms, min_poll_ms, .. } = hello;
        let mode = match hello.mode {
            Mode::Push => "pushes".to_owned(),
            Mode::Poll if *default_poll_ms == 0 => format!("polled; at most every {min_poll_ms} ms"),
            Mode::Poll => {
                format!("polled; would like every {default_poll_ms} ms, at most every {min_poll_ms} ms")
            }
        };
        self.aside(at, CYAN, "hello", &format!("{feed} {version} ({mode})"))
    }

    fn expect(&mut self, tick: &Tick) {
        self.topic_width = self.topic_width.max(tick.topic.name().len().min(TOPIC_CHARS_MAX));
        self.event_width = self.event_width.max(tick.topic.kind().len().min(EVENT_CHARS_MAX));
    }

    fn tick(&mut self, at: Duration, since: Option<u64>, tick: &Tick) -> io::Result<()> {
        let (topic, event, class) = (tick.topic.name(), tick.topic.kind(), tick.topic.class().as_str());
        let since = since.map_or(String::new(), |ms| format!("+{:.3}", ms as f64 / 1000.0));
        let time = format!("{:>9.3} {since:>8}", at.as_secs_f64());
        let topic = format!("{topic:<0$}", self.topic_width);
        let event = format!("{event:<0$} {class:<5}", self.event_width);
        let merged = if tick.merged > 0 { format!("(+{} merged) ", tick.merged) } else { String::new() };
        let value = printable(&String::from_utf8_lossy(&tick.value));
        let taken =
            [&time, &topic, &event, &merged].iter().map(|part| part.chars().count()).sum::<usize>() + 6;
        let paint = |colour, text: &str| painted(self.colour, colour, text);
        let line = format!(
            "{}  {}  {}  {}{}\n",
            paint(DIM, &time),
            paint(BOLD, &topic),
            paint(CYAN, &event),
            paint(YELLOW, &merged),
            self.width.map_or(value.clone(), |width| cut(&value, width.saturating_sub(taken).max(16)))
        );
        self.text.push_str(&line);
        Ok(())
    }

    fn retire(&mut self, at: Duration, topic: &str) -> io::Result<()> {
        self.aside(at, DIM, "ended", topic)
    }

    fn event(&mut self, at: Duration, event: &FeedEvent) -> io::Result<()> {
        match event {
            FeedEvent::State { level, text } => {
                let colour = if *level <= Level::WARN { RED } else { GREEN };
                self.aside(at, colour, "state", text)
            }
            FeedEvent::Log { level, pid, text } => {
                let (colour, word) = match *level {
                    Level::ERROR => (RED, "error"),
                    Level::WARN => (YELLOW, "warn"),
                    Level::INFO => (CYAN, "info"),
                    Level::DEBUG => (DIM, "debug"),
                    Level::TRACE => (DIM, "trace"),
                };
                // Only tickerd itself logs several lines at once: the last lines of a process.
                for (n, line) in text.lines().enumerate() {
                    let pid = pid.filter(|_| n == 0).map_or(String::new(), |pid| format!(" (pid {pid})"));
                    self.aside(at, colour, if n == 0 { word } else { "" }, &format!("{line}{pid}"))?;
                }
                Ok(())
            }
            FeedEvent::Refused { code, why, count } => {
                let Some(times) = self.times(code, why, *count) else { return Ok(()) };
                let times = if times > 1 { format!(" ({times} times so far)") } else { String::new() };
                self.aside(at, RED, "refused", &format!("{code}: {why}{times}"))
            }
            FeedEvent::Poll { poll, took, error } => {
                let took = format!("{:.1} ms", took.as_secs_f64() * 1e3);
                if error.is_empty() {
                    self.aside(at, DIM, "poll", &format!("{poll} took {took}"))
                } else {
                    self.aside(at, RED, "poll", &format!("{poll} failed after {took}: {error}"))
                }
            }
        }
    }

    fn build(&mut self, at: Duration, good: bool, text: &str) -> io::Result<()> {
        self.aside(at, if good { GREEN } else { RED }, "build", text)
    }

    fn missed(&mut self, at: Duration, count: u64) -> io::Result<()> {
        self.aside(
            at,
            YELLOW,
            "missed",
            &format!("{count} lines about the feed were left out: too many at once"),
        )
    }

    fn sum(&mut self, figures: &Figures, verdict: &str) -> io::Result<()> {
        self.flush()?;
        let verdict =
            if verdict.is_empty() { String::new() } else { format!("tickerd plugin run: {verdict}\n") };
        io::stderr().write_all(format!("{}\n{verdict}", figures.text()).as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(self.text.as_bytes()).and_then(|()| stdout.flush());
        self.text.clear();
        written
    }
}

/// The text, cut to so many characters. If it was cut, the last one is `…`.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tickerd_model::sample::Class;
    use tickerd_model::topic::Topic;

    fn tick(topic: &str, value: &str, merged: u64) -> Tick {
        let topic = Topic::new(topic, "quote", Class::State);
        Tick { topic, seq: 1, n: 1, ts: 0, src_ts: 0, from: None, value: value.as_bytes().into(), merged }
    }

    #[test]
    fn a_reason_is_told_at_first_and_then_ever_less_often() {
        let mut screen = Screen::new();
        let told: Vec<u64> = (0..250)
            .filter_map(|n| screen.times("bad_line", &format!("no JSON{LINE_FOLLOWS}line {n}"), 1))
            .collect();
        assert_eq!(told, [1, 10, 100]);
        assert_eq!(screen.times("bad_topic", "no JSON", 1), Some(1), "another reason");
        assert_eq!(screen.times("bad_line", "no JSON", 5_000), Some(5_250));
        assert_eq!(screen.times("bad_line", "no JSON", 1), None);
    }

    #[test]
    fn lines_are_aligned_and_cut_to_the_terminal() {
        let (mut screen, at) = (Screen::new(), Duration::from_millis(1254));
        (screen.colour, screen.width) = (false, Some(75));
        let ticks = [tick("sim.A", "1", 0), tick("sim.AAPL", r#"{"price":"189.30","change":"0.12"}"#, 2)];
        ticks.iter().for_each(|tick| screen.expect(tick));
        screen.tick(at, None, &ticks[0]).unwrap();
        screen.tick(at, Some(250), &ticks[1]).unwrap();
        let expected = "    1.254           sim.A     quote state  1\n    \
                            1.254   +0.250  sim.AAPL  quote state  (+2 merged) {\"price\":\"189.30\",\"…\n";
        assert_eq!(screen.text, expected);
        screen.text.clear();
        (screen.colour, screen.width) = (true, None);
        screen.tick(at, None, &tick("sim.A", "\"\u{7f}\u{9b}2J\"", 0)).unwrap();
        assert!(
            screen.text.contains("\x1b[1msim.A") && screen.text.ends_with("\"\u{fffd}\u{fffd}2J\"\n"),
            "{:?}",
            screen.text
        );
        screen.text.clear();
    }
}
