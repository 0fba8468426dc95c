"""Runs the rows and writes their table. Arguments: --short, and names of rows; without any, all of them."""

import argparse
import asyncio
import os
import sys
import time
import traceback

import rows_crowd
import rows_disk
import rows_life
import rows_limits
from machine import Skipped, raise_descriptors

# Longer than any row may take; one that hangs is one that failed.
ROW_MAX = 600
# Name, what is done, what is expected, and the row.
ROWS = [
    ("kill", "kill -9 under load, SIGTERM in between", "the history is whole up to what was written; no number goes back; `recovered` is true only if it is", rows_life.kills),
    ("stop", "SIGSTOP of the daemon, and of a feed's process", "nobody is closed and no tick lost; the feed's process is replaced", rows_life.stopped),
    ("clock", "the wall's clock jumps", "ticks go on at their pace, nobody is closed, and it starts again", rows_life.clock_jumps),
    ("disk", "the disk of `history.path` full, read-only, and well again", "served from memory, said by metric and `/readyz`; written again once it can be", rows_disk.full_and_read_only),
    ("store", "the file of the past cut, overwritten or deleted while it is in use", "served; it starts again, and what it then has is right", rows_disk.file_damaged),
    ("descriptors", "no descriptor left, and a feed that dies meanwhile", "clients that are there get each tick; others are refused; all is well once there are some", rows_limits.descriptors),
    ("outputs", "standard output and error gone, full, and unread", "served, and it stops in order", rows_limits.outputs),
    ("memory", "the cgroup's memory nearly used up", "new clients are turned away, those that are there stay", rows_limits.cgroup),
    ("address-space", "no more address space", "it goes on, or ends with a signal and starts again with its past", rows_limits.address_space),
    ("plugin-file", "a plugin's file cut, overwritten and deleted while it is loaded", "its feed goes on; a new process of it says what is wrong, and runs once the file is right", rows_limits.plugin_file),
    ("topics", "10,000 topics that come and go", "nothing is left of them; memory flat", rows_crowd.topics_churn),
    ("slow", "1,000 slow readers of each kind", "the others get each tick; memory bounded; nothing is left", rows_crowd.slow_readers),
    ("churn", "clients that come, subscribe, unsubscribe and go", "memory within 2 %, descriptors, threads and tasks as before", rows_crowd.client_churn),
]
# Rows that `--short` leaves out.
LONG = {"address-space", "memory", "topics", "slow", "churn"}


async def run(row, scale):
    async with asyncio.timeout(ROW_MAX):
        return await row(scale)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the rows without crowds, and fewer rounds of each: about two minutes in place of twenty")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(name for name, *_ in ROWS))
    options = parser.parse_args()
    unknown = set(options.rows) - {name for name, *_ in ROWS}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(name for name, *_ in ROWS)}")
    raise_descriptors()
    # The crowds take minutes even when they are small.
    left_out = LONG if options.short and not options.rows else set()
    scale = (lambda whole, short: short) if options.short else (lambda whole, short: whole)
    table, failed = ["| row | what is done | what is expected | what came | time |", "|---|---|---|---|---|"], []
    for name, done, expected, row in ROWS:
        if name in left_out or (options.rows and name not in options.rows):
            continue
        began = time.monotonic()
        try:
            came = f"as expected: {asyncio.run(run(row, scale))}"
        except Skipped as reason:
            came = f"skipped: {reason}"
        except Exception as error:
            traceback.print_exc()
            failed.append(name)
            came = f"FAILED: {str(error)[:300] or type(error).__name__}"
        took = time.monotonic() - began
        print(f"torture: {name}: {came} ({took:.0f} s)", flush=True)
        table.append(f"| {name} | {done} | {expected} | {came} | {took:.0f} s |")
    with open(os.path.join(os.environ["TORTURE_OUT"], "table.md"), "w") as file:
        file.write("\n".join(table) + "\n")
    if failed:
        print(f"torture: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
