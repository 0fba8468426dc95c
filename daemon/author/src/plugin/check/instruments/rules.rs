//! The forms of names and versions, which are the same for libraries and programs.

/// Whether it is two or more labels with dots in between. Labels have letters, digits, `-` and `_`; the first only letters.
pub fn is_reverse_dns(id: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let mut labels = id.split('.');
    let first = labels.next().unwrap_or_default();
    first.len() >= 2
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && id.contains('.')
        && labels.all(label)
}

/// Whether it is `MAJOR.MINOR.PATCH[-PRE][+BUILD]`, as semver.org 2.0.0 defines it.
pub fn is_semver(version: &str) -> bool {
    let (rest, build) = match version.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (version, None),
    };
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    let number =
        |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) && (n == "0" || !n.starts_with('0'));
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number = |w: &str| w.bytes().all(|b| b.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(|w| word(w) && (!is_number(w) || number(w))))
        && build.is_none_or(|build| build.split('.').all(word))
}

/// Whether it looks like an SPDX licence expression: licence ids with AND, OR, WITH and parentheses.
pub fn is_spdx(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let mut depth = 0_usize;
    let mut wants_id = true;
    for word in spaced.split_whitespace() {
        match word {
            "(" if wants_id => depth += 1,
            ")" if !wants_id && depth > 0 => depth -= 1,
            "AND" | "OR" | "WITH" if !wants_id => wants_id = true,
            _ if wants_id && is_licence_id(word) => wants_id = false,
            _ => return false,
        }
    }
    !wants_id && depth == 0
}

fn is_licence_id(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !matches!(word, "AND" | "OR" | "WITH")
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for good in ["org.example.stocks", "io.a-b.c_d", "de.x1"] {
            assert!(is_reverse_dns(good), "{good}");
        }
        for bad in
            ["", "stocks", "org.", ".org", "org..x", "o.x", "1rg.x", "org.x y", "org.-x", "https://x.org"]
        {
            assert!(!is_reverse_dns(bad), "{bad}");
        }
        for good in ["0.1.0", "1.2.3-rc.1", "1.0.0-0a+20260101.sha", "10.20.30+x"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.x", "1.0.0-", "1.0.0-01", "1.0.0+"] {
            assert!(!is_semver(bad), "{bad}");
        }
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "(MIT OR X11) AND GPL-2.0-only WITH Classpath-exception-2.0",
            "LicenseRef-mine",
        ] {
            assert!(is_spdx(good), "{good}");
        }
        for bad in ["", "MIT Apache", "MIT OR", "OR MIT", "MIT/Apache-2.0", "(MIT", "MIT)", "see LICENSE"] {
            assert!(!is_spdx(bad), "{bad}");
        }
    }
}
