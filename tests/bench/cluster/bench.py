"""What a cluster costs: three tickerd over NATS, beside one alone in the same run. README.md beside this folder tells the method."""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import websockets
except ModuleNotFoundError:
    sys.exit(
        "bench-cluster: Python's websockets is missing: make test-clients installs it in target/clients, "
        "or name a Python that has it in PYTHON"
    )

from nodes import FEED, GUARD, Cluster, Node, configuration, cpu, end, feed_command, resident, spawn, until

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
# A seq is the holder's era times this, and a count.
ERA = 1 << 32
# Where servers are, which is not in everyone's PATH.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Options(argparse.Namespace):
    def seconds_of(self, usual):
        return self.seconds or (2 if self.quick else usual)

    def times(self, usual):
        return self.repeats or (1 if self.quick else usual)


class Report:
    """Rows as the other benches print them: median, smallest and largest."""

    def __init__(self):
        self.rows = []
        self.notes = []
        self.failed = []

    def add(self, scenario, what, unit, own, reference=None, ratios=None, goal=None, is_ratio=False, note=""):
        judged = ratios if is_ratio else own
        met = None if goal is None else statistics.median(judged) <= goal
        row = {
            "scenario": scenario, "what": what, "unit": unit, "cluster": own, "reference": reference,
            "ratio": ratios, "goal": goal, "goal_is_ratio": is_ratio, "met": met, "note": note,
        }  # fmt: skip
        self.rows.append(row)
        print(self.line(row), flush=True)

    def kept_up(self, scenario, what, shares):
        if min(shares) < 0.95:
            self.notes.append(f"{scenario}: only {min(shares):.0%} of the {what} due came at worst; the machine was too busy")

    def line(self, row):
        goal = "" if row["goal"] is None else f"≤ {row['goal']}" + (" ×" if row["goal_is_ratio"] else "")
        met = {None: "", True: "met", False: "MISSED"}[row["met"]]
        what = f"{row['what']}, {row['unit']}"
        text = f"{row['scenario']}  {what:<66} {cell(row['cluster']):<24} {cell(row['reference']):<24} "
        text += f"{cell(row['ratio']):<20} {goal:<9} {met}"
        return text.rstrip() + (f"  ({row['note']})" if row["note"] else "")


def cell(values):
    if not values:
        return ""
    places = 0 if max(values) >= 1000 else 2 if max(values) >= 0.1 or not any(values) else 4
    if len(values) == 1:
        return f"{values[0]:.{places}f}"
    return f"{statistics.median(values):.{places}f} ({min(values):.{places}f}–{max(values):.{places}f})"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Watch:
    """A client that notes when each tick came, by one clock for all clients."""

    def __init__(self, node, mode="all"):
        self.node, self.mode = node, mode
        self.at = {}
        self.newest = 0
        self.moved = asyncio.Condition()

    async def __aenter__(self):
        self.ws = await self.node.ws()
        asked = {"topics": [f"{FEED}.T0"], "mode": self.mode}
        await self.ws.send(json.dumps({"event": "subscribe", "data": asked}))
        self.task = asyncio.create_task(self.read())
        await self.reaches(1)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await self.ws.close()

    async def read(self):
        async for raw in self.ws:
            at = time.monotonic_ns()
            message = json.loads(raw)
            if "value" in message["data"]:
                seq = message["data"]["seq"]
                self.at.setdefault((message["data"]["topic"], seq), at)
                async with self.moved:
                    self.newest = seq
                    self.moved.notify_all()

    async def reaches(self, seq):
        """When the first tick from that number on came."""
        async with asyncio.timeout(GUARD), self.moved:
            await self.moved.wait_for(lambda: self.newest >= seq)
        return min(at for (_, known), at in self.at.items() if known >= seq)


async def latency(cluster, options, report):
    """1: how much later than at the holder's client a tick is at a follower's."""
    holder, followers = await cluster.holder(), await cluster.followers()
    async with Watch(holder) as near, Watch(followers[0]) as far, Watch(holder) as second:
        await asyncio.sleep(1 if options.quick else 5)
        for watch in (near, far, second):
            watch.at.clear()
        await asyncio.sleep(options.seconds_of(30))
    due = options.seconds_of(30) * 1000 / cluster.load[1]
    report.kept_up("1", "ticks", [len(near.at) / due])

    def later(watch):
        return [(watch.at[tick] - at) / 1e6 for tick, at in near.at.items() if tick in watch.at]

    # What this client and this machine add by themselves is seen between two clients of the holder.
    ours, noise = later(far), later(second)
    note = f"{len(ours)} ticks, {cluster_of(options)}"
    for name, share, goal in (("p50", 0.5, 1), ("p99", 0.99, 5)):
        own, other = [percentile(ours, share)], [percentile(noise, share)]
        report.add("1", f"follower after holder: {name}; holder twice", "ms", own, other, goal=goal, note=note)


def cluster_of(options):
    return "one nats-server" if options.servers == 1 else "three nats-servers"


async def takeover(cluster, options, report):
    """4: kill -9 of the holder, and handing over in order."""
    waits = []
    for _ in range(options.times(10)):
        holder, followers = await cluster.holder(), await cluster.followers()
        async with Watch(followers[0]) as one, Watch(followers[1]) as other:
            # So that the kills fall anywhere between two heartbeats.
            await asyncio.sleep(random.random())
            killed = time.monotonic_ns()
            holder.kill()
            # What the dead one had sent is still on its way: the first value of the next is above its numbers.
            new = (one.newest // ERA + 1) * ERA
            values = await asyncio.gather(one.reaches(new), other.reaches(new))
            waits.append((max(values) - killed) / 1e9)
        await holder.start()
        async with Watch(holder):
            await cluster.whole()
    report.add("4", "values again after kill -9 of the holder: median", "s", waits, note=f"{len(waits)} kills")
    report.add("4", "the same: the longest", "s", [max(waits)], goal=4)

    interval_ms = cluster.load[1]
    starts, gaps = [], []
    for _ in range(options.times(10)):
        starts.append(await asyncio.to_thread(feed_start, cluster.load))
        await cluster.whole()
        holder, (taker, third) = await cluster.holder(), await cluster.followers()
        async with Watch(third) as watch:
            began = time.monotonic_ns()
            await holder.command("cluster", "move", FEED, taker.name)
            await until("the feed to be moved", lambda: taker.metric("tickerd_cluster_holder") == 1)
            newest = watch.newest
            await watch.reaches(newest + 5)
            if watch.newest // ERA != newest // ERA:
                report.notes.append("a hand-over was unclean: its numbers jumped")
            times = sorted(watch.at.values())
        pairs = zip(times, times[1:])
        gaps.append(max((after - before) / 1e6 for before, after in pairs if after >= began) - interval_ms)
    ratios = [gap / start for gap, start in zip(gaps, starts)]
    report.add(
        "4", "hand-over: longest gap less a beat; the feed's start", "ms", gaps, starts, ratios, 1, True,
        note=f"{len(gaps)} moves",
    )  # fmt: skip


def feed_start(load):
    """Milliseconds from starting the feed until its first line, without any daemon."""
    began = time.monotonic_ns()
    process = spawn(feed_command(*load), stdout=subprocess.PIPE)
    process.stdout.readline()
    took = (time.monotonic_ns() - began) / 1e6
    end(process)
    return took


async def steady(cluster, single, options, report):
    """2 and 6: what following costs, without clients, and how much memory it takes."""
    follower = (await cluster.followers())[0]
    topics, interval_ms = cluster.load
    await asyncio.sleep(1 if options.quick else 15)
    ours, alone, shares, bytes_per_beat = [], [], [], 0
    seconds = options.seconds_of(10)
    for _ in range(options.times(3)):
        sent, began = cluster.nats.sent_to(follower.name), time.monotonic()
        counts = [follower.metric("tickerd_cluster_beats_received_total"), cpu(follower.pid), cpu(single.pid)]
        await asyncio.sleep(seconds)
        used = [cpu(follower.pid) - counts[1], cpu(single.pid) - counts[2]]
        beats = follower.metric("tickerd_cluster_beats_received_total") - counts[0]
        ticks = beats * topics
        due = (time.monotonic() - began) * 1000 / interval_ms
        shares.append(beats / due)
        bytes_per_beat = int((cluster.nats.sent_to(follower.name) - sent) / beats)
        ours.append(used[0] / 1e3 / ticks)
        alone.append(used[1] / 1e3 / ticks)
    report.kept_up("2", "beats", shares)
    note = f"{topics} topics each {interval_ms} ms, no client"
    ratios = [own / other for own, other in zip(ours, alone)]
    report.add("2", "follower per tick; a single node with the feed", "µs of CPU", ours, alone, ratios, note=note)
    if socat := shutil.which("socat", path=PATH):
        relayed = [
            await relay(socat, bytes_per_beat, interval_ms, seconds) / 1e3 / topics for _ in range(options.times(3))
        ]
        ratios = [own / other for own, other in zip(ours, relayed)]
        report.add(
            "2", "follower per tick; socat that relays the same bytes", "µs of CPU", ours, relayed, ratios, 2, True,
            note=f"{bytes_per_beat} bytes a beat",
        )  # fmt: skip
    else:
        report.notes.append("socat is missing, so the relay of row 2 was left out: apt install socat")
    own, other = [resident(follower.pid) / 1024], [resident(single.pid) / 1024]
    report.add("6", "memory of a follower; of a single node", "MiB", own, other, [own[0] / other[0]])


async def relay(socat, size, interval_ms, seconds):
    """Nanoseconds of CPU that a plain relay needs for each beat's bytes."""
    taken = 0

    async def take(reader, writer):
        nonlocal taken
        while data := await reader.read(1 << 18):
            taken += len(data)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    command = [socat, "-d", "-d", "-b", "262144", "TCP-LISTEN:0,bind=127.0.0.1", f"TCP:127.0.0.1:{port}"]
    process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        listening = int(re.search(r"listening on .*:(\d+)", line)[1])
        _, writer = await asyncio.open_connection("127.0.0.1", listening)
        beat, sent, used, last = os.urandom(size), 0, 0, time.monotonic() + seconds
        while time.monotonic() < last:
            writer.write(beat)
            await writer.drain()
            sent += 1
            await until("the relay's bytes", lambda: taken >= sent * size, pause=interval_ms / 1000)
            if sent == 1:
                # Connecting is not counted.
                used = cpu(process.pid)
        used = cpu(process.pid) - used
        writer.close()
        return used / max(1, sent - 1)
    finally:
        end(process)
        server.close()


async def crowd(cluster, single, options, report):
    """3: the same clients on a follower and on a single node."""
    follower = (await cluster.followers())[0]
    clients = 50 if options.quick else 500
    seconds = options.seconds_of(10)
    costs = {follower: [], single: []}
    shares = []
    for repeat in range(options.times(3)):
        # They take turns, and who begins does too.
        for node in sorted(costs, key=lambda node: (node is single) == (repeat % 2 == 0)):
            cost, share = await crowd_on(node, cluster.load, clients, seconds)
            costs[node].append(cost)
            shares.append(share)
    ratios = [own / other for own, other in zip(costs[follower], costs[single])]
    report.kept_up("3", "messages", shares)
    report.add(
        "3", f"{clients} clients on a follower; on a single node", "ns of CPU per message",
        costs[follower], costs[single], ratios, 1.05, True,
        note=f"{cluster.load[0]} topics each {cluster.load[1]} ms",
    )  # fmt: skip


async def crowd_on(node, load, clients, seconds):
    """Nanoseconds of the server's CPU per message, and the share of the messages due that was sent."""
    command = [node.program, "bench", "--url", f"ws://{node.address}", "--clients", str(clients)]
    command += ["--topics", f"{FEED}.**", "--duration", f"{seconds + 3}s", "--json"]
    process = spawn(command, env=node.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        await until("the clients", lambda: node.metric("tickerd_connections") >= clients)
        await asyncio.sleep(1)
        began, sent, used = time.monotonic(), node.metric("tickerd_frames_sent_total"), cpu(node.pid)
        await asyncio.sleep(seconds)
        sent, used = node.metric("tickerd_frames_sent_total") - sent, cpu(node.pid) - used
        due = clients * load[0] * (time.monotonic() - began) * 1000 / load[1]
        process.send_signal(signal.SIGINT)
        return used / max(1, sent), sent / due
    finally:
        end(process)


async def edge(cluster, options, report):
    """5: the clients of an edge that dies go to another node with their positions."""
    count = 20 if options.quick else 200
    dying = await cluster.add("edge", 'role = "edge"\n')
    other = (await cluster.followers())[0]
    topic = f"{FEED}.T0"
    positions = {}

    async def stays(client):
        ws = await dying.ws()
        await ws.send(json.dumps({"event": "subscribe", "data": {"id": 1, "topics": [topic], "mode": "all"}}))
        epoch = None
        try:
            async for raw in ws:
                message = json.loads(raw)
                event, data = message["event"], message["data"]
                # Whose numbers they are: of the cluster, unless the answer or a notice says another's.
                if event == "connected" or data.get("type") == "reset":
                    epoch = data.get("epoch", epoch)
                elif event == "subscribed":
                    epoch = data["topics"][0].get("epoch", epoch)
                elif "value" in data:
                    positions[client] = (epoch, data["seq"])
        except websockets.ConnectionClosed:
            pass

    async def returns(client):
        epoch, seq = positions[client]
        ws = await other.ws()
        since = {"epoch": {topic: epoch}, "seq": {topic: seq}}
        asked = {"id": 1, "topics": [topic], "mode": "all", "since": since}
        await ws.send(json.dumps({"event": "subscribe", "data": asked}))
        try:
            async with asyncio.timeout(GUARD):
                async for raw in ws:
                    message = json.loads(raw)
                    if message["event"] == "subscribed":
                        return message["data"]["topics"][0].get("recovered") is True
                    if message["event"] == "error":
                        raise RuntimeError(f"a client that returned was refused: {raw}")
        finally:
            await ws.close()

    clients = [asyncio.create_task(stays(client)) for client in range(count)]
    await until("the clients' values", lambda: len(positions) == count)
    await asyncio.sleep(1)
    dying.kill()
    await asyncio.gather(*clients)
    recovered = await asyncio.gather(*(returns(client) for client in range(count)))
    lost = 100 - 100 * sum(recovered) / count
    report.add("5", f"of {count} clients of a dead edge, not recovered elsewhere", "%", [lost], goal=0)


async def beside_single(cluster, measure, options, report):
    """The same feed on one node alone, on the same machine at the same time."""
    single = Node(cluster.folder, "single", options.daemon, configuration(*cluster.load))
    try:
        await single.start()
        await measure(cluster, single, options, report)
    finally:
        single.kill()


async def run(options, folder, report):
    """Each scenario has a cluster of its own. One that fails is told, and the others still run."""
    for scenario, (topics, interval_ms, measure) in SCENARIOS.items():
        if not set(scenario.split(",")) & set(options.scenario):
            continue
        try:
            async with Cluster(f"{folder}/{scenario}", options, topics, interval_ms) as cluster:
                if measure in (steady, crowd):
                    await beside_single(cluster, measure, options, report)
                else:
                    await measure(cluster, options, report)
        except (RuntimeError, OSError, websockets.WebSocketException) as error:
            report.failed.append(f"{scenario}: {error or type(error).__name__}")
            print(f"{scenario}  failed: {error or type(error).__name__}", flush=True)


# Topics, milliseconds between two beats, and what is measured.
SCENARIOS = {
    "1": (1, 10, latency),
    "2,6": (1000, 100, steady),
    "3": (100, 100, crowd),
    "4": (1, 10, takeover),
    "5": (1, 100, edge),
}


def main():
    parser = argparse.ArgumentParser(prog="make bench-cluster", description=__doc__)
    parser.add_argument("--daemon", default=os.environ.get("TICKERD_BIN", f"{ROOT}/target/release/tickerd"))
    parser.add_argument("--servers", type=int, choices=(1, 3), default=1, help="how many nats-server")
    parser.add_argument("--scenario", default="1,2,3,4,5,6", type=lambda text: text.split(","), help="1,2,3,4,5,6")
    parser.add_argument("--seconds", type=int, help="length of each window")
    parser.add_argument("--repeats", type=int, help="windows of 2 and 3; kills and moves of 4")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    options = parser.parse_args(namespace=Options())
    options.nats_server = shutil.which("nats-server", path=PATH)
    if not options.nats_server:
        sys.exit("bench-cluster: nats-server is missing: apt install nats-server")
    if not os.access(options.daemon, os.X_OK):
        sys.exit(f"bench-cluster: there is no {options.daemon}: run make build, or name another with --daemon")
    options.daemon = os.path.abspath(options.daemon)

    report, before = Report(), os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, {cluster_of(options)}, load {before:.1f} before")
    if options.quick:
        print("A smoke run: these figures mean nothing.")
    print(f"   {'':<66} {'cluster':<24} {'reference':<24} {'ratio':<20} goal", flush=True)
    with tempfile.TemporaryDirectory(prefix="tickerd-bench-") as folder:
        asyncio.run(run(options, folder, report))
    after = os.getloadavg()[0]
    for note in report.notes:
        print(f"note: {note}")
    print(f"load {after:.1f} after")
    if options.json:
        with open(options.json, "w") as file:
            figures = {"servers": options.servers, "load": [before, after], "quick": options.quick, "rows": report.rows}
            json.dump({**figures, "failed": report.failed}, file)
    if report.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
