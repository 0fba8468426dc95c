//! The keys of an issuer that publishes them at an address. A thread of its own fetches them, seldom and never two at once.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tickerd_config::Algorithm;

use super::KeySet;
use super::fetch::fetch;
use super::pace::Pace;
use crate::error::Error;

/// Most names of keys that are remembered as missing. A further one waits for the next fetch each time.
pub(crate) const MISSING_MAX: usize = 1_000;

/// Keys that are fetched. The thread ends with it.
pub(crate) struct Remote {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    pace: Pace,
    state: Mutex<State>,
    changed: Condvar,
    /// Called after each fetch.
    told: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    set: Option<(Arc<KeySet>, Instant)>,
    /// When the last fetch that has ended began.
    tried: Option<Instant>,
    /// Whether someone waits for a fetch.
    is_asked: bool,
    /// Names of keys that the issuer did not have, and until when they are not asked for.
    missing: HashMap<String, Instant>,
    trouble: Option<String>,
    is_over: bool,
}

/// What is known of a key.
pub(crate) enum Looked {
    /// It is in this set.
    Found(Arc<KeySet>),
    /// The issuer does not have it.
    Missing,
    /// A fetch has to end first. It was asked for.
    Wait,
    /// It cannot be had now.
    Busy,
}

impl Remote {
    /// Starts the thread `keys-N`, which fetches at once. `told` is called after each fetch.
    pub fn start(
        url: &str,
        number: usize,
        pace: Pace,
        told: impl Fn() + Send + Sync + 'static,
    ) -> Result<Remote, Error> {
        let remote = Remote::idle(url, pace, told);
        let fetching = remote.shared.clone();
        let spawned =
            std::thread::Builder::new().name(format!("keys-{number}")).spawn(move || fetching.run());
        spawned.map_err(|error| {
            Error::new(
                format!("the thread for keys cannot be started: {error}"),
                "raise the limit of threads",
            )
        })?;
        Ok(remote)
    }

    /// Has no keys, and fetches none.
    pub fn idle(url: &str, pace: Pace, told: impl Fn() + Send + Sync + 'static) -> Remote {
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            pace,
            state: Mutex::default(),
            changed: Condvar::new(),
            told: Box::new(told),
        });
        Remote { url: url.to_owned(), shared }
    }

    /// Looks for a key. `since` is when the token was first looked at.
    pub fn look(&self, kid: Option<&str>, algorithm: Algorithm, since: Instant) -> Looked {
        let now = Instant::now();
        let pace = &self.shared.pace;
        let mut state = self.shared.state();
        let set = state.set.as_ref().filter(|(_, at)| now.duration_since(*at) < pace.stale);
        let set = set.map(|(set, _)| set.clone());
        if let Some(set) = set.as_ref().filter(|set| !set.fitting(kid, algorithm).is_empty()) {
            return Looked::Found(set.clone());
        }
        let is_tried = state.tried.is_some_and(|tried| tried >= since);
        match (set, kid) {
            (Some(_), None) => return Looked::Missing,
            (Some(_), Some(kid)) => {
                if state.missing.get(kid).is_some_and(|until| now < *until) {
                    return Looked::Missing;
                }
                if state.missing.len() >= MISSING_MAX {
                    state.missing.retain(|_, until| now < *until);
                }
                if is_tried && state.trouble.is_none() {
                    if state.missing.len() < MISSING_MAX {
                        state.missing.insert(kid.to_owned(), now + pace.missing);
                    }
                    return Looked::Missing;
                }
                // Also where no more names are remembered: this one may be new, and fetches are far enough apart.
            }
            (None, _) => {}
        }
        // Who waited through a fetch that failed does not wait for another.
        if is_tried {
            return Looked::Busy;
        }
        state.is_asked = true;
        self.shared.changed.notify_all();
        Looked::Wait
    }

    /// Why keys could not be fetched last time, and whether older ones are still used.
    pub fn trouble(&self) -> Option<(String, bool)> {
        let state = self.shared.state();
        let stale = self.shared.pace.stale;
        let has_keys = state.set.as_ref().is_some_and(|(_, at)| at.elapsed() < stale);
        state.trouble.clone().map(|what| (what, has_keys))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let began = Instant::now();
            let fetched = fetch(&self.url, self.pace.timeout);
            let mut state = self.state();
            match fetched {
                Ok(set) => {
                    (state.set, state.trouble) = (Some((Arc::new(set), Instant::now())), None);
                }
                Err(what) => state.trouble = Some(what),
            }
            (state.tried, state.is_asked) = (Some(began), false);
            if state.is_over {
                return;
            }
            drop(state);
            (self.told)();
            if !self.wait(began) {
                return;
            }
        }
    }

    /// Waits until it is time to fetch again. `false`: it is over.
    fn wait(&self, began: Instant) -> bool {
        let mut state = self.state();
        loop {
            if state.is_over {
                return false;
            }
            // A failure is tried again soon, a good set when it is old or a key is missing.
            let pause = match state.is_asked || state.trouble.is_some() {
                true => self.pace.apart,
                false => self.pace.refresh,
            };
            let left = pause.saturating_sub(began.elapsed());
            if left.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
