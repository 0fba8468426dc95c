//! A slab: values in numbered places that are used again once they are free.
//!
//! Each kind of value has a key type of its own, so that the number of a topic cannot be taken for that of a cohort.
//! A key does not tell a value from a later one in the same place: where that matters the owner keeps a generation beside it.

/// A number that names a place in one kind of slab.
pub trait Key: Copy {
    /// The key of a place.
    fn new(place: u32) -> Self;
    /// The place of a key.
    fn place(self) -> u32;
}

impl Key for u32 {
    fn new(place: u32) -> u32 {
        place
    }

    fn place(self) -> u32 {
        self
    }
}

/// Makes a key type: `slab_key!(/** Number of a cohort. */ pub CohortId);`
#[macro_export]
macro_rules! slab_key {
    ($(#[$meta:meta])* $vis:vis $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis struct $name(u32);

        impl $crate::basics::slab::Key for $name {
            fn new(place: u32) -> Self {
                $name(place)
            }

            fn place(self) -> u32 {
                self.0
            }
        }
    };
}

/// Values by their keys. The place that was freed last is used first.
#[derive(Debug)]
pub struct Slab<K, T> {
    places: Vec<Option<T>>,
    free: Vec<K>,
}

impl<K, T> Default for Slab<K, T> {
    fn default() -> Slab<K, T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<K: Key, T> Slab<K, T> {
    /// Adds a value.
    ///
    /// # Panics
    /// With 2³² values, which no memory holds.
    pub fn insert(&mut self, value: T) -> K {
        if let Some(key) = self.free.pop() {
            let place = &mut self.places[key.place() as usize];
            debug_assert!(place.is_none(), "a free place holds nothing");
            *place = Some(value);
            return key;
        }
        let place = u32::try_from(self.places.len()).expect("a slab holds fewer than 2³² values");
        self.places.push(Some(value));
        K::new(place)
    }

    /// Takes a value out, if it is there.
    pub fn remove(&mut self, key: K) -> Option<T> {
        let value = self.places.get_mut(key.place() as usize)?.take()?;
        self.free.push(key);
        Some(value)
    }

    /// A value that may be gone.
    pub fn get(&self, key: K) -> Option<&T> {
        self.places.get(key.place() as usize)?.as_ref()
    }

    /// The same, to change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.places.get_mut(key.place() as usize)?.as_mut()
    }

    /// A value that must be there, since whoever holds its key keeps it there. That it is not is a mistake of ours: a debug
    /// build stops here, and a release build goes on without it.
    #[track_caller]
    pub fn held(&self, key: K) -> Option<&T> {
        let value = self.get(key);
        debug_assert!(value.is_some(), "nothing is at place {}, and its key is held", key.place());
        value
    }

    /// The same, to change.
    #[track_caller]
    pub fn held_mut(&mut self, key: K) -> Option<&mut T> {
        let value = self.get_mut(key);
        debug_assert!(value.is_some(), "nothing is at place {}, and its key is held", key.place());
        value
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys of all places that were ever used, free ones too: for a pass over values that may go during it.
    pub fn keys(&self) -> impl Iterator<Item = K> + use<K, T> {
        (0..self.places.len() as u32).map(K::new)
    }

    /// All values, by place.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.keys().zip(&self.places).filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// The values from this place on.
    pub fn iter_from(&self, place: u32) -> impl Iterator<Item = (K, &T)> {
        let places = self.places.get(place as usize..).unwrap_or_default();
        (place..).map(K::new).zip(places).filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// The same, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        self.keys().zip(&mut self.places).filter_map(|(key, value)| Some((key, value.as_mut()?)))
    }

    /// The values alone.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    slab_key!(
        /// Number of a thing.
        Thing
    );

    proptest! {
        /// Whatever comes and goes: each key leads to its own value, and no place is lost.
        #[test]
        fn a_key_leads_to_its_value_while_it_is_there(ops in prop::collection::vec((any::<bool>(), 0usize..8), 0..80)) {
            let (mut slab, mut there): (Slab<Thing, usize>, BTreeMap<Thing, usize>) = Default::default();
            let mut most = 0;
            for (number, (is_new, which)) in ops.into_iter().enumerate() {
                if is_new {
                    prop_assert_eq!(there.insert(slab.insert(number), number), None, "the place was free");
                } else if let Some(key) = there.keys().nth(which).copied() {
                    prop_assert_eq!(slab.remove(key), there.remove(&key));
                    prop_assert!(slab.get(key).is_none() && slab.remove(key).is_none());
                }
                most = most.max(there.len());
                prop_assert_eq!((slab.len(), slab.is_empty()), (there.len(), there.is_empty()));
                prop_assert!(slab.iter().eq(there.iter().map(|(key, value)| (*key, value))));
                prop_assert!(slab.values().eq(there.values()));
                prop_assert!(there.iter().all(|(key, value)| slab.held(*key) == Some(value)));
                prop_assert!(there.iter_mut().all(|(key, value)| slab.held_mut(*key) == Some(value)));
            }
            prop_assert_eq!(slab.keys().count(), most, "places are used again");
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "nothing is at place 0")]
    fn a_key_that_is_held_for_nothing_is_a_mistake() {
        let mut slab: Slab<Thing, ()> = Slab::default();
        let key = slab.insert(());
        slab.remove(key);
        slab.held(key);
    }
}
