"""That the checker finds what it is there for."""

import unittest

from checker import Checker
from rows_crowd import is_flat
from rows_life import intact


def tick(seq, n, topic="x.a", ts=5):
    return {"event": "count", "data": {"topic": topic, "seq": seq, "ts": ts, "value": {"n": n}}}


class Finds(unittest.TestCase):
    def setUp(self):
        self.checker = Checker()
        self.checker.epoch = "e"
        for seq in (1, 2):
            self.checker.take(tick(seq, seq))

    def finds(self, says, what, *given):
        with self.assertRaises(AssertionError) as found:
            what(*given)
        self.assertIn(says, str(found.exception))

    def test_numbers_that_come_again_go_back_or_are_left_out(self):
        for seq, says in ((2, "2 after 2"), (1, "1 after 2"), (4, "4 after 2 without a word")):
            self.finds(says, self.checker.take, tick(seq, seq))

    def test_a_gap_that_is_told_and_what_goes_on_is_right(self):
        self.checker.take({"event": "notice", "data": {"type": "reset", "topics": ["x.a"]}})
        self.checker.take(tick(9, 9))
        self.checker.take(tick(10, 10))
        self.checker.take(tick(1, 1, "x.b"))
        self.assertEqual(self.checker.ticks, 5)

    def test_a_number_that_means_two_values(self):
        self.checker.last.clear()
        self.finds("x.a 2 means {'n': 2} and {'n': 7}", self.checker.take, tick(2, 7))

    def test_a_history_that_is_not_what_was_told(self):
        told = {"x.a": {1: {"n": 1}, 2: {"n": 2}, 3: {"n": 3}}}
        kept = lambda *ticks: {"x.a": {seq: tick(seq, n, ts=ts)["data"] for seq, n, ts in ticks}}
        intact(kept((1, 1, 5), (2, 2, 5), (3, 8, 50)), told, 2, False, 40)
        self.finds("were written", intact, kept((1, 1, 5)), told, 2, False, 40)
        self.finds("was {'n': 2} and is {'n': 3}", intact, kept((1, 1, 5), (2, 3, 5)), told, 0, False, 40)
        self.finds("are mixed", intact, kept((1, 1, 5), (2, 2, 5), (3, 1, 50)), told, 0, False, 40)
        self.finds("[3] are gone", intact, kept((1, 1, 5), (2, 2, 5)), told, 0, True, 40)

    def test_memory_that_grows(self):
        self.assertTrue(is_flat([50_000, 50_400, 50_100], [51_900, 51_600, 52_000]))
        self.assertFalse(is_flat([50_000, 50_400, 50_100], [51_900, 52_000, 52_400]))


if __name__ == "__main__":
    unittest.main()
