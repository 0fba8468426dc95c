//! Places that are asked for with one request, and what to do when one of them spoils it.

use std::collections::HashSet;

use tickerd_feed_provider::Fault;

use crate::config::Place;
use crate::round::Round;

/// Most requests that may be split in one round. Seven splits find one place among a hundred.
const SPLITS_MAX: usize = 16;

/// Places, several of them in each request.
#[derive(Debug)]
pub(crate) struct Together {
    places: Vec<Place>,
    most: usize,
    /// The names of places that the provider did not know. They are asked for one by one.
    alone: HashSet<String>,
}

impl Together {
    /// Puts at most `most` of the `places` in one request.
    pub fn new(places: Vec<Place>, most: usize) -> Together {
        Together { places, most, alone: HashSet::new() }
    }

    /// Asks for all places with as few requests as possible. If the provider does not know what it was asked for,
    /// each half is asked for by itself, until the place that spoils the request is found.
    ///
    /// # Errors
    /// The fault that ends the round.
    pub fn ask(
        &mut self,
        round: &mut Round<'_>,
        ask: impl Fn(&mut Round<'_>, &[Place]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (alone, rest): (Vec<Place>, Vec<Place>) =
            self.places.iter().cloned().partition(|place| self.alone.contains(&place.name));
        let together = rest.chunks(self.most).map(<[Place]>::to_vec);
        let mut requests: Vec<Vec<Place>> =
            together.chain(alone.into_iter().map(|place| vec![place])).collect();
        let mut splits = SPLITS_MAX;
        round.each(&mut requests, |round, places| self.ask_for(places, round, &mut splits, &ask))
    }

    fn ask_for(
        &mut self,
        places: &[Place],
        round: &mut Round<'_>,
        splits: &mut usize,
        ask: &impl Fn(&mut Round<'_>, &[Place]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match (ask(round, places), places) {
            (Ok(()), [one]) => {
                self.alone.remove(&one.name);
                Ok(())
            }
            (Ok(()), _) => Ok(()),
            (Err(Fault::Unknown { .. }), [_, _, ..]) if *splits > 0 => {
                *splits -= 1;
                let (left, right) = places.split_at(places.len() / 2);
                self.ask_for(left, round, splits, ask)?;
                self.ask_for(right, round, splits, ask)
            }
            (Err(fault), _) => {
                places.iter().for_each(|place| round.missing(&place.name, &fault));
                if let (Fault::Unknown { .. }, [one]) = (&fault, places) {
                    self.alone.insert(one.name.clone());
                }
                round.stumble(&fault)
            }
        }
    }
}
