//! No text that nobody signed is let in, and none breaks anything.

use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;

use super::kit::{House, RING, wall};
use crate::judge::{Verdict, judge};
use crate::jwt::Parts;
use crate::rights::Kept;
use crate::settled::Settled;

static SETTLED: LazyLock<(Settled, Kept, Vec<String>)> = LazyLock::new(|| {
    let kept = Kept::default();
    let nothing = |_: &str, _| unreachable!("no keys are fetched");
    let settled = Settled::read(&House::new().auth, &kept, None, &nothing).unwrap();
    let good = [("HS256", "", "hs"), ("RS256", "r1", "rsa"), ("ES256", "e1", "ec"), ("EdDSA", "d1", "ed")];
    (settled, kept, good.map(|(alg, kid, issuer)| RING.good(alg, kid, issuer)).into())
});

fn is_let_in(token: &str) -> bool {
    matches!(judge(&SETTLED.0, &SETTLED.1, token, wall(), Instant::now()), Verdict::Done(Ok(_)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_random_text_is_let_in(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,300}|[A-Za-z0-9_-]{0,99}\\.[A-Za-z0-9_-]{0,99}\\.[A-Za-z0-9_-]{0,99}") {
        prop_assert!(!is_let_in(&text));
    }

    /// One byte of a good token is another, is gone, or is there twice.
    #[test]
    fn no_mutation_of_a_good_token_is_let_in(which in 0usize..4, at: prop::sample::Index, how in 0u8..3, byte in "[A-Za-z0-9_.=-]") {
        let good = &SETTLED.2[which];
        prop_assert!(is_let_in(good));
        let at = at.index(good.len());
        let (before, rest) = good.split_at(at);
        let changed = match how {
            0 => format!("{before}{byte}{}", &rest[1..]),
            1 => format!("{before}{}", &rest[1..]),
            _ => format!("{before}{byte}{rest}"),
        };
        prop_assert!(changed == *good || !is_let_in(&changed), "{changed}");
    }

    /// Any JSON as header and claims, rightly signed or not, ends in an answer.
    #[test]
    fn any_json_is_answered(header in json(), claims in json()) {
        let token = RING.token("HS256", &header, &claims);
        let _ = is_let_in(&token);
        if let Ok(parts) = Parts::read(&token) {
            let _ = parts.issuer();
        }
    }
}

/// Texts that are JSON or nearly, of the words that tokens have.
fn json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"alg\"",
        "\"HS256\"",
        "\"kid\"",
        "\"iss\"",
        "\"hs\"",
        "\"aud\"",
        "\"tickerd\"",
        "\"exp\"",
        "1790000060",
        "1e400",
        "-1",
        "\"sub\"",
        "\"ann\"",
        "null",
        "true",
        "\"caps\"",
        "\"crit\"",
        "\"\\ud800\"",
        "{\"alg\":\"HS256\"}",
        "{\"iss\":\"hs\",\"aud\":\"tickerd\",\"exp\":1790000060,\"sub\":",
        "\"\\u0000\"",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}
