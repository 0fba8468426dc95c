//! What the supervisor wants to know of a feed without being in the way of its samples.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::Hello;
use tickerd_model::lane::FeedState;

/// What the supervisor wants to know of a feed without being in the way of its samples.
pub struct Voice {
    /// A sample was accepted, ever.
    spoken: AtomicBool,
    /// A sample was accepted in this life.
    fruitful: AtomicBool,
    /// Anything sensible came since the feed was started last.
    heard: AtomicBool,
    /// A sign of life came since the last look.
    alive: AtomicBool,
    hello: Mutex<Option<Hello>>,
    reported: Mutex<Option<(FeedState, String)>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Voice {
    /// `wake` is called when something changed that the supervisor should look at.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Voice {
        Voice {
            spoken: AtomicBool::new(false),
            fruitful: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            alive: AtomicBool::new(false),
            hello: Mutex::default(),
            reported: Mutex::default(),
            wake,
        }
    }

    /// Whether a sample was accepted, ever.
    pub fn has_spoken(&self) -> bool {
        self.spoken.load(Ordering::Acquire)
    }

    /// Whether a sample was accepted in this life.
    pub fn is_fruitful(&self) -> bool {
        self.fruitful.load(Ordering::Acquire)
    }

    /// Whether there was a sign of life since this was asked last.
    pub fn take_alive(&self) -> bool {
        self.alive.swap(false, Ordering::AcqRel)
    }

    /// Whether anything came in this life.
    pub fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    /// What it said last of who it is. There before the first sample, if it says it at all.
    pub fn hello(&self) -> Option<Hello> {
        self.hello.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It said who it is; called on the thread that brings the samples.
    pub fn greet(&self, hello: &Hello) {
        *self.hello.lock().unwrap_or_else(PoisonError::into_inner) = Some(hello.clone());
    }

    /// What the feed says about its own state, if it ever did in this life.
    pub fn reported(&self) -> Option<(FeedState, String)> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new life begins: forget what the last one said.
    pub fn begin(&self) {
        self.fruitful.store(false, Ordering::Release);
        self.heard.store(false, Ordering::Release);
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The feed is alive, which does not mean that it is well.
    pub fn live(&self) {
        // Read first: this is called for each sample, and a line that is only read is shared between cores.
        if !self.alive.load(Ordering::Relaxed) {
            self.alive.store(true, Ordering::Release);
        }
    }

    /// The feed said something sensible.
    pub fn hear(&self) {
        self.live();
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Release);
            (self.wake)();
        }
    }

    /// The supervisor should look.
    pub fn rouse(&self) {
        (self.wake)();
    }

    pub fn speak(&self) {
        if !self.spoken.load(Ordering::Relaxed) {
            self.spoken.store(true, Ordering::Release);
            (self.wake)();
        }
        if !self.fruitful.load(Ordering::Relaxed) {
            self.fruitful.store(true, Ordering::Release);
        }
        self.hear();
    }

    pub fn report(&self, state: FeedState, message: &str) {
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some((state, message.to_owned()));
        self.hear();
        (self.wake)();
    }
}
