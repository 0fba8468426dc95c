#!/usr/bin/env python3
"""Reads the bars of a topic into a pandas DataFrame, and plots them as candles to a PNG.

    pip install pandas matplotlib PATH/TO/dashboards/python
    python3 bars_pandas.py http://127.0.0.1:8425 sim.AAPL
    python3 bars_pandas.py https://ticks.example.org:8443 stocks.AAPL --period 10s --hours 1 --token-file token.txt
"""

import argparse
import asyncio
import sys
from decimal import Decimal

import matplotlib
import pandas as pd
import tickerd

matplotlib.use("Agg")  # draws to files; needs no screen
import matplotlib.dates
import matplotlib.pyplot as plt

UNITS = {"s": "s", "m": "min", "h": "h", "d": "D"}  # the server's units of a period, and what pandas calls them


async def read(url, topic, period, hours, token=None):
    """The bars of the last hours, oldest first. Numbers keep their digits, as Decimal."""
    try:
        async with tickerd.connect(url, token=token, parse_float=Decimal) as t:
            return await t.bars(topic, period=period, hours=hours)
    except tickerd.TickerdError as error:
        raise SystemExit(str(error)) from None  # it says what to change


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
    bars = asyncio.run(read(options.url, options.topic, options.period, options.hours, token))
    if not bars:
        sys.exit(f"there are no bars of {options.topic} yet")
    table = frame(bars, options.period)
    print(table)
    missing = int(table["open"].isna().sum())
    print(f"{len(table)} periods of {options.period}, {missing} of them without a bar")
    plot(table, f"{options.topic}, {options.period}, UTC", options.out)


if __name__ == "__main__":
    main()
