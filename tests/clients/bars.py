"""Bars as a notebook reads them: the example with pandas, held to what the daemon says over HTTP."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import unittest
from decimal import Decimal

from daemon import DASHBOARDS, GUARD, PYTHON_CLIENT, Daemon, run, until

EXAMPLES = os.path.join(DASHBOARDS, "examples")
SCRIPT = os.path.join(EXAMPLES, "bars_pandas.py")
KEEP = '[bars]\nkeep = { "1s" = "10m" }\n'
TOPIC = "sim.AAPL"
BARS = 6
FIGURES = ("open", "high", "low", "close")

sys.path[:0] = [EXAMPLES, PYTHON_CLIENT]
os.environ["PYTHONPATH"] = PYTHON_CLIENT
os.environ["no_proxy"] = "*"


def bars_of(daemon):
    """All bars, by one request."""
    return json.loads(daemon.curl(f"/v1/topics/{TOPIC}/bars?period=1s").stdout, parse_float=str)["bars"]


async def closed(daemon):
    """Waits until so many bars are closed."""
    async with daemon.ws(f"/ws?topics=tickerd.bars.1s.{TOPIC}") as ws:
        for _ in range(BARS):
            await until(ws, lambda message: message["event"] == "bar")


class Pandas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon(more=KEEP))
        run(closed(cls.daemon))

    def test_the_frame_has_what_http_says_as_it_is(self):
        import bars_pandas

        url = f"http://{self.daemon.address}"
        # The last one is open: it may be another the next moment.
        said = bars_of(self.daemon)[:-1]
        self.assertGreaterEqual(len(said), BARS - 1)
        read = asyncio.run(bars_pandas.read(url, TOPIC, "1s", 1))
        self.assertEqual([bar["start"] for bar in read], sorted({bar["start"] for bar in read}))
        table = bars_pandas.frame(read, "1s")
        self.assertEqual(str(table.index.tz), "UTC")
        known = table.dropna(subset=["open"])
        for bar in said:
            row = known.loc[bars_pandas.pd.Timestamp(bar["start"], unit="ms", tz="UTC")]
            for name in FIGURES:
                self.assertIsInstance(row[name], Decimal)
                self.assertEqual(str(row[name]), bar[name])
            self.assertEqual((row["count"], row["merged"]), (bar["count"], bar["merged"]))
        self.assertEqual(asyncio.run(bars_pandas.read(url, TOPIC, "1s", 0)), [])
        with self.assertRaises(SystemExit) as refused:
            asyncio.run(bars_pandas.read(url, TOPIC, "7s", 1))
        self.assertIn("the periods are 1s", str(refused.exception))

    def test_a_period_without_a_bar_is_a_row_of_nothing(self):
        import bars_pandas

        bar = {name: "1.50" for name in FIGURES} | {"count": 1, "merged": 0}
        table = bars_pandas.frame([bar | {"start": 0}, bar | {"start": 180_000, "volume": 7}], "1m")
        self.assertEqual(len(table), 4)
        self.assertEqual(list(table["open"].isna()), [False, True, True, False])
        self.assertEqual((table["close"].iloc[3], table["volume"].iloc[3]), (Decimal("1.50"), Decimal(7)))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "gap.png")
            bars_pandas.plot(table, "gap", path)
            self.assertGreater(os.path.getsize(path), 0)

    def test_the_script_plots_them(self):
        import matplotlib.image

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bars.png")
            token = os.path.join(folder, "token")
            with open(token, "w") as file:
                file.write("not asked for\n")
            command = [sys.executable, SCRIPT, f"http://{self.daemon.address}", TOPIC, "--period", "1s", "--out", path]
            done = subprocess.run([*command, "--token-file", token], capture_output=True, text=True, timeout=GUARD * 2)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"\d+ periods of 1s, \d+ of them without a bar")
            self.assertNotIn("not asked for", done.stdout + done.stderr)
            picture = matplotlib.image.imread(path)
            colours = {tuple(pixel) for pixel in picture[:, :, :3].reshape(-1, 3).round(2)[::3]}
            self.assertGreater(len(colours), 10, "the picture is empty")
            failed = subprocess.run([*command[:3], "sim.NONE", "--period", "1s", "--out", path], capture_output=True, text=True, timeout=GUARD * 2)
            self.assertEqual(failed.returncode, 1)
            self.assertRegex(failed.stderr, "^404: ")


if __name__ == "__main__":
    unittest.main()
