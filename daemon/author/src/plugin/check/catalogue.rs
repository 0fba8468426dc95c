//! All tests there are.

use crate::plugin::check::library;
use crate::plugin::check::program;
use crate::plugin::check::test::Test;

/// The tests for libraries, or for programs, in the order in which they are reported.
pub fn all(program: bool) -> Vec<&'static Test> {
    let groups = if program { program::GROUPS } else { library::GROUPS };
    groups.iter().flat_map(|group| group.iter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::check::test::LIMIT;

    #[test]
    fn ids_are_kebab_case_told_once_and_need_what_comes_before() {
        for program in [false, true] {
            let tests = all(program);
            for (at, test) in tests.iter().enumerate() {
                assert!(
                    test.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                    "{}",
                    test.id
                );
                let before: Vec<&str> = tests.iter().take(at).map(|test| test.id).collect();
                assert!(!before.contains(&test.id), "{} twice", test.id);
                assert!(test.needs.is_none_or(|needs| before.contains(&needs)), "{}", test.id);
                assert!(test.limit <= LIMIT && test.holds.ends_with('.'), "{}", test.id);
            }
        }
    }
}
