"""The feed as a process, with this test in tickerd's place."""
import json
import pathlib
import subprocess
import sys
import unittest

FEED = pathlib.Path(__file__).parent.parent / "example-python.py"


class Feed:
    """A running feed."""

    def __init__(self, config):
        self.process = subprocess.Popen([sys.executable, str(FEED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        universal_newlines=True)
        self.order(tfp=1, host="0.0.0", instance="test", interval_ms=1000, topics_max=10, config=config)

    def order(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def said(self):
        return json.loads(self.process.stdout.readline())

    def ends(self):
        self.process.communicate(timeout=10)
        return self.process.returncode


class Behaviour(unittest.TestCase):
    def test_each_poll_is_answered_until_it_is_told_to_stop(self):
        feed = Feed({"range_m": 4})
        self.assertEqual(feed.said()["mode"], "poll")
        for poll in (1, 2, 3):
            feed.order(poll=poll, deadline_ms=1000)
            tick = feed.said()
            self.assertEqual((tick["topic"], tick["event"]), ("harbour", "tide"))
            self.assertTrue(-2 <= tick["data"]["level_m"] <= 2)
            self.assertEqual(feed.said(), {"done": poll})
        feed.process.stdin.write("\nwhat is this?\n[1]\n")  # a later tickerd's
        feed.order(stop=True)
        self.assertEqual(feed.ends(), 0)

    def test_the_end_of_input_stops_it_too(self):
        feed = Feed({})
        feed.said()
        self.assertEqual(feed.ends(), 0)

    def test_a_wrong_configuration_is_told(self):
        for config in ({"range_m": -1}, {"rang": 1}, {"period_s": "long"}, {"range_m": True}, []):
            with self.subTest(config=config):
                feed = Feed(config)
                said = feed.said()
                self.assertEqual(said["fail"], "config")
                self.assertTrue(said["msg"])
                self.assertEqual(feed.ends(), 78)


if __name__ == "__main__":
    unittest.main()
