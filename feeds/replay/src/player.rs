//! Computes what is said when: a pure core, given `now`.
//!
//! Lines are said in the order of the file, whatever the time. The time of each is computed from the start, so that
//! delays do not add up. A late line is said at once.

use std::io::{BufRead, Seek};
use std::time::Duration;

use crate::recording::{Item, Recording, Said};
use crate::say;
use crate::settings::Settings;
use crate::trouble::Trouble;

/// Bytes gathered for one write: the size of a pipe on Linux.
const BATCH_BYTES: usize = 64 * 1024;
/// The time after which a heartbeat is said if there is nothing else to say.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Between the last sample and the first of the next round, in recorded time.
const ROUND_GAP_MS: u64 = 1_000;

/// Plays a recording.
pub struct Player<R> {
    recording: Recording<R>,
    settings: Settings,
    /// The next line, and when it is due.
    next: Option<(Duration, Vec<u8>)>,
    /// Recorded time played before this round, in milliseconds.
    before_ms: u64,
    /// Position of this round in the recording, in milliseconds. It never goes back.
    at_ms: u64,
    /// How many lines of this round can be played.
    playable: u64,
    /// How many lines could not be read. They are told only in the first round.
    damaged: u64,
    is_first_round: bool,
    has_ended: bool,
    said: Duration,
}

impl<R: BufRead + Seek> Player<R> {
    /// A player at the start of its recording.
    pub fn new(recording: Recording<R>, settings: Settings) -> Self {
        Player {
            recording,
            settings,
            next: None,
            before_ms: 0,
            at_ms: 0,
            playable: 0,
            damaged: 0,
            is_first_round: true,
            has_ended: false,
            said: Duration::ZERO,
        }
    }

    /// Appends what is due at `now`, counted from the start. Returns how long there is nothing more to say; zero
    /// means that there is more already, to be asked for after this is written.
    pub fn play(&mut self, now: Duration, out: &mut Vec<u8>) -> Result<Duration, Trouble> {
        while out.len() < BATCH_BYTES {
            if self.next.is_none() && !self.has_ended {
                self.next = self.seek(out)?;
            }
            let due = match &self.next {
                Some((due, line)) if *due <= now => {
                    out.extend_from_slice(line);
                    self.next = None;
                    continue;
                }
                Some((due, _)) => Some(*due),
                None if !self.has_ended => continue,
                None => None,
            };
            if out.is_empty() && now >= self.said + HEARTBEAT {
                say::heartbeat(out);
            }
            if !out.is_empty() {
                self.said = now;
            }
            let next = due.map_or(self.said + HEARTBEAT, |due| due.min(self.said + HEARTBEAT));
            return Ok(next.saturating_sub(now));
        }
        self.said = now;
        Ok(Duration::ZERO)
    }

    /// Reads on to the next line to be played. `None`: a round has ended.
    fn seek(&mut self, out: &mut Vec<u8>) -> Result<Option<(Duration, Vec<u8>)>, Trouble> {
        let from_ms = self.settings.from.ms;
        loop {
            let (at_ms, said) = match self.recording.next()? {
                Item::Said(at_ms, said) => (at_ms, said),
                Item::Unknown => continue,
                Item::Damaged(number, why) => {
                    if self.is_first_round {
                        self.damaged += 1;
                        if self.damaged == 1 {
                            let path = self.settings.path().display();
                            let what = format!("{path}: line {number} is damaged and left out: {why}");
                            say::log(out, "warn", &what);
                        }
                    }
                    continue;
                }
                Item::Cut => {
                    if self.is_first_round {
                        let path = self.settings.path().display();
                        let what = format!("{path}: its last line is cut off, as when recording was killed");
                        say::log(out, "info", &what);
                    }
                    continue;
                }
                Item::End => return self.end_round(out).map(|()| None),
            };
            self.at_ms = self.at_ms.max(at_ms);
            if self.settings.to.is_some_and(|to| self.at_ms >= to.ms) {
                return self.end_round(out).map(|()| None);
            }
            if self.at_ms < from_ms {
                continue;
            }
            let mut line = Vec::new();
            match said {
                Said::Sample(sample) if self.settings.plays(&sample.topic) => say::sample(&mut line, &sample),
                Said::Retire(topic) if self.settings.plays(&topic) => say::retire(&mut line, &topic),
                _ => continue,
            }
            self.playable += 1;
            let due = self.settings.due(self.before_ms.saturating_add(self.at_ms - from_ms));
            return Ok(Some((due, line)));
        }
    }

    fn end_round(&mut self, out: &mut Vec<u8>) -> Result<(), Trouble> {
        let path = self.settings.path();
        if self.playable == 0 {
            let what = "there is nothing to play in it; change from, to or only in [feed.config], or name another file";
            return Err(Trouble::file(path, what));
        }
        if self.is_first_round && self.damaged > 1 {
            let what = format!("{}: {} damaged lines were left out", path.display(), self.damaged);
            say::log(out, "warn", &what);
        }
        self.is_first_round = false;
        if !self.settings.again {
            say::health(out, "closed", "the recording has ended");
            self.has_ended = true;
            return Ok(());
        }
        let last_ms = self.settings.to.map_or(self.at_ms, |to| self.at_ms.min(to.ms));
        let round_ms = last_ms.saturating_sub(self.settings.from.ms) + ROUND_GAP_MS;
        self.before_ms = self.before_ms.saturating_add(round_ms);
        (self.at_ms, self.playable) = (0, 0);
        self.recording.rewind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::path::Path;

    const HEADER: &str = "{\"tickerd_recording\":1,\"events\":{}}\n";

    fn sample(at_ms: u64, topic: &str, n: u64) -> String {
        format!("{{\"at_ms\":{at_ms},\"topic\":\"{topic}\",\"event\":\"tick\",\"data\":{n}}}\n")
    }

    fn player(config: &str, lines: &[String]) -> Player<Cursor<Vec<u8>>> {
        let config = config.trim_start_matches('{');
        let settings =
            Settings::of_setup(&format!(r#"{{"config":{{"file":"day.ndjson"{config}}}}}"#)).unwrap();
        let text = format!("{HEADER}{}", lines.concat());
        let recording = Recording::new(Path::new("day.ndjson"), Cursor::new(text.into_bytes())).unwrap();
        Player::new(recording, settings)
    }

    /// Plays in virtual time until `until`, never late. Returns each line with the time at which it was said.
    fn played(player: &mut Player<Cursor<Vec<u8>>>, until: Duration) -> Vec<(u128, String)> {
        let (mut now, mut seen, mut out) = (Duration::ZERO, Vec::new(), Vec::new());
        while now <= until {
            let wait = player.play(now, &mut out).unwrap();
            let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
            seen.extend(text.lines().map(|line| (now.as_millis(), line.to_owned())));
            now += wait;
        }
        seen
    }

    fn values(seen: &[(u128, String)]) -> Vec<(u128, u64)> {
        let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["data"].as_u64();
        seen.iter().filter_map(|(at, line)| Some((*at, value(line)?))).collect()
    }

    fn three() -> Vec<String> {
        vec![sample(100, "a", 1), sample(100, "b", 2), sample(2_100, "a", 3)]
    }

    #[test]
    fn spacing_is_the_recorded_one_divided_by_the_speed() {
        let until = Duration::from_secs(10);
        for (speed, expected) in [
            ("1", [100, 100, 2_100]),
            ("10", [10, 10, 210]),
            ("0.5", [200, 200, 4_200]),
            ("\"max\"", [0, 0, 0]),
        ] {
            let seen = played(&mut player(&format!(r#","speed":{speed}"#), &three()), until);
            assert_eq!(values(&seen), expected.into_iter().zip(1..).collect::<Vec<_>>(), "{speed}");
        }
    }

    /// Goal: delays neither add up nor change what is said. Method: ask rarely, and late.
    #[test]
    fn lateness_neither_adds_up_nor_reorders() {
        let lines: Vec<String> = (0..1_000).map(|n| sample(n * 10, "a", n)).collect();
        let mut player = player("", &lines);
        let (mut now, mut out, mut seen) = (Duration::ZERO, Vec::new(), Vec::new());
        while seen.len() < 1_000 {
            let wait = player.play(now, &mut out).unwrap();
            let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
            seen.extend(text.lines().filter(|line| line.contains("tick")).map(str::to_owned));
            let due = usize::try_from(now.as_millis() / 10).unwrap() + 1;
            assert_eq!(seen.len(), due.min(1_000));
            let is_over = seen.len() == 1_000;
            assert!(is_over || wait <= Duration::from_millis(10), "due at its own time, not after this look");
            now += wait + Duration::from_millis(37);
        }
        let expected: Vec<String> =
            (0..1_000).map(|n| format!(r#"{{"topic":"a","event":"tick","data":{n}}}"#)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_pause_has_heartbeats_and_the_end_is_told_once() {
        let lines = [sample(0, "a", 1), sample(12_000, "a", 2)];
        let seen = played(&mut player("", &lines), Duration::from_secs(24));
        let (beat, closed) =
            (r#"{"heartbeat":true}"#, r#"{"health":"closed","msg":"the recording has ended"}"#);
        let others: Vec<(u128, &str)> = seen
            .iter()
            .filter(|(_, line)| !line.contains("tick"))
            .map(|(at, line)| (*at, line.as_str()))
            .collect();
        assert_eq!(others, [(5_000, beat), (10_000, beat), (12_000, closed), (17_000, beat), (22_000, beat)]);
        assert_eq!(values(&seen), [(0, 1), (12_000, 2)]);
    }

    #[test]
    fn a_loop_goes_round_a_second_after_the_last_sample() {
        let seen = played(&mut player(r#","loop":true"#, &three()), Duration::from_millis(6_500));
        assert_eq!(
            values(&seen),
            [(100, 1), (100, 2), (2_100, 3), (3_200, 1), (3_200, 2), (5_200, 3), (6_300, 1), (6_300, 2)]
        );
        assert!(!seen.iter().any(|(_, line)| line.contains("closed")));
    }

    #[test]
    fn without_a_pause_a_loop_is_cut_into_batches() {
        let mut player = player(r#","loop":true,"speed":"max""#, &three());
        let mut out = Vec::new();
        for _ in 0..3 {
            assert_eq!(player.play(Duration::ZERO, &mut out).unwrap(), Duration::ZERO);
            assert!(out.len() >= BATCH_BYTES && out.len() < BATCH_BYTES + 1_000);
            out.clear();
        }
    }

    #[test]
    fn a_part_of_the_time_or_of_the_topics_can_be_played() {
        let lines: Vec<String> =
            (0..10).map(|n| sample(n * 1_000, if n % 2 == 0 { "a.x" } else { "b" }, n)).collect();
        let play = |config: &str| values(&played(&mut player(config, &lines), Duration::from_secs(30)));
        assert_eq!(play(r#","from":"3s","to":"5s""#), [(0, 3), (1_000, 4)]);
        assert_eq!(play(r#","only":["a.*"],"from":"5s""#), [(1_000, 6), (3_000, 8)]);
        let mut empty = player(r#","only":["c"]"#, &lines);
        let trouble = empty.play(Duration::ZERO, &mut Vec::new()).unwrap_err();
        assert!(trouble.message().contains("change from, to or only"), "{trouble:?}");
    }

    #[test]
    fn time_never_goes_back() {
        let lines = [sample(500, "a", 1), sample(200, "a", 2), sample(600, "a", 3)];
        let seen = played(&mut player("", &lines), Duration::from_secs(1));
        assert_eq!(values(&seen), [(500, 1), (500, 2), (600, 3)]);
    }

    #[test]
    fn damage_is_told_in_the_first_round_and_counted_at_its_end() {
        let mut lines = three();
        lines.insert(1, "{{{\n".into());
        lines.insert(3, "\n".into());
        let seen = played(&mut player(r#","loop":true,"speed":100"#, &lines), Duration::from_millis(200));
        let told: Vec<&String> =
            seen.iter().map(|(_, line)| line).filter(|line| line.contains("warn")).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("line 3 is damaged") && told[1].contains("2 damaged lines"), "{told:?}");
        assert!(values(&seen).len() > 6, "several rounds");
    }

    #[test]
    fn the_same_file_gives_the_same_lines_at_any_speed() {
        let lines: Vec<String> =
            (0..500).map(|n| sample(n * n % 977, ["a", "b.c", "d"][n as usize % 3], n)).collect();
        let said = |speed: &str| -> Vec<String> {
            let config = format!(r#","speed":{speed}"#);
            let seen = played(&mut player(&config, &lines), Duration::from_secs(60));
            seen.into_iter().map(|(_, line)| line).filter(|line| line.contains("tick")).collect()
        };
        let first = said("1");
        assert_eq!(first.len(), 500);
        for speed in ["1", "0.1", "333.3", "\"max\""] {
            assert_eq!(said(speed), first, "{speed}");
        }
    }
}
