# `make demo` and `make test` are the README's two commands; both work on a fresh clone with nothing but python3, make and sh.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all nights sweep lint types bench completions consumers browser oidc clean

demo: $(VENV)/.installed
	@$(BIN)/python examples/quickstart/demo.py

test: $(VENV)/.tested
	@$(BIN)/python -m pytest -n auto -m "not slow"

# Every test, the long ones too.
test-all: $(VENV)/.developed
	@$(BIN)/python -m pytest -n auto

# Every kill point, every signal and a full disk at every point, and every fault at every request: docs/reliability.md.
sweep: $(VENV)/.tested
	@failed=0; $(BIN)/python tests/reliability/sweep.py || failed=1; \
	  $(BIN)/python tests/reliability/matrix.py || failed=1; exit $$failed

# What CI plays of that on every commit: a kill at every point, and every fault at every request that changes something.
nights: $(VENV)/.tested
	@failed=0; $(BIN)/python tests/reliability/sweep.py --act kill || failed=1; \
	  $(BIN)/python tests/reliability/matrix.py --changes || failed=1; exit $$failed

lint: $(VENV)/.developed
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(VENV)/.developed
	@$(BIN)/mypy --exclude 'tests/.+/conftest\.py$$'  # one module may be called conftest

# Beside Terraform, where it is installed; a quarter of an hour on a quiet machine. docs/performance.md shows the last run.
bench: $(VENV)/.installed
	@$(BIN)/python tests/bench/bench.py --docs docs/performance.md --json bench.json

completions: $(VENV)/.installed
	@$(BIN)/python -m provisioner.cli.completion

# Heavy readers of Terraform plans (checkov alone brings a hundred packages), in an environment of their own.
consumers: $(VENV)/.tested
	@test -x $(VENV)-consumers/bin/checkov || { $(PYTHON) -m venv $(VENV)-consumers && \
	  $(VENV)-consumers/bin/python -m pip install --quiet --disable-pip-version-check '.[consumers]'; }
	@CONSUMERS_PATH=$(CURDIR)/$(VENV)-consumers/bin $(BIN)/python -m pytest tests/consumers tests/pipelines/test_workflows.py

# The person's pages in Debian's chromium (apt-get install chromium); SCREENSHOTS=folder keeps pictures to look at.
browser: $(VENV)/.tested
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@$(BIN)/python -m pytest tests/browser -rs

# The OAuth tests at a third server that others wrote: panva's oidc-provider, which needs node and npm.
oidc: $(VENV)/.tested
	@npm install --silent --no-audit --no-fund --prefix $(VENV)-node oidc-provider@9
	@OIDC_PROVIDER=$(CURDIR)/$(VENV)-node $(BIN)/python -m pytest tests/oauth -k oidc -rs

# One stamp for each set of packages, made again when pyproject.toml changes.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.developed: $(VENV)/.tested
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-consumers $(VENV)-node .pytest_cache .mypy_cache .ruff_cache .hypothesis
