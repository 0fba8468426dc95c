"""Rows: a daemon without descriptors, outputs, memory or its plugin's file."""

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess

from checker import Checker, history
from machine import GUARD, HANDSHAKE, Daemon, Group, counting, limited, until

SIM = '[[feed]]\nname = "sim"\nplugin = "{plugin}"\ninterval = "50ms"\npoll = "50ms"\n{more}\n'


async def answer(raw):
    """What is said on a raw socket up to the end of a head, or nothing."""
    said = b""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(GUARD):
            while b"\r\n\r\n" not in said:
                more = await loop.sock_recv(raw, 4_096)
                if not more:
                    break
                said += more
    except TimeoutError:
        raise AssertionError("it was neither answered nor refused") from None
    except OSError:
        pass
    return said


async def descriptors(scale):
    most, wanted = 128, 300
    text = counting(5, 50) + SIM.format(plugin="tickerd_feed_sim", more="")
    async with Daemon(text, limits="connections = 1000", before=limited(resource.RLIMIT_NOFILE, most)) as daemon:
        checker = Checker()
        await checker.begin(daemon)
        await checker.more(50)
        for _ in range(scale(5, 1)):
            crowd, inside, refused = [], 0, 0
            for _ in range(wanted):
                raw = await daemon.connect()
                crowd.append(raw)
                await asyncio.get_running_loop().sock_sendall(raw, HANDSHAKE.format(path="/ws").encode())
                said = await answer(raw)
                inside += said.startswith(b"HTTP/1.1 101")
                refused += b" 503 " in said[:16] or not said
            assert inside + refused == wanted, f"{inside} are in and {refused} refused of {wanted}"
            assert 0 < inside < most, f"{inside} are in with {most} descriptors"
            # A feed that dies now cannot be started before there are some.
            child = daemon.child("feed-host --feed sim")
            assert child, "the feed has a process of its own"
            os.kill(child, signal.SIGKILL)
            before = daemon.cpu_s()
            began = asyncio.get_running_loop().time()
            await checker.more(200)
            share = (daemon.cpu_s() - before) / (asyncio.get_running_loop().time() - began)
            # A loop that asks for what is not there has all of one processor.
            assert share < 0.8, f"it uses {share:.0%} of a processor"
            for raw in crowd:
                raw.close()
            await daemon.metric_until("tickerd_connections", lambda count: count == 1)
            await daemon.metric_until('tickerd_feed_state{feed="sim",state="up"}', lambda up: up == 1)
            async with daemon.ws("/ws?topics=sim.**") as ws:
                async with asyncio.timeout(GUARD):
                    while "value" not in json.loads(await ws.recv())["data"]:
                        pass
        await checker.end(whole=True)
    return f"{scale(5, 1)} × {wanted} clients at {most} descriptors: {inside} in, {refused} refused; {checker.ticks} ticks to who was there, the feed is back"


async def outputs(scale):
    done = []
    for name in ("gone", "full", "unread"):
        async with Daemon(counting(5, 20), env={"TICKERD_LOG": "trace"}) as daemon:
            daemon.end(signal.SIGTERM)
            # Its addresses are told on an output that is gone, so they are fixed.
            text = daemon.text.replace('listen = ["127.0.0.1:0"]', f'listen = ["{daemon.address}"]')
            daemon.text = text.replace('admin = "127.0.0.1:0"', f'admin = "{daemon.admin}"')
            reading, writing = os.pipe()
            full = open("/dev/full", "wb")
            out = full if name == "full" else os.fdopen(writing, "wb", closefd=False)
            if name == "gone":
                os.close(reading)
            await daemon.start(stdout=out, stderr=out)
            os.close(writing)
            await until("it to serve", lambda: daemon.get("/livez") == "ok")
            checker = Checker()
            await checker.begin(daemon)
            for _ in range(scale(100, 10)):
                # Each connection is some lines of its log.
                (await daemon.connect()).close()
            await checker.more(scale(2_000, 500))
            code = daemon.end(signal.SIGTERM)
            assert code == 0, f"{name}: it ended with {code}"
            await checker.end(whole=True)
            if name != "gone":
                os.close(reading)
            full.close()
            done.append(name)
    return f"{', '.join(done)}, with TICKERD_LOG=trace: served, and ended with 0"


async def comes_to(daemon, status):
    """Until a handshake is answered with this status."""
    said = b""
    for _ in range(GUARD * 5):
        raw = await daemon.connect()
        await asyncio.get_running_loop().sock_sendall(raw, HANDSHAKE.format(path="/ws").encode())
        said = await answer(raw)
        raw.close()
        if status in said[:16]:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"no{status.decode()}but {said}")


async def cgroup(scale):
    with Group() as group:
        group.limit_to(2 << 30)
        async with Daemon(counting(5, 50), before=group.enter) as daemon:
            checker = Checker()
            await checker.begin(daemon)
            await checker.more(50)
            for _ in range(scale(3, 1)):
                hog = subprocess.Popen(
                    ["python3", "-c", "import sys; held = b'x' * (200 << 20); print(flush=True); sys.stdin.read()"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=group.enter,
                )
                try:
                    hog.stdout.readline()
                    group.limit_to(group.in_use() * 100 // 93)
                    await comes_to(daemon, b" 503 ")
                    await checker.more(100)
                finally:
                    hog.kill()
                    hog.wait(GUARD)
                    hog.stdin.close()
                    hog.stdout.close()
                group.limit_to(2 << 30)

                # It looks at its memory now and then, so this takes a moment as well.
                await comes_to(daemon, b" 101 ")
                assert "memory is no longer short" in daemon.said()
                async with daemon.ws() as ws:
                    assert "connected" in await ws.recv()
                await checker.more(50)
            assert daemon.end(signal.SIGTERM) == 0
            await checker.end(whole=True)
    return f"{scale(3, 1)} × 93 % in use: new clients got 503, {checker.ticks} ticks to who was there"


async def address_space(scale):
    ended = 0
    for spare_mib in scale([1, 4, 16, 64, 128], [4, 64]):
        async with Daemon(counting(200, 20), history='count = 1000\npath = "past"') as daemon:
            checker = Checker("x.t0")
            await checker.begin(daemon)
            await daemon.metric_until("tickerd_history_written_total", lambda ticks: ticks > 100)
            most = daemon.status("VmSize") * 1_024 + (spare_mib << 20)
            resource.prlimit(daemon.pid, resource.RLIMIT_AS, (most, most))
            crowd = []
            try:
                for _ in range(400):
                    raw = await daemon.connect(receive_bytes=4_096)
                    crowd.append(raw)
                    await asyncio.get_running_loop().sock_sendall(raw, HANDSHAKE.format(path="/ws?topics=x.**&mode=all").encode())
                await checker.more(20)
            except (OSError, AssertionError, TimeoutError):
                assert not daemon.runs(), "it runs, and does not serve"
            for raw in crowd:
                raw.close()
            if daemon.runs():
                code = daemon.end(signal.SIGKILL)
            else:
                code = daemon.process.returncode
                daemon.process = None
                ended += 1
                # 70 is EX_SOFTWARE: a thread panicked, and the process ended so that it is started anew.
                assert code in (-signal.SIGABRT, 70, 101), f"it ended with {code}"
            await checker.end()
            await daemon.start()
            await checker.begin(daemon)
            assert checker.renewed
            await history(daemon, [f"x.t{n}" for n in range(20)])
            await checker.more(20)
            await checker.end()
    return f"{scale(5, 2)} limits, {ended} × it ended by itself; it started again each time, and the history was whole"


async def plugin_file(scale):
    built = os.path.join(os.path.dirname(os.environ["TICKERD_BIN"]), "libtickerd_feed_sim.so")

    def cut(path):
        os.truncate(path, 0)

    def overwrite(path):
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))

    def half(path):
        os.truncate(path, os.path.getsize(path) // 2)

    done = []
    for isolation in ("process", "in-process"):
        for damage in scale([cut, half, overwrite, os.remove], [cut]):
            async with Daemon("") as daemon:
                plugin = os.path.join(daemon.path, "libsim.so")
                shutil.copy(built, plugin)
                os.chmod(plugin, 0o755)
                daemon.end(signal.SIGTERM)
                daemon.text += counting(5, 50) + SIM.format(plugin=plugin, more=f'isolation = "{isolation}"')
                await daemon.start()
                sim, others = Checker("sim.**"), Checker()
                await others.begin(daemon)
                await daemon.metric_until('tickerd_feed_state{feed="sim",state="up"}', lambda up: up == 1)
                await sim.begin(daemon)
                await sim.more(50)
                damage(plugin)
                await sim.more(200)
                assert daemon.runs()
                if isolation == "process":
                    os.kill(daemon.child("feed-host --feed sim"), signal.SIGKILL)
                    await daemon.metric_until('tickerd_feed_state{feed="sim",state="down"}', lambda down: down == 1)
                    shutil.copy(built, plugin)
                    os.chmod(plugin, 0o755)
                    said = subprocess.run(
                        [os.environ["TICKERD_BIN"], "feed", "reload", "sim"], env=daemon.env, capture_output=True, text=True, check=False
                    )
                    assert said.returncode == 0, said
                    await daemon.metric_until('tickerd_feed_state{feed="sim",state="up"}', lambda up: up == 1)
                    await sim.more(50)
                await others.more(50)
                await sim.end()
                await others.end()
                assert daemon.end(signal.SIGTERM) == 0
                done.append(damage.__name__)
    return f"{', '.join(dict.fromkeys(done))}, in a process and in ours: the feed went on, from its sealed copy"
