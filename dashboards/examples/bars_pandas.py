#!/usr/bin/env python3
"""Reads the bars of a topic into a pandas DataFrame, and plots them as candles to a PNG.

    pip install pandas matplotlib
    python3 bars_pandas.py http://127.0.0.1:8425 sim.AAPL
    python3 bars_pandas.py https://ticks.example.org:8443 stocks.AAPL --period 10s --hours 1 --token-file token.txt
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

import matplotlib
import pandas as pd

matplotlib.use("Agg")  # draws to files; needs no screen
import matplotlib.dates
import matplotlib.pyplot as plt

PAGE = 500  # bars of one request
UNITS = {"s": "s", "m": "min", "h": "h", "d": "D"}  # the server's units of a period, and what pandas calls them


def ask(url, token=None):
    """The JSON that the server answers. Numbers keep their digits, as Decimal."""
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer, parse_float=Decimal)
    except urllib.error.HTTPError as error:
        # Errors are application/problem+json; the detail says what to change.
        if "json" not in error.headers.get("Content-Type", ""):
            raise
        raise SystemExit(f"{error.code}: {json.load(error).get('detail', error.reason)}") from None


def read(url, topic, period, hours, token=None):
    """The bars of the last hours, oldest first, read from the newest page to the oldest."""
    oldest = time.time() * 1000 - hours * 3_600_000
    path = f"{url.rstrip('/')}/v1/topics/{urllib.parse.quote(topic, safe='')}/bars"
    bars, before = [], None
    while True:
        query = {"period": period, "limit": PAGE} | ({"before": before} if before else {})
        answer = ask(f"{path}?{urllib.parse.urlencode(query)}", token)
        page = answer["bars"]
        bars = page + bars
        if not page or page[0]["start"] <= max(oldest, answer["since"]):
            break  # nothing older is kept, or it was not asked for
        before = page[0]["start"]
    return [bar for bar in bars if bar["start"] >= oldest]


def frame(bars, period):
    """A DataFrame with a row for each period, by its start in UTC. Prices are Decimal; a period without a bar is NaN."""
    names = ["open", "high", "low", "close", "count", "merged", "volume"]  # volume only where sizes are known
    rows = [{name: bar[name] for name in names if name in bar} for bar in bars]
    for row in rows:
        for name in row.keys() - {"count", "merged"}:
            row[name] = Decimal(row[name])  # text or a number, as the source says it
    index = pd.to_datetime([bar["start"] for bar in bars], unit="ms", utc=True)
    table = pd.DataFrame(rows, index=index, dtype=object)
    if not table.empty:
        whole = pd.date_range(index[0], index[-1], freq=period[:-1] + UNITS[period[-1]])
        table = table.reindex(whole)
    return table.rename_axis("start")


def plot(table, title, path):
    """Candles: a thin line from low to high, a thick one from open to close. A NaN draws nothing."""
    known = table[["open", "high", "low", "close"]].astype(float).dropna()  # only to draw them
    colours = (known["close"] >= known["open"]).map({True: "#0a7245", False: "#b4281f"})
    figure, axes = plt.subplots(figsize=(12, 5), layout="constrained")
    axes.vlines(known.index, known["low"], known["high"], colors=colours, linewidth=0.8)
    thick = min(6, max(1, 600 / len(table)))
    axes.vlines(known.index, known["open"], known["close"], colors=colours, linewidth=thick)
    # A bar without a body, whose open is its close, is a dash.
    flat = known[known["open"] == known["close"]]
    axes.plot(flat.index, flat["close"], "_", color="#0a7245", markersize=thick)
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(axes.xaxis.get_major_locator(), tz="UTC"))
    axes.set_title(title, loc="left")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description="Plots the bars of a topic.")
    parser.add_argument("url", help="the server, such as http://127.0.0.1:8425")
    parser.add_argument("topic", help="such as sim.AAPL")
    parser.add_argument("--period", default="1m", help="a period that the server keeps (default: 1m)")
    parser.add_argument("--hours", type=float, default=24, help="how far back (default: 24)")
    parser.add_argument("--out", default="bars.png", help="the picture (default: bars.png)")
    parser.add_argument("--token-file", help="a file with a token, for a server that asks for one")
    options = parser.parse_args()
    token = None
    if options.token_file:
        with open(options.token_file) as file:
            token = file.read().strip()
    bars = read(options.url, options.topic, options.period, options.hours, token)
    if not bars:
        sys.exit(f"there are no bars of {options.topic} yet")
    table = frame(bars, options.period)
    print(table)
    missing = int(table["open"].isna().sum())
    print(f"{len(table)} periods of {options.period}, {missing} of them without a bar")
    plot(table, f"{options.topic}, {options.period}, UTC", options.out)


if __name__ == "__main__":
    main()
