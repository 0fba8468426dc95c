"""The feed of these rows: a program that prints values, each of which tells which one it is.

feed.py count TOPICS INTERVAL_MS      `n` counts up on each topic, forever
feed.py churn TOPICS FIFO             at each line in FIFO: a value on TOPICS topics that are new, and then their end
"""

import json
import sys
import time


def say(lines):
    sys.stdout.write("".join(f"{json.dumps(line)}\n" for line in lines))
    sys.stdout.flush()


def count(topics, interval_ms):
    # Another value in each life, so that a value of another life is seen to be one.
    n = time.time_ns() // 1_000
    while True:
        say({"topic": f"t{topic}", "event": "count", "data": {"n": n}} for topic in range(topics))
        n += 1
        time.sleep(interval_ms / 1_000)


def churn(topics, fifo):
    turn = 0
    with open(fifo) as orders:
        for order in orders:
            names = [f"r{turn}.n{at}" for at in range(topics)]
            if order.strip() == "say":
                say({"topic": name, "event": "count", "data": {"n": turn}} for name in names)
            else:
                say({"retire": name} for name in names)
                turn += 1
            # Tells that all of it was written.
            say([{"topic": "fence", "event": "count", "data": {"order": order.strip(), "turn": turn}}])


if __name__ == "__main__":
    try:
        {"count": count, "churn": churn}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]) if sys.argv[1] == "count" else sys.argv[3])
    except BrokenPipeError:
        pass
