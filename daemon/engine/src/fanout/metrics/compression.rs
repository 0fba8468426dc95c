//! What beats bring to clients with which compression was agreed on, and how.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Messages and their bytes.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub messages: u64,
    pub bytes: u64,
}

impl Tally {
    /// So many more.
    pub fn add(&mut self, messages: u64, bytes: u64) {
        self.messages += messages;
        self.bytes += bytes;
    }
}

/// The metrics of compression.
#[derive(Debug)]
pub struct Compression {
    shared: (IntCounter, IntCounter),
    alone: (IntCounter, IntCounter),
    /// Contexts that clients share now.
    pub contexts: IntGauge,
}

impl Compression {
    /// Makes and registers them, with all their series.
    pub fn new(registry: &Registry) -> prometheus::Result<Compression> {
        let vec = |name: &str, help: &str| -> prometheus::Result<IntCounterVec> {
            let vec = IntCounterVec::new(Opts::new(name, help), &["context"])?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let messages = vec(
            "tickerd_compression_messages_total",
            "Messages of beats to clients with which compression was agreed on: in a context that they share, or each alone.",
        )?;
        let bytes = vec(
            "tickerd_compression_bytes_total",
            "Bytes of the messages that tickerd_compression_messages_total counts, as they were sent.",
        )?;
        let contexts =
            IntGauge::new("tickerd_compression_contexts", "Contexts that clients share, over all shards.")?;
        registry.register(Box::new(contexts.clone()))?;
        let of = |context| (messages.with_label_values(&[context]), bytes.with_label_values(&[context]));
        Ok(Compression { shared: of("shared"), alone: of("alone"), contexts })
    }

    /// What was added so far, shared and alone.
    #[cfg(test)]
    pub fn told(&self) -> (Tally, Tally) {
        let of = |(messages, bytes): &(IntCounter, IntCounter)| Tally {
            messages: messages.get(),
            bytes: bytes.get(),
        };
        (of(&self.shared), of(&self.alone))
    }

    /// Adds what a shard counted.
    pub fn add(&self, shared: Tally, alone: Tally) {
        for ((messages, bytes), tally) in [(&self.shared, shared), (&self.alone, alone)] {
            messages.inc_by(tally.messages);
            bytes.inc_by(tally.bytes);
        }
    }
}
