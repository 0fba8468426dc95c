//! Finds the known name that was probably meant by a mistyped one.

/// How many letters may differ. In a short name fewer may.
const DISTANCE_MAX: usize = 2;

/// The name of `known` that is so near to `seen` that it was probably meant.
pub fn near<'a>(seen: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names whose lengths differ by more than that cannot be near. They are left out first, since comparing letters
    // takes long.
    let alike = known.filter(|name| name.len().abs_diff(seen.len()) <= DISTANCE_MAX);
    // Upper and lower case count as the same name.
    let distance = |name: &str| match name.eq_ignore_ascii_case(seen) {
        true => 0,
        false => strsim::damerau_levenshtein(name, seen),
    };
    let near = alike.map(|name| (distance(name), name)).min();
    near.filter(|(distance, name)| *distance <= 1 || (*distance <= DISTANCE_MAX && *distance < name.len()))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters_may_differ_and_not_all_of_them() {
        let known = || ["id", "topics", "rate"].into_iter();
        for (seen, meant) in [
            ("topic", Some("topics")),
            ("tpoics", Some("topics")),
            ("rat", Some("rate")),
            ("ids", Some("id")),
            ("RATE", Some("rate")),
            ("x", None),
            ("", None),
            ("topology", None),
        ] {
            assert_eq!(near(seen, known()), meant, "{seen}");
        }
    }
}
