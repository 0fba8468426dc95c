//! One subscriber's topic of which it wants every tick: whether each is the next, also when it has asked for the past.

const SEQ: &str = r#""seq":"#;

/// See the module.
#[derive(Debug, Default)]
pub struct Replay {
    epoch: String,
    /// All that comes before the number in each of its ticks, so that finding that costs little.
    prefix: Vec<u8>,
    /// The newest number seen.
    seq: u64,
    /// Numbers may jump until every tick was asked for.
    every: bool,
    step: Step,
}

#[derive(Debug, Default)]
enum Step {
    /// What comes is live.
    #[default]
    Live,
    /// The past after `since` is asked for; until that is granted, what comes is live.
    Asked { since: u64 },
    /// It is granted, and ends with `until`; what comes behind it is live.
    Granted { since: u64, until: u64 },
}

impl Replay {
    /// The newest number seen.
    pub fn seen(&self) -> u64 {
        self.seq
    }

    /// The command that asks for the last `ticks` ticks of `topic` again.
    pub fn ask(&mut self, ticks: u64, topic: &str) -> String {
        let since = self.seq.saturating_sub(ticks);
        self.step = Step::Asked { since };
        format!(
            r#"{{"event":"subscribe","data":{{"id":1,"topics":["{topic}"],"since":{{"epoch":"{}","seq":{{"{topic}":{since}}}}}}}}}"#,
            self.epoch
        )
    }

    /// Takes the first bytes of a message. Answers how many ticks a replay had that is through with it; an error says what
    /// came in place of the next.
    pub fn hear(&mut self, head: &[u8]) -> Result<Option<u64>, String> {
        let known = head.strip_prefix(&*self.prefix).filter(|_| !self.prefix.is_empty());
        if let Some(seq) = known.and_then(number) {
            return self.tick(seq);
        }
        let text = String::from_utf8_lossy(head);
        match text.split('"').nth(3) {
            Some("connected") => self.epoch = word(&text, "epoch").unwrap_or_default().into(),
            Some("subscribed") => {
                let Step::Asked { since } = self.step else { return Ok(None) };
                if !text.contains(r#""recovered":true"#) {
                    return Err(text.into());
                }
                self.step = Step::Granted { since, until: self.seq };
                (self.seq, self.every) = (since, true);
            }
            // Ticks were passed over.
            Some("notice") if text.contains(r#""type":"reset""#) => return Err(text.into()),
            Some("quote") => {
                let (before, rest) = text.split_once(SEQ).ok_or(&*text)?;
                self.prefix = [before, SEQ].concat().into();
                return self.tick(number(rest.as_bytes()).ok_or(&*text)?);
            }
            _ => {}
        }
        Ok(None)
    }

    fn tick(&mut self, seq: u64) -> Result<Option<u64>, String> {
        if self.every && seq != self.seq + 1 {
            return Err(format!("number {seq} came after {}", self.seq));
        }
        self.seq = seq;
        match self.step {
            Step::Granted { since, until } if seq == until => {
                self.step = Step::Live;
                Ok(Some(until - since))
            }
            _ => Ok(None),
        }
    }
}

/// What is behind `"key":"`, up to the next quote.
fn word<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!(r#""{key}":""#))?;
    rest.split('"').next()
}

/// The whole number that this begins with.
fn number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(bytes.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(seq: u64) -> String {
        format!(r#"{{"event":"quote","data":{{"topic":"f.a","seq":{seq},"ts":1,"value":{{}}}}}}"#)
    }

    fn asked() -> Replay {
        let mut replay = Replay::default();
        let hear = |replay: &mut Replay, text: &str| replay.hear(text.as_bytes());
        assert_eq!(hear(&mut replay, r#"{"event":"connected","data":{"v":1,"epoch":"k3","x":1}}"#), Ok(None));
        for seq in [3, 5, 6] {
            assert_eq!(hear(&mut replay, &tick(seq)), Ok(None), "numbers may jump");
        }
        assert!(replay.ask(2, "f.a").ends_with(r#""since":{"epoch":"k3","seq":{"f.a":4}}}}"#));
        assert_eq!(hear(&mut replay, &tick(7)), Ok(None), "it is live until the past is granted");
        replay
    }

    fn granted(is_whole: bool) -> String {
        format!(
            r#"{{"event":"subscribed","data":{{"id":1,"topics":[{{"topic":"f.a","recovered":{is_whole}}}]}}}}"#
        )
    }

    #[test]
    fn replay_is_through_when_every_tick_came_in_order() {
        let mut replay = asked();
        let heard = [granted(true), tick(5), tick(6), tick(7), tick(8)];
        let heard: Vec<_> = heard.iter().map(|text| replay.hear(text.as_bytes())).collect();
        assert_eq!(heard, [Ok(None), Ok(None), Ok(None), Ok(Some(3)), Ok(None)]);
        assert_eq!(replay.seen(), 8);
    }

    #[test]
    fn gaps_repeats_resets_and_refusals_are_told() {
        for next in
            [tick(6), tick(4), r#"{"event":"notice","data":{"type":"reset","topics":["f.a"]}}"#.into()]
        {
            let mut replay = asked();
            assert_eq!(replay.hear(granted(true).as_bytes()), Ok(None));
            assert!(replay.hear(next.as_bytes()).is_err(), "{next}");
        }
        assert!(asked().hear(granted(false).as_bytes()).is_err());
    }
}
