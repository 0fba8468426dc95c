"""Rows: a daemon that is killed, stopped, and whose clock jumps."""

import asyncio
import json
import os
import random
import signal
import struct
import tempfile
import time

import websockets

from checker import Checker, history
from machine import Daemon, counting, until

# More than is told in a few lives, and less than an answer holds.
KEPT_TICKS = 4_000
KEPT = f'count = {KEPT_TICKS}\nage = "168h"\npath = "past"'


class Load:
    """Clients that only read, and must not be closed."""

    def __init__(self, count):
        self.count, self.sockets, self.tasks = count, [], []

    async def begin(self, daemon):
        self.sockets = [await daemon.ws("/ws?topics=x.**") for _ in range(self.count)]
        self.tasks = [asyncio.create_task(self.read(one)) for one in self.sockets]

    @staticmethod
    async def read(ws):
        try:
            async for _ in ws:
                pass
        except websockets.ConnectionClosed:
            pass

    def closed(self):
        return [one.close_code for one in self.sockets if one.close_code is not None]

    async def end(self):
        for one in self.sockets:
            one.transport.abort()
        await asyncio.gather(*self.tasks)


async def kills(scale):
    times, topics = scale(100, 6), 5
    in_order_times = 0
    async with Daemon(counting(topics, 50), history=KEPT) as daemon:
        names = [f"x.t{n}" for n in range(topics)]
        checker, chance, load = Checker(), random.Random(18), Load(20)
        # What was told before this life, by topic and number, and how much of it the file holds by the daemon's own word.
        told, written, in_order = {name: {} for name in names}, 0, False
        for life in range(times):
            started_ms = time.time_ns() // 1_000_000
            if life:
                await daemon.start()
            await checker.begin(daemon)
            if life:
                assert checker.renewed != in_order, f"ended in order: {in_order}, and another epoch: {checker.renewed}"
                assert set(checker.came_back.values()) == {in_order}, f"in order: {in_order}, recovered: {checker.came_back}"
            # The server's own topic is written as well.
            kept = await history(daemon, [*names, "tickerd.stats"])
            intact(kept, told, written, in_order, started_ms)
            await load.begin(daemon)
            await checker.more(5 * topics)
            # Within one epoch a client that was away for a moment has all of it.
            await checker.end()
            await checker.begin(daemon)
            assert not checker.renewed and set(checker.came_back.values()) == {True}, checker.came_back
            await checker.more(chance.randrange(1, 20 * topics))
            written = int(daemon.metric("tickerd_history_written_total"))
            assert not load.closed(), f"closed meanwhile: {load.closed()}"
            in_order = life + 1 < times and chance.random() < 0.2
            in_order_times += in_order
            code = daemon.end(signal.SIGTERM if in_order else signal.SIGKILL)
            assert code == (0 if in_order else -signal.SIGKILL), f"it ended with {code}"
            await checker.end()
            await load.end()
            told = {name: {seq: tick["value"] for seq, tick in kept[name].items()} for name in names}
            for (epoch, name, seq), value in checker.seen.items():
                if epoch == checker.epoch:
                    told[name][seq] = value
            checker.seen = {key: value for key, value in checker.seen.items() if key[0] == checker.epoch}
    killed = times - in_order_times
    return f"{killed} × kill -9, {in_order_times} × SIGTERM; {checker.ticks} ticks checked: history whole, no number back, recovered true"


def intact(kept, told, written, in_order, started_ms):
    """Whether what is kept is what was told, up to where it breaks off and a new life goes on. The feed's values grow."""
    old = 0
    for name, ticks in kept.items():
        before = {seq: tick["value"] for seq, tick in ticks.items() if tick["ts"] < started_ms}
        old += len(before)
        if name not in told:
            continue
        values = [tick["value"]["n"] for tick in ticks.values()]
        assert all(one < later for one, later in zip(values, values[1:])), f"{name}: values of two lives are mixed"
        for seq, value in before.items():
            assert told[name].get(seq, value) == value, f"{name} {seq} was {told[name][seq]} and is {value}"
        if in_order:
            first = min(before, default=0)
            missing = [seq for seq in told[name] if seq >= first and seq not in before]
            assert not missing, f"{name}: {missing} are gone, and it ended in order"
    # The oldest go when there are too many.
    least = min(written, len(told) * (KEPT_TICKS - 500))
    assert old >= least, f"{old} ticks are kept, and {written} were written"


async def stopped(scale):
    seconds = scale(10, 3)
    async with Daemon(counting(5, 50) + '[[feed]]\nname = "sim"\nplugin = "tickerd_feed_sim"\ninterval = "50ms"\npoll = "50ms"\n') as daemon:
        checker, load = Checker(), Load(50)
        await checker.begin(daemon)
        await load.begin(daemon)
        await checker.more(50)
        for _ in range(scale(3, 1)):
            os.kill(daemon.pid, signal.SIGSTOP)
            # How long it stands still is what is tested.
            await asyncio.sleep(seconds)
            os.kill(daemon.pid, signal.SIGCONT)
            await checker.more(100)
            assert not load.closed(), f"closed: {load.closed()}"
        # A feed's process that stands still is taken for hung, and another is started. Nobody else notices.
        child = await until("the feed's process", lambda: daemon.child("feed-host --feed sim"))
        os.kill(child, signal.SIGSTOP)
        await daemon.metric_until('tickerd_feed_restarts_total{feed="sim"}', lambda count: count >= 1)
        await daemon.metric_until('tickerd_feed_state{feed="sim",state="up"}', lambda up: up == 1)
        assert daemon.child("feed-host --feed sim") != child
        await checker.more(100)
        assert not load.closed(), f"closed: {load.closed()}"
        await checker.end(whole=True)
        await load.end()
    return f"{scale(3, 1)} × {seconds} s with 51 clients: none closed, no tick lost; a feed's process that stood still was replaced"


async def clock_jumps(scale):
    preload = os.path.join(os.environ["TORTURE_OUT"], "clock.so")
    with tempfile.NamedTemporaryFile() as offset:
        def jump_to(seconds):
            offset.seek(0)
            offset.write(struct.pack("<q", seconds))
            offset.flush()

        jump_to(0)
        env = {"LD_PRELOAD": preload, "CLOCK_OFFSET": offset.name}
        bars = '[bars]\nkeep = { "1s" = "1h" }\n'
        jumps = scale([3_600, 0, -3_600, -86_400 * 400, 0, 86_400 * 4_000, 30, 0, -5, 0], [3_600, -3_600, 0])
        async with Daemon(bars + counting(5, 50, more='bars = { field = "n" }'), history=KEPT, env=env) as daemon:
            checker, load = Checker(), Load(20)
            await checker.begin(daemon)
            await load.begin(daemon)
            for at in jumps:
                await checker.more(50)
                jump_to(at)

                def has_jumped():
                    # A tick's time is in its numbers; the clock of this program is the true one.
                    tick = json.loads(daemon.get("/v1/topics/x.t0", admin=False))["data"]
                    return abs(tick["ts"] / 1_000 - (time.time() + at)) < 2

                await until(f"a tick of a clock that is {at} s off", has_jumped)
                ready = daemon.get("/readyz")
                assert ready == "ok", ready
                # The bars of now can be asked for at any time.
                assert '"bars":[' in daemon.get("/v1/topics/x.t0/bars?period=1s", admin=False)
            await checker.more(100)
            assert not load.closed(), f"closed: {load.closed()}"
            assert daemon.metric("tickerd_feed_restarts_total") == 0
            await checker.end(whole=True)
            await load.end()
            assert daemon.end(signal.SIGTERM) == 0
            # What was kept under a clock that was ahead or behind is read again.
            await daemon.start()
            await checker.begin(daemon)
            assert not checker.renewed, "it ended in order"
            await checker.more(50)
            await checker.end()
    return f"{len(jumps)} jumps of up to 11 years, both ways: {checker.ticks} ticks, none lost, nobody closed, and it starts again"
