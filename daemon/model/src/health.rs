//! How a feed is, and the one place where that is judged.
//!
//! The supervisor knows what the feed says of itself and whether it runs. The entry to the lane knows whether its
//! samples are accepted. The pulse knows whether there is news. [`Facts::judge`] makes one state of these.

use std::time::Duration;

use crate::protocol::rate;

/// The state of a feed; one word on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedState {
    /// Values come.
    Up,
    /// Values come, but not all or not as they should.
    Degraded,
    /// No value came for longer than expected.
    Stale,
    /// It does not run now and will be started again.
    Down,
    /// Its source is closed for now (a market at night); nothing is wrong.
    Closed,
}

impl FeedState {
    /// All states, for metrics.
    pub const ALL: [FeedState; 5] = [Self::Up, Self::Degraded, Self::Stale, Self::Down, Self::Closed];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Stale => "stale",
            Self::Down => "down",
            Self::Closed => "closed",
        }
    }
}

/// A feed's state, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: FeedState,
    /// Since when it has this state, in Unix milliseconds.
    pub since: u64,
    /// Why, in words for a person; may be empty.
    pub reason: String,
}

/// The reason of a feed that is down because nothing has come from it yet.
pub const STARTING: &str = "starting";

/// How a running feed is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Values come, and the newest is `age` old by its source's own time, which is more than `max_age`.
    OldNews { age: Duration, max_age: Duration },
    /// No topic has had a value for `max_age`.
    NoNews { max_age: Duration },
}

/// What is known of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the feed says of itself, or its supervisor of its process.
    pub own: (FeedState, String),
    /// Why none of its samples is accepted, if all of them are refused.
    pub refused: Option<String>,
    /// How it is silent, if it brings no news.
    pub silence: Option<Silence>,
}

impl Facts {
    /// Whether refused samples are the feed's problem: it runs, as far as it knows itself.
    pub fn is_refused(&self) -> bool {
        // A program need not say hello: it counts as started once it has said anything.
        let (state, reason) = &self.own;
        self.refused.is_some() && (*state == FeedState::Up || *state == FeedState::Down && reason == STARTING)
    }

    /// The state to show, and why. What the feed says of itself counts first, unless it says that it is up.
    pub fn judge(self) -> (FeedState, String) {
        let is_refused = self.is_refused();
        match (self.own, self.refused, self.silence) {
            (_, Some(why), _) if is_refused => (FeedState::Degraded, why),
            ((FeedState::Up, _), _, Some(Silence::OldNews { age, max_age })) => {
                let (age, max_age) = (in_words(age), rate::format(max_age));
                let why =
                    format!("its newest value is {age} old by its source's own time; max_age is {max_age}");
                (FeedState::Degraded, why)
            }
            ((FeedState::Up, _), _, Some(Silence::NoNews { max_age })) => (
                FeedState::Stale,
                format!("no topic has had news for {}, its max_age", rate::format(max_age)),
            ),
            (own, ..) => own,
        }
    }
}

/// An age in words for people: `3 h`, `5 min`, `12 s`.
fn in_words(age: Duration) -> String {
    match age.as_secs() {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_WELL: Option<Silence> = None;

    fn judge(own: FeedState, refused: Option<&str>, silence: Option<Silence>) -> (FeedState, String) {
        Facts { own: (own, "as it says".into()), refused: refused.map(Into::into), silence }.judge()
    }

    #[test]
    fn a_feed_that_is_up_and_brings_nothing_is_not_up_and_any_other_is_what_it_says() {
        let as_it_says = |state| (state, "as it says".to_owned());
        let no_news = Some(Silence::NoNews { max_age: Duration::from_secs(3) });
        let old_news = Silence::OldNews { age: Duration::from_secs(7_300), max_age: Duration::from_secs(60) };
        assert_eq!(judge(FeedState::Up, None, ALL_WELL), as_it_says(FeedState::Up));
        assert_eq!(
            judge(FeedState::Up, None, no_news),
            (FeedState::Stale, "no topic has had news for 3s, its max_age".into())
        );
        let why = "its newest value is 2 h old by its source's own time; max_age is 1m";
        assert_eq!(judge(FeedState::Up, None, Some(old_news)), (FeedState::Degraded, why.into()));
        for state in [FeedState::Degraded, FeedState::Stale, FeedState::Down, FeedState::Closed] {
            assert_eq!(judge(state, Some("refused"), no_news), as_it_says(state));
        }
    }

    #[test]
    fn refused_samples_count_before_silence_and_also_while_a_feed_starts() {
        let no_news = Some(Silence::NoNews { max_age: Duration::from_secs(3) });
        let refused = (FeedState::Degraded, "all refused".to_owned());
        assert_eq!(judge(FeedState::Up, Some("all refused"), no_news), refused);
        let refused_of = |reason: &str| {
            let own = (FeedState::Down, reason.to_owned());
            Facts { own, refused: Some("all refused".into()), silence: None }
        };
        assert_eq!(refused_of(STARTING).judge(), refused);
        assert!(!refused_of("it ended").is_refused());
    }
}
