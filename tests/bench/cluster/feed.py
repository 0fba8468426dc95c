"""The feed of these measurements: TOPICS values each INTERVAL_MS, printed in the middle between two beats."""

import sys
import time

TOPICS, INTERVAL_MS = int(sys.argv[1]), int(sys.argv[2])
STEP = INTERVAL_MS * 1_000_000
LINE = (
    '{{"topic":"T{}","event":"quote","data":{{"price":"{}.{:02}","bid":"{}.00","ask":"{}.99","volume":{},'
    '"change":"-0.42"}}}}\n'
)


def line(topic, beat):
    whole, cents = divmod(10_000 + (topic * 37 + beat) % 90_000, 100)
    return LINE.format(topic, whole, cents, whole, whole, 1_000_000 + beat % 1_000_000)


def main():
    # Beats fall on multiples of the interval by the wall's clock.
    beat = time.time_ns() // STEP
    while True:
        lines = "".join(line(topic, beat) for topic in range(TOPICS))
        # The first goes out at once: how long a feed takes to start is one of the figures.
        sys.stdout.write(lines)
        sys.stdout.flush()
        beat = max(beat + 1, time.time_ns() // STEP)
        time.sleep(max(0, beat * STEP + STEP // 2 - time.time_ns()) / 1e9)


try:
    main()
except BrokenPipeError:
    pass
