# What one does with a clone. `make help` prints the targets; everything they need is installed into .venv first.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help up down status test test-flow test-rest test-quick lint proof-faults proof-outages proof-histories proof-services proof-console proof-disclosure proof-public proof-docs proof-erasure proof-backup proof-tls proof-rotation proof-flow proof-peers proof-latency proof-growth proof-soak proof-startup proof-producer proof-cluster screens

help: ## print these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

up: $(READY) ## bring everything up, from nothing to people arriving; again: go on where it was; TLS=1: with TLS from now on
	@$(if $(TLS),$(BIN)/rollcall certs $(if $(filter 0 off no false,$(TLS)),--off,--on))
	@$(BIN)/rollcall up

down: $(READY) ## end every process; no data is lost
	@$(BIN)/rollcall down

status: $(READY) ## every hop of the flow at a glance
	@$(BIN)/rollcall status

# What needs no server runs on all cores; the tests of a file stay together.
ON_ALL_CORES := --numprocesses logical --dist loadfile

test: lint ## lint, types and the tests, the real systems included; the long forms are proofs
	@$(BIN)/rollcall fetch
	@$(BIN)/pytest $(ON_ALL_CORES) -m "not services and not browser"
	@$(MAKE) --no-print-directory --keep-going --jobs=$(words $(LANES)) $(LANES:%=test-%)

# Tests of the real systems are two runs side by side, each with servers of its own, for they wait for much of their time. The
# tests of a run share its servers in the order of their files. Each line of what a run says begins with its name.
LANES := flow rest
TESTS_flow := tests/services/test_[a-q]*.py tests/services/test_re*.py
TESTS_rest := tests $(TESTS_flow:%=--ignore-glob="$(CURDIR)/%")
$(LANES:%=test-%): test-%: $(READY)
	@$(BIN)/pytest -m "services or browser" --durations=25 --durations-min=10 --color=no $(TESTS_$*) 2>&1 | sed -u 's/^/$*: /'

test-quick: $(READY) ## the tests that need neither servers nor a browser nor many seconds
	$(BIN)/pytest $(ON_ALL_CORES) -m "not services and not browser and not long"

screens: $(READY) ## every page of the console and the view as a picture, light and dark, wide and narrow, into docs/screens
	$(BIN)/pytest tests/browser/test_pages_browser.py tests/browser/test_view_browser.py --screens docs/screens

proof-histories: $(READY) ## 20,000 crash histories in memory, 300 on real servers, every wrong design; the result goes into docs/proofs
	$(BIN)/pytest tests/writer/test_write_order.py tests/services/test_histories.py --proof docs/proofs/histories.json

proof-services: $(READY) ## the long form of the service tests that have one; the result goes into docs/proofs
	$(BIN)/pytest $(addprefix tests/services/test_,single_writer.py redrive.py outages.py flow.py stop.py faults.py access_flow.py elsewhere.py publishing.py rotation.py poison.py surroundings.py requests.py retention.py losses.py upgrade.py spark_batch.py rectify.py) $(addprefix tests/browser/test_,console_browser.py access_browser.py pages_browser.py) --proof docs/proofs/services.json

proof-erasure: $(READY) ## erasures killed at 50 moments, 1,000 at once at 1,000 people a second; the result goes into docs/proofs
	$(BIN)/pytest tests/services/test_erasure.py $(addprefix tests/services/test_rights_,many.py erasure.py crashes.py restore.py) --proof docs/proofs/erasure.json

proof-backup: $(READY) ## an installation backed up while it runs, wiped, and restored row for row; the result goes into docs/proofs
	$(BIN)/pytest tests/services/test_backup.py --proof docs/proofs/backup.json

proof-tls: $(READY) ## the whole native stack with TLS: each port, a plain client, certificates that are not good; the result goes into docs/proofs
	$(BIN)/pytest tests/services/test_tls.py --proof docs/proofs/tls.json

proof-faults: $(READY) ## every kind of fault three times on the real processes (half an hour); the result goes into docs/proofs
	$(BIN)/python -m bench.faults --each 3 --json docs/proofs/faults.json

proof-outages: $(READY) ## each server down for two minutes at 1,000 people a second; the result goes into docs/proofs
	$(BIN)/python -m bench.faults --each 0 --outages 120 --rate 1000 --json docs/proofs/outages.json

proof-console: $(READY) ## from page to page with 100,000 people, 1,000 a second, 10 sessions; the result goes into docs/proofs
	$(BIN)/python -m bench.console --json docs/proofs/console.json

proof-public: $(READY) ## the view at 200 requests a second and in a browser, of 1,000 and of 1,000,000 people; the result goes into docs/proofs
	$(BIN)/python -m bench.public --json docs/proofs/public.json

proof-docs: $(READY) ## every command that stands in the documents, run by a newcomer in a fresh clone; the result goes into docs/proofs
	$(BIN)/pytest tests/services/test_docs_walk.py --proof docs/proofs/docs.json

proof-disclosure: $(READY) ## 300 releases watched by somebody who knows who came when; the result goes into docs/proofs
	$(BIN)/python -m bench.disclosure --json docs/proofs/disclosure.json

proof-flow: $(READY) ## people a second through the stream, beside what each step can do alone; the result goes into docs/proofs
	$(BIN)/python -m bench.flow --json docs/proofs/flow.json

proof-peers: $(READY) ## our flow beside the usual designs on the same people: how fast, how right; the result goes into docs/proofs
	$(BIN)/python -m bench.peers --json docs/proofs/peers.json

proof-latency: $(READY) ## from being sent to being a row and being counted, at three rates; the result goes into docs/proofs
	$(BIN)/python -m bench.latency --json docs/proofs/latency.json

proof-growth: $(READY) ## the same batch with 10 thousand, 300 thousand and 2 million people stored; the result goes into docs/proofs
	$(BIN)/python -m bench.growth --json docs/proofs/growth.json

proof-soak: $(READY) ## half an hour at 2,000 people a second with updates and erasures; the result goes into docs/proofs
	$(BIN)/python -m bench.soak --json docs/proofs/soak.json

proof-startup: $(READY) ## from `make up` in a fresh clone to the first row, and the memory of all that runs; the result goes into docs/proofs
	$(BIN)/python -m bench.startup --json docs/proofs/startup.json

proof-producer: $(READY) ## people a second to the topic from each source; the result goes into docs/proofs
	$(BIN)/python -m bench.producer --json docs/proofs/producer.json

proof-cluster: $(READY) ## the same people through one machine and a cluster, of which one node of each is killed; the result goes into docs/proofs
	$(BIN)/python -m bench.cluster --json docs/proofs/cluster.json

proof-rotation: $(READY) ## the PII key rotated with 200,000 people while 500 a second arrive and the stream is killed; the result goes into docs/proofs
	$(BIN)/python -m bench.rotation --people 200000 --rate 500 --json docs/proofs/rotation.json

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
