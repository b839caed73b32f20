# `make help` lists the commands. Each makes .venv first when something it depends on has changed.
PYTHON ?= python3
RUN := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help environment lab test stress notebooks mutants bench peers lowest newest colab lock clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

environment:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "Python %d.%d is too old: \
	install Python 3.11 or later, then run make PYTHON=python3.11 (or what it is called)." % v[:2])'
	@$(PYTHON) -m tools.environment

lab: environment  ## open the lectures in JupyterLab (LABFLAGS="--no-browser" and the like are handed on)
	@$(RUN) -m tools.lab $(LABFLAGS)

test: environment  ## lint, types, tests, and every lecture run from top to bottom without a network
	@echo "== ruff: lint and format, the lectures' code too"
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@echo "== mypy: types"
	@$(RUN) -m mypy
	@echo "== pytest: tests"
	@$(RUN) -m pytest -q tests
	@echo "== pytest: the lectures, without a network"
	@PYTHONPATH="$$PWD/tests/offline" $(RUN) -m pytest -q --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=120 --nbval-sanitize-with tests/lectures/sanitize.cfg tests/lectures/offline.ipynb lectures

stress: environment  ## the lectures under other seeds, on other processors, in another order, on a pretended GPU (40 minutes)
	@echo "== pytest: the mathematics on a pretended GPU"
	@$(RUN) -m pytest -q --gpu tests/risk tests/faceid tests/mcmc tests/diffusion tests/attacks tests/physical \
		tests/smoothing tests/gpu
	@echo "== lectures"
	@$(RUN) -m tools.stress
	@echo "== mutants that drop device="
	@$(RUN) -m tools.mutants --gpu --times 5

notebooks: environment  ## run each changed text of lectures/source into its notebook (NBFLAGS=--all: every one)
	@$(RUN) -m tools.notebooks $(NBFLAGS)

mutants: environment  ## give every mutant of every exercise's reference to its checks (MUTANTS="attacks 1.4 --times 20")
	@$(RUN) -m tools.mutants $(MUTANTS)

bench: environment  ## measure: import, training loop, explorers, lectures
	@$(RUN) -m tools.bench

peers: environment  ## test and measure beside other libraries, in .venv-peers (PEERS="attacks mcmc": these only)
	@$(RUN) -m tools.others peers $(PEERS)

lowest: environment  ## run the tests and a lecture with the lowest versions that pyproject.toml allows, in .venv-lowest
	@$(RUN) -m tools.others lowest $(WITH)

newest: environment  ## the same with the newest that there are, in .venv-newest (WITH="--python 3.13 --lecture 05_mcmc")
	@$(RUN) -m tools.others newest $(WITH)

colab: environment  ## pack dist/course.zip, to be uploaded to Google Colab
	@$(RUN) -m tools.colab

lock: environment  ## write requirements.lock anew from pyproject.toml (for authors)
	@$(RUN) -m tools.environment --lock

clean:  ## remove .venv and the like, dist and caches; never work/
	rm -rf .venv .venv-lowest .venv-newest .venv-peers .cache dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -path ./work -prune -o -name __pycache__ -prune -exec rm -rf {} +
