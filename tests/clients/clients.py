"""The daemon as Python's websockets and msgpack and as curl meet it: what is agreed on, and in which encodings.

Each test has a daemon of its own, for each configures another; all ways in at once are in together.py.
"""

import json
import re
import socket
import struct
import subprocess
import sys
import unittest

import msgpack

from daemon import GUARD, Daemon, is_tick, run, until


class Compression(unittest.TestCase):
    def test_ticks_commands_and_large_answers_are_read(self):
        async def test(daemon, keeps):
            async with daemon.ws("/ws?topics=sim.**", compression="deflate") as ws:
                (extension,) = ws.protocol.extensions
                self.assertEqual(extension.name, "permessage-deflate")
                self.assertEqual(extension.remote_no_context_takeover, not keeps)
                self.assertTrue(extension.local_no_context_takeover)
                await until(ws, is_tick)
                await ws.send(json.dumps({"event": "topics", "data": {"id": "t" * 30, "match": "sim.**"}}))
                _, topics = await until(ws, lambda message: message["event"] == "topics")
                self.assertGreater(len(topics["data"]["topics"]), 2)
                names = [topic["topic"] for topic in topics["data"]["topics"]]
                await ws.send(json.dumps({"event": "get", "data": {"topics": names}}))
                _, values = await until(ws, lambda message: message["event"] == "values")
                self.assertEqual(len(values["data"]["values"]), len(names))

        for how, keeps in [("true", True), ("{ shared = false }", False)]:
            with Daemon(f"compression = {how}") as daemon:
                run(test(daemon, keeps))

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


class Writes(unittest.TestCase):
    """How many packets with data a client gets, by its kernel's count (Linux: `tcpi_data_segs_in`)."""

    # It speaks once, so that nothing comes beside the answers.
    ONCE = """
import sys
for name in "abc":
    print('{"topic":"%s","event":"e","data":1}' % name, flush=True)
sys.stdin.read()
"""

    def test_answers_to_one_read_leave_in_one_write_with_their_snapshots(self):
        feed = f'[[feed]]\nname = "once"\nexec = {json.dumps([sys.executable, "-c", self.ONCE])}\n'

        def packets(sock):
            return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 152)[0]

        def masked(event, **data):
            text = json.dumps({"event": event, "data": data}).encode()
            return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text

        with Daemon(more=feed) as daemon:
            for name in "abc":
                daemon.curl(f"/v1/topics/once.{name}?wait=20", "--fail")
            host, port = daemon.address.split(":")
            with socket.create_connection((host, int(port)), GUARD) as sock:
                stream = sock.makefile("rb")
                ask = f"GET /ws HTTP/1.1\r\nHost: {daemon.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                sock.sendall(f"{ask}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
                while stream.readline() != b"\r\n":
                    pass

                def message():
                    head = stream.read(2)
                    size = head[1] if head[1] < 126 else int.from_bytes(stream.read(2), "big")
                    return json.loads(stream.read(size))

                self.assertEqual(message()["event"], "connected")
                before = packets(sock)
                commands = [masked("ping", id=1), masked("subscribe", id=2, topics=["once.a", "once.b", "once.c"]), masked("ping", id=3)]
                sock.sendall(b"".join(commands))
                told = [message() for _ in range(6)]
                self.assertEqual([one["event"] for one in told], ["pong", "subscribed", "e", "e", "e", "pong"])
                self.assertEqual(packets(sock) - before, 2, "the pong behind the snapshots is a write of its own")


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
