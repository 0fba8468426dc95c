"""Compares a report of the Autobahn cases with what is expected, case by case."""

import collections
import json
import pathlib
import sys


def by_number(case):
    return [int(part) for part in case.split(".")]


def read_report(folder):
    (cases,) = json.loads((folder / "index.json").read_text()).values()
    return {case: [cases[case]["behavior"], cases[case]["behaviorClose"]] for case in sorted(cases, key=by_number)}


def print_groups(seen):
    groups = collections.defaultdict(collections.Counter)
    for case, outcome in seen.items():
        groups[int(case.split(".")[0])][" / close ".join(outcome)] += 1
    for group, outcomes in groups.items():
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{group:3}.*  {counts}")


def write_expected(path, seen):
    lines = (f"  {json.dumps(case)}: {json.dumps(outcome)}" for case, outcome in seen.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(report, expected, accept=False, quick=False):
    seen = read_report(report)
    print_groups(seen)
    if accept:
        return write_expected(expected, seen)
    wanted = json.loads(expected.read_text())
    if quick:
        wanted = {case: outcome for case, outcome in wanted.items() if case in seen}
    other = [case for case in sorted(seen.keys() | wanted.keys(), key=by_number) if seen.get(case) != wanted.get(case)]
    for case in other:
        print(f"{case}: expected {wanted.get(case)}, seen {seen.get(case)}", file=sys.stderr)
    if other:
        sys.exit(f"{len(other)} of {len(wanted)} cases differ; the report, case by case: {report / 'index.html'}")
    print(f"all {len(wanted)} cases as expected")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:3]), accept=sys.argv[3:] == ["--accept"], quick=sys.argv[3:] == ["--quick"])
