"""Rows: the disk of the past is full, read-only or changed by somebody else."""

import os
import signal

from checker import Checker, history
from machine import Daemon, Disk, counting, until

STATE = 'tickerd_history_store_state{state="ok"}'


async def full_and_read_only(scale):
    rounds = scale(5, 1)
    with Disk() as disk:
        keep = f'count = 65536\nage = "168h"\npath = "{disk.folder}/past"'
        async with Daemon(counting(5, 20), history=keep) as daemon:
            checker = Checker()
            await checker.begin(daemon)
            await daemon.metric_until("tickerd_history_written_total", lambda ticks: ticks > 0)
            for _ in range(rounds):
                for worse, better, why in (
                    (disk.fill, disk.make_room, "No space left"),
                    (lambda: disk.remount("ro"), lambda: disk.remount("rw"), "Read-only"),
                ):
                    worse_began = len(daemon.said())
                    if why == "Read-only":
                        # A file that is open for writing cannot be made read-only: the system refuses.
                        disk.fill()
                        await daemon.metric_until(STATE, lambda ok: ok == 0)
                        disk.make_room()
                        await until("the file to be closed", lambda: remounted(disk))
                    else:
                        worse()
                    await daemon.metric_until(STATE, lambda ok: ok == 0)
                    assert "[-]history failed: degraded" in daemon.get("/readyz?verbose")
                    await until("a word about it", lambda: why in daemon.said()[worse_began:] or why in daemon.get("/readyz?verbose"))
                    await checker.more(100)
                    better()
                    await daemon.metric_until(STATE, lambda ok: ok == 1)
                    await checker.more(50)
            # Killed while nothing can be written: what was is there, and it says that more may be missing.
            disk.fill()
            await daemon.metric_until(STATE, lambda ok: ok == 0)
            assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
            await checker.end()
            await daemon.start()
            await checker.begin(daemon)
            assert checker.renewed and set(checker.came_back.values()) == {False}, checker.came_back
            await history(daemon, [f"x.t{n}" for n in range(5)])
            await checker.more(50)
            disk.make_room()
            await daemon.metric_until(STATE, lambda ok: ok == 1)
            await checker.end()
            assert daemon.end(signal.SIGTERM) == 0
            await daemon.start()
            await checker.begin(daemon)
            assert not checker.renewed and set(checker.came_back.values()) == {True}, checker.came_back
            await checker.end()
    return f"{rounds} × full and read-only, a kill -9 meanwhile; {checker.ticks} ticks, none lost"


def remounted(disk):
    try:
        disk.remount("ro")
        return True
    except Exception:
        return False


async def file_damaged(scale):
    def cut(path):
        os.truncate(path, 0)

    def half(path):
        os.truncate(path, os.path.getsize(path) // 2)

    def overwrite(path):
        with open(path, "r+b") as file:
            file.write(os.urandom(os.path.getsize(path)))

    def scratch(path):
        """A few bytes here and there, which no checksum of the head tells."""
        with open(path, "r+b") as file:
            for at in range(4_096, os.path.getsize(path), 8_192):
                file.seek(at)
                file.write(os.urandom(16))

    done = []
    for damage in scale([cut, half, overwrite, scratch, os.remove], [overwrite, os.remove]):
        for how in (signal.SIGKILL, signal.SIGTERM):
            async with Daemon(counting(5, 20), history='count = 1000\npath = "past"') as daemon:
                checker = Checker()
                await checker.begin(daemon)
                await daemon.metric_until("tickerd_history_written_total", lambda ticks: ticks > 100)
                damage(daemon.past)
                await checker.more(300)
                assert daemon.runs() and daemon.get("/livez") == "ok", "it is served from memory"
                code = daemon.end(how)
                assert code == (0 if how == signal.SIGTERM else -how), f"it ended with {code}"
                await checker.end()
                await daemon.start()
                await checker.begin(daemon)
                # Either all of it was written anew and is right, or it is another epoch.
                kept = await history(daemon, [f"x.t{n}" for n in range(5)])
                if not checker.renewed:
                    for (epoch, name, seq), value in checker.seen.items():
                        tick = kept[name].get(seq)
                        assert epoch != checker.epoch or not tick or tick["value"] == value, f"{name} {seq}"
                await checker.more(100)
                await checker.end()
                assert daemon.end(signal.SIGTERM) == 0
            done.append(damage.__name__)
    return f"{', '.join(dict.fromkeys(done))}; then killed or stopped: served all the time, and right afterwards"
