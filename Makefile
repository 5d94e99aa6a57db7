# `make check PYTHON=python3.13` works in a virtual environment of its own.
PYTHON ?= python3
VENV := .venv$(patsubst python%,-%,$(filter-out python3 python,$(notdir $(PYTHON))))
BIN := $(VENV)/bin
UV := $(BIN)/uv
RUFF := $(BIN)/ruff
COMPILE := $(UV) pip compile -q --universal --generate-hashes --python-version 3.11 --no-header \
	--no-emit-index-url --no-emit-find-links
PACKAGES := vigie ingest analysis api dashboards
ARGS ?=
DATA ?= ../shared/data

# The versions besides 3.11 that are promised; `make versions` tests on each that this machine has.
VERSIONS := 3.12 3.13

.PHONY: help setup demo test check fast versions format lint types imports test-api test-faults soak test-a11y screenshots bench train evaluate requirements kafka-jars servers clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.runtime ## make the virtual environment with the vigie command in it

demo: $(VENV)/.runtime ## run the whole loop on a sample firm (ARGS=--once to exit afterwards)
	$(BIN)/vigie demo $(ARGS)

test: $(VENV)/.dev servers kafka-jars ## the whole suite, on real Kafka, PostgreSQL and Chromium
	$(BIN)/pytest $(ARGS)

check: $(VENV)/.dev format lint types imports fast ## format, lint, types, imports and the fast tests

fast: $(VENV)/.dev ## the tests that need no server
	$(BIN)/pytest -q -m "not server" $(ARGS)

versions: ## the fast tests on each other promised version of Python that this machine has
	@sh deploy/test-versions.sh $(VERSIONS)

format: $(VENV)/.dev ## rewrite the code in the project's format
	$(RUFF) format -q .
	$(RUFF) check -q --fix .

lint: $(VENV)/.dev ## what ruff says
	$(RUFF) format --check -q .
	$(RUFF) check -q .

types: $(VENV)/.dev ## what mypy says
	$(BIN)/mypy

imports: $(VENV)/.dev ## the direction of imports
	$(BIN)/lint-imports

bench: $(VENV)/.dev kafka-jars ## measure, and write docs/benchmarks.md and its neighbours
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.polls
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.million
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.trend
	$(BIN)/python -m benchmarks.limits

test-api: $(VENV)/.dev ## ask the whole API for many more examples, with three seeds (minutes)
	VIGIE_TEST_API_EXAMPLES=500 VIGIE_TEST_API_SEEDS="1 2 3" $(BIN)/pytest -n 1 --timeout 3000 tests/api/test_schema.py

test-faults: $(VENV)/.dev kafka-jars ## break brokers, database and workers in twenty ways (half an hour)
	VIGIE_TEST_STRICT=1 $(BIN)/pytest -n 0 -p no:randomly -s tests/faults/cases.py

soak: $(VENV)/.dev kafka-jars ## an hour of random faults at half the fastest rate
	VIGIE_TEST_STRICT=1 $(BIN)/pytest -n 0 -p no:randomly -W ignore::pytest.PytestUnraisableExceptionWarning -s tests/faults/soak.py

test-a11y: $(VENV)/.dev ## every page in each language, width and scheme against the rules of accessibility (minutes)
	VIGIE_WHOLE=1 $(BIN)/pytest -n 2 --timeout 3000 tests/dashboards/test_places.py -k in_a_browser

screenshots: $(VENV)/.dev ## the pictures of the README, from a demonstration
	rm -rf build/screenshots && VIGIE_DATA_DIR=build/screenshots $(BIN)/vigie demo --once
	$(BIN)/python -m tests.screenshots build/screenshots/demo

train: $(VENV)/.dev ## train the shipped models from the labelled texts in DATA
	$(BIN)/python -m analysis.learned.train $(DATA)
	$(BIN)/python -m analysis.learned.train_language $(DATA)

evaluate: $(VENV)/.dev ## measure every engine on the labelled texts in DATA, and write docs/model-figures.md
	$(BIN)/python -m benchmarks.understanding $(DATA)

requirements: $(VENV)/.uv ## pin the dependencies again, with hashes
	echo uv | $(COMPILE) - -o requirements/uv.txt
	$(COMPILE) --extra postgres --extra kafka-fast pyproject.toml -o requirements/runtime.txt
	printf "hatchling\neditables\n" | $(COMPILE) - -o requirements/build.txt
	$(COMPILE) --all-extras pyproject.toml -o requirements/dev.txt

servers:
	@sh deploy/install-test-servers.sh

kafka-jars:
	@if [ -d deploy/kafka/libs ] || ! command -v mvn >/dev/null; then :; else \
		echo "Fetching Kafka's jars with Maven"; \
		mvn -q -B -ntp -f deploy/kafka/pom.xml dependency:copy-dependencies \
			-DincludeScope=runtime -DoutputDirectory=libs; fi

clean: ## remove what the other targets made
	rm -rf .venv .venv-* deploy/kafka/libs deploy/kafka/target .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.uv: requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements/uv.txt
	@touch $@

# The project itself goes in last, and without its dependencies: those are the pinned ones.
$(VENV)/.runtime: $(VENV)/.uv requirements/runtime.txt requirements/build.txt pyproject.toml
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@
