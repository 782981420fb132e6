# make repro      everything, from raw clips to metrics
# make test       style, types, unit tests, and the pipeline once in small: minutes
# make test-all   these and tests/integration: the full pipeline, kills, S3, queues, real clips
# make fuzz       damaged input of every kind, as much as FUZZ_INPUTS says, from FUZZ_FIRST on
# make setup      the virtual environment alone
# make clean      remove it
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Whatever environment was active, its Python modules stay out of ours; and bytecode is kept, which
# makes every later start seconds faster.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

.PHONY: repro test test-all integration fuzz setup clean

repro: $(BIN)/.ready
	@python -m facewave.params
	@dvc repro
	@facewave results

# One process of tests a core, and one thread a process.
WORKERS ?= $(shell nproc)
PYTEST := OMP_NUM_THREADS=1 pytest -n $(WORKERS) --dist worksteal
SMOKE := tests/integration/test_smoke.py

test: $(BIN)/.ready-dev
	@ruff check
	@ruff format --check
	@mypy & types=$$!; $(PYTEST) -m "not slow" tests/unit $(SMOKE); failed=$$?; wait $$types && exit $$failed

test-all: test
	@$(MAKE) integration

# What `make test` leaves to `make test-all`. The page is looked at in a real browser, if there is
# one: apt-get install chromium.
integration: $(BIN)/.ready-dev
	@$(PYTEST) -m slow tests/unit
	@$(PYTEST) --hypothesis-profile=thorough tests/integration --ignore=$(SMOKE)

# Each input follows from its kind and number; a fault names both.
FUZZ_INPUTS ?= 3000
FUZZ_FIRST ?= 0

fuzz: $(BIN)/.ready-dev
	@FUZZ_INPUTS=$(FUZZ_INPUTS) FUZZ_FIRST=$(FUZZ_FIRST) $(PYTEST) -rP --hypothesis-profile=search \
	  tests/integration/test_fuzz.py tests/integration/test_damaged_labels.py

setup: $(BIN)/.ready

# Every version is pinned, so there is nothing to resolve (--no-deps), and only what is used gets
# compiled (--no-compile): half the time of a plain install.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --no-deps

$(BIN)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "facewave needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "the module venv is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ctypes; [ctypes.CDLL(l) for l in ("libGL.so.1", "libgthread-2.0.so.0")]' || \
	  { echo "OpenCV needs system libraries: apt-get install libgl1 libegl1 libgles2 libglib2.0-0"; \
	    exit 1; }
	@echo "installing the pinned packages into .venv (6.5 GB, some two minutes)"
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) --no-build-isolation -e .
	@facewave doctor
	@touch $@

$(BIN)/.ready-dev: requirements-dev.txt $(BIN)/.ready
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv
