#!/usr/bin/env python3
"""A simulated tide, told to tickerd in lines of JSON.

The moon's pull, and the sun's, a little quicker, so that springs and neaps come and go. Standard output belongs to
tickerd; what is for people goes to standard error.
"""
import json
import math
import sys
import time

# What a value looks like; x-tickerd-main marks the figure to show and to chart.
LEVEL = {"type": "object", "required": ["level_m"], "properties": {
    "level_m": {"type": "number", "x-tickerd-main": True, "x-tickerd-role": "gauge", "x-tickerd-unit": "m"}}}


class ConfigError(Exception):
    """The configuration is wrong; the text says what to change."""


class Tide:
    """The feed: its configuration, and what it answers when it is polled."""

    RANGES = {"range_m": (0.001, 100.0), "period_s": (1.0, 1e6)}

    def __init__(self, config):
        self.range_m, self.period_s = 2.0, 60.0
        if not isinstance(config, dict):
            raise ConfigError("the configuration must be a table")
        for key, value in config.items():
            if key not in self.RANGES:
                raise ConfigError(f"there is no key {key}; write {' or '.join(self.RANGES)}")
            low, high = self.RANGES[key]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise ConfigError(f"{key}: write a number from {low:g} to {high:g}")
            setattr(self, key, float(value))

    def poll(self):
        turns = time.time() / self.period_s
        level = 0.7 * math.sin(math.tau * turns) + 0.3 * math.sin(math.tau * turns * 1.035)
        say(topic="harbour", event="tide", data={"level_m": round(self.range_m / 2 * level, 3)})


def say(**line):
    """One line, at once: without the flush it would wait in a buffer."""
    print(json.dumps(line), flush=True)


def orders():
    """tickerd's lines, until it closes the other end. What a later tickerd says that this feed does not know is passed over."""
    for line in sys.stdin:
        try:
            order = json.loads(line)
        except ValueError:
            continue
        if isinstance(order, dict):
            yield order


def main():
    setup = sys.stdin.readline()
    if not setup:
        return 0
    try:
        tide = Tide(json.loads(setup).get("config", {}))
    except ConfigError as error:
        say(fail="config", msg=str(error))
        return 78  # EX_CONFIG: someone has to change something
    say(tfp=1, feed="org.example.example-python", version="0.1.0", mode="poll", default_poll_ms=250, min_poll_ms=50,
        events={"tide": "state"}, docs={"tide": {"description": "How high the water is.", "schema": LEVEL}})
    # The end of input ends the loop, and so the feed.
    for order in orders():
        if order.get("stop"):
            break
        if "poll" in order:
            tide.poll()
            say(done=order["poll"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
