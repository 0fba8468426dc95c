"""The Python client (dashboards/python) against the daemon: what it brings, and what becomes of it when the daemon goes."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import aclosing
from decimal import Decimal

import issuer as made
from daemon import DASHBOARDS, GUARD, PYTHON_CLIENT, Daemon, Lasting, run

sys.path.insert(0, PYTHON_CLIENT)
import tickerd

ROOMS = """
[[topic]]
name = "rooms.lobby"
publish = true
presence = true
history = 50
[bars]
keep = { "1s" = "10m" }
"""
# A feed that counts, as fast as a slow reader needs.
COUNT = """
import itertools, json, time
for n in itertools.count(1):
    print(json.dumps({"event": "count", "class": "event", "data": n}), flush=True)
    time.sleep(0.005)
"""
COUNTING = f'[[feed]]\nname = "count"\nexec = {json.dumps([sys.executable, "-c", COUNT])}\ninterval = "20ms"\n'
AUTH = """
[server.tls]
certificate = "{certificate}"
key = "{key}"
[auth]
[[auth.issuer]]
issuer = "{issuer}"
audience = "{audience}"
algorithms = ["EdDSA"]
keys = "{keys}"
[[auth.group]]
name = "readers"
subscribe = ["sim.**"]
history = ["sim.**"]
deny = ["sim.MSFT"]
"""


async def eventually(condition):
    """Waits until it holds; the test's guard ends it."""
    while not condition():
        await asyncio.sleep(0.01)


async def said(client):
    """What the server knows of this connection's subscriptions, once the client has nothing more to say."""
    answer = await client.command("subscriptions")
    both = [*answer["topics"], *answer["patterns"]]
    return {one.get("topic", one.get("pattern")): (one["mode"], one.get("rate")) for one in both}


class Ticks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon(more=ROOMS))
        cls.url = f"http://{cls.daemon.address}"

    def test_ticks_come_once_and_in_order(self):
        async def test():
            async with tickerd.connect(self.url) as client:
                every, newest = {}, {}
                sub = client.subscribe("sim.AAPL", mode="all")
                client.on("gap", lambda gap: self.fail(gap))
                other = client.subscribe(["sim.*", "rooms.lobby"])
                client.on("tick", lambda tick: newest.update({tick.topic: tick}))
                async for tick in sub:
                    every[tick.seq] = tick
                    self.assertEqual((tick.topic, tick.event, tick.skipped), ("sim.AAPL", "quote", 0))
                    self.assertEqual(json.loads(tick.text)["data"]["value"], tick.value)
                    if len(every) == 20 and "sim.MSFT" in newest:
                        break
                self.assertEqual(sorted(every), list(range(min(every), min(every) + len(every))))
                self.assertEqual(client.latest("sim.MSFT"), newest["sim.MSFT"])
                self.assertIsNone(client.latest("host.load"))
                # Who subscribes what is there already gets the newest at once.
                async for tick in client.subscribe("sim.MSFT"):
                    self.assertEqual(tick.topic, "sim.MSFT")
                    break

        run(test())

    def test_one_subscription_on_the_wire_for_all_who_want_it(self):
        async def test():
            async with tickerd.connect(self.url, rate="1s") as client:
                slow = client.subscribe(["sim.AAPL", "sim.*"])
                await slow.ready()
                self.assertEqual(await said(client), {"sim.AAPL": ("latest", "1s"), "sim.*": ("latest", "1s")})
                fast = client.subscribe("sim.AAPL", rate="100ms")
                await eventually(lambda: client._sent["sim.AAPL"] == ("latest", "100ms"))
                self.assertEqual((await said(client))["sim.AAPL"], ("latest", "100ms"))
                every = client.subscribe("sim.AAPL", mode="all")
                async for _ in every:
                    break
                # Leaving the loop has ended it, and the others are left.
                await eventually(lambda: client._sent.get("sim.AAPL") == ("latest", "100ms"))
                fast.close()
                async with slow:
                    async for _ in slow:
                        break
                    async for _ in slow:
                        break
                await eventually(lambda: not client._sent)
                self.assertEqual(await said(client), {})
                self.assertEqual(client._newest, {})
                # Who comes again at once gets a snapshot again, and a second handler the newest.
                for _ in range(3):
                    first = client.subscribe("sim.AAPL")
                    seen, seen_too = [], []
                    first.on("tick", seen.append)
                    await eventually(lambda: seen)
                    other = client.subscribe("sim.AAPL")
                    other.on("tick", seen_too.append)
                    await eventually(lambda: seen_too)
                    first.close()
                    other.close()
                for _ in range(3):
                    async with aclosing(client.subscribe("sim.**").__aiter__()) as ticks:
                        self.assertTrue((await ticks.__anext__()).topic.startswith("sim."))
                await eventually(lambda: not client._sent and not client._subscriptions)

        run(test())

    def test_what_is_not_granted_is_raised_and_told(self):
        async def test():
            async with tickerd.connect(self.url) as client:
                failed = []
                client.on("failed", failed.append)
                part = await client.subscribe(["sim.AAPL", "simm.AAPL"]).ready()
                self.assertEqual([len(part[kind]) for kind in ("topics", "patterns", "failed")], [1, 0, 1])
                with self.assertRaises(tickerd.TickerdError) as refused:
                    async for _ in client.subscribe("simm.AAPL"):
                        pass
                self.assertEqual(refused.exception.code, 404)
                self.assertIn("did you mean sim?", refused.exception.message)
                self.assertEqual({one["topic"] for one in failed}, {"simm.AAPL"})
                with self.assertRaises(tickerd.TickerdError) as refused:
                    await client.bars("sim.AAPL", period="7s")
                self.assertIn("the periods are 1s", str(refused.exception))
                with self.assertRaises(tickerd.TickerdError) as refused:
                    await client.publish("sim.AAPL", 1)

        run(test())
        with self.assertRaises(tickerd.TickerdError) as stopped:
            async def refused():
                async with tickerd.connect(self.url, name="admin") as client:
                    async for _ in client.subscribe("sim.*"):
                        pass

            run(refused())
        self.assertEqual(stopped.exception.code, 400)

    def test_lists_values_and_the_past(self):
        async def test():
            async with tickerd.connect(self.url, parse_float=Decimal) as client:
                names = [topic["topic"] for topic in await client.topics("sim.*")]
                self.assertIn("sim.AAPL", names)
                got = await client.get(["sim.AAPL", "sim.sine"])
                self.assertEqual([tick.topic for tick in got], ["sim.AAPL", "sim.sine"])
                past = await client.history("sim.AAPL", limit=2)
                self.assertEqual([tick.seq for tick in past], sorted(tick.seq for tick in past))
                # More commands at once than the server takes; none is refused.
                answers = await asyncio.gather(*(client.command("ping", {"t": n}) for n in range(40)))
                self.assertEqual([answer["t"] for answer in answers], list(range(40)))

        run(test())

    def test_bars_are_read_page_by_page(self):
        async def test():
            async with tickerd.connect(self.url, parse_float=Decimal) as client:
                async with client.subscribe("tickerd.bars.1s.sim.AAPL") as closed:
                    count = 0
                    async for _ in closed:
                        count += 1
                        if count == 5:
                            break
                whole = json.loads(self.daemon.curl("/v1/topics/sim.AAPL/bars?period=1s").stdout)
                bars = await client.bars("sim.AAPL", period="1s", limit=2, hours=1)
                self.assertEqual(bars[: len(whole["bars"]) - 1], whole["bars"][:-1])
                two = await client.bars("sim.AAPL", period="1s", limit=2)
                self.assertEqual(len(two), 2)
                before = await client.bars("sim.AAPL", period="1s", limit=2, before=two[0]["start"])
                self.assertLess(before[-1]["start"], two[0]["start"])

        run(test())

    def test_rooms(self):
        async def test():
            async with tickerd.connect(self.url, name="ann") as ann, tickerd.connect(self.url, name="bob") as bob:
                there, letters = [], []
                bob.on("presence", there.append)
                lobby, hall = bob.subscribe("rooms.lobby"), ann.subscribe("rooms.lobby")
                await asyncio.gather(lobby.ready(), hall.ready())
                hall.on("tick", letters.append)
                self.assertEqual((await ann.publish("rooms.lobby", {"text": "hello"}))["seq"], 1)
                self.assertEqual((await ann.publish("rooms.lobby", "psst", to="user:bob"))["delivered"], 1)
                heard = []
                async for tick in lobby:
                    heard.append((tick.from_, tick.to, tick.value))
                    if len(heard) == 2:
                        break
                self.assertCountEqual(heard, [("user:ann", None, {"text": "hello"}), ("user:ann", "user:bob", "psst")])
                await eventually(lambda: letters)
                self.assertEqual([tick.value for tick in letters], [{"text": "hello"}])
                await eventually(lambda: there and there[-1]["count"] >= 1)
                who = await ann.presence("rooms.lobby")
                self.assertIn("ann", {member["name"] for member in who["members"]})
                self.assertEqual([tick.value for tick in await ann.history("rooms.lobby")], [{"text": "hello"}])

        run(test())

    def test_cancelled_in_the_middle_nothing_is_left(self):
        async def test():
            async def follow():
                async with tickerd.connect(self.url) as client:
                    clients.append(client)
                    async for _ in client.subscribe("sim.**", mode="all"):
                        seen.set()

            clients, seen = [], asyncio.Event()
            task = asyncio.create_task(follow())
            await seen.wait()
            started = time.monotonic()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertLess(time.monotonic() - started, 1.5)
            # Also while it connects, and while a command waits.
            client = tickerd.connect("http://127.0.0.1:9")
            waits = asyncio.create_task(client.get("sim.AAPL"))
            await asyncio.sleep(0)
            await client.aclose()
            with self.assertRaisesRegex(tickerd.TickerdError, "closed"):
                await waits
            await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})
            self.assertEqual(clients[0].status.state, "closed")

        run(test())


class SlowReader(unittest.TestCase):
    def test_what_does_not_fit_into_the_queue_is_told(self):
        async def test(url):
            async with tickerd.connect(url) as client:
                gaps, lags, seqs = [], [], []
                every = client.subscribe("count", mode="all", queue=5)
                client.on("gap", gaps.append)
                async for tick in every:
                    seqs.append(tick.seq)
                    await asyncio.sleep(0.2 if len(seqs) < 5 else 0)
                    self.assertLessEqual(len(every._queue), 5)
                    if len(seqs) == 20:
                        break
                self.assertEqual(seqs, sorted(set(seqs)))
                self.assertGreater(seqs[-1] - seqs[0], 20)
                self.assertEqual({(gap.topics[0], gap.recovered, gap.why) for gap in gaps}, {("count", False, "overflow")})
                # So it is with a pattern.
                seqs.clear()
                async with client.subscribe("*", mode="all") as pattern:
                    async for tick in pattern:
                        seqs.append(tick.seq)
                        if len(seqs) > 1:
                            self.assertEqual(tick.skipped, 0)
                            await asyncio.sleep(0.05)
                        if len(seqs) == 12:
                            break
                self.assertEqual(seqs[1:], list(range(seqs[1], seqs[1] + 11)))
                # Of state only the newest waits, and how many it stands for is told.
                client.on("lag", lags.append)
                seqs.clear()
                async for tick in client.subscribe("sim.sine", mode="latest"):
                    seqs.append((tick.seq, tick.skipped))
                    await asyncio.sleep(0.35)
                    if len(seqs) == 4:
                        break
                for (before, _), (seq, skipped) in zip(seqs, seqs[1:]):
                    self.assertEqual(skipped, seq - before - 1)
                self.assertEqual({lag["by"] for lag in lags}, {"reader"})
                self.assertGreater(sum(lag["skipped"] for lag in lags), 2)

        with Daemon(more=COUNTING) as daemon:
            run(test(f"http://{daemon.address}"))

    def test_the_server_s_skips_are_told(self):
        wide = 'import json,time\nwhile True:\n print(json.dumps({"event":"wide","data":"x"*40000+str(time.time())}),flush=True); time.sleep(0.005)'
        more = f'[[feed]]\nname = "wide"\nexec = {json.dumps([sys.executable, "-c", wide])}\ninterval = "20ms"\n'

        async def test(url):
            async with tickerd.connect(url) as client:
                lags = []
                client.on("lag", lags.append)
                async with client.subscribe("wide") as sub:
                    async for _ in sub:
                        if lags:
                            break
                        time.sleep(0.3)  # the whole loop stands still
                self.assertGreater(lags[0]["skipped"], 0)

        with Daemon(more=more) as daemon:
            run(test(f"http://{daemon.address}"))


class Outages(unittest.TestCase):
    def test_killed_five_times_it_comes_back_and_says_what_is_lost(self):
        async def test(daemon):
            states, gaps, epochs = [], [], []
            async with tickerd.connect(f"http://{daemon.address}") as client:
                client.on("status", lambda status: states.append(status.state))
                client.on("gap", gaps.append)
                client.on("epoch", epochs.append)
                async with client.subscribe("sim.AAPL", mode="all") as sub:
                    kills = 0
                    async for tick in sub:
                        if len(epochs) == kills:
                            if kills == 5:
                                break
                            kills += 1
                            await asyncio.to_thread(daemon.restart, signal.SIGKILL)
                self.assertEqual(states.count("live"), 6)
                self.assertEqual([(gap.topics, gap.recovered, gap.why) for gap in gaps], [(["sim.AAPL"], False, "restarted")] * 5)

        with Lasting() as daemon:
            run(test(daemon))

    def test_with_a_kept_past_nothing_is_missed_over_restarts(self):
        async def test(daemon):
            gaps, seqs, restarts = [], [], 0
            async with tickerd.connect(f"http://{daemon.address}") as client:
                client.on("gap", gaps.append)
                async with client.subscribe(["sim.AAPL", "sim.trades.*"], mode="all") as sub:
                    async for tick in sub:
                        if tick.topic == "sim.AAPL":
                            seqs.append(tick.seq)
                            if len(seqs) % 10 == 0 and restarts < 3:
                                restarts += 1
                                await asyncio.to_thread(daemon.restart, signal.SIGTERM)
                            elif len(seqs) > 50:
                                break
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))))
            self.assertTrue(gaps)
            for gap in gaps:
                self.assertEqual((gap.recovered, gap.why), (True, "reconnected"))

        folder = self.enterContext(tempfile.TemporaryDirectory())
        with Lasting(more=f'[history]\npath = "{folder}/history"\n') as daemon:
            run(test(daemon))

    def test_a_stopped_daemon_is_waited_for(self):
        async def test(daemon):
            statuses = []
            async with tickerd.connect(f"http://{daemon.address}") as client:
                client.on("status", statuses.append)
                sub = client.subscribe("sim.AAPL")
                await sub.ready()
                await asyncio.to_thread(daemon.end, signal.SIGTERM)
                await eventually(lambda: sum(status.state == "waiting" for status in statuses) >= 3)
                waits = [status for status in statuses if status.state == "waiting"]
                self.assertEqual((waits[0].code, waits[1].code), (1012, 1006))
                asked = asyncio.create_task(client.get("sim.AAPL"))
                await asyncio.to_thread(daemon.start)
                self.assertIn([tick.topic for tick in await asked], ([], ["sim.AAPL"]))

        with Lasting() as daemon:
            run(test(daemon))


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.authority, cls.issuer = made.Authority(folder), made.Issuer(folder)
        more = AUTH.format(certificate=cls.authority.certificate, key=cls.authority.key, issuer=made.NAME,
                           audience=made.AUDIENCE, keys=cls.issuer.keys)
        cls.daemon = cls.enterClassContext(Daemon(more=more, authority=cls.authority.file))
        cls.url = f"https://{cls.daemon.address}"

    def connect(self, token):
        return tickerd.connect(self.url, token=token, ssl=ssl.create_default_context(cafile=self.authority.file))

    def test_a_token_that_is_not_good_stops(self):
        async def test():
            for token, why in [("of-another-server", "token_unknown"), (self.issuer.token("pia", ["readers"], life=-60), "token_expired")]:
                async with self.connect(token) as client:
                    with self.assertRaises(tickerd.TickerdError) as refused:
                        await client.get("sim.AAPL")
                    self.assertEqual(refused.exception.code, 4001)
                    self.assertIn(why, refused.exception.message)

        run(test())

    def test_what_a_user_may_not_have_is_told(self):
        async def test():
            async with self.connect(self.issuer.token("pia", ["readers"])) as client:
                answer = await client.subscribe(["sim.AAPL", "sim.MSFT"]).ready()
                self.assertEqual([(no["topic"], no["code"]) for no in answer["failed"]], [("sim.MSFT", 403)])
                await eventually(lambda: client.user == "pia" and client.latest("sim.AAPL"))

        run(test())

    def test_a_token_is_renewed_in_band_or_with_another_connection(self):
        async def test():
            reasons, late = [], []

            def renews(reason):
                reasons.append(reason)
                return self.issuer.token("eve", ["readers"], life=5 if reason == "connect" else 3600)

            async def fails(reason):
                late.append(reason)
                if reason == "expiring":
                    raise OSError("the login server is away")
                return self.issuer.token("eve", ["readers"], life=5 if reason == "connect" else 3600)

            async with self.connect(renews) as client, self.connect(fails) as other:
                states, others = [], []
                client.on("status", lambda status: states.append(status.state))
                other.on("status", lambda status: others.append((status.state, status.code)))
                sub, second = client.subscribe("sim.AAPL"), other.subscribe("sim.AAPL")
                await asyncio.gather(sub.ready(), second.ready())
                await eventually(lambda: ("waiting", 4103) in others and other.status.state == "live")
                seq = client.latest("sim.AAPL").seq
                await eventually(lambda: client.latest("sim.AAPL").seq > seq)
                self.assertEqual((reasons, states.count("live")), (["connect", "expiring"], 1))
                self.assertEqual(late, ["connect", "expiring", "expired"])

        run(test())

    def test_who_is_revoked_asks_for_a_token_once_more(self):
        async def test():
            reasons, issued = [], int(time.time())

            def token(reason):
                reasons.append(reason)
                return self.issuer.token("zoe", ["readers"], issued=issued)

            async with self.connect(token) as client:
                sub = client.subscribe("sim.AAPL")
                await sub.ready()
                self.assertIn("revoked", self.daemon.disconnect("--user", "zoe").stdout)
                with self.assertRaises(tickerd.TickerdError) as stopped:
                    async for _ in sub:
                        pass
                self.assertIn("token_revoked", stopped.exception.message)
                self.assertEqual(reasons, ["connect", "refused"])

        run(test())


class Package(unittest.TestCase):
    def test_it_installs_from_its_folder_and_its_types_hold(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        source = os.path.join(DASHBOARDS, "python")
        subprocess.run(["cp", "-r", source, f"{folder}/source"], check=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", f"{folder}/into", f"{folder}/source"], check=True, timeout=GUARD * 2)
        found = os.listdir(f"{folder}/into/tickerd")
        self.assertIn("py.typed", found)
        self.assertIn("client.py", found)
        with open(f"{folder}/uses.py", "w") as file:
            file.write("import tickerd\n\nasync def main() -> str:\n    async with tickerd.connect('http://h') as t:\n"
                       "        async for tick in t.subscribe('a.b'):\n            return tick.topic\n    return ''\n")
        mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", f"{folder}/cache", f"{folder}/into/tickerd", f"{folder}/uses.py"]
        done = subprocess.run(mypy, cwd=f"{folder}/into", capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
