#!/usr/bin/env python3
"""Prints whose software is compiled into the daemon and the bundled feeds, with their licenses, which ask for that."""

import json
import os
import re
import subprocess

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
TEXTS = re.compile(r"^(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE)", re.IGNORECASE)


def crates():
    """Those that the program and the plugins are linked with, as (name, version, license, folder)."""
    host = subprocess.check_output(["rustc", "-vV"], text=True)
    target = re.search(r"^host: (.*)$", host, re.MULTILINE)[1]
    told = subprocess.check_output(["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"], cwd=ROOT)
    told = json.loads(told)
    packages = {package["id"]: package for package in told["packages"]}
    needs = {node["id"]: node["deps"] for node in told["resolve"]["nodes"]}
    feeds = os.path.join(os.path.realpath(ROOT), "feeds", "")
    shipped = [id for id, package in packages.items() if package["name"] == "tickerd" or package["manifest_path"].startswith(feeds)]
    seen, todo = set(), shipped
    while todo:
        id = todo.pop()
        if id in seen:
            continue
        seen.add(id)
        # What is for tests or builds alone is in no program.
        todo += [need["pkg"] for need in needs[id] if any(kind["kind"] is None for kind in need["dep_kinds"])]
    for package in (packages[id] for id in seen):
        if package["source"]:
            yield package["name"], package["version"], package["license"], os.path.dirname(package["manifest_path"])


def scripts():
    """Those that the page is served with."""
    with open(os.path.join(ROOT, "dashboards/web/package.json")) as page:
        names = json.load(page)["dependencies"]
    for name in names:
        folder = os.path.join(ROOT, "dashboards/web/node_modules", name)
        with open(os.path.join(folder, "package.json")) as file:
            package = json.load(file)
        yield name, package["version"], package.get("license", ""), folder


def main():
    found = sorted({*crates(), *scripts()})
    texts = {}
    print("Software of others in tickerd, and the licenses under which it is there. Their texts follow.\n")
    for name, version, license, folder in found:
        print(f"{name} {version}: {license}")
        for file in sorted(os.listdir(folder)):
            path = os.path.join(folder, file)
            if TEXTS.match(file) and os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as text:
                    texts.setdefault(text.read().strip(), []).append(name)
    for text, names in sorted(texts.items(), key=lambda entry: entry[1]):
        print(f"\n{'-' * 78}\n{', '.join(dict.fromkeys(names))}\n\n{text}")


if __name__ == "__main__":
    main()
