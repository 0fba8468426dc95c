"""The Python client's parts by themselves, and the client against a server that says what the test wants."""

import asyncio
import json
import os
import sys
import time
import unittest
from http import HTTPStatus
from unittest import mock

import websockets

from daemon import PYTHON_CLIENT, run

sys.path.insert(0, PYTHON_CLIENT)
import tickerd
from tickerd.values import milliseconds, pause, stops

EPOCH = "k3v9q2ta"


class Parts(unittest.TestCase):
    def test_patterns(self):
        for pattern, topic, wanted in [
            ("a.b", "a.b", True), ("a.b", "a.b.c", False), ("a.*", "a.b", True), ("a.*", "a.b.c", False), ("a.*", "a", False),
            ("a.**", "a.b.c", True), ("a.**", "a", False), ("**", "a", True), ("*.b", "a.b", True), ("*", "a.b", False),
            ("**", "tickerd.stats", False), ("*.stats", "tickerd.stats", False), ("tickerd.*", "tickerd.stats", True),
            ("tickerd.bars.1m.**", "tickerd.bars.1m.sim.A", True),
        ]:
            with self.subTest(pattern=pattern, topic=topic):
                self.assertEqual(tickerd.matches(pattern, topic), wanted)

    def test_the_source_is_at_most_500_lines(self):
        folder = os.path.join(PYTHON_CLIENT, "tickerd")
        lines = []
        for name in os.listdir(folder):
            if name.endswith(".py"):
                with open(os.path.join(folder, name)) as file:
                    lines += file.read().splitlines()
        self.assertLessEqual(len(lines), 500)
        self.assertLessEqual(max(map(len, lines)), 120)

    def test_how_long_a_rate_is(self):
        self.assertEqual([milliseconds(rate) for rate in (None, "250ms", "1s", "90s", "2m", "1h")], [0, 250, 1000, 90_000, 120_000, 3_600_000])

    def test_what_a_close_asks_for(self):
        for code in (1000, 1002, 1003, 1007, 1009, 4000, 4001, 4003, 4008, 4009, 400, 403, 404, 409):
            self.assertTrue(stops(code), code)
        for code in (1001, 1006, 1011, 1012, 4100, 4101, 4102, 4103, 4104, 4200, 4201, 429, 500, 503):
            self.assertFalse(stops(code), code)

    def test_the_back_off_doubles_until_a_connection_is_let_in(self):
        lost, restarts = tickerd.TickerdError(1006, ""), tickerd.TickerdError(1012, "")
        with mock.patch("random.uniform", lambda least, most: most):
            self.assertEqual([pause(lost, tries, None) for tries in range(1, 10)], [0.5, 1, 2, 4, 8, 16, 30, 30, 30])
            self.assertEqual(pause(lost, 10**9, None), 30)
            self.assertEqual(pause(lost, 0, None), 0.5)
            self.assertEqual(pause(restarts, 0, (0.5, 5)), 5)
            self.assertEqual(pause(tickerd.TickerdError(4201, ""), 0, None), 0.5)
            # A server that is about to stop says 1012 to each that comes.
            self.assertEqual([pause(restarts, tries, None) for tries in (1, 2, 3)], [0.5, 1, 2])
            self.assertEqual(pause(tickerd.TickerdError(503, "", True, 7000), 4, None), 11)
        waits = {pause(lost, 1, None) for _ in range(50)}
        self.assertGreater(len(waits), 25)
        self.assertTrue(all(0.25 <= wait <= 0.5 for wait in waits))


class Server:
    """A server that has the test say each line. `scripts`: one function for each connection; the last one stays."""

    def __init__(self, *scripts, refuse=()):
        self.scripts, self.refuse, self.heard, self.paths, self.opened = list(scripts), list(refuse), [], [], []

    async def __aenter__(self):
        self.server = await websockets.serve(self.serve, "127.0.0.1", 0, process_request=self.judge, ping_interval=None)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    def judge(self, connection, request):
        self.paths.append((request.path, request.headers.get("Authorization")))
        self.opened.append(time.monotonic())
        if self.refuse:
            status, body, headers = self.refuse.pop(0)
            response = connection.respond(HTTPStatus(status), json.dumps(body))
            response.headers.update(headers)
            return response

    async def serve(self, ws):
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            await script(Line(ws, self))
        except websockets.ConnectionClosed:
            pass


class Line:
    def __init__(self, ws, server):
        self.ws, self.server = ws, server

    async def say(self, event, **data):
        await self.ws.send(json.dumps({"event": event, "data": data}))

    async def connected(self, epoch=EPOCH, heartbeat=15_000):
        await self.say("connected", v=1, server="fake", conn="0-1", epoch=epoch, heartbeat_ms=heartbeat,
                       limits={"topics": 1024, "patterns": 32, "message_bytes": 65536})

    async def hear(self):
        heard = json.loads(await self.ws.recv())
        self.server.heard.append(heard)
        return heard["event"], heard["data"]

    async def grant(self, seq=0, **more):
        """Grants all of the next subscribe."""
        event, data = await self.hear()
        assert event == "subscribe", event
        topics = [{"topic": name, "seq": seq, "mode": data["mode"], **more} for name in data["topics"] if "*" not in name]
        patterns = [{"pattern": name, "count": 1} for name in data["topics"] if "*" in name]
        await self.say("subscribed", id=data["id"], topics=topics, patterns=patterns, failed=[])
        return data

    async def tick(self, topic, seq, **more):
        await self.say("quote", topic=topic, seq=seq, ts=1, value=seq, **more)

    async def stay(self):
        await self.ws.wait_closed()


async def eventually(condition):
    """Waits until it holds; the test's guard ends it."""
    while not condition():
        await asyncio.sleep(0.005)


def serving(*scripts, **options):
    """Runs a test with such a server and a client of it."""

    def decorate(test):
        def wrapped(self):
            async def go():
                async with Server(*scripts, **options) as server:
                    await test(self, server)

            run(go())

        return wrapped

    return decorate


async def no_more(line):
    await line.connected()
    await line.stay()


async def silent(line):
    await line.connected(heartbeat=150)
    await line.stay()


async def odd(line):
    await line.connected()
    for text in ("nonsense", "[]", "3", '{"event":7,"data":[]}', '{"event":"notice"}', '{"event":"notice","data":{"type":"stale"}}',
                 '{"event":"subscribed","data":{"topics":7}}', '{"event":"error","data":{"id":[]}}', "[" * 100_000,
                 '{"event":"later","data":{"topic":"sim.A","seq":"7","ts":1,"value":1}}', '{"event":"error","data":{"code":"x"}}'):
        await line.ws.send(text)
    await line.grant()
    await line.tick("sim.A", 1)
    await line.stay()


async def returns_first(line):
    await line.connected()
    await line.grant()
    for seq in (5, 6, 6, 5, 7):
        await line.tick("sim.A", seq)
    await line.ws.close(1012, "service_restart")


async def returns_second(line):
    await line.connected()
    await line.grant(seq=9, recovered=True)
    for seq in (7, 8, 9):
        await line.tick("sim.A", seq)
    await line.ws.close(1012, "service_restart")


async def returns_third(line):
    await line.connected()
    await line.grant(seq=20, recovered=False)
    await line.tick("sim.A", 20)
    await line.ws.close(1012, "service_restart")


async def returns_fourth(line):
    await line.connected(epoch="another")
    await line.grant(seq=1)
    await line.tick("sim.A", 1)
    await line.stay()


async def pattern_first(line):
    await line.connected()
    await line.grant()
    await line.tick("sim.A", 5)
    await line.tick("sim.B", 5)
    await line.ws.close(1012, "")


async def pattern_second(line):
    await line.connected()
    await line.grant(seq=6, recovered=True)
    await line.grant()
    await line.tick("sim.A", 6)
    await line.stay()


async def rarely(line):
    await line.connected()
    while True:
        event, data = await line.hear()
        if event == "subscribe":
            await line.say("subscribed", id=data["id"], topics=[{"topic": "sim.A", "seq": 7}], patterns=[], failed=[])
            await line.tick("sim.A", 7)
        else:
            await line.say("unsubscribed", id=data["id"], topics=["sim.A"], patterns=[])


async def busy(line):
    await line.connected()
    _, data = await line.hear()
    await line.say("error", id=data["id"], code=429, name="rate_limited", message="at most", temporary=True, retry_after_ms=30)
    await line.grant()
    await line.tick("sim.A", 1)
    await line.stay()


async def fails_for_now(line):
    await line.connected()
    for _ in range(2):
        _, data = await line.hear()
        await line.say("error", id=data["id"], code=503, name="unavailable", message="not now", temporary=True)
    await line.grant()
    await line.tick("sim.A", 1)
    await line.stay()


async def closing(line):
    await line.connected()
    await line.say("closing", in_ms=1000, reconnect_ms=[0, 20])
    await line.ws.close(1012, "service_restart")


async def cut(line):
    await line.connected()
    await line.hear()
    line.ws.transport.abort()


async def oddly_closing(line):
    await line.connected()
    for wrong in ({}, {"reconnect_ms": 5}, {"reconnect_ms": [1]}, {"reconnect_ms": ["a", "b"]}, {"reconnect_ms": [1, 2, 3]}):
        await line.say("closing", **wrong)
    await line.say("closing", reconnect_ms=[-5, 20])
    await line.ws.close(1012, "")


async def grants_all(line):
    await line.connected()
    heard = 0
    while heard < 1000:
        heard += len((await line.grant(seq=2**53, recovered=True))["topics"])
    await line.tick("sim.last", 2**53 + len(line.server.heard))
    await line.ws.close(1012, "")


async def answers_pings(line):
    await line.connected()
    while True:
        _, data = await line.hear()
        line.server.opened.append(time.monotonic())
        await line.say("pong", id=data["id"])


def closes(code, reason=""):
    async def script(line):
        await line.connected()
        await line.ws.close(code, reason)

    return script


NODE = 2**32


async def shares_feeds_first(line):
    await line.connected()
    for _ in range(2):
        _, data = await line.hear()
        topics = [{"topic": name, "seq": 0, "mode": "all", "epoch": "e-1-a-1"} for name in data["topics"] if "*" not in name]
        patterns = [{"pattern": name, "count": 1, "mode": "all", "epochs": {"b": "e-1-c-1"}} for name in data["topics"] if "*" in name]
        await line.say("subscribed", id=data["id"], topics=topics, patterns=patterns, failed=[])
    await line.tick("a.x", NODE + 7)
    await line.tick("b.y", NODE + 2)
    await line.say("notice", type="reset", feed="a", topics=["a.x"], epoch="e-2-b-1")
    await line.say("notice", type="reset", topics=["a.x"])
    await line.tick("a.x", 2 * NODE + 3)
    await line.tick("a.x", 2 * NODE + 5)
    await line.ws.close(1012, "service_restart")


async def shares_feeds_again(line):
    await line.connected()
    for _ in range(2):
        line.server.since.append((await line.grant(seq=2**40, recovered=True))["since"])
    await line.stay()


async def many_by_a_pattern(line):
    await line.connected()
    for _ in range(2):
        await line.grant()
    for n in range(5):
        await line.tick(f"sim.{n}", 1)
    await line.tick("host.cpu", 1)
    await line.ws.close(1012, "service_restart")


async def with_room_for_three(line):
    """Grants at most three topics at once, and says what it hears in `server.asked`."""
    await line.connected()
    granted = set()
    while True:
        event, data = await line.hear()
        line.server.asked.append((event, data["topics"]))
        if event == "unsubscribe":
            granted -= set(data["topics"])
            await line.say("unsubscribed", id=data["id"], topics=data["topics"], patterns=[])
            continue
        topics, patterns, failed = [], [], []
        for name in data["topics"]:
            if "*" in name and not line.server.is_busy:
                patterns.append({"pattern": name, "count": 5, "mode": "all"})
            elif "*" in name:
                line.server.is_busy = False
                await line.say("error", id=data["id"], code=503, name="unavailable", message="not now", temporary=True)
                break
            elif len(granted) < 3:
                granted.add(name)
                topics.append({"topic": name, "seq": 1, "mode": data["mode"]} | ({"recovered": True} if "since" in data else {}))
            else:
                failed.append({"topic": name, "code": 431, "message": "a connection may have 3 topics"})
        else:
            await line.say("subscribed", id=data["id"], topics=topics, patterns=patterns, failed=failed)


def of_a_node(node, seq, stays=False):
    async def script(line):
        await line.connected()
        _, data = await line.hear()
        own = {"topic": "tickerd.stats", "seq": 0, "mode": "latest", "epoch": node}
        await line.say("subscribed", id=data["id"], topics=[own], patterns=[], failed=[])
        await line.tick("tickerd.stats", seq)
        await (line.stay() if stays else line.ws.close(1012, "service_restart"))

    return script


class Fake(unittest.TestCase):
    @serving(of_a_node("e-a", 500), of_a_node("e-a", 500), of_a_node("e-b", 3, stays=True))
    async def test_another_server_counts_its_own_topics_from_the_beginning(self, server):
        got = []
        async with tickerd.connect(server.url) as client:
            client.subscribe("tickerd.stats").on("tick", lambda tick: got.append(tick.seq))
            await eventually(lambda: 3 in got)
        self.assertEqual(got, [500, 3])

    @serving(shares_feeds_first, shares_feeds_again)
    async def test_where_several_servers_share_feeds_a_position_says_whose_numbers_it_means(self, server):
        server.since, got, gaps = [], [], []
        async with tickerd.connect(server.url) as client:
            client.on("gap", lambda gap: gaps.append((gap.topics, gap.why)))
            client.on("tick", lambda tick: got.append((tick.topic, tick.seq, tick.skipped)))
            client.subscribe(["a.x", "b.*"], mode="all")
            await eventually(lambda: len(server.since) == 2)
        self.assertEqual(got, [("a.x", NODE + 7, 0), ("b.y", NODE + 2, 0), ("a.x", 2 * NODE + 3, 0), ("a.x", 2 * NODE + 5, 1)])
        self.assertEqual(gaps[:2], [(["a.x"], "reset")] * 2)
        self.assertEqual(server.since, [{"epoch": {"a.x": "e-2-b-1"}, "seq": {"a.x": 2 * NODE + 5}},
                                        {"epoch": {"b.y": "e-1-c-1"}, "seq": {"b.y": NODE + 2}}])

    @serving(no_more)
    async def test_a_command_that_cannot_be_said_or_has_no_answer_ends(self, server):
        async with tickerd.connect(server.url) as client:
            with self.assertRaises(ValueError):
                await client.publish("rooms.lobby", {"price": float("nan")})
            with mock.patch("tickerd.client.ANSWER_S", 0.05), self.assertRaises(tickerd.TickerdError) as raised:
                await client.publish("rooms.lobby", 1)
        self.assertEqual((raised.exception.code, raised.exception.temporary), (408, True))

    @serving(silent, no_more)
    async def test_silence_is_a_lost_connection(self, server):
        states = []
        async with tickerd.connect(server.url) as client:
            client.on("status", lambda status: states.append(status.state))
            await eventually(lambda: states.count("live") == 2)
        self.assertEqual(states[:4], ["connecting", "live", "waiting", "connecting"])

    @serving(odd)
    async def test_odd_messages_are_told_and_nothing_ends(self, server):
        errors = []
        async with tickerd.connect(server.url) as client:
            client.on("error", errors.append)
            async for tick in client.subscribe("sim.A"):
                self.assertEqual((tick.seq, tick.value), (1, 1))
                break
        self.assertGreater(len(errors), 5)
        self.assertEqual(len(server.opened), 1)

    @serving(returns_first, returns_second, returns_third, returns_fourth)
    async def test_positions_bring_what_was_missed_and_another_epoch_forgets_them(self, server):
        gaps, epochs, seqs = [], [], []
        async with tickerd.connect(server.url) as client:
            client.on("gap", gaps.append)
            client.on("epoch", epochs.append)
            async for tick in client.subscribe("sim.A", mode="all"):
                seqs.append(tick.seq)
                if tick.seq == 1:
                    break
        self.assertEqual(seqs, [5, 6, 7, 8, 9, 20, 1])
        self.assertEqual([(gap.recovered, gap.why) for gap in gaps],
                         [(True, "reconnected"), (False, "reconnected"), (False, "restarted")])
        self.assertEqual(epochs, ["another"])
        sent = [command["data"].get("since") for command in server.heard]
        self.assertEqual(sent, [None, *({"epoch": EPOCH, "seq": {"sim.A": seq}} for seq in (7, 9)), None])

    @serving(pattern_first, pattern_second)
    async def test_topics_of_a_pattern_are_recovered_by_name(self, server):
        gaps, seqs = [], []
        async with tickerd.connect(server.url) as client:
            client.on("gap", gaps.append)
            async for tick in client.subscribe("sim.*", mode="all"):
                seqs.append((tick.topic, tick.seq))
                if tick.seq == 6:
                    break
        self.assertEqual(seqs, [("sim.A", 5), ("sim.B", 5), ("sim.A", 6)])
        self.assertEqual(gaps, [tickerd.Gap(["sim.A", "sim.B"], True, "reconnected")])
        self.assertEqual(server.heard[1]["data"]["since"]["seq"], {"sim.A": 5, "sim.B": 5})
        self.assertEqual(server.heard[2]["data"]["topics"], ["sim.*"])

    @serving(rarely)
    async def test_who_subscribes_again_gets_the_newest_again(self, server):
        async with tickerd.connect(server.url) as client:
            for _ in range(3):
                async for tick in client.subscribe("sim.A"):
                    self.assertEqual(tick.seq, 7)
                    break
            for _ in range(3):
                seen = []
                sub = client.subscribe("sim.A")
                sub.on("tick", seen.append)
                await eventually(lambda: seen)
                sub.close()

    @serving(busy)
    async def test_over_the_limit_it_waits_and_subscribes_again(self, server):
        async with tickerd.connect(server.url) as client:
            sub = client.subscribe("sim.A")
            granted = await sub.ready()
            self.assertEqual([grant["topic"] for grant in granted["topics"]], ["sim.A"])
        self.assertEqual([command["event"] for command in server.heard], ["subscribe", "subscribe"])

    @serving(many_by_a_pattern, with_room_for_three)
    async def test_what_a_pattern_missed_takes_no_room_from_topics_that_are_named(self, server):
        server.asked, server.is_busy, gaps = [], True, []
        with mock.patch("tickerd.client.AGAIN_S", 0.02):
            async with tickerd.connect(server.url) as client:
                client.on("gap", gaps.append)
                _, one = client.subscribe("sim.**", mode="all"), client.subscribe("host.cpu")
                heard = lambda: [event for event, _ in server.asked]
                await eventually(lambda: heard().count("subscribe") == 4 and heard()[-1] == "unsubscribe")
                self.assertEqual((await one.ready())["failed"], [])
        named, missed, pattern, again = [topics for event, topics in server.asked if event == "subscribe"]
        self.assertEqual((named, pattern, again), (["host.cpu"], ["sim.**"], ["sim.**"]))
        self.assertEqual(sorted(missed), [f"sim.{n}" for n in range(5)])
        self.assertEqual(sorted(server.asked[-1][1]), sorted(missed[:2]), "once their pattern brings them")
        self.assertEqual([(gap.topics, gap.recovered) for gap in gaps], [(missed[2:], False)])

    @serving(fails_for_now)
    async def test_what_fails_for_now_is_asked_for_again_on_the_same_connection(self, server):
        failures = []
        with mock.patch("tickerd.client.AGAIN_S", 0.02):
            async with tickerd.connect(server.url) as client:
                client.on("failed", failures.append)
                sub = client.subscribe("sim.A")
                self.assertEqual([grant["topic"] for grant in (await sub.ready())["topics"]], ["sim.A"])
                async for tick in sub:
                    self.assertEqual((tick.topic, tick.seq), ("sim.A", 1))
                    break
        self.assertEqual([(one["topic"], one["code"], one["temporary"]) for one in failures], [("sim.A", 503, True)] * 2)
        self.assertEqual(len(server.opened), 1)

    @serving(closing, no_more)
    async def test_a_planned_restart_names_the_window(self, server):
        statuses = []
        async with tickerd.connect(server.url) as client:
            client.on("status", statuses.append)
            await eventually(lambda: [one.state for one in statuses].count("live") == 2)
        (waiting,) = [one for one in statuses if one.state == "waiting"]
        self.assertEqual((waiting.code, waiting.why), (1012, "service_restart"))
        self.assertLessEqual(waiting.seconds, 0.02)

    @serving(oddly_closing, no_more)
    async def test_the_window_may_have_any_shape(self, server):
        errors, statuses = [], []
        async with tickerd.connect(server.url) as client:
            client.on("error", errors.append)
            client.on("status", statuses.append)
            await eventually(lambda: [one.state for one in statuses].count("live") == 2)
        self.assertEqual(len(errors), 5)
        (waiting,) = [one for one in statuses if one.state == "waiting"]
        self.assertLessEqual(waiting.seconds, 0.02)

    @serving(grants_all)
    async def test_many_names_go_in_parts_that_fit_into_messages(self, server):
        names = ["sim.last", *(f"sim.{n:0>170}" for n in range(999))]
        async with tickerd.connect(server.url) as client:
            sub = client.subscribe(names, mode="all")
            await eventually(lambda: len(server.opened) == 2 and sum(len(heard["data"]["topics"]) for heard in server.heard) == 2000)
        self.assertEqual([name for heard in server.heard[: len(server.heard) // 2] for name in heard["data"]["topics"]], names)
        self.assertEqual(server.heard[len(server.heard) // 2]["data"]["since"]["seq"], {"sim.last": 2**53 + len(server.heard) // 2})
        self.assertLess(max(len(json.dumps(heard)) for heard in server.heard), 65536 / 2)

    @serving(answers_pings)
    async def test_commands_are_paced(self, server):
        async with tickerd.connect(server.url) as client:
            await asyncio.gather(*(client.command("ping") for _ in range(27)))
        came = [at - server.opened[1] for at in server.opened[1:]]
        self.assertLess(came[15], 0.5)
        self.assertGreater(came[26], 0.95)

    @serving(closes(4009, "too_many_errors: ten"))
    async def test_a_close_that_says_stop_stops(self, server):
        async with tickerd.connect(server.url) as client:
            sub = client.subscribe("sim.A")
            for loop in (sub, client.subscribe("sim.B")):
                with self.assertRaises(tickerd.TickerdError) as stopped:
                    async for _ in loop:
                        pass
                self.assertEqual((stopped.exception.code, client.status.state), (4009, "stopped"))
            with self.assertRaises(tickerd.TickerdError):
                await client.get("sim.A")

    @serving(no_more, refuse=[(503, {"detail": "full"}, {"Retry-After": "1"}), (400, {"detail": "no key"}, {})])
    async def test_a_refused_handshake_is_read(self, server):
        statuses = []
        async with tickerd.connect(server.url + "/ws?x=1", name="ann") as client:
            client.on("status", statuses.append)
            await eventually(lambda: client.status.state == "stopped")
        self.assertEqual([(one.state, one.code, one.why) for one in statuses],
                         [("connecting", 0, ""), ("waiting", 503, "full"), ("connecting", 0, ""), ("stopped", 400, "no key"),
                          ("closed", 1000, "the client is closed")])
        self.assertGreater(statuses[1].seconds, 1)
        self.assertEqual({path for path, _ in server.paths}, {"/ws?x=1&name=ann"})

    @serving(no_more, refuse=[(302, {}, {"Location": "http://127.0.0.2:1/"})])
    async def test_the_token_follows_no_redirect(self, server):
        async with tickerd.connect(server.url, token="secret") as client:
            await eventually(lambda: client.status.state == "stopped")
            self.assertEqual(client.status.code, 302)
        self.assertEqual(server.paths, [("/ws", "Bearer secret")])

    @serving(no_more, refuse=[(401, {"detail": "token_expired: over"}, {})] * 3)
    async def test_a_token_that_is_refused_is_asked_for_once_more(self, server):
        async with tickerd.connect(server.url, token="static") as client:
            await eventually(lambda: client.status.state == "stopped")
            self.assertEqual((client.status.code, client.status.why), (4001, "token_expired: over"))
        reasons = []

        async def token(reason):
            reasons.append(reason)
            if len(reasons) == 1:
                raise OSError("the login server is away")
            return f"token-{len(reasons)}"

        async with tickerd.connect(server.url, token=token) as client:
            await eventually(lambda: client.status.state == "stopped")
        self.assertEqual(reasons, ["connect", "connect", "refused"])
        self.assertEqual([sent for _, sent in server.paths], ["Bearer static", "Bearer token-2", "Bearer token-3"])
        async with tickerd.connect(server.url, token=lambda reason: "") as client:
            await eventually(lambda: client.status.state == "stopped")
            self.assertIn("no token", client.status.why)
        async with tickerd.connect(server.url) as client:
            await eventually(lambda: client.status.state == "live")
        self.assertEqual(server.paths[-1], ("/ws", None))

    @serving(cut, no_more)
    async def test_a_command_whose_answer_is_lost_says_so(self, server):
        async with tickerd.connect(server.url) as client:
            with self.assertRaises(tickerd.TickerdError) as lost:
                await client.publish("rooms.a", 1)
            self.assertTrue(lost.exception.temporary)

    def test_mistakes_are_told_at_once(self):
        async def test():
            with self.assertRaisesRegex(ValueError, "must be such as"):
                tickerd.connect("127.0.0.1:8425")
            client = tickerd.connect("http://127.0.0.1:9")
            with self.assertRaisesRegex(ValueError, "with its unit"):
                client.subscribe("a.b", rate="5")
            with self.assertRaisesRegex(ValueError, "latest or all"):
                client.subscribe("a.b", mode="every")
            await client.aclose()
            with self.assertRaisesRegex(tickerd.TickerdError, "closed"):
                await client.subscribe("a.b").ready()

        run(test())


if __name__ == "__main__":
    unittest.main()
