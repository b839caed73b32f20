# `make help` lists the commands. Each makes .venv first when something it depends on has changed.
PYTHON ?= python3
RUN := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help environment lab test notebooks mutants bench colab lock clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

environment:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "Python %d.%d is too old: \
	install Python 3.11 or later, then run make PYTHON=python3.11 (or what it is called)." % v[:2])'
	@$(PYTHON) tools/environment.py

lab: environment  ## open the lectures in JupyterLab (LABFLAGS="--no-browser" and the like are handed on)
	@$(RUN) tools/lab.py $(LABFLAGS)

test: environment  ## lint, types, tests, and every lecture run from top to bottom without a network
	@echo "== ruff: lint and format, the lectures' code too"
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@echo "== mypy: types"
	@$(RUN) -m mypy
	@echo "== pytest: tests"
	@$(RUN) -m pytest -q tests
	@echo "== pytest: the lectures, without a network"
	@PYTHONPATH="$(CURDIR)/tests/offline" $(RUN) -m pytest -q --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=120 --nbval-sanitize-with tests/lectures/sanitize.cfg tests/lectures/offline.ipynb lectures

notebooks: environment  ## run each changed text of lectures/source into its notebook (NBFLAGS=--all: every one)
	@$(RUN) tools/notebooks.py $(NBFLAGS)

mutants: environment  ## give every mutant of every exercise's reference to its checks (MUTANTS="attacks 1.4 --times 20")
	@$(RUN) -m tools.mutants $(MUTANTS)

bench: environment  ## measure: import, training loop, explorers, lectures
	@$(RUN) -m tools.bench

colab: environment  ## pack dist/course.zip, to be uploaded to Google Colab
	@$(RUN) tools/colab.py

lock: environment  ## write requirements.lock anew from pyproject.toml (for authors)
	@$(RUN) tools/environment.py --lock

clean:  ## remove .venv, dist and caches; never work/
	rm -rf .venv dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -path ./work -prune -o -name __pycache__ -prune -exec rm -rf {} +
