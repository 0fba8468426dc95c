# tickerd: `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
export TICKERD_COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# Libraries, and programs that are feeds.
FEEDS := sim host stocks crypto weather
PROGRAMS := replay
SHIPPED := -p tickerd $(patsubst %,-p tickerd-feed-%,$(FEEDS) $(PROGRAMS))
PAGE_DEPS := dashboards/web/node_modules/.package-lock.json
BROWSER_DEPS := tests/browser/node_modules/.package-lock.json
CONTRACT_DEPS := tests/contract/node_modules/.package-lock.json

.PHONY: help run build test test-tools test-rust test-clients test-browser test-contract flaky conformance lint bench install clean

help:
	@echo "make run          build everything in release and start tickerd, with no configuration"
	@echo "make test         everything: format, lints, Rust tests, browser tests"
	@echo "make flaky        which tests fail by chance: many runs on a busy machine"
	@echo "make lint         format and lints alone"
	@echo "make conformance  /echo held to the 517 cases of the Autobahn suite; Python 3.10"
	@echo "make bench        speed and memory, as ratios to a floor measured in the same run"
	@echo "make install      DESTDIR= PREFIX=/usr/local: daemon, feeds, unit, configuration"

$(PAGE_DEPS): dashboards/web/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install nodejs and npm for the page's charts" >&2; exit 1; }
	cd dashboards/web && npm ci --no-audit --no-fund

$(BROWSER_DEPS): tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund

$(CONTRACT_DEPS): tests/contract/package-lock.json
	cd tests/contract && npm ci --no-audit --no-fund

# What others may write is not loaded as a plugin; with umask 002 and a shared group that would be all that is built.
build: $(PAGE_DEPS)
	umask go-w; $(CARGO) build --release --locked $(SHIPPED)

run: build
	target/release/tickerd run

# What the tests need beyond cargo: installed when root may, named otherwise.
test-tools:
	@tests/tools.sh

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@# Outside the workspace, so nothing else would see that they no longer build; their lock follows the daemon.
	$(CARGO) clippy --manifest-path tests/fuzz/Cargo.toml --target-dir target -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps -p tickerd-sdk
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check bans licenses sources; \
	else echo "lint: cargo-deny is not installed, so dependencies were not checked"; fi

# The daemon, the feeds and the test feeds are run by the tests, so they are built first.
test-rust: test-tools $(PAGE_DEPS)
	$(CARGO) build --locked --workspace
	$(CARGO) test --locked --workspace

# Python's websockets and msgpack, Node's and a browser's own clients, and curl.
test-clients: test-tools $(BROWSER_DEPS)
	$(CARGO) build --locked -p tickerd -p tickerd-feed-sim
	tests/clients/run.sh

test-browser: test-tools $(PAGE_DEPS) $(BROWSER_DEPS)
	$(CARGO) build --locked --workspace
	cd tests/browser && npm test

test-contract: test-tools $(CONTRACT_DEPS)
	$(CARGO) build --locked --workspace
	cd tests/contract && npm test

# Most of the compression cases of the conformance suite are left out here: they take minutes.
test: test-tools $(PAGE_DEPS) $(BROWSER_DEPS) $(CONTRACT_DEPS) lint test-rust test-clients test-contract test-browser
	tests/conformance/run.sh --quick

# Half an hour and more; see the script for fewer runs, or some tests alone.
flaky: test-tools $(PAGE_DEPS) $(BROWSER_DEPS) $(CONTRACT_DEPS)
	tests/flaky.sh

conformance:
	$(CARGO) build --locked -p tickerd
	tests/conformance/run.sh

bench: $(PAGE_DEPS)
	$(CARGO) build --release --locked $(SHIPPED) -p tickerd-bench -p tickerd-feed-flood
	target/release/tickerd-bench $(BENCH_ARGS)

install: build
	install -D -m 755 target/release/tickerd $(DESTDIR)$(PREFIX)/bin/tickerd
	for feed in $(FEEDS); do \
	  install -D -m 644 target/release/libtickerd_feed_$$feed.so -t $(DESTDIR)$(PREFIX)/lib/tickerd/plugins; done
	for feed in $(PROGRAMS); do \
	  install -D -m 755 target/release/tickerd-feed-$$feed -t $(DESTDIR)$(PREFIX)/lib/tickerd/plugins; done
	install -D -m 644 plugins-sdk/include/tickerd.h $(DESTDIR)$(PREFIX)/include/tickerd.h
	install -D -m 644 systemd/tickerd.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/tickerd.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/bin/tickerd|$(PREFIX)/bin/tickerd|' systemd/tickerd.service \
	  > $(DESTDIR)$(PREFIX)/lib/systemd/system/tickerd.service
	if [ ! -e $(DESTDIR)/etc/tickerd/tickerd.toml ]; then \
	  install -D -m 644 systemd/tickerd.toml $(DESTDIR)/etc/tickerd/tickerd.toml; fi

clean:
	$(CARGO) clean
	rm -rf dashboards/web/node_modules tests/browser/node_modules tests/contract/node_modules
