//! Makes the rights of groups and claims, and keeps equal ones once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tickerd_config::Group;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::access::user::segment;

/// Most different rights that are kept to be shared.
const KEPT_MAX: usize = 4_096;

/// Adds what a group grants and denies to a user.
pub(crate) fn add_group(rights: &mut Rights, group: &Group, user: &str) {
    let segment = segment(user);
    let lists = [
        (Verb::Subscribe, &group.subscribe),
        (Verb::Publish, &group.publish),
        (Verb::Presence, &group.presence),
        (Verb::History, &group.history),
    ];
    for (verb, templates) in lists {
        for pattern in templates.iter().filter_map(|template| template.filled(&segment)) {
            rights.grant(verb, pattern);
        }
    }
    group
        .deny
        .iter()
        .filter_map(|template| template.filled(&segment))
        .for_each(|pattern| rights.deny(pattern));
    if group.admin {
        rights.grant_admin();
    }
}

/// Rights that are in use, each once.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<BTreeSet<Arc<Rights>>>);

impl Kept {
    /// The one place of these rights. Above the most that are kept, equal rights may have several.
    pub fn share(&self, rights: Rights) -> Arc<Rights> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&rights) {
            return known.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|rights| Arc::strong_count(rights) > 1);
        }
        let rights = Arc::new(rights);
        if kept.len() < KEPT_MAX {
            kept.insert(rights.clone());
        }
        rights
    }
}
