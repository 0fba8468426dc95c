//! MessagePack with named fields, as all that nodes send is written.

/// What is nested deeper is not read. What nodes send needs a third of it.
const DEPTH_MAX: usize = 32;

pub(super) fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut from = rmp_serde::Deserializer::from_read_ref(bytes);
    from.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut from)
}

pub(super) fn write<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("lists and maps have a length, and a Vec takes all that is written")
}
