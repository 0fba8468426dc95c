//! The pulse in a cluster, turn by turn.
