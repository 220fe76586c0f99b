# One command each to run, test, lint and measure. `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Processes that run the tests; most tests wait most of the time.
JOBS ?= 3
# What tests need: system packages, and servers.
PACKAGES = $(PY) -m deploy.packages
SERVERS = servers=$$($(PY) -m deploy.servers env $(PRIVATE)) && eval "$$servers"

# What `make test-fast` runs; tests/conftest.py (_is_fast) holds these to start no process.
FAST = tests/unit tests/integration/participant --ignore tests/integration/participant/breaker -m "not processes and not servers"

.PHONY: help venv demo test test-fast lint screenshots up shell bench bench-peers sweep soak chaos storm mutants stop clean

help:
	@echo 'make demo   start everything on this machine, place a few hundred orders, show what happened'
	@echo 'make test   run all tests; find, start or install what they need (ARGS="-k words" to choose)'
	@echo 'make test-fast  run unit tests and the tests of the kit, in under a minute; needs PostgreSQL and Redis, starts no process'
	@echo 'make lint   ruff, mypy, import boundaries, Django checks'
	@echo 'make up     run web, workers, beat and Flower under one supervisor, with the servers that .env or the environment names'
	@echo 'make shell  a Python shell with the models'
	@echo 'make bench  orders a second, latency, CPU an order: ARGS="--variants base,hot --rounds 3", "--scaling 1,2,4"'
	@echo 'make bench-peers  the same beside Restate, DBOS and a plain Celery chain, which it installs apart'
	@echo 'make screenshots  make the pictures of docs/operations.md again, by the browser tests'
	@echo 'make sweep  kill, double and cut off real workers at every failpoint of an order'
	@echo 'make soak   a million simulated sagas with random faults: SAGAS=1000000 SEED=1'
	@echo 'make chaos  random faults on a whole shop of real processes: MINUTES=5 SEED=1'
	@echo 'make storm  10,000 orders while every worker is down: waiting messages are not sent again (ARGS="--sagas 1000")'
	@echo 'make mutants  break one rule of the protocol at a time; the test of the rule must fail'
	@echo 'make stop   end the servers that `make test` started'
	@echo 'make clean  the same, and remove what was built'

venv: $(VENV)/.dev

$(VENV)/.dev: requirements.txt requirements-demo.txt requirements-otel.txt requirements-dev.txt
	@PYTHON='$(PYTHON)' deploy/make_venv $(VENV) requirements-dev.txt
	@touch $(VENV)/.demo $@

$(VENV)/.demo: requirements.txt requirements-demo.txt
	@PYTHON='$(PYTHON)' deploy/make_venv $(VENV) requirements-demo.txt
	@touch $@

demo: $(VENV)/.demo
	@exec $(PY) -m deploy.guard $(PY) -m deploy.demo

# The whole suite fills a hundred connections, and a PostgreSQL that is thrown away need not write to disk.
test: PRIVATE = --private PostgreSQL

test: $(VENV)/.dev
	@$(PACKAGES) && $(SERVERS) && exec $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(VENV)/.dev
	@$(SERVERS) && exec $(PY) -m pytest -q -n $(JOBS) $(FAST) $(ARGS)

screenshots: $(VENV)/.dev
	@$(PACKAGES) && $(SERVERS) && mkdir -p docs/images && SCREENSHOTS=docs/images exec $(PY) -m pytest tests/acceptance/test_operators_browser.py tests/acceptance/test_orders_browser.py $(ARGS)

sweep: $(VENV)/.dev
	@$(PACKAGES) && $(SERVERS) && SWEEP=all exec $(PY) -m pytest tests/faults $(ARGS)

soak: $(VENV)/.dev
	@exec $(PY) -m tests.simulation $(if $(SAGAS),--sagas $(SAGAS)) $(if $(SEED),--seed $(SEED))

chaos: $(VENV)/.dev
	@$(PACKAGES) && exec $(PY) -m deploy.guard $(PY) -m tests.chaos --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED))

storm: $(VENV)/.dev
	@$(SERVERS) && exec $(PY) -m tests.storm $(ARGS)

mutants: $(VENV)/.dev
	@$(PACKAGES) && $(SERVERS) && exec $(PY) -m tests.mutants $(ARGS)

# Tests isolate themselves. Linters read no .env either.
lint: export SHOP_DEBUG = true
lint: export SHOP_ENV_FILE = /dev/null

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(PY) manage.py check

up: $(VENV)/.demo
	@exec $(PY) -m deploy.guard $(PY) -m deploy.up

shell: $(VENV)/.demo
	@exec $(PY) manage.py shell $(ARGS)

bench: $(VENV)/.demo
	@exec $(PY) -m deploy.guard $(PY) manage.py bench $(ARGS)

bench-peers: $(VENV)/.demo
	@$(SERVERS) && exec $(PY) -m deploy.guard $(PY) -m deploy.peers $(ARGS)

stop:
	@if [ -x $(PY) ]; then $(PY) -m deploy.servers stop; fi

clean: stop
	rm -rf $(VENV) .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
