.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 5000
VENV := .venv
INSTALLED := $(VENV)/.installed
RAY := $(VENV)/.ray

# By their paths and by Python: Apple's make ignores the exported PATH, and scripts of a folder that
# was renamed name the old one. Stages are found on the PATH.
RUN := $(VENV)/bin/python -m
DVC := $(RUN) dvc
COMPILE := $(RUN) uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --upgrade
PIP := $(RUN) pip install --quiet --disable-pip-version-check --no-user --target=
TEST := $(RUN) pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := true
# DVC asks for it, and a container's user may have no name.
export USER ?= $(firstword $(shell id -un 2>/dev/null || id -u))

# Of pip's settings only where packages are from; no other Python's packages; no Git hook's repository.
SOURCES := %_URL PIP_FIND_LINKS PIP_NO_INDEX %HOST %CERT PIP_PROXY PIP_CONFIG_FILE %CACHE_DIR %TIMEOUT
unexport $(filter-out $(SOURCES),$(filter PIP_%,$(.VARIABLES)))
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONOPTIMIZE
unexport GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_PREFIX

# An environment that was moved or copied here, or whose Python is gone, is built anew.
FOR := $(shell test -x $(VENV)/bin/python && cat $(VENV)/pyvenv.cfg)
ifeq ($(findstring --clear $(CURDIR)/$(VENV),$(FOR)),)
$(VENV)/.locked: anew
.PHONY: anew
endif

# A project from a ZIP has no Git, of which DVC has to be told.
ifeq ($(wildcard .git)$(shell git rev-parse --git-dir 2>/dev/null),)
WITHOUT_GIT := $(DVC) config core.no_scm true
endif

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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
	$(WITHOUT_GIT)
	$(DVC) repro
	@echo "The report is data/report/index.html; make report opens it in a browser."

.PHONY: pull
pull: $(INSTALLED) ## Get the results from the DVC remote, instead of computing them
	$(WITHOUT_GIT)
	$(DVC) pull

.PHONY: report
report: $(INSTALLED) ## Open the report in a browser, rebuilt where needed
	$(DVC) repro report
	$(RUN) webbrowser "file://$(CURDIR)/data/report/index.html"

.PHONY: demo
demo: $(INSTALLED) ## Run it on a built-in sample, without data or network, in demo/
	$(RUN) scripts.demo

.PHONY: test
test: $(INSTALLED) ## Run the tests, but for the slow ones
	$(TEST)

.PHONY: test-slow
test-slow: $(RAY) ## Run the slow tests, and check the results in data/
	$(TEST) -m slow

.PHONY: bench
bench: $(INSTALLED) ## Time the fused recurrence beside stock Keras and what else is installed
	$(RUN) benchmarks.bench

.PHONY: times
times: $(INSTALLED) ## Time each stage of cold runs, for the README; BASE=main compares with a commit instead
	$(RUN) benchmarks.stages $(BASE)

.PHONY: scale
scale: $(INSTALLED) ## Measure seconds and memory of each stage as the reviews grow; takes long
	$(RUN) benchmarks.scale

.PHONY: recipe
recipe: $(INSTALLED) ## Run a recipe as an experiment and record it: make recipe NAME=labelled SEEDS=3
	$(RUN) scripts.recipe $(NAME) $(SEEDS)

.PHONY: verify
verify: $(INSTALLED) ## Run everything again elsewhere and compare, byte for byte
	$(RUN) scripts.verify

.PHONY: ray
ray: $(RAY) ## Install Ray, for sweeps and clusters

.PHONY: sweep
sweep: $(RAY) ## Try parameters of training, by a file of sweeps/: make sweep NAME=learning
	$(WITHOUT_GIT)
	$(DVC) repro --quiet baseline
	$(RUN) scripts.sweep $(NAME)

.PHONY: audit
audit: $(INSTALLED) ## List known vulnerabilities of what the locks install
	$(RUN) pip_audit --requirement requirements.lock --require-hashes --disable-pip
	$(RUN) pip_audit --requirement requirements-ray.lock --require-hashes --disable-pip

.PHONY: track
track: $(INSTALLED) ## Log the current results to MLflow unless they are there
	$(RUN) scripts.track

.PHONY: promote
promote: $(INSTALLED) ## Make the best model by validation accuracy the champion
	$(RUN) scripts.promote

.PHONY: lint
lint: $(INSTALLED) ## Check the code's style and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

.PHONY: ui
ui: $(INSTALLED) ## Look at the tracked runs: make ui PORT=5000
	$(RUN) scripts.ui --port $(PORT)

.PHONY: readme
readme: $(INSTALLED) ## Bring the README and docs/recurrence.md up to date with the last run
	$(RUN) scripts.readme
	$(RUN) scripts.explain

.PHONY: lock
lock: $(INSTALLED) ## Resolve the locks anew from pyproject.toml
	$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	$(COMPILE) --group ray --constraint requirements.lock --output-file requirements-ray.lock

.PHONY: clean
clean: ## Remove the environment and everything that a stage wrote; DVC's cache stays
	git clean --quiet -d --force -X data
	rm -rf $(VENV) *.egg-info demo .pytest_cache .ruff_cache .hypothesis
