//! Placeholder until the feed is written.
