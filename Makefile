# Everything starts from a fresh clone with python3 (3.11 or later, with venv) and make.
#   make demo      both stories, with nothing but this program
#   make test      the suite that needs no foreign program
#   make check     the quick gate: format, lint, types, import contracts, quick tests
#   make peers     install docker, notary, registry and the rest (Debian, as root or with sudo)
#   make interop   the suite against them
#   make fuzz      each reader of strangers' bytes under atheris (SECONDS=60 for each, JOBS=1 at once, READERS="bundle pem")
#   make bench     compare speed with them, and write docs/benchmarks.md (PROFILE=quick: ten minutes)
#   make build     the wheel, in dist/
#   make lock      write the lock files anew
PYTHON ?= python3
PROFILE ?= full
SECONDS ?= 60
JOBS ?= 1
BIN = .venv/bin
READY = .venv/ready
DEMO = .demo/venv
QUICK = not interop and not e2e and not property and not slow
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate
PIP = -m pip --disable-pip-version-check --no-input
# Without hashes for the project itself: it is this folder, and what it needs is there already.
PROJECT = --quiet --no-deps --no-build-isolation --no-index

# Where the environment forbids bytecode each worker, and each run of the program, would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: all demo test check peers interop fuzz bench build lock clean
all: check

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python $(PIP) install $(PROJECT) --editable .
	@touch $@

$(DEMO)/ready: requirements.lock pyproject.toml hatch_build.py $(shell find src tools -name __pycache__ -prune -o -type f -print)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) install --quiet --require-hashes -r requirements.lock
	$(DEMO)/bin/python $(PIP) install $(PROJECT) .
	@touch $@

demo: $(DEMO)/ready
	$(DEMO)/bin/python demo/demo.py

test: $(READY)
	$(BIN)/python -m pytest -n auto -m "not interop"

check: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	PROPERTIES=short $(BIN)/python -m pytest -n auto -m "$(QUICK)"

peers:
	tools/install-peers.sh

interop: $(READY)
	$(BIN)/python -m pytest tests/interop

.venv/fuzz-ready: $(READY) requirements-fuzz.lock
	$(BIN)/python $(PIP) install --quiet --require-hashes -r requirements-fuzz.lock
	@touch $@

fuzz: .venv/fuzz-ready
	$(BIN)/python tests/fuzz/run.py --seconds $(SECONDS) --jobs $(JOBS) $(READERS)

bench: $(READY) $(DEMO)/ready
	$(BIN)/python -m bench --profile $(PROFILE)

build: $(READY)
	$(BIN)/python -m build --no-isolation --wheel

lock: $(READY)
	$(COMPILE) --extra install --output-file requirements.lock
	$(COMPILE) --extra dev --output-file requirements-dev.lock
	$(COMPILE) --extra fuzz --constraints requirements-dev.lock --output-file requirements-fuzz.lock

clean:
	rm -rf .venv .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz
