"""The daemon as clients of other makers meet it: Python's websockets and msgpack, and curl.

Each test has a daemon of its own with the simulated feed. Every wait ends at GUARD; nothing sleeps.
"""

import asyncio
import json
import os
import re
import subprocess
import tempfile
import unittest

import msgpack
import websockets

GUARD = 20
CONFIG = """
[server]
listen = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
{server}
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
interval = "100ms"
"""


class Daemon:
    """A daemon for the length of a `with`."""

    def __init__(self, server=""):
        self.server = server

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "tickerd.toml")
        with open(path, "w") as file:
            file.write(CONFIG.format(server=self.server))
        # The daemon's environment is ours alone: a TICKERD_ variable of the caller would be configuration.
        env = {name: value for name, value in os.environ.items() if not name.startswith("TICKERD_")}
        command = [os.environ["TICKERD_BIN"], "run", "--config", path]
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"http://([^/]+)/", line)
        if not found:
            self.log.seek(0)
            raise AssertionError(f"no address in {line!r}: {self.log.read()}")
        self.address = found[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(GUARD)
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()

    def ws(self, path="/ws", **options):
        # With a bounded queue it would stop reading while ticks come, and not read the server's close behind them.
        return websockets.connect(f"ws://{self.address}{path}", max_queue=None, **options)

    def curl(self, path, *options):
        command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(GUARD), *options, f"http://{self.address}{path}"]
        return subprocess.run(command, capture_output=True, check=False)


def run(test):
    async def guarded():
        async with asyncio.timeout(GUARD):
            await test

    asyncio.run(guarded())


async def until(ws, wanted, read=json.loads):
    """The next message for which `wanted` holds, as it came and read."""
    async for raw in ws:
        message = read(raw)
        if wanted(message):
            return raw, message
    raise AssertionError("the connection ended")


def is_tick(message):
    return "value" in message["data"]


class Compression(unittest.TestCase):
    def test_ticks_commands_and_large_answers_are_read(self):
        async def test(daemon):
            async with daemon.ws("/ws?topics=sim.**", compression="deflate") as ws:
                (extension,) = ws.protocol.extensions
                self.assertEqual(extension.name, "permessage-deflate")
                self.assertTrue(extension.remote_no_context_takeover)
                self.assertTrue(extension.local_no_context_takeover)
                await until(ws, is_tick)
                await ws.send(json.dumps({"event": "topics", "data": {"id": "t" * 30, "match": "sim.**"}}))
                _, topics = await until(ws, lambda message: message["event"] == "topics")
                self.assertGreater(len(topics["data"]["topics"]), 2)
                names = [topic["topic"] for topic in topics["data"]["topics"]]
                await ws.send(json.dumps({"event": "get", "data": {"topics": names}}))
                _, values = await until(ws, lambda message: message["event"] == "values")
                self.assertEqual(len(values["data"]["values"]), len(names))

        with Daemon("compression = true") as daemon:
            run(test(daemon))

    def test_every_window_is_honoured_or_declined(self):
        from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

        async def test(daemon, server_bits, client_bits):
            offer = ClientPerMessageDeflateFactory(server_max_window_bits=server_bits, client_max_window_bits=client_bits)
            async with daemon.ws("/ws?topics=sim.**", compression=None, extensions=[offer]) as ws:
                agreed = ws.protocol.extensions
                self.assertEqual(len(agreed), 0 if server_bits == 8 else 1)
                for _ in range(3):
                    await until(ws, is_tick)

        with Daemon("compression = { threshold = \"0B\", window_bits = 12 }") as daemon:
            for server_bits in [None, *range(8, 16)]:
                run(test(daemon, server_bits, client_bits=True))
            for client_bits in range(9, 16):
                run(test(daemon, 15, client_bits))

    def test_a_client_gets_none_where_none_is_configured(self):
        async def test(daemon):
            async with daemon.ws("/ws?topics=sim.**", compression="deflate") as ws:
                self.assertEqual(ws.protocol.extensions, [])
                await until(ws, is_tick)

        with Daemon() as daemon:
            run(test(daemon))


class Msgpack(unittest.TestCase):
    PROTOCOL = "tickerd.v1.msgpack"

    def check(self, server, **options):
        async def test(daemon):
            async with daemon.ws(subprotocols=[self.PROTOCOL], **options) as ws, daemon.ws() as plain:
                self.assertEqual(ws.subprotocol, self.PROTOCOL)

                async def say(event, **data):
                    await ws.send(msgpack.packb({"event": event, "data": data}))

                raw, connected = await until(ws, lambda message: True, msgpack.unpackb)
                self.assertIsInstance(raw, bytes)
                self.assertEqual(connected["event"], "connected")
                await say("subscribe", id=1, topics=["sim.**"], rate="100ms")
                _, subscribed = await until(ws, lambda message: message["event"] == "subscribed", msgpack.unpackb)
                self.assertEqual(subscribed["data"]["id"], 1)
                await plain.send(json.dumps({"event": "subscribe", "data": {"topics": ["sim.**"], "rate": "100ms"}}))
                # The same tick in both, found by its number, whichever of the two has it first.
                packed, plainly = {}, {}
                while not (both := packed.keys() & plainly.keys()):
                    for seen, socket, read in ((packed, ws, msgpack.unpackb), (plainly, plain, json.loads)):
                        _, tick = await until(socket, is_tick, read)
                        seen[tick["data"]["topic"], tick["data"]["seq"]] = tick
                for number in both:
                    self.assertEqual(packed[number], plainly[number])
                await say("ping", id="p", t=1.5)
                _, pong = await until(ws, lambda message: message["event"] == "pong", msgpack.unpackb)
                self.assertEqual((pong["data"]["id"], pong["data"]["t"]), ("p", 1.5))
                for wrong, says in [
                    ("{}", "binary frames"),
                    (b"\xc1", "MessagePack"),
                    (msgpack.packb([1]), "one JSON object"),
                    (msgpack.packb({"event": "ping", "data": {"t": "x"}}), "must be a number"),
                ]:
                    await ws.send(wrong)
                    _, error = await until(ws, lambda message: message["event"] == "error", msgpack.unpackb)
                    self.assertEqual(error["data"]["code"], 400)
                    self.assertIn(says, error["data"]["message"])

        with Daemon(server) as daemon:
            run(test(daemon))

    def test_both_ways(self):
        self.check("", compression=None)

    def test_both_ways_compressed(self):
        self.check("compression = true", compression="deflate")


class Curl(unittest.TestCase):
    def test_values_tags_and_lists(self):
        with Daemon() as daemon:
            first = daemon.curl("/v1/topics/sim.AAPL?wait=20", "--include")
            head, body = first.stdout.split(b"\r\n\r\n")
            tick = json.loads(body)
            self.assertEqual(tick["data"]["topic"], "sim.AAPL")
            tag = re.search(rb"(?i)etag: (\S+)", head)[1].decode()
            self.assertTrue(tag.endswith(f'-{tick["data"]["seq"]}"'))
            later = daemon.curl("/v1/topics/sim.AAPL?wait=20", "--header", f"If-None-Match: {tag}", "--fail")
            self.assertGreater(json.loads(later.stdout)["data"]["seq"], tick["data"]["seq"])
            topics = json.loads(daemon.curl("/v1/topics?match=sim.**", "--fail").stdout)["topics"]
            self.assertIn("sim.AAPL", [topic["topic"] for topic in topics])
            wrong = json.loads(daemon.curl("/v1/topics/simm.AAPL").stdout)
            self.assertEqual((wrong["status"], wrong["title"]), (404, "Not Found"))
            self.assertIn("did you mean sim?", wrong["detail"])

    def test_an_event_stream_is_lines(self):
        with Daemon() as daemon:
            command = ["curl", "-sS", "-N", "--noproxy", "*", "--max-time", str(GUARD)]
            url = f"http://{daemon.address}/v1/sse?topics=sim.AAPL,sim.MSFT&rate=100ms"
            with subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True) as stream:
                seqs, last = {}, None
                for line in stream.stdout:
                    if line.startswith("id: "):
                        last = line.removeprefix("id: ").strip()
                    elif line.startswith("data: "):
                        message = json.loads(line.removeprefix("data: "))
                        if is_tick(message):
                            topic, seq = message["data"]["topic"], message["data"]["seq"]
                            self.assertGreater(seq, seqs.get(topic, 0))
                            self.assertRegex(last, r"^[a-z0-9]+-\d+$")
                            seqs[topic] = seq
                            if len(seqs) == 2 and min(seqs.values()) > 2:
                                break
                stream.kill()


if __name__ == "__main__":
    unittest.main()
