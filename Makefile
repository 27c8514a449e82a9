.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 5000
VENV := .venv
INSTALLED := $(VENV)/.installed
RAY := $(VENV)/.ray
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --upgrade
PIP := pip install --quiet --disable-pip-version-check
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := true

.PHONY: help
help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

$(VENV)/.locked: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --require-hashes --requirement requirements.lock
	touch $@

$(INSTALLED): $(VENV)/.locked pyproject.toml
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(RAY): $(INSTALLED) requirements-ray.lock
	$(PIP) --require-hashes --requirement requirements-ray.lock
	touch $@

.PHONY: repro
repro: $(INSTALLED) ## Run the pipeline, or what has changed of it
	dvc repro

.PHONY: demo
demo: $(INSTALLED) ## Run it on a built-in sample, without data or network, in demo/
	python -m scripts.demo

.PHONY: test
test: $(INSTALLED) ## Run the tests, but for the slow ones
	python -m pytest

.PHONY: test-slow
test-slow: $(RAY) ## Run the slow tests, and check the results that lie in data/
	python -m pytest -m slow

.PHONY: bench
bench: $(INSTALLED) ## Time the fused recurrence beside stock Keras and what else is installed
	python -m benchmarks.bench

.PHONY: times
times: $(INSTALLED) ## Time each stage of cold runs, and write the table into the README
	python -m benchmarks.stages

.PHONY: scale
scale: $(INSTALLED) ## Measure seconds and memory of each stage as the reviews grow; takes long
	python -m benchmarks.scale

.PHONY: recipe
recipe: $(INSTALLED) ## Run a recipe as an experiment and record it: make recipe NAME=labelled
	python -m scripts.recipe $(NAME)

.PHONY: verify
verify: $(INSTALLED) ## Run everything again elsewhere and compare, byte for byte
	python -m scripts.verify

.PHONY: ray
ray: $(RAY) ## Install Ray, for sweeps and clusters

.PHONY: sweep
sweep: $(RAY) ## Try parameters or seeds, as a file of sweeps/ says: make sweep NAME=seeds
	dvc repro --quiet baseline
	python -m scripts.sweep $(NAME)

.PHONY: audit
audit: $(INSTALLED) ## List known vulnerabilities of what the locks install
	pip-audit --requirement requirements.lock --require-hashes --disable-pip
	pip-audit --requirement requirements-ray.lock --require-hashes --disable-pip

.PHONY: track
track: $(INSTALLED) ## See to it that the MLflow store has the present results
	python -m scripts.track

.PHONY: promote
promote: $(INSTALLED) ## Make the best model by validation accuracy the champion
	python -m scripts.promote

.PHONY: lint
lint: $(INSTALLED) ## Check the code's style
	ruff check
	ruff format --check

.PHONY: ui
ui: $(INSTALLED) ## Look at the tracked runs: make ui PORT=5000
	python -m scripts.ui --port $(PORT)

.PHONY: readme
readme: $(INSTALLED) ## Bring the README and docs/recurrence.md up to date with the last run
	python -m scripts.readme
	python -m scripts.explain

.PHONY: lock
lock: $(INSTALLED) ## Resolve the locks anew from pyproject.toml
	$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	$(COMPILE) --group ray --constraint requirements.lock --output-file requirements-ray.lock

.PHONY: clean
clean: ## Remove the environment and everything that a stage wrote; DVC's cache stays
	git clean --quiet -d --force -X data
	rm -rf $(VENV) *.egg-info demo .pytest_cache .ruff_cache .hypothesis
