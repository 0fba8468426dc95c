//! Which cohorts have a stream of their own: the largest, as many as may, and none with too few members to pay for it.

/// Those who might have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<T> {
    /// Which.
    pub id: T,
    /// How many members there are.
    pub members: usize,
    /// Whether it has one already.
    pub has: bool,
}

/// Who is to have one: at most `most`, the largest first, with at least `least` members. Who has one counts twice, so that
/// those whose sizes go up and down do not take it from each other, and each time wait for a start.
pub fn choose<T: Copy>(mut candidates: Vec<Candidate<T>>, most: usize, least: usize) -> Vec<T> {
    let weight = |one: &Candidate<T>| one.members * if one.has { 2 } else { 1 };
    candidates.retain(|one| one.members > 0 && weight(one) >= least);
    candidates.sort_by_key(|one| std::cmp::Reverse((weight(one), one.has)));
    candidates.truncate(most);
    candidates.into_iter().map(|one| one.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(sizes: &[(usize, bool)]) -> Vec<Candidate<usize>> {
        let candidates = sizes.iter().enumerate();
        candidates.map(|(id, (members, has))| Candidate { id, members: *members, has: *has }).collect()
    }

    #[test]
    fn the_largest_have_one_and_keep_it_until_they_are_half_as_large() {
        assert_eq!(choose(of(&[(7, false), (8, false), (90, false), (9, false)]), 2, 8), [2, 3]);
        assert_eq!(choose(of(&[(3, true), (4, true), (0, true)]), 9, 8), [1]);
        assert_eq!(choose(of(&[(50, true), (99, false)]), 1, 8), [0], "less than twice as large");
        assert_eq!(choose(of(&[(50, true), (100, false)]), 1, 8), [0]);
        assert_eq!(choose(of(&[(50, true), (101, false)]), 1, 8), [1]);
        assert_eq!(choose(of(&[(100, false)]), 0, 8), [0; 0]);
    }

    proptest! {
        /// Sizes that move by less than a half never take a stream away.
        #[test]
        fn who_flaps_keeps_it(sizes in proptest::collection::vec(8usize..1000, 1..40), most in 1usize..50) {
            let first = choose(of(&sizes.iter().map(|size| (*size, false)).collect::<Vec<_>>()), most, 8);
            let smaller = |(id, size): (usize, &usize)| {
                let has = first.contains(&id);
                (if has { size / 2 + 1 } else { *size }, has)
            };
            let again = choose(of(&sizes.iter().enumerate().map(smaller).collect::<Vec<_>>()), most, 8);
            let (mut first, mut again) = (first, again);
            first.sort_unstable();
            again.sort_unstable();
            prop_assert!(first.len() <= most);
            prop_assert_eq!(first, again);
        }
    }
}
