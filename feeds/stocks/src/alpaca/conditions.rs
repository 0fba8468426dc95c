//! Decides by the marks of the exchanges which trades set a symbol's last price.
//!
//! The tables are those of the consolidated tapes: CTA's CTS (tapes A and B) and UTP's UTDF (tape C), column "update
//! last", as published by 2026-11.

/// Marks that keep a trade from setting the last price: cash sale C, price variation H, odd lot I, official close M,
/// next day N, prior reference price P, official open Q, seller R, extended hours T and U, contingent V, average
/// price W, out of sequence Z, derivatively priced 4, qualified contingent 7. P, Z and 4 do set a price if there is
/// none yet, which happens only before the first trade ever of a symbol.
const NEVER: &str = "CHIMNPQRTUVWZ47";
/// An average price on tapes A and B. On tape C it is a bunched trade, which does set the price.
const AVERAGE: &str = "B";
/// Extended hours, in and out of sequence.
const EXTENDED: [&str; 2] = ["T", "U"];
/// A bunched trade that was sold before, on tape C.
const BUNCHED_SOLD: &str = "G";

/// Whether a trade with these marks on this tape (`A`, `B`, `C`) sets the last price. A trade without marks does.
pub(super) fn sets_last_price(conditions: &[String], tape: Option<&str>) -> bool {
    let is_nasdaq = tape == Some("C");
    conditions.iter().map(|mark| mark.trim()).all(|mark| match mark {
        AVERAGE => is_nasdaq,
        BUNCHED_SOLD => !is_nasdaq,
        mark => mark.len() != 1 || !NEVER.contains(mark),
    })
}

/// Whether a trade with these marks was made outside the regular hours.
pub(super) fn is_extended(conditions: &[String]) -> bool {
    conditions.iter().any(|mark| EXTENDED.contains(&mark.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_say_whether_a_trade_sets_the_price() {
        for (marks, tape, sets) in [
            (&[][..], None, true),
            (&[" "], Some("A"), true),
            (&["@"], Some("C"), true),
            (&["@", "F"], Some("C"), true),
            (&[" ", "6"], Some("A"), true),
            (&["O"], Some("C"), true),
            (&["@", "L"], Some("C"), true),
            (&["9"], Some("A"), true),
            (&["@", "I"], Some("C"), false),
            (&["@", "T"], Some("C"), false),
            (&["@", "T", "I"], Some("C"), false),
            (&["U"], Some("B"), false),
            (&["Z"], Some("A"), false),
            (&["P"], Some("C"), false),
            (&["W"], Some("C"), false),
            (&["4"], Some("C"), false),
            (&[" ", "7"], Some("A"), false),
            (&["M"], Some("C"), false),
            (&["Q"], Some("C"), false),
            (&["B"], Some("A"), false),
            (&["B"], Some("C"), true),
            (&["G"], Some("C"), false),
            (&["some words"], Some("C"), true),
        ] {
            let marks: Vec<String> = marks.iter().map(|mark| (*mark).to_owned()).collect();
            assert_eq!(sets_last_price(&marks, tape), sets, "{marks:?} on {tape:?}");
        }
    }
}
