# PYTHON may be any 3.11 or newer. Everything is installed into VENV, and nothing outside of it.
PYTHON ?= $(shell scripts/find-python)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHONS ?= 3.12
STORM_ROUNDS ?= 20000
STORM_SEED ?= 1
CHURN ?= 100000
SECONDS ?= 1800
SOAK_SEED ?= 1

.PHONY: help help-all install dev demo test test-long tests-setup fresh test-pythons test-podman test-published test-cluster lint mutants site corpus fuzz storm hours churn soak simulate simulate-live bench overload image base wheels bundle release man docs lock clean
.DEFAULT_GOAL := help
# Without compiled files, every test process would rewrite all tests and every router compile itself.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make install   .venv with sitectl and spillway-router'
	@echo 'make demo      three sites on this machine, a burst, and the result'
	@echo 'make test      all tests'
	@echo 'make lint      format, style, types, import rules'
	@echo 'make help-all  everything else: further tests, benches, images, pages'

help-all: help
	@echo
	@echo 'make test-long  laws with seven times the examples of make test, simulations with twice the seeds'
	@echo 'make test-pythons  the most important tests on every other Python from 3.11 on'
	@echo 'make test-podman   routers in real containers: needs podman'
	@echo 'make test-published  makes a release and installs from it in every documented way'
	@echo 'make test-cluster  on a real cluster: KUBECONFIG=; NODE=own if it has none; SPILLWAY_TEST_IMAGE= has a shell (busybox:1.36)'
	@echo 'make fresh     demo, tests and .ci/run in bare Debian 12 roots, as root and as a user'
	@echo 'make mutants   do a room'"'"'s own tests notice COUNT (200) changes of its code? ROOM=balance SEED=; AGAIN=1: survivors only'
	@echo 'make corpus    what HTTP/1.1 is accepted and refused, case by case'
	@echo 'make fuzz      mutated bytes for FUZZ_SECONDS (60); FUZZ_SEED= replays'
	@echo 'make storm     aborts at any moment, STORM_ROUNDS (20000); STORM_SEED= replays'
	@echo 'make hours     an operator'"'"'s mistakes and faults: are all reports true? HOURS (100); HOURS_SEED='
	@echo 'make churn     connections at full rate that end in any way, CHURN (100000), debug allocator'
	@echo 'make soak      mixed load and link faults for SECONDS (1800): is everything back to normal? SOAK_SEED='
	@echo 'make simulate  control planes under faults, SEEDS (1000) fleets; SEED= replays'
	@echo 'make simulate-live  scenarios of sitectl simulate beside the same with real processes; ARGS=--help'
	@echo 'make overload  attacks by thousands and ten times the load, with figures'
	@echo 'make bench WHAT=setup  installs what benches compare with: HAProxy, nginx, Envoy; once'
	@echo 'make bench     beside these, and beside the goals. Others: WHAT=, with ARGS=--help for most'
	@echo '    quick         two minutes, beside HAProxy'
	@echo '    counts        bytecode, calls, objects and system calls of a request'
	@echo '    instructions  instructions of a request in virtual time, by callgrind'
	@echo '    profiles      where a request spends its time, room by room'
	@echo '    state         memory, and CPU while idle: connections, many links and services'
	@echo '    bursts        how well bursts fill and spill, on real sites 20 ms apart'
	@echo '    control       bytes, times and memory of routing at 10 to 1,000 sites'
	@echo '    reading       encoding and decoding of site messages'
	@echo '    decisions     microseconds that a decision takes'
	@echo '    learning      what capacity auto learns of modelled targets, beside published rules'
	@echo '    gateway       PostgreSQL through a gateway: transactions, latency, start, memory'
	@echo 'make image     the container image: IMAGE= BASE= PLATFORMS=linux/amd64,linux/arm64'
	@echo 'make base      a base for it from packages of Debian, where no registry has one: NAME= PLATFORMS='
	@echo 'make bundle    everything for hosts without a network, as one archive'
	@echo 'make release   the same, made twice, signed by KEY= and then checked as its receiver does'
	@echo 'make wheels    what the image installs, so that it is built without a network'
	@echo 'make man       man pages, into build/man: man -M build/man sitectl'
	@echo 'make site      the pages as a static site with search, into build/site; fails on a link that leads nowhere'
	@echo 'make docs      all that is made from the code, on pages and in deploy/'
	@echo 'make lock      uv.lock and what is made from it; UPGRADE=--upgrade'

install: $(VENV)/.installed
dev: $(VENV)/.dev

# Made again if its Python is not PYTHON; otherwise the file keeps its age.
$(VENV)/pyvenv.cfg: FORCE
	@scripts/make-venv $(PYTHON) $(VENV)
FORCE:

# The versions that uv.lock pins, checked by hash. build.txt has the packages that build our wheel.
$(VENV)/.installed: pyproject.toml deploy/image/requirements.txt deploy/image/build.txt $(VENV)/pyvenv.cfg
	$(PIP) --require-hashes -r deploy/image/requirements.txt -r deploy/image/build.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: pyproject.toml deploy/dev.txt $(VENV)/pyvenv.cfg
	$(PIP) --require-hashes -r deploy/dev.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $(VENV)/.installed $@

demo: install
	$(BIN)/sitectl demo

# A worker that dies ends the run: pytest-xdist would give the test that killed it to the next worker,
# forever. Files run in the order of tests/order.py. auto: more workers than processors, because many
# workers wait (tests/order.py). WORKERS=3: three workers. Tests that only compute get three.
WORKERS ?=
COMPUTING := $(or $(WORKERS),3)
# TESTS=tests/unit, TESTS='-k burst': some of the tests. In CI, a missing program ends the run at once.
test: tests-setup dev
	$(BIN)/python -m tests.whole $(TESTS) --in-memory -n $(or $(WORKERS),auto) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# Laws and seeded histories; LONG=tests/property/test_mesh.py: some of them. Run before every release.
LONG ?= tests/property tests/simulation $(shell grep -rlE '^(from|import) hypothesis' tests/unit --include='test_*.py')
test-long: dev
	$(BIN)/python -m tests.whole $(LONG) --hypothesis-profile long -o timeout=1200 -n $(COMPUTING) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

tests-setup:
	@PYTHON=$(PYTHON) tests/setup || test -z "$$CI"

# tests/pythons lists the Pythons and the tests.
test-pythons: dev
	$(BIN)/python -m tests.pythons $(if $(WORKERS),--workers $(WORKERS))

# The commands of a new user in bare Debian 12 roots, as root and as a user; takes hours. FRESH=demo,
# ROOTS=u9, WHO=user, TESTS=tests/unit: a part of them (scripts/fresh). Run before every release.
fresh:
	@FRESH="$(FRESH)" ROOTS="$(ROOTS)" WHO="$(WHO)" TESTS="$(TESTS)" scripts/fresh

# Separate from the other tests: it needs podman, and its first builds take some minutes.
test-podman: tests-setup dev
	$(BIN)/python -m tests.podman
	$(BIN)/python -m tests.whole tests/podman -o timeout=900

# Separate from the other tests: it makes a release and gets the release's wheels from a package index.
test-published: tests-setup dev
	$(BIN)/python -m tests.whole tests/published -o timeout=900

# All tests that can use a cluster, as its administrator. NODE=own: the cluster has no nodes, so the
# tests bring one (as root).
test-cluster: tests-setup dev
	@for each in $(or $(subst :, ,$(KUBECONFIG)),none); do test -f "$$each" || { echo 'KUBECONFIG=FILE, or FILE:FILE for two clusters, names no file' >&2; exit 2; }; done
	SPILLWAY_TEST_KUBECONFIG=$(KUBECONFIG) $(if $(NODE),SPILLWAY_TEST_NODE=$(NODE)) $(BIN)/python -m tests.whole tests/kubernetes -n $(if $(NODE),0 -o timeout=600,$(COMPUTING))

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

# cosmic-ray has a separate venv: nothing else in the project needs its dependencies.
ROOM ?= balance
COUNT ?= 200
mutants: dev
	$(BIN)/python -m venv build/mutants
	build/mutants/bin/python -m pip install --quiet --disable-pip-version-check cosmic-ray==8.7.0
	$(BIN)/python -m tests.mutants $(ROOM) --count $(COUNT) $(if $(SEED),--seed $(SEED)) $(if $(AGAIN),--again) --cosmic-ray $(CURDIR)/build/mutants/bin/cosmic-ray

# SEEDS=10000; SEED=123 replays one and shows what led to its result; WHOLE=--whole: whole routers.
SEEDS ?= 1000
simulate: dev
	$(BIN)/python -m tests.simulation.fleet $(WHOLE) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

# Takes six minutes on an idle machine. A scenario whose routers lacked a core is tried again.
simulate-live: dev
	$(BIN)/python -m tests.bench.simulate_live $(ARGS)

storm: dev
	$(BIN)/python -m tests.simulation.storm --rounds $(STORM_ROUNDS) --seed $(STORM_SEED)

hours: dev
	$(BIN)/python -m tests.simulation.hours --hours $(or $(HOURS),100) --seed $(or $(HOURS_SEED),1)

churn: dev
	$(BIN)/python -m tests.scenario.churning --connections $(CHURN)

# Real routers, three sites: half of SECONDS, at most 15 minutes, to warm up, SECONDS of load, and twice
# 60 s without load.
soak: dev
	$(BIN)/python -m tests.scenario.soaking --seconds $(SECONDS) --seed $(SOAK_SEED)

# WHAT: setup, quick or a module of tests/bench; ARGS="--only 'http R' --json bench.json".
WHAT ?=
bench: dev
ifeq ($(WHAT),setup)
	tests/bench/setup
else
	$(BIN)/python -m tests.bench$(if $(filter-out quick,$(WHAT)),.$(WHAT)) $(if $(filter quick,$(WHAT)),--quick) $(ARGS)
endif

overload: dev
	$(BIN)/python -m tests.bench.overload

# IMAGE, BASE, PLATFORMS, ENGINE: docs/image.md
image:
	@scripts/image

# Then: make wheels PYTHONS=3.11, as Debian's Python in it has no pip, and
# make image BASE=localhost/spillway/base:bookworm
base:
	@scripts/base

# The wheels that `make image` and `make bundle` install, checked by hash. PYTHONS: the Python versions.
wheels: $(VENV)/pyvenv.cfg
	scripts/wheels $(BIN)/python wheels $(PYTHONS)

bundle: dev
	$(BIN)/python -m deploy.airgap $(BUNDLE)

# KEY: a private key from `python -m deploy.signing FILE`; the receivers of releases have FILE.pub.
# SPILLWAY_URL: the address of releases; empty: install.sh and the krew manifest name no address.
OUTPUT ?= build
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' router/__init__.py)
release: export PLATFORMS ?= linux/amd64,linux/arm64
release: dev
	@test -f "$(KEY)" || { echo 'KEY=FILE names no file. To make one: $(BIN)/python -m deploy.signing FILE' >&2; exit 2; }
	$(BIN)/python -m deploy.airgap --twice --output $(OUTPUT) --key $(KEY) --url "$(SPILLWAY_URL)" $(BUNDLE)
	$(BIN)/sitectl verify $(OUTPUT)/spillway-$(VERSION).tar --key $(KEY).pub

man: install
	$(BIN)/python -m deploy.man build/man

# Writes the pages that tests compare with the code. Pages that show commands: see CONTRIBUTING.md.
docs: dev
	$(BIN)/python -m tests.reference
	$(BIN)/python -m tests.limits_table
	$(BIN)/python -m tests.codes_table
	$(BIN)/python -m tests.events_table
	$(BIN)/python -m tests.kubernetes_tables
	$(BIN)/python -m tests.shown
	$(BIN)/python -m tests.truth.table
	$(BIN)/python -m deploy

# UPGRADE=--upgrade for the newest versions that pyproject.toml allows.
# Search needs a server: python3 -m http.server -d build/site
site: dev
	$(BIN)/python -m deploy.site build/site

lock: dev
	$(BIN)/python -m deploy.lock $(UPGRADE)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build wheels
