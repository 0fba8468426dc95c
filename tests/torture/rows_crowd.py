"""Rows: topics and clients that come and go, and clients that do not read."""

import asyncio
import json
import os
import random
import socket
import struct

from checker import Checker
from machine import GUARD, HANDSHAKE, Daemon, counting, feed_program, until

# Grown memory that is as good as flat: 2 %, and what the allocator rounds up to.
FLAT = 1.02
ROUNDING_KIB = 256
# Rounds that are looked at: an allocator gives memory back when it likes.
WINDOW = 3


async def settled(daemon):
    """KiB of memory, and descriptors, once neither shrinks any more."""
    kib, descriptors = daemon.resident_kib(), daemon.descriptors()
    for _ in range(20):
        await asyncio.sleep(0.1)
        kib, descriptors = min(kib, daemon.resident_kib()), min(descriptors, daemon.descriptors())
    return kib, descriptors


def is_flat(before, after):
    """Whether memory is where it was: the least of the last rounds, against the most of as many once it was warm."""
    return min(after) <= max(before) * FLAT + ROUNDING_KIB


async def topics_churn(scale):
    topics, warm, rounds = scale(10_000, 1_000), scale(12, 5), scale(12, 5)
    # Without a past of topics that are gone, which would be kept for its age.
    async with Daemon("", history="count = 0") as daemon:
        daemon.end(15)
        fifo = os.path.join(daemon.path, "orders")
        os.mkfifo(fifo)
        command = json.dumps(feed_program("churn", topics, fifo))
        daemon.text += f'[[feed]]\nname = "x"\nexec = {command}\ninterval = "20ms"\ntopics_max = {topics + 10}\n' + counting(5, 50, "y")
        await daemon.start()
        orders = open(fifo, "w")
        others = Checker("y.**")
        await others.begin(daemon)
        watching = [await daemon.ws(path) for path in ("/ws?topics=x.**", "/ws?topics=x.*.n7,x.fence", "/ws?topics=**&rate=1s")]
        fence = await daemon.ws("/ws?topics=x.fence")
        readers = [asyncio.create_task(drained(ws)) for ws in watching]
        resident = []
        for turn in range(warm + rounds):
            for order in ("say", "retire"):
                print(order, file=orders, flush=True)
                async with asyncio.timeout(GUARD):
                    while True:
                        data = json.loads(await fence.recv())["data"]
                        if data.get("value") == {"order": order, "turn": turn + (order == "retire")}:
                            break
                if order == "say":
                    there = await daemon.metric_until('tickerd_topics{feed="x"}', lambda count: count == topics + 1)
            await daemon.metric_until('tickerd_topics{feed="x"}', lambda count: count == 1)
            resident.append((await settled(daemon))[0])
        before, after = resident[warm - WINDOW : warm], resident[-WINDOW:]
        assert is_flat(before, after), f"KiB by round: {resident}"
        assert daemon.metric("tickerd_feed_rejects_total") == 0
        await others.more(50)
        await others.end()
        for ws in [*watching, fence]:
            ws.transport.abort()
        await asyncio.gather(*readers)
        orders.close()
    return f"{warm + rounds} × {int(there) - 1:,} topics with 3 watchers: gone each time; {max(before)} KiB once warm, {min(after)} KiB at the end"


async def drained(ws):
    try:
        async for _ in ws:
            pass
    except Exception:
        pass


async def said(raw, text):
    await asyncio.get_running_loop().sock_sendall(raw, text if isinstance(text, bytes) else text.encode())


async def never(daemon):
    raw = await daemon.connect(4_096)
    await said(raw, HANDSHAKE.format(path="/ws?topics=x.**"))
    return raw


async def every_tick(daemon):
    raw = await daemon.connect(4_096)
    await said(raw, HANDSHAKE.format(path="/ws?topics=x.**&mode=all"))
    return raw


async def half_closed(daemon):
    raw = await never(daemon)
    raw.shutdown(socket.SHUT_WR)
    return raw


async def stream(daemon):
    raw = await daemon.connect(4_096)
    await said(raw, "GET /v1/sse?topics=x.** HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return raw


async def half_asked(daemon):
    raw = await daemon.connect(4_096)
    await said(raw, HANDSHAKE.format(path="/ws")[:-2])
    return raw


async def half_framed(daemon):
    raw = await never(daemon)
    # A frame of 65,000 bytes that never comes whole.
    await said(raw, b"\x81\xfe" + struct.pack(">H", 65_000) + b"\0\0\0\0{")
    return raw


async def pinging(daemon):
    raw = await never(daemon)
    # Each is to be answered, and no answer is read.
    await said(raw, (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 20)
    return raw


async def large(daemon):
    """A page that is asked for again and again and never read."""
    raw = await daemon.connect(4_096)
    await said(raw, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    return raw


async def polling(daemon):
    raw = await daemon.connect(4_096)
    await said(raw, "GET /v1/topics/x.never?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return raw


async def trickling(daemon):
    raw = await never(daemon)

    async def trickle():
        loop = asyncio.get_running_loop()
        try:
            while await loop.sock_recv(raw, 7):
                await asyncio.sleep(0.5)
        except OSError:
            pass

    raw_task = asyncio.create_task(trickle())
    TRICKLES.append(raw_task)
    return raw


TRICKLES = []
KINDS = [never, every_tick, trickling, half_closed, stream, half_asked, half_framed, pinging, large, polling]
# Of a client that does not read the server keeps what it was and what it is owed, never what it is owed in bytes.
KIB_EACH = 16


async def slow_readers(scale):
    count, kinds = scale(1_000, 100), scale(KINDS, KINDS)
    async with Daemon(counting(20, 50), limits="connections = 20000\nconnections_per_address = 20000") as daemon:
        checker = Checker()
        await checker.begin(daemon)
        await checker.more(100)
        grown, base = {}, None
        for kind in kinds:
            before = daemon.resident_kib()
            crowd = []
            for _ in range(count):
                crowd.append(await kind(daemon))
            await checker.more(scale(1_200, 200))
            grown[kind.__name__] = max(0, daemon.resident_kib() - before)
            assert grown[kind.__name__] <= KIB_EACH * count + 8_192, f"{count} × {kind.__name__}: {grown} KiB"
            for task in TRICKLES:
                task.cancel()
            await asyncio.gather(*TRICKLES, return_exceptions=True)
            TRICKLES.clear()
            for raw in crowd:
                raw.close()
            await daemon.metric_until("tickerd_connections", lambda clients: clients == 1)
            if base is None:
                await until("the first crowd to be gone", lambda: daemon.descriptors() < 200)
                _, base = await settled(daemon)
            await until(f"the descriptors of {kind.__name__} to be closed", lambda: daemon.descriptors() <= base + 2)
            assert checker.resets == 0, "a client that reads lost ticks"
        ticks = checker.ticks
        await checker.end()
    worst = max(grown, key=grown.get)
    return f"{len(kinds)} kinds × {count:,}: {ticks} ticks to who reads, none lost; at most {grown[worst] / count:.1f} KiB each ({worst}); nothing left"


async def client_churn(scale):
    clients, warm, rounds = scale(300, 40), scale(8, 4), scale(40, 4)
    chance = random.Random(18)
    names = [f"x.t{n}" for n in range(50)]

    async def visit(daemon):
        path = chance.choice(["/ws", "/ws?topics=x.**", "/ws?topics=x.t1,x.t2&rate=1s", "/ws?topics=x.*&mode=all"])
        async with daemon.ws(path) as ws:
            for number in range(10):
                some = chance.sample(names, 10) + chance.choice([[], ["x.**"], [f"x.never{number}"]])
                event = chance.choice(["subscribe", "subscribe", "unsubscribe", "get", "topics", "history"])
                data = {"id": number}
                if event == "history":
                    data["topic"] = some[0]
                elif event != "topics":
                    data["topics"] = some
                if event == "subscribe":
                    data |= chance.choice([{}, {"mode": "all"}, {"rate": "1s"}, {"snapshot": False}])
                await ws.send(json.dumps({"event": event, "data": data}))
            await ws.send('{"event":"ping","data":{"id":"end"}}')
            async with asyncio.timeout(GUARD):
                while True:
                    message = json.loads(await ws.recv())
                    if message["event"] == "pong":
                        break
            if chance.random() < 0.5:
                # Without a close, as a train that enters a tunnel.
                ws.transport.abort()

    async with Daemon(counting(50, 100)) as daemon:
        checker = Checker("x.t0")
        await checker.begin(daemon)
        figures = []
        for _ in range(warm + rounds):
            await asyncio.gather(*(visit(daemon) for _ in range(clients)))
            await daemon.metric_until("tickerd_connections", lambda count: count == 1)
            await until("the subscriptions to be gone", lambda: daemon.metric("tickerd_subscriptions") == 1)
            figures.append((*await settled(daemon), daemon.threads(), daemon.metric("tickerd_connection_tasks")))
            checker.check()
        (before, descriptors, threads, tasks), (after, *last) = zip(*figures[warm - WINDOW : warm]), zip(*figures[-WINDOW:])
        assert is_flat(before, after), f"KiB, descriptors, threads and tasks by round: {figures}"
        assert min(last[0]) <= max(descriptors), f"descriptors: {figures}"
        assert min(last[1]) <= max(threads), f"threads: {figures}"
        assert min(last[2]) <= max(tasks), f"tasks: {figures}"
        await checker.more(5)
        await checker.end()
    return (
        f"{(warm + rounds) * clients:,} clients, {(warm + rounds) * clients * 10:,} commands: {max(before)} KiB once warm, {min(after)} at the end; "
        f"{min(last[0])} descriptors, {min(last[1])} threads and {min(last[2]):.0f} tasks as before"
    )
