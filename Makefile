# tickerd: `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO ?= cargo
# The oldest that will do.
RUST := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
PREFIX ?= /usr/local
DESTDIR ?=
export TICKERD_COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# Libraries, and programs that are feeds.
FEEDS := sim host stocks crypto weather
PROGRAMS := replay
BUILT ?= target/release
BUILT_FILES := tickerd $(patsubst %,libtickerd_feed_%.so,$(FEEDS)) $(patsubst %,tickerd-feed-%,$(PROGRAMS))
SHIPPED := -p tickerd $(patsubst %,-p tickerd-feed-%,$(FEEDS) $(PROGRAMS))
PAGE_DEPS := dashboards/web/node_modules/.package-lock.json
BROWSER_DEPS := tests/browser/node_modules/.package-lock.json
CLIENT_DEPS := dashboards/client/node_modules/.package-lock.json
CONTRACT_DEPS := tests/contract/node_modules/.package-lock.json

.PHONY: help run build test test-tools test-rust test-bench test-release test-clients test-cluster test-browser test-scripts torture torture-short fuzz screenshots test-contract flaky conformance lint bench bench-compare bench-browser bench-cluster package test-package install uninstall clean rust

help:
	@echo "make run          build everything in release and start tickerd, with no configuration"
	@echo "make test         everything: format, lints, Rust tests, browser tests"
	@echo "make test-release the tests of bad input again, on the release build"
	@echo "make test-cluster several nodes over real NATS servers, which are killed and stopped meanwhile"
	@echo "make flaky        which tests fail by chance: many runs on a busy machine"
	@echo "make lint         format and lints alone"
	@echo "make conformance  /echo held to the 517 cases of the Autobahn suite; Python 3.10"
	@echo "make bench        speed and memory, as ratios to a floor measured in the same run"
	@echo "make bench-compare  what moved since tests/bench/baseline.json; FIGURES=FILE.json compares figures that are there"
	@echo "make torture      kill -9, full disks, floods, churn: about 20 minutes, with a table"
	@echo "make fuzz         each parser of what strangers send, for a minute each"
	@echo "make screenshots  the pictures of the page in the documents"
	@echo "make build        daemon and feeds in release, for make install"
	@echo "make package      a Debian package, and an archive with install.sh, in target/package"
	@echo "make test-package the package installed, upgraded and removed under a systemd of its own; root, mmdebstrap"
	@echo "make install      DESTDIR= PREFIX=/usr/local: daemon, feeds, unit, configuration; needs make build before it"
	@echo "make uninstall    takes away what install brought, but for the configuration"

$(PAGE_DEPS): dashboards/web/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install nodejs and npm for the page's charts" >&2; exit 1; }
	cd dashboards/web && npm ci --no-audit --no-fund

$(BROWSER_DEPS): tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund

$(CLIENT_DEPS): dashboards/client/package-lock.json
	cd dashboards/client && npm ci --no-audit --no-fund

$(CONTRACT_DEPS): tests/contract/package-lock.json
	cd tests/contract && npm ci --no-audit --no-fund

rust:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust $(RUST) or later; https://rustup.rs tells how" >&2; exit 1; }

# What others may write is not loaded as a plugin; with umask 002 and a shared group that would be all that is built.
build: rust $(PAGE_DEPS)
	umask go-w; $(CARGO) build --release --locked $(SHIPPED)
	@systemd/package/pages.sh target/release

run: build
	target/release/tickerd run

# Several nodes over real NATS servers; `make test-rust` has it too.
test-cluster: test-tools rust
	$(CARGO) build --locked -p tickerd -p tickerd-feed-sim -p tickerd-feed-zoo
	$(CARGO) test --locked -p tickerd-tests --test cluster

# What the tests need beyond cargo: installed when root may, named otherwise.
test-tools: rust
	@tests/tools.sh

lint: rust
	$(CARGO) fmt --all --check
	@# The fuzz targets are built nowhere else, so nothing else would see that they no longer do.
	$(CARGO) clippy --locked --workspace --all-targets --features tickerd-fuzz/targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps -p tickerd-sdk
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check bans licenses sources; \
	else echo "lint: cargo-deny is not installed, so dependencies were not checked"; fi

# The daemon, the feeds and the test feeds are run by the tests, so they are built first.
# Tests of the daemon's behaviour wait for most of their time, so more of them run at once than there are cores.
test-rust: test-tools $(PAGE_DEPS)
	$(CARGO) build --locked --workspace
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test --locked --workspace -- --skip smoke_run_measures_every_scenario

# That the bench can still measure. It waits for most of its time, so `make test` runs it beside others.
test-bench: test-tools $(PAGE_DEPS)
	$(CARGO) test --locked --workspace --test quick

# Bad input, as the table in tests/README.md has it, to the daemon that users run.
ROWS := rows:: handshake:: frames:: floods:: compression:: slow_client:: half_close:: heartbeat:: http:: errors:: bad_commands:: \
        metrics::what_clients limits:: recovery:: tls:: access:: issuers:: proxied:: stalled_log:: disk::

test-release: test-tools build
	TICKERD_BIN=$(CURDIR)/target/release/tickerd $(CARGO) test --locked -p tickerd-tests --test behaviour -- $(ROWS)

# Python's websockets and msgpack, Node's and a browser's own clients, curl, and tickerd's own clients in Python and Node.
test-clients: test-tools $(BROWSER_DEPS) $(CLIENT_DEPS)
	$(CARGO) build --locked --workspace
	cd dashboards/client && npm test
	tests/clients/run.sh

# The pictures in the documents. They are looked at before they are committed.
screenshots: rust $(PAGE_DEPS) $(BROWSER_DEPS)
	$(CARGO) build --locked --workspace
	cd tests/browser && node screenshots.mjs

test-browser: test-tools $(PAGE_DEPS) $(BROWSER_DEPS)
	$(CARGO) build --locked --workspace
	cd tests/browser && npm test

# The package that `make package` would make, of the debug build: what is in it, and what it does under a systemd that has booted in
# namespaces of its own. It needs root, mmdebstrap and systemd-nspawn, and says so where one is missing.
test-package: test-tools $(PAGE_DEPS)
	$(CARGO) build --locked --workspace
	tests/package/run.sh

test-contract: test-tools $(CONTRACT_DEPS)
	$(CARGO) build --locked --workspace
	cd tests/contract && npm test

# Python beside the tests that has tests of its own.
test-scripts:
	cd tests/bench && python3 -m unittest compare_test

# What a daemon may have to bear, and a table of what came of it. tests/torture/README.md says more; TORTURE_ARGS names single rows.
torture: test-tools rust
	$(CARGO) build --locked -p tickerd -p tickerd-feed-sim -p tickerd-feed-zoo
	tests/torture/run.sh $(TORTURE_ARGS)

# The rows of it that take seconds, with fewer rounds.
torture-short: test-tools rust
	$(CARGO) build --locked -p tickerd -p tickerd-feed-sim -p tickerd-feed-zoo
	tests/torture/run.sh --short

# SECONDS_EACH and JOBS say how long each target runs, and how many at once.
fuzz: rust
	tests/fuzz/run.sh $(FUZZ_TARGETS)

# Most of the compression cases of the conformance suite are left out here: they take minutes.
test: test-tools $(PAGE_DEPS) $(BROWSER_DEPS) $(CLIENT_DEPS) $(CONTRACT_DEPS) lint test-rust
	@# They wait for most of their time, so they run beside one another: the browser's part takes as long as the others together.
	$(MAKE) --no-print-directory --jobs=2 test-browser test-clients test-contract test-package test-bench test-scripts
	$(MAKE) --no-print-directory torture-short
	tests/conformance/run.sh --quick

# Half an hour and more; see the script for fewer runs, or some tests alone.
flaky: test-tools $(PAGE_DEPS) $(BROWSER_DEPS) $(CLIENT_DEPS) $(CONTRACT_DEPS)
	tests/flaky.sh

conformance:
	$(CARGO) build --locked -p tickerd
	tests/conformance/run.sh

bench: rust $(PAGE_DEPS)
	$(CARGO) build --release --locked $(SHIPPED) -p tickerd-bench -p tickerd-feed-flood
	target/release/tickerd-bench $(BENCH_ARGS)
	@if ! command -v npm >/dev/null; then echo "bench: npm is missing, so the browser's part was left out: install nodejs and npm"; \
	elif [ ! -x "$${CHROMIUM:-/usr/bin/chromium}" ]; then echo "bench: chromium is missing, so the browser's part was left out"; \
	else $(MAKE) --no-print-directory bench-browser; fi
	@if ! PATH="$$PATH:/usr/sbin:/sbin" command -v nats-server >/dev/null; then echo "bench: nats-server is missing, so the cluster's part was left out: apt install nats-server"; \
	elif ! $(BENCH_PYTHON) -c 'import websockets' 2>/dev/null; then echo "bench: Python's websockets is missing, so the cluster's part was left out: make test-clients installs it"; \
	else $(MAKE) --no-print-directory bench-cluster; fi

# The page, the client and the elements in a browser, with the daemon that `make bench` or `make build` has built.
bench-browser: $(PAGE_DEPS) $(BROWSER_DEPS) $(CLIENT_DEPS)
	TICKERD_BIN=$(CURDIR)/target/release/tickerd node tests/bench/browser/bench.js $(BENCH_BROWSER_ARGS)

# What moved beyond its spread since tests/bench/baseline.json: the exit code is 2 if something is worse. Without FIGURES the bench runs;
# `python3 tests/bench/compare.py FILE.json --update` makes new figures the baseline.
FIGURES ?=
bench-compare: rust $(if $(FIGURES),,$(PAGE_DEPS))
ifeq ($(FIGURES),)
	$(CARGO) build --release --locked $(SHIPPED) -p tickerd-bench -p tickerd-feed-flood
	target/release/tickerd-bench $(BENCH_ARGS) --json target/figures.json
endif
	@python3 tests/bench/compare.py $(or $(FIGURES),target/figures.json)

# Three nodes over NATS beside one alone, with the daemon that `make bench` or `make build` has built.
BENCH_PYTHON = $(or $(PYTHON),$(wildcard target/clients/venv/bin/python),python3)
bench-cluster:
	$(BENCH_PYTHON) tests/bench/cluster/bench.py $(BENCH_CLUSTER_ARGS)

# Nothing is built here, so that root needs no cargo. systemd/install.sh says what goes where.
export PREFIX DESTDIR
install:
	@BUILT="$(BUILT)" FILES="$(BUILT_FILES)" systemd/install.sh

# The configuration, the keys and the past in /var/lib/tickerd stay.
uninstall:
	@BUILT="$(BUILT)" FILES="$(BUILT_FILES)" systemd/install.sh uninstall

# A Debian package and an archive with install.sh, in target/package. Of another build: `make package BUILT=target/debug`.
package: $(if $(filter target/release,$(BUILT)),build)
	BUILT="$(BUILT)" FILES="$(BUILT_FILES)" systemd/package/build.sh

clean:
	$(CARGO) clean
	rm -rf dashboards/web/node_modules tests/browser/node_modules tests/contract/node_modules
