#!/usr/bin/env python3
"""Compares the bench's figures with those of baseline.json, and says what moved beyond its spread.

    compare.py FIGURES.json            exit code 2 if something is worse, 1 if nothing could be compared
    compare.py FIGURES.json --update   makes these figures the baseline

FIGURES.json is what `tickerd-bench --json` has written. Of a row with a reference the ratio is compared, since the machine drifts and a
ratio does not. Of the others only what a machine does not change: memory, and counts of what must not happen.
"""

import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.json")
# What a figure moves by itself from run to run, as a part of it: three repeats that are alike by chance say nothing else.
MARGIN = 0.05
# Units of rows without a reference that say the same on any machine. "" is a count.
STEADY = ("B", "KiB", "MiB")
COUNTS = ("late beats", "turns of more than")


def key_of(row):
    return row["scenario"], row["what"], row["unit"]


def measured(row):
    """What of a row of the bench is compared, or None."""
    # A ratio to nearly nothing is none: no late beat beside no late beat.
    if row["ratio"] and not is_count(row):
        return {"of": "ratio", **row["ratio"]}
    if row["daemon"] and (row["unit"] in STEADY or is_count(row)):
        return {"of": "count" if is_count(row) else "figure", **row["daemon"]}
    return None


def is_count(row):
    return row["unit"] == "" and any(word in row["what"] for word in COUNTS)


def rows_of(figures):
    if figures.get("quick"):
        raise ValueError("these are the figures of a smoke run, which mean nothing: run the bench without --quick")
    kept = {}
    for row in figures["rows"]:
        spread = measured(row)
        if spread:
            # More is better where the target is a least; a ratio is always the daemon's part.
            kept[key_of(row)] = {**spread, "more_is_better": row.get("at_least") is not None}
    return kept


def widened(row):
    around = MARGIN * abs(row["median"])
    return min(row["min"], row["median"] - around), max(row["max"], row["median"] + around)


def judge(before, now):
    """"same", "better" or "worse". It has moved if neither median lies within the other's spread."""
    (low, high), (new_low, new_high) = widened(before), widened(now)
    # What must not happen may not happen in most repeats, however the others were.
    may_be_wide = before["of"] != "count"
    if low <= now["median"] <= high or may_be_wide and new_low <= before["median"] <= new_high:
        return "same"
    has_grown = now["median"] > before["median"]
    return "better" if has_grown == before["more_is_better"] else "worse"


def compare(baseline, now):
    """Lines to print, and how many rows are worse, better, the same."""
    lines, counts = [], {"worse": 0, "better": 0, "same": 0}
    scenarios = {scenario for scenario, _, _ in now}
    for key, row in now.items():
        before = baseline.get(key)
        if not before or before["of"] != row["of"]:
            lines.append(("new", f"{title(key)}: {shown(row)}, which the baseline does not have"))
            continue
        verdict = judge(before, row)
        counts[verdict] += 1
        if verdict != "same":
            lines.append((verdict, f"{title(key)}: {shown(row)}, and it was {shown(before)}"))
    for key in baseline:
        if key[0] in scenarios and key not in now:
            lines.append(("gone", f"{title(key)}: it is not measured any more"))
    order = ("worse", "gone", "new", "better")
    lines.sort(key=lambda line: order.index(line[0]))
    return [f"{word:7}{text}" for word, text in lines], counts


def title(key):
    scenario, what, _ = key
    return f"{scenario}  {what}"


def shown(row):
    unit = "×" if row["of"] == "ratio" else row.get("unit", "")
    return f"{row['median']:.2f} ({row['min']:.2f}–{row['max']:.2f}) {unit}".rstrip()


def load(path, read):
    with open(path) as file:
        rows = read(json.load(file))
    return {key: {**row, "unit": key[2]} for key, row in rows.items()}


def baseline_of(document):
    return {key_of(row): row for row in document["rows"]}


def save(path, figures, rows):
    kept = ("of", "min", "median", "max", "more_is_better")
    listed = [
        {"scenario": scenario, "what": what, "unit": unit, **{name: round_(row[name]) for name in kept}}
        for (scenario, what, unit), row in rows.items()
    ]
    head = {name: figures.get(name) for name in ("version", "seconds", "repeats", "cores", "kernel")}
    lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in listed)
    with open(path, "w") as file:
        file.write(f'{{\n  "measured": {json.dumps(head)},\n  "rows": [\n{lines}\n  ]\n}}\n')


def round_(value):
    return round(value, 4) if isinstance(value, float) else value


def main(arguments):
    parser = argparse.ArgumentParser(description="Says which figures of the bench moved beyond their spread.")
    parser.add_argument("figures", help="what tickerd-bench --json has written")
    parser.add_argument("--baseline", default=BASELINE)
    parser.add_argument("--update", action="store_true", help="make these figures the baseline")
    options = parser.parse_args(arguments)
    try:
        now = load(options.figures, rows_of)
        if options.update:
            with open(options.figures) as file:
                save(options.baseline, json.load(file), now)
            print(f"bench-compare: {len(now)} rows are the baseline now")
            return 0
        baseline = load(options.baseline, baseline_of)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"bench-compare: {error!r}" if isinstance(error, (KeyError, TypeError)) else f"bench-compare: {error}", file=sys.stderr)
        return 1
    lines, counts = compare(baseline, now)
    print("\n".join(lines + [f"{counts['worse']} worse, {counts['better']} better, {counts['same']} within their spread"]))
    if not sum(counts.values()):
        print("bench-compare: no row is in both", file=sys.stderr)
        return 1
    return 2 if counts["worse"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
