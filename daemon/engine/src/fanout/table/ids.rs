//! The numbers by which a shard's tables name what they hold.

use tickerd_model::slab_key;

slab_key!(
    /// Number of a slot, the place of one topic.
    pub SlotId
);
slab_key!(
    /// Number of a cohort.
    pub CohortId
);
slab_key!(
    /// Number of a pattern.
    pub PatternId
);
