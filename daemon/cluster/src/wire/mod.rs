//! How nodes write what they send: MessagePack with named fields, in parts that a NATS server takes.

mod bytes;

pub use self::bytes::Bytes;
