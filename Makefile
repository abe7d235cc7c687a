# PYTHON may be any 3.11 or newer; everything is installed into VENV, nothing outside of it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
IMAGE ?= spillway/router:dev
STORM_ROUNDS ?= 20000
STORM_SEED ?= 1

.PHONY: help install dev demo test lint corpus fuzz storm bench bench-gateway overload image clean
.DEFAULT_GOAL := help

help:
	@echo 'make install   .venv with sitectl and spillway-router'
	@echo 'make demo      three sites on this machine, a burst, what happened to it'
	@echo 'make test      all tests'
	@echo 'make lint      format, style, types, who imports whom'
	@echo 'make corpus    what HTTP/1.1 is accepted and refused, case by case'
	@echo 'make fuzz      mutated bytes for FUZZ_SECONDS (60); FUZZ_SEED= replays'
	@echo 'make storm     aborts at any moment, STORM_ROUNDS (20000); STORM_SEED= replays'
	@echo 'make bench     requests a second, latency, bulk, memory, failover'
	@echo 'make bench-gateway   PostgreSQL through a gateway: transactions, latency, start, memory'
	@echo 'make overload  attacks by thousands and ten times the load, with figures'
	@echo 'make image     the container image'

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

lint: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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

overload: dev
	$(BIN)/python -m tests.bench.overload

image:
	$$(command -v podman || command -v docker) build -t $(IMAGE) .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
