//! Which disks or interfaces are read, by their names.

use schemars::JsonSchema;
use serde::Deserialize;

/// A choice of names: all if none is asked for, without those behind a `!`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Names(pub Vec<String>);

impl Names {
    /// Whether the name is chosen.
    pub fn take(&self, name: &str) -> bool {
        let mut asked = self.0.iter().filter(|p| !p.starts_with('!')).peekable();
        let wanted = asked.peek().is_none() || asked.any(|pattern| covers(pattern, name));
        wanted && !self.0.iter().filter_map(|p| p.strip_prefix('!')).any(|pattern| covers(pattern, name))
    }

    /// Whether the name was asked for by itself, not by a pattern.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern == name)
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str]) -> Names {
        Names(patterns.iter().map(|p| (*p).to_owned()).collect())
    }

    #[test]
    fn names_are_asked_for_or_left_out() {
        assert!(names(&[]).take("eth0"));
        assert!(names(&["eth*"]).take("eth0") && !names(&["eth*"]).take("lo"));
        assert!(!names(&["!veth*"]).take("veth1") && names(&["!veth*"]).take("lo"));
        assert!(!names(&["eth*", "!eth1"]).take("eth1") && names(&["eth*", "!eth1"]).take("eth10"));
    }
}
