//! The last price of a symbol: from the answers that were asked for, the trades since, and the trades that were
//! cancelled.
//!
//! Answers and trades come on two ways, each with its own order. The younger of the newest two gives the price.

use std::collections::VecDeque;

use tickerd_feed_provider::{Digits, Order, Place, Quote};

use crate::quoted::Quoted;

/// How many trades are kept, for the price that is valid when the newest are cancelled.
const PRINTS_MAX: usize = 64;
/// How many cancelled trades are known, for answers that still use one.
const CANCELLED_MAX: usize = 256;

/// A trade that sets the price.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Print {
    pub(crate) id: Option<String>,
    pub(crate) price: Digits,
    /// The source's time, if it is believed; in Unix milliseconds.
    pub(crate) time_ms: Option<u64>,
}

/// The last price of a symbol.
#[derive(Debug, Default)]
pub(crate) struct Last {
    /// The newest answer, with what surrounds the price.
    asked: Option<Quoted>,
    answers: Order,
    trades: Order,
    /// Trades by their time, the youngest at the end; and whether an answer is younger than the trade.
    prints: VecDeque<(Print, bool)>,
    /// Ids of cancelled trades, and when that was told. An exchange may use a number again the next day.
    cancelled: VecDeque<(String, Option<u64>)>,
}

impl Last {
    /// Takes an answer whose time is believed. `now_ms` is this machine's clock.
    pub(crate) fn asked(&mut self, said: Quoted, now_ms: u64) -> Place {
        let place = self.answers.timed(said.order_ms, now_ms);
        match place {
            Place::Late | Place::Again => return place,
            Place::Anew => self.prints.clear(),
            // A price that replaces one that does not count may be older than the last.
            Place::News => {
                if let Some(known) = self.asked.take_if(|known| is_younger(known.time_ms, said.time_ms)) {
                    let Quoted { quote, time_ms, trade_id: id, .. } = known;
                    self.insert(Print { id, price: quote.price, time_ms }, false);
                }
            }
        }
        for (print, is_old) in &mut self.prints {
            *is_old = !is_younger(print.time_ms, said.time_ms);
        }
        self.asked = Some(said);
        place
    }

    /// Takes a trade. Returns whether its price is the last one now.
    pub(crate) fn traded(&mut self, print: Print, now_ms: u64) -> bool {
        if self.trades.timed(print.time_ms, now_ms) == Place::Anew {
            self.prints.clear();
        }
        if print.id.as_ref().is_some_and(|id| self.is_cancelled(id, print.time_ms)) {
            return false;
        }
        let asked_ms = self.asked.as_ref().and_then(|asked| asked.time_ms);
        let is_old = is_younger(asked_ms, print.time_ms);
        self.insert(print, is_old) && !is_old
    }

    /// Puts a trade in its place. Returns whether that is the last.
    fn insert(&mut self, print: Print, is_old: bool) -> bool {
        let at = self.prints.iter().rposition(|(known, _)| !is_younger(known.time_ms, print.time_ms));
        let at = at.map_or(0, |before| before + 1);
        let is_last = at == self.prints.len();
        self.prints.insert(at, (print, is_old));
        if self.prints.len() > PRINTS_MAX {
            self.prints.pop_front();
        }
        is_last
    }

    /// Cancels or corrects a trade: its price does not count any more. `said_ms` is when the source told it.
    pub(crate) fn corrected(&mut self, id: &str, by: Option<Print>, said_ms: Option<u64>) {
        if self.cancelled.len() >= CANCELLED_MAX {
            self.cancelled.pop_front();
        }
        self.cancelled.push_back((id.to_owned(), said_ms));
        let is_it = |trade: Option<&String>| trade.is_some_and(|trade| trade == id);
        let at = self.prints.iter().position(|(print, _)| is_it(print.id.as_ref()));
        let was_asked = self.asked.as_ref().is_some_and(|asked| is_it(asked.trade_id.as_ref()));
        match (at, by) {
            // The corrected trade takes the place of the first.
            (Some(at), Some(by)) => {
                if let Some((print, _)) = self.prints.get_mut(at) {
                    (print.id, print.price) = (by.id, by.price);
                }
            }
            (Some(at), None) => {
                self.prints.remove(at);
            }
            (None, Some(by)) if was_asked => {
                if let Some(asked) = &mut self.asked {
                    asked.trade_id = by.id;
                    move_price(asked, &by.price, asked.time_ms);
                }
            }
            (None, _) => {}
        }
    }

    /// Whether a trade of that time was cancelled or corrected.
    pub(crate) fn is_cancelled(&self, id: &str, time_ms: Option<u64>) -> bool {
        self.cancelled.iter().any(|(cancelled, said_ms)| cancelled == id && !is_younger(time_ms, *said_ms))
    }

    /// The quote with the last price. `bare` makes a quote of nothing but a price. `None` if there is no price.
    pub(crate) fn quote(&self, bare: impl FnOnce(&Digits) -> Quote) -> Option<Quoted> {
        let print = self.prints.back();
        let Some(asked) = &self.asked else {
            let (print, _) = print?;
            return Some(Quoted::new(bare(&print.price), print.time_ms));
        };
        let was_cancelled = asked.trade_id.as_ref().is_some_and(|id| self.is_cancelled(id, asked.time_ms));
        let mut quoted = asked.clone();
        match print {
            Some((print, is_old)) if !is_old || was_cancelled => {
                move_price(&mut quoted, &print.price, print.time_ms);
            }
            _ if was_cancelled => move_price(&mut quoted, asked.otherwise.as_ref()?, None),
            _ => {}
        }
        Some(quoted)
    }
}

/// Whether one time is later than another. A missing time is never later.
fn is_younger(time_ms: Option<u64>, than_ms: Option<u64>) -> bool {
    matches!((time_ms, than_ms), (Some(time), Some(than)) if time > than)
}

/// Puts another price in a quote. The change is removed, since the source gave it for the old price.
fn move_price(quoted: &mut Quoted, price: &Digits, time_ms: Option<u64>) {
    quoted.time_ms = time_ms;
    if quoted.quote.price.value() != price.value() {
        quoted.quote.price = price.clone();
        quoted.quote.change = None;
        quoted.quote.change_pct = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn digits(text: &str) -> Digits {
        Digits::parse(text).unwrap()
    }

    fn said(price: &str, time_ms: u64) -> Quoted {
        let mut quote = Quote::new("AAPL", "AAPL", "finnhub", digits(price));
        quote.change = Some(digits("1.40"));
        quote.prev_close = Some(digits("230.10"));
        Quoted::new(quote, Some(time_ms))
    }

    fn print(id: &str, price: &str, time_ms: impl Into<Option<u64>>) -> Print {
        Print { id: Some(id.to_owned()), price: digits(price), time_ms: time_ms.into() }
    }

    fn newest(last: &Last) -> Option<Quoted> {
        last.quote(|price| Quote::new("AAPL", "AAPL", "finnhub", price.clone()))
    }

    fn price(last: &Last) -> String {
        newest(last).expect("there is a price").quote.price.to_string()
    }

    #[test]
    fn a_trade_moves_the_price_and_takes_the_change_away() {
        let mut last = Last::default();
        last.asked(said("231.50", 1_000), NOW);
        assert!(last.traded(print("1", "231.52", 2_000), NOW));
        let moved = newest(&last).unwrap();
        assert_eq!((moved.quote.price.as_str(), moved.time_ms), ("231.52", Some(2_000)));
        assert_eq!((&moved.quote.change, &moved.quote.prev_close), (&None, &Some(digits("230.10"))));
        last.asked(said("231.50", 1_000), NOW);
        assert_eq!(price(&last), "231.52", "the trade is younger");
        last.asked(said("231.60", 3_000), NOW);
        let newer = newest(&last).unwrap();
        assert_eq!((newer.quote.price.as_str(), newer.quote.change), ("231.60", Some(digits("1.40"))));
    }

    #[test]
    fn a_trade_at_the_same_price_leaves_the_change() {
        let mut last = Last::default();
        last.asked(said("231.50", 1_000), NOW);
        last.traded(print("1", "231.500", 2_000), NOW);
        let moved = newest(&last).unwrap();
        assert_eq!((&moved.quote.change, moved.time_ms), (&Some(digits("1.40")), Some(2_000)));
    }

    #[test]
    fn an_older_trade_moves_nothing() {
        let mut last = Last::default();
        last.asked(said("231.50", 2_000), NOW);
        assert!(!last.traded(print("1", "200", 1_999), NOW));
        assert_eq!(price(&last), "231.50");
        assert!(last.traded(print("2", "231.51", 2_000), NOW), "not older");
        assert!(!last.traded(print("3", "199", 1_998), NOW));
        assert_eq!(price(&last), "231.51");
    }

    #[test]
    fn an_older_answer_is_late_and_a_clock_that_was_set_back_is_followed() {
        let mut last = Last::default();
        last.asked(said("1", 900_000), NOW);
        last.traded(print("1", "1.1", 900_500), NOW);
        assert_eq!(last.asked(said("2", 600_000), NOW), Place::Late);
        assert_eq!(price(&last), "1.1");
        assert_eq!(last.asked(said("3", 606_000), NOW + 6_000), Place::Anew);
        assert_eq!(price(&last), "3", "what the old clock dated later holds up nothing");
        last.traded(print("2", "4", 607_000), NOW + 7_000);
        last.traded(print("3", "5", 613_000), NOW + 13_000);
        assert_eq!(price(&last), "5");
    }

    #[test]
    fn what_has_no_time_counts_as_it_comes() {
        let mut last = Last::default();
        last.traded(print("1", "1", None), NOW);
        assert_eq!(price(&last), "1");
        last.asked(said("2", 900_000), NOW);
        assert_eq!(price(&last), "2");
        last.traded(print("2", "3", None), NOW);
        assert_eq!(price(&last), "3");
        last.traded(print("3", "4", 950_000), NOW);
        assert_eq!(price(&last), "4");
    }

    #[test]
    fn a_cancelled_price_does_not_stand() {
        let mut last = Last::default();
        last.asked(said("70.1", 1_000), NOW);
        last.traded(print("1", "70.2", 2_000), NOW);
        last.traded(print("2", "173.28", 3_000), NOW);
        last.corrected("2", None, Some(900_000));
        assert_eq!(price(&last), "70.2", "that of the trade before");
        last.corrected("1", None, Some(900_000));
        assert_eq!(price(&last), "70.1", "that of the answer");
        last.traded(print("3", "70.3", 2_500), NOW);
        assert_eq!(price(&last), "70.3", "also when it is older than what was cancelled");
        last.corrected("unknown", None, Some(900_000));
        assert_eq!(price(&last), "70.3");
    }

    #[test]
    fn a_corrected_trade_keeps_its_place() {
        let mut last = Last::default();
        last.asked(said("70.1", 1_000), NOW);
        last.traded(print("1", "173.28", 2_000), NOW);
        last.corrected("1", Some(print("2", "73.28", None)), Some(900_000));
        let quoted = newest(&last).unwrap();
        assert_eq!((quoted.quote.price.as_str(), quoted.time_ms), ("73.28", Some(2_000)));
        last.corrected("2", None, Some(900_000));
        assert_eq!(price(&last), "70.1");
    }

    #[test]
    fn an_answer_of_a_cancelled_trade_gives_way() {
        let mut last = Last::default();
        last.traded(print("1", "70.2", 1_000), NOW);
        let mut answer = said("173.28", 2_000);
        (answer.trade_id, answer.otherwise) = (Some("2".into()), Some(digits("70.15")));
        last.asked(answer.clone(), NOW);
        assert_eq!(price(&last), "173.28");
        last.corrected("2", None, Some(900_000));
        assert_eq!(price(&last), "70.2", "to the trade before");
        last.corrected("1", None, Some(900_000));
        assert_eq!(price(&last), "70.15", "or to what the source says beside it");
        answer.trade_id = Some("3".into());
        last.asked(answer, NOW);
        last.corrected("3", Some(print("4", "73.28", None)), Some(900_000));
        assert_eq!(price(&last), "73.28", "or to the correction");
    }

    #[test]
    fn a_cancel_ahead_of_its_trade_counts_and_an_id_of_another_day_is_another_trade() {
        let mut last = Last::default();
        last.asked(said("70.1", 1_000), NOW);
        last.corrected("1", None, Some(3_000));
        assert!(!last.traded(print("1", "173.28", 2_000), NOW));
        assert_eq!(price(&last), "70.1");
        assert!(last.traded(print("1", "70.3", 4_000), NOW), "of a later day");
        assert_eq!(price(&last), "70.3");
    }

    #[test]
    fn a_price_that_stands_in_does_not_go_back_in_time() {
        let mut last = Last::default();
        last.asked(said("70.5", 50_000), NOW);
        let mut bar = said("70.1", 40_000);
        for since_ms in [0, 15_000, 30_000] {
            bar.order_ms = Some(60_000 + since_ms);
            bar.quote.bid = Some(digits("70.2"));
            assert_eq!(last.asked(bar.clone(), NOW + since_ms), Place::News);
            let quoted = newest(&last).unwrap();
            assert_eq!((quoted.quote.price.as_str(), quoted.time_ms), ("70.5", Some(50_000)));
            assert_eq!(quoted.quote.bid, Some(digits("70.2")), "what surrounds it is new");
        }
        bar.time_ms = Some(100_000);
        bar.order_ms = Some(130_000);
        last.asked(bar, NOW + 45_000);
        assert_eq!(price(&last), "70.1", "until it is younger");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut last = Last::default();
        for n in 0..1_000 {
            last.traded(print(&n.to_string(), "1", n), NOW);
            last.corrected(&format!("x{n}"), None, Some(900_000));
        }
        assert_eq!((last.prints.len(), last.cancelled.len()), (PRINTS_MAX, CANCELLED_MAX));
    }
}
