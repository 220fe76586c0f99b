# One command each to run, test, lint and measure. `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
DOTENV := if [ -f .env ]; then set -a; . ./.env; set +a; fi

.PHONY: help venv demo test lint up shell bench stop clean

help:
	@echo 'make demo   start everything on this machine, place a few hundred orders, show what happened'
	@echo 'make test   run all tests, finding or starting the servers they need (ARGS="-k words" to choose)'
	@echo 'make lint   ruff, mypy, the walls between services, missing migrations, Django checks'
	@echo 'make up     run web, workers, beat and Flower under one supervisor, as .env or the environment says'
	@echo 'make shell  a Python shell with the models'
	@echo 'make bench  measure: ARGS="--orders 1000 --concurrency 8"'
	@echo 'make stop   end the servers that `make test` started'
	@echo 'make clean  that, and remove what was built'

venv: $(VENV)/.dev

$(VENV)/.dev: requirements.txt requirements-demo.txt requirements-dev.txt
	@PYTHON='$(PYTHON)' deploy/make_venv $(VENV) requirements-dev.txt
	@touch $(VENV)/.demo $@

$(VENV)/.demo: requirements.txt requirements-demo.txt
	@PYTHON='$(PYTHON)' deploy/make_venv $(VENV) requirements-demo.txt
	@touch $@

demo: $(VENV)/.demo
	@exec $(PY) -m deploy.guard $(PY) -m deploy.demo

test: $(VENV)/.dev
	@servers=$$($(PY) -m deploy.servers env) && eval "$$servers" && exec $(PY) -m pytest $(ARGS)

test lint: export SHOP_DEBUG = true

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check

up: $(VENV)/.demo
	@$(DOTENV); exec $(PY) -m deploy.guard $(PY) -m deploy.up

shell: $(VENV)/.demo
	@$(DOTENV); exec $(PY) manage.py shell $(ARGS)

bench: $(VENV)/.demo
	@$(DOTENV); exec $(PY) manage.py bench $(ARGS)

stop:
	@if [ -x $(PY) ]; then $(PY) -m deploy.servers stop; fi

clean: stop
	rm -rf $(VENV) .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
