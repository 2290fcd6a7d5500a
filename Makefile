# What one does with a clone. `make help` prints the targets; everything they need is installed into .venv first.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help up down status test test-quick lint proof-faults proof-outages proof-histories proof-services proof-console screens

help: ## print these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

up: $(READY) ## bring everything up, from nothing to people arriving; again: go on where it was
	@$(BIN)/rollcall up

down: $(READY) ## end every process; no data is lost
	@$(BIN)/rollcall down

status: $(READY) ## every hop of the flow at a glance
	@$(BIN)/rollcall status

test: lint ## lint, types and every test, the real systems included
	$(BIN)/pytest

test-quick: $(READY) ## the tests that need neither servers nor a browser, the long ones left out
	$(BIN)/pytest -m "not services and not browser and not long"

screens: $(READY) ## every page of the console as a picture, light and dark, wide and narrow, into docs/screens
	$(BIN)/pytest tests/browser/test_console_browser.py -k "starts_the_flow or every_page" --screens docs/screens

proof-histories: $(READY) ## 20,000 crash histories in memory, 300 on real servers, every wrong design; the result goes into docs/proofs
	$(BIN)/pytest tests/writer/test_write_order.py tests/services/test_histories.py --proof docs/proofs/histories.json

proof-services: $(READY) ## the long form of the service tests that have one; the result goes into docs/proofs
	$(BIN)/pytest $(addprefix tests/services/test_,single_writer.py redrive.py outages.py flow.py stop.py) --proof docs/proofs/services.json

proof-faults: $(READY) ## every kind of fault three times on the real processes (half an hour); the result goes into docs/proofs
	$(BIN)/python -m bench.faults --each 3 --json docs/proofs/faults.json

proof-outages: $(READY) ## each server down for two minutes at 1,000 people a second; the result goes into docs/proofs
	$(BIN)/python -m bench.faults --each 0 --outages 120 --rate 1000 --json docs/proofs/outages.json

proof-console: $(READY) ## from page to page with 100,000 people, 1,000 a second, 10 sessions; the result goes into docs/proofs
	$(BIN)/python -m bench.console --json docs/proofs/console.json

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

# The environment is exactly requirements.txt, checked by hash; it is made again when the pins change.
$(READY): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on this machine: apt-get install -y python3.11 python3.11-venv"; exit 69; }
	@echo "Installing what requirements.txt pins into .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(READY)
