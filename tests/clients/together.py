"""One daemon, and every maker's client at it at the same time: Python's websockets, Node's WebSocket and fetch, a browser's
WebSocket and EventSource, and curl. Those that drop off get what they missed; one on a slow line gets the newest and a count.
"""

import json
import os
import re
import socket
import subprocess
import sys
import unittest

from daemon import GUARD, Daemon, is_tick, run, until

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = os.environ.get("NODE", "node")
# A browser takes some time to start, and then has GUARD for each step.
END = 6 * GUARD
# A feed whose values soon fill a socket.
WIDE = """
import itertools, json, time
for n in itertools.count():
    print(json.dumps({"event": "wide", "data": f"{n} " + "x" * 40_000}), flush=True)
    time.sleep(0.02)
"""
CONFIG = f"""
[[feed]]
name = "wide"
exec = {json.dumps([sys.executable, "-c", WIDE])}
interval = "20ms"
"""


def setUpModule():
    global daemon, node, browser
    daemon = Daemon("shards = 1\ncompression = true", CONFIG)
    unittest.enterModuleContext(daemon)
    for topic in ("sim.sine", "sim.AAPL", "sim.trades.AAPL", "sim.trades.MSFT", "wide"):
        answer = daemon.curl(f"/v1/topics/{topic}?wait=20", "--fail")
        assert answer.returncode == 0, f"{topic} is silent: {answer.stderr}"
    version = subprocess.run([NODE, "--version"], capture_output=True, check=True, text=True).stdout
    major = int(re.match(r"v(\d+)", version)[1])
    # Node has a WebSocket of its own, and before 22 only if asked for it.
    flags = ["--experimental-websocket"] if major < 22 else []
    node = start(*flags, "node.test.mjs")
    browser = start("browser.test.mjs")


def start(*arguments):
    env = {**os.environ, "TICKERD_ADDRESS": daemon.address}
    process = subprocess.Popen([NODE, *arguments], cwd=HERE, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    unittest.addModuleCleanup(process.stdout.close)
    unittest.addModuleCleanup(process.kill)
    return process


def seqs(messages, topic):
    return [message["data"]["seq"] for message in messages if is_tick(message) and message["data"]["topic"] == topic]


class Javascript(unittest.TestCase):
    def check(self, process):
        said, _ = process.communicate(timeout=END)
        self.assertEqual(process.returncode, 0, said)
        sys.stderr.write(said)

    def test_node(self):
        self.check(node)

    def test_a_browser(self):
        self.check(browser)


class Python(unittest.TestCase):
    def test_who_drops_off_gets_exactly_what_was_missed(self):
        async def test():
            async with daemon.ws() as ws:
                _, connected = await until(ws, lambda message: True)
                await ws.send(json.dumps({"event": "subscribe", "data": {"id": 1, "topics": ["sim.sine"], "mode": "all"}}))
                before = [(await until(ws, is_tick))[1] for _ in range(4)]
                ws.transport.abort()
            last = before[-1]["data"]["seq"]
            async with daemon.ws("/ws?topics=sim.sine") as other:
                await until(other, lambda message: is_tick(message) and message["data"]["seq"] > last + 2)
            for epoch, recovered in [(connected["data"]["epoch"], True), ("of-another-day", False)]:
                async with daemon.ws() as ws:
                    since = {"epoch": epoch, "seq": {"sim.sine": last}}
                    await ws.send(json.dumps({"event": "subscribe", "data": {"topics": ["sim.sine"], "id": 2, "since": since}}))
                    _, subscribed = await until(ws, lambda message: message["event"] == "subscribed")
                    (grant,) = subscribed["data"]["topics"]
                    self.assertEqual(grant["recovered"], recovered)
                    came = []
                    while not came or came[-1] <= grant["seq"]:
                        _, tick = await until(ws, is_tick)
                        came.append(tick["data"]["seq"])
                    first = last + 1 if recovered else grant["seq"]
                    self.assertEqual(came, list(range(first, first + len(came))))

        run(test())

    def test_a_slow_line_brings_the_newest_and_how_many_were_skipped(self):
        async def test():
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = daemon.address.split(":")
            narrow.connect((host, int(port)))
            narrow.setblocking(False)
            options = {"path": "/ws?topics=wide", "compression": None}
            async with daemon.ws(**options) as fast, daemon.ws(**options, sock=narrow, queue=1, ping_interval=None) as slow:
                _, tick = await until(slow, is_tick)
                first = last = tick["data"]["seq"]
                # What was pushed since; the fast one gets all of it.
                pushed = []

                async def see_pushed(is_enough):
                    while not pushed or not is_enough(pushed[-1]):
                        _, message = await until(fast, lambda message: is_tick(message) or message["data"].get("type") == "lag")
                        self.assertTrue(is_tick(message), "the fast one lags too")
                        pushed.append(message["data"]["seq"])

                # For so long the slow one reads nothing: 10 MB, which no socket holds.
                await see_pushed(lambda _: len(pushed) == 250)
                newest, got, skipped = pushed[-1], 1, 0
                while not skipped or got + skipped < sum(first <= seq <= last for seq in pushed):
                    _, message = await until(slow, lambda message: is_tick(message) or message["data"].get("type") == "lag")
                    if is_tick(message):
                        self.assertGreater(message["data"]["seq"], last)
                        last = message["data"]["seq"]
                        got += 1
                    else:
                        self.assertGreaterEqual(last, newest, "the newest comes before the notice")
                        skipped += message["data"]["skipped"]
                    await see_pushed(lambda seq: seq >= last)
                self.assertEqual(got + skipped, sum(first <= seq <= last for seq in pushed))
                self.assertGreater(skipped, 10)
                # It reads no close behind ticks that it does not take.
                slow.transport.abort()

        run(test())


class Curl(unittest.TestCase):
    def test_values_tags_and_problems(self):
        head, body = daemon.curl("/v1/topics/sim.AAPL", "--include").stdout.split(b"\r\n\r\n")
        tag = re.search(rb"(?i)etag: (\S+)", head)[1].decode()
        later = daemon.curl("/v1/topics/sim.AAPL?wait=20", "--header", f"If-None-Match: {tag}", "--fail")
        self.assertGreater(json.loads(later.stdout)["data"]["seq"], json.loads(body)["data"]["seq"])
        past = json.loads(daemon.curl("/v1/topics/sim.AAPL/history?limit=2", "--fail").stdout)
        self.assertEqual(len(past["values"]), 2)
        self.assertEqual(json.loads(daemon.curl("/v1/topics/sim.*").stdout)["status"], 422)

    def follow(self, count, *options):
        """The first events of a stream with so many trades, each with its id."""
        command = ["curl", "-sS", "-N", "--noproxy", "*", "--max-time", str(GUARD), *options]
        url = f"http://{daemon.address}/v1/sse?topics=sim.trades.AAPL,sim.trades.MSFT"
        events, last = [], None
        with subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True) as stream:
            for line in stream.stdout:
                if line.startswith("id: "):
                    last = line.removeprefix("id: ").strip()
                elif line.startswith("data: "):
                    events.append((last, json.loads(line.removeprefix("data: "))))
                    if sum(is_tick(event) for _, event in events) == count:
                        break
            stream.kill()
        return events

    def test_an_event_stream_goes_on_behind_its_last_event(self):
        before = self.follow(4)
        after = self.follow(20, "--header", f"Last-Event-ID: {before[-1][0]}")
        subscribed = next(event for _, event in after if event["event"] == "subscribed")
        self.assertEqual([grant["recovered"] for grant in subscribed["data"]["topics"]], [True, True])
        for topic in ("sim.trades.AAPL", "sim.trades.MSFT"):
            # Those of a moment ago may come again.
            numbers = sorted(set(seqs([event for _, event in before + after], topic)))
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))


if __name__ == "__main__":
    unittest.main()
