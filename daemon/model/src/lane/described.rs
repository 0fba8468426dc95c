//! What a feed said of the fields of its values, for those who read its ticks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fields::Fields;

/// Fields by kind.
pub type FieldsByKind = HashMap<Box<str>, Arc<Fields>>;

/// The fields of one feed's kinds, for any thread.
#[derive(Debug, Default)]
pub struct Described {
    kinds: Mutex<FieldsByKind>,
    /// Counts the changes of `kinds`.
    generation: AtomicU64,
}

impl Described {
    /// Takes the place of what was said before.
    pub fn set(&self, kinds: FieldsByKind) {
        let mut known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        // A feed that starts again says the same, and nobody has to look.
        if *known != kinds {
            *known = kinds;
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// The fields of a kind, if the feed has a schema for it.
    pub fn of(&self, kind: &str) -> Option<Arc<Fields>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    /// The fields of all kinds.
    pub fn all(&self) -> FieldsByKind {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another number once something else was said.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}
