//! What a feed has said of late, for its supervisor to look at without being in the way of samples.
//!
//! The threads that bring the feed's samples set flags here; the supervisor's thread reads them, and is woken when there
//! is news.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::Hello;
use tickerd_model::health::FeedState;

/// The activity of one feed, over all its lives.
pub struct Activity {
    /// A sample was accepted, in any life.
    spoken: AtomicBool,
    /// A sample was accepted in this life.
    accepted: AtomicBool,
    /// Anything was written in this life, sense or not.
    came: AtomicBool,
    /// Anything that makes sense came in this life.
    heard: AtomicBool,
    /// A sign of life came since the supervisor looked last.
    alive: AtomicBool,
    hello: Mutex<Option<Hello>>,
    reported: Mutex<Option<(FeedState, String)>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Activity {
    /// `wake` is called when something changed that the supervisor should look at.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Activity {
        Activity {
            spoken: AtomicBool::new(false),
            accepted: AtomicBool::new(false),
            came: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            alive: AtomicBool::new(false),
            hello: Mutex::default(),
            reported: Mutex::default(),
            wake,
        }
    }

    /// Whether a sample was ever accepted, in any life.
    pub fn has_spoken(&self) -> bool {
        self.spoken.load(Ordering::Acquire)
    }

    /// Whether a sample was accepted in this life.
    pub fn has_accepted(&self) -> bool {
        self.accepted.load(Ordering::Acquire)
    }

    /// Whether there was a sign of life since the last call.
    pub fn take_alive(&self) -> bool {
        self.alive.swap(false, Ordering::AcqRel)
    }

    /// Whether anything was written in this life.
    pub fn has_come(&self) -> bool {
        self.came.load(Ordering::Acquire)
    }

    /// Whether anything that makes sense came in this life.
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    /// The feed's newest hello. If the feed says hello at all, it is here before the first sample is taken.
    pub fn hello(&self) -> Option<Hello> {
        self.hello.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state that the feed itself reported last in this life, with its reason.
    pub fn reported(&self) -> Option<(FeedState, String)> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new life begins: forgets what belongs to the last one.
    pub fn begin_life(&self) {
        self.accepted.store(false, Ordering::Release);
        self.came.store(false, Ordering::Release);
        self.heard.store(false, Ordering::Release);
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The feed said hello. Called on the thread that brings the samples.
    pub fn note_hello(&self, hello: &Hello) {
        *self.hello.lock().unwrap_or_else(PoisonError::into_inner) = Some(hello.clone());
    }

    /// A line came, whatever it says.
    pub fn note_came(&self) {
        // Read first: this is called for each line.
        if !self.came.load(Ordering::Relaxed) {
            self.came.store(true, Ordering::Release);
        }
    }

    /// A sign of life, which does not mean that the feed is well.
    pub fn note_alive(&self) {
        // Read first: this is called for each sample, and a cache line that is only read is shared between cores.
        if !self.alive.load(Ordering::Relaxed) {
            self.alive.store(true, Ordering::Release);
        }
    }

    /// The feed said something that makes sense.
    pub fn note_heard(&self) {
        self.note_alive();
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Release);
            self.wake();
        }
    }

    /// A sample was accepted.
    pub fn note_accepted(&self) {
        if !self.spoken.load(Ordering::Relaxed) {
            self.spoken.store(true, Ordering::Release);
            self.wake();
        }
        if !self.accepted.load(Ordering::Relaxed) {
            self.accepted.store(true, Ordering::Release);
        }
        self.note_heard();
    }

    /// The feed reported its own state.
    pub fn note_state(&self, state: FeedState, message: &str) {
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some((state, message.to_owned()));
        self.note_heard();
        self.wake();
    }

    /// Has the supervisor look.
    pub fn wake(&self) {
        (self.wake)();
    }
}
