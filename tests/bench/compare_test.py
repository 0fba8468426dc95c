"""compare.py: what has moved, and what the exit code is. `python3 -m unittest compare_test`, in this folder."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import compare


def row(what="CPU per message", ratio=(1.0, 1.1, 1.2), unit="ns", daemon=(90, 100, 110), **more):
    spread = lambda figures: figures and dict(zip(("min", "median", "max"), figures))
    whole = {"scenario": "a", "what": what, "unit": unit, "daemon": spread(daemon), "ratio": spread(ratio), "at_least": None}
    return {**whole, **more}


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def write(self, name, *rows, **more):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            json.dump({"rows": rows, "quick": False, **more}, file)
        return path

    def run_with(self, *arguments):
        """The exit code, and what was printed."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = compare.main([*arguments, "--baseline", os.path.join(self.folder, "baseline.json")])
        return code, out.getvalue()

    def compared(self, before, now):
        self.assertEqual(self.run_with(self.write("old", *before), "--update")[0], 0)
        return self.run_with(self.write("new", *now))

    def test_what_stays_within_its_spread_has_not_moved(self):
        for median, spread in ((1.2, (1.15, 1.2, 1.3)), (1.0, (0.9, 1.0, 1.05)), (1.4, (1.05, 1.4, 1.5))):
            code, said = self.compared([row()], [row(ratio=spread)])
            self.assertEqual((code, said), (0, "0 worse, 0 better, 1 within their spread\n"), median)

    def test_what_is_worse_is_told_and_ends_with_2(self):
        code, said = self.compared([row(), row("memory")], [row(ratio=(1.3, 1.4, 1.5)), row("memory")])
        self.assertEqual(code, 2)
        self.assertIn("worse  a  CPU per message: 1.40 (1.30–1.50) ×, and it was 1.10 (1.00–1.20) ×", said)
        self.assertIn("1 worse, 0 better, 1 within", said)

    def test_what_is_better_is_told_and_is_no_failure(self):
        code, said = self.compared([row()], [row(ratio=(0.7, 0.8, 0.9))])
        self.assertEqual(code, 0)
        self.assertIn("better a  CPU per message", said)

    def test_repeats_that_are_alike_by_chance_are_no_spread(self):
        code, _ = self.compared([row(ratio=(1.0, 1.0, 1.0))], [row(ratio=(1.04, 1.04, 1.04))])
        self.assertEqual(code, 0)
        code, _ = self.compared([row(ratio=(1.0, 1.0, 1.0))], [row(ratio=(1.2, 1.2, 1.2))])
        self.assertEqual(code, 2)

    def test_memory_is_compared_without_a_reference_and_speed_is_not(self):
        idle = row("memory per connection", None, "KiB", (1.1, 1.2, 1.3))
        fast = row("lines", None, "k/s", (900, 1000, 1100), at_least=500)
        code, said = self.compared([idle, fast], [{**idle, "daemon": {"min": 2, "median": 2, "max": 2}}, row("lines", None, "k/s", (1, 1, 1))])
        self.assertEqual(code, 2)
        self.assertIn("2.00 (2.00–2.00) KiB", said)
        self.assertNotIn("lines", said)

    def test_one_late_beat_is_worse_than_none(self):
        late = row("late beats", (1, 1, 1), "", (0, 0, 0))
        code, said = self.compared([late], [{**late, "daemon": {"min": 0, "median": 3, "max": 4}}])
        self.assertEqual((code, "worse  a  late beats" in said), (2, True))

    def test_where_more_is_better_less_is_worse(self):
        before = {"of": "ratio", "min": 2, "median": 2, "max": 2, "more_is_better": True}
        self.assertEqual(compare.judge(before, {**before, "min": 1, "median": 1, "max": 1}), "worse")
        self.assertEqual(compare.judge(before, {**before, "min": 3, "median": 3, "max": 3}), "better")

    def test_new_and_missing_rows_are_told_of_the_scenarios_that_ran(self):
        other = row(scenario="b")
        code, said = self.compared([row(), row("memory"), other], [row(), row("bytes")])
        self.assertEqual(code, 0)
        self.assertIn("gone   a  memory", said)
        self.assertIn("new    a  bytes", said)
        self.assertNotIn("b  CPU", said)

    def test_what_cannot_be_compared_ends_with_1(self):
        self.write("baseline.json", {"scenario": "z", "what": "x", "unit": "", "of": "ratio", "min": 1, "median": 1, "max": 1, "more_is_better": False})
        for figures, says in ((self.write("quick", row(), quick=True), "smoke run"), (self.write("other", row()), "no row is in both")):
            code, said = self.run_with(figures)
            self.assertEqual((code, says in said), (1, True), said)
        self.assertEqual(self.run_with(os.path.join(self.folder, "none"))[0], 1)

    def test_the_baseline_that_is_kept_can_be_read(self):
        with open(compare.BASELINE) as file:
            rows = compare.baseline_of(json.load(file))
        self.assertGreater(len(rows), 20)
        for key, kept in rows.items():
            self.assertLessEqual(kept["min"], kept["median"], key)
            self.assertLessEqual(kept["median"], kept["max"], key)
            self.assertEqual(compare.judge(kept, kept), "same", key)


if __name__ == "__main__":
    unittest.main()
