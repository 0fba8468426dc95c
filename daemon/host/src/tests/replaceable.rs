//! Plugins of which one version replaces another, and what a bench has seen of each version.

use std::path::PathBuf;
use std::sync::mpsc;

use tempfile::TempDir;

use super::plugin::plugin;
use super::{Bench, scratch};
use crate::Reloaded;
use tickerd_model::health::FeedState;

/// Counts, as fast as it is asked, and says which version it is.
pub const POLLING: &str = r#"
    static st poll(feed *f) {
      char v[64]; snprintf(v, sizeof v, "\"VERSION %ld\"", ++f->n);
      return say(f->h, "a", "trade", v) < 0 ? -2 : 0; }
    PLUGIN(.mode = 1, .poll = poll, .default_poll = 5)
"#;

/// The same, of itself.
pub const PUSHING: &str = r#"
    static st run(feed *f) {
      for (;;) {
        char v[64]; snprintf(v, sizeof v, "\"VERSION %ld\"", ++f->n);
        if (say(f->h, "a", "trade", v) < 0 || f->h->sleep_ms(f->h, 1)) return 0; } }
    PLUGIN(.mode = 2, .run = run)
"#;

/// A library of this code, and what puts one of another version in its place by renaming.
pub struct Replaceable {
    pub dir: TempDir,
    pub path: PathBuf,
}

impl Replaceable {
    pub fn new(code: &str) -> Replaceable {
        let dir = scratch();
        let path = dir.path().join("feed.so");
        let this = Replaceable { dir, path };
        this.replace(code);
        this
    }

    fn build(&self, code: &str) -> PathBuf {
        let sub = self.dir.path().join("build");
        std::fs::create_dir_all(&sub).unwrap();
        plugin(&sub, code)
    }

    pub fn replace(&self, code: &str) {
        std::fs::rename(self.build(code), &self.path).unwrap();
    }
}

pub fn version(code: &str, version: &str) -> String {
    code.replace("VERSION", version)
}

impl Bench {
    /// Drains the lane while something slow is done, such as compiling. Samples that nobody takes would be merged.
    pub fn while_draining(&mut self, work: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let working = scope.spawn(work);
            self.until("the work to be done", |_| working.is_finished());
        });
    }

    pub fn reload(&self, always: bool) -> mpsc::Receiver<Reloaded> {
        let (tell, told) = mpsc::channel();
        self.supervisor().reload(always, Box::new(move |reloaded| tell.send(reloaded).unwrap()));
        told
    }

    /// Drains until the answer is there, and answers it.
    pub fn reloaded(&mut self, always: bool) -> Reloaded {
        let told = self.reload(always);
        let answer = std::cell::OnceCell::new();
        self.until("an answer to the reload", |_| match told.try_recv() {
            Ok(reloaded) => answer.set(reloaded).is_ok(),
            Err(_) => false,
        });
        answer.into_inner().unwrap()
    }

    /// Checks that every value is the next one of its version, and that no older version follows a newer one. Answers the
    /// versions.
    pub fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = Vec::new();
        let mut next = 1;
        for value in self.values() {
            let (version, n) = value.trim_matches('"').split_once(' ').unwrap();
            if versions.last().is_none_or(|last| last != version) {
                assert!(
                    !versions.iter().any(|seen| seen == version),
                    "{version} came back: {:?}",
                    self.values()
                );
                versions.push(version.to_owned());
                next = 1;
            }
            assert_eq!(n.parse(), Ok(next), "{version}: {:?}", self.values());
            next += 1;
        }
        versions
    }

    /// Checks that the feed was always up, once it was.
    pub fn stayed_up(&self) {
        let up = self.states.iter().position(|(state, _)| *state == FeedState::Up).unwrap();
        let after: Vec<_> = self.states[up..].iter().collect();
        assert!(after.iter().all(|(state, _)| *state == FeedState::Up), "{after:?}");
        assert_eq!(self.metrics.restarts("f").get(), 0);
    }
}
