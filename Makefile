# Two commands do everything on a fresh machine with Python 3.11 or newer: make demo, make test.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DOSE   ?= full
# Where the tests keep the independent servers and clients that they install.
export DSCR_PEER_CACHE ?= $(CURDIR)/$(VENV)/peers
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# The rooms in which a branch that no test took would be a figure or a duty that no test saw.
# Whole files go to three workers: most tests wait for something.  Measuring costs two thirds more, so only the tests that
# are there to reach every branch are measured.
SPREAD = -n 3 --dist loadfile --no-loadscope-reorder
MEASURED = tests/unit tests/definitions
WHOLLY_COVERED = dscr_bridge/window.py,dscr_bridge/count/*,dscr_bridge/check/*,dscr_bridge/privacy/*,dscr_bridge/ledger/*

.PHONY: help demo test prove lint bench docs site audit clean

help:  ## Say what each command does
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp  ## Run the main job on synthetic records: from pull to receipt, with a simulated receiver
	@$(BIN)/dscr-bridge demo

test: $(VENV)/test.stamp  ## Run every test in a small dose (about a quarter of an hour with browsers and peers)
	@$(BIN)/python -m pytest -q $(SPREAD) --cov --cov-branch --cov-report= $(MEASURED)
	@$(BIN)/coverage report --show-missing --fail-under=100 --include='$(WHOLLY_COVERED)'
	@$(BIN)/python -m pytest -q $(SPREAD) $(MEASURED:%=--ignore=%)

prove: $(VENV)/test.stamp  ## Run the long proofs; DOSE=ci for the dose of continuous integration
	@DSCR_DOSE=$(DOSE) $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/simulation tests/definitions tests/peers \
		tests/fleet tests/security tests/chaos tests/packaging/test_container.py tests/flow/test_two_daemons.py tests/channels/test_portal_kills.py tests/channels/test_portal_evening.py \
		tests/unit/test_faults_on_the_wire.py tests/unit/test_partial_readings.py tests/unit/test_flat_memory.py tests/unit/test_views_agreement.py \
		tests/web/test_every_page.py

lint: $(VENV)/test.stamp  ## Check style, types, the direction of imports and the container file
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint deploy/Containerfile

site: docs  ## Build the documentation site into site/; every link is checked
	@$(BIN)/mkdocs build --quiet

audit: $(VENV)/audit.stamp  ## Look for known weaknesses in what is installed, and write the bill of materials
	@$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off
	@mkdir -p build && $(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/sbom.cdx.json $(BIN)/python
	@echo "The bill of materials: build/sbom.cdx.json"

bench: $(VENV)/bench.stamp  ## Measure against baselines in fresh processes; writes docs/benchmarks.md (half an hour; BENCH=--help)
	@$(BIN)/python -m tests.bench.run $(BENCH)

docs: $(VENV)/test.stamp  ## Write the generated pages of docs/ anew
	@$(BIN)/python docs/generate.py

clean:  ## Remove what the other commands made
	rm -rf $(VENV) demo-data build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/run.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("dscr-bridge needs Python 3.11 or newer; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Installing dscr-bridge into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	@echo "Installing what the tests need ..."
	@$(INSTALL) --editable '.[test,lint,docs,postgresql,fleet,portal,xlsx,sftp,keyring]'
	@touch $@

$(VENV)/audit.stamp: $(VENV)/test.stamp
	@$(INSTALL) --editable '.[audit]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp
	@$(INSTALL) --editable '.[bench]'
	@touch $@
