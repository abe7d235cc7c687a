# PYTHON may be any 3.11 or newer; everything is installed into VENV, nothing outside of it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHONS ?= 3.12
STORM_ROUNDS ?= 20000
STORM_SEED ?= 1

.PHONY: help install dev demo test test-podman lint corpus fuzz storm bench bench-gateway bench-bursts bench-decisions bench-learning overload image wheels bundle lock clean
.DEFAULT_GOAL := help

help:
	@echo 'make install   .venv with sitectl and spillway-router'
	@echo 'make demo      three sites on this machine, a burst, what happened to it'
	@echo 'make test      all tests'
	@echo 'make test-podman  routers in real containers: needs podman'
	@echo 'make lint      format, style, types, who imports whom'
	@echo 'make corpus    what HTTP/1.1 is accepted and refused, case by case'
	@echo 'make fuzz      mutated bytes for FUZZ_SECONDS (60); FUZZ_SEED= replays'
	@echo 'make storm     aborts at any moment, STORM_ROUNDS (20000); STORM_SEED= replays'
	@echo 'make bench     requests a second, latency, bulk, memory, failover'
	@echo 'make bench-bursts    how well bursts fill and spill, on real sites 20 ms apart'
	@echo 'make bench-decisions microseconds that a decision takes'
	@echo 'make bench-learning  what capacity auto learns of modelled targets, beside published rules'
	@echo 'make bench-gateway   PostgreSQL through a gateway: transactions, latency, start, memory'
	@echo 'make overload  attacks by thousands and ten times the load, with figures'
	@echo 'make image     the container image: IMAGE= BASE= PLATFORMS=linux/amd64,linux/arm64'
	@echo 'make bundle    everything for hosts without a network, as one archive'
	@echo 'make wheels    what the image installs, so that it is built without a network'
	@echo 'make lock      uv.lock and what is made from it; UPGRADE=--upgrade'

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(BIN)/python:
	scripts/make-venv $(PYTHON) $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[kubernetes]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $(VENV)/.installed $@

demo: install
	$(BIN)/python -m demo

test: dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Beside the other tests: it needs podman, and what it builds first takes some minutes.
test-podman: dev
	$(BIN)/python -m tests.podman
	$(BIN)/python -m pytest tests/podman -o timeout=900

lint: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/uv lock --check --offline --quiet

corpus: dev
	$(BIN)/python -m tests.corpus

fuzz: dev
	$(BIN)/python -m tests.fuzz

storm: dev
	$(BIN)/python -m tests.simulation.storm --rounds $(STORM_ROUNDS) --seed $(STORM_SEED)

bench: dev
	$(BIN)/python -m tests.bench

bench-gateway: dev
	$(BIN)/python -m tests.bench.gateway

# BURSTS="--quick", BURSTS="--only 8x --json bursts.json"
bench-bursts: dev
	$(BIN)/python -m tests.bench.bursts $(BURSTS)

bench-learning: dev
	$(BIN)/python -m tests.bench.learning

bench-decisions: dev
	$(BIN)/python -m tests.bench.decisions

overload: dev
	$(BIN)/python -m tests.bench.overload

# IMAGE, BASE, PLATFORMS, ENGINE: docs/image.md
image:
	@scripts/image

# What `make image` and `make bundle` install, checked by hash; PYTHONS: for which versions.
wheels: | $(BIN)/python
	scripts/wheels $(BIN)/python wheels $(PYTHONS)

bundle: dev
	$(BIN)/python -m deploy.airgap $(BUNDLE)

# UPGRADE=--upgrade for the newest versions that pyproject.toml allows.
lock: dev
	$(BIN)/python -m deploy.lock $(UPGRADE)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build wheels
