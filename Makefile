# `make help` lists the targets. Every target calls `setup`, which is quick when nothing changed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory
# bytecode of the tools is worth keeping, whatever the caller's shell says
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3.13 || command -v python3.12 || command -v python3)
VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest
IN_CLUSTER := tests/kind/in-cluster
CLUSTER ?= kind
export CLUSTER
UV_VERSION := 0.13.9
# what the environment is made of; another hash makes it anew
INSTALLED := .venv/installed-$(shell cat requirements/dev.lock operator/pyproject.toml runtime/pyproject.toml | sha256sum | cut -c1-16)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) ## make .venv with hash-locked dependencies, and see to the system packages
	@requirements/system-packages tests
	@if command -v npm >/dev/null; then $(MAKE) dashboard || echo "warning: the dashboard is not built; everything but /dashboard/ works without" >&2; fi

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: $(PYTHON) is Python %d.%d; 3.11 or newer is needed: name one with PYTHON=" % sys.version_info[:2])'
	@requirements/system-packages python $(PYTHON)
	@rm -f .venv/installed-*
	@[ -x $(VENV)/python ] || $(PYTHON) -m venv .venv
	@echo "== installing what requirements/dev.lock says into .venv" >&2
	@$(VENV)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(VENV)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e runtime -e operator
	@$(VENV)/python -c 'from hypothesis import find, settings, strategies as st; find(st.text(), bool, settings=settings(database=None))' # its tables of Unicode: here once, else once in each worker
	@touch $@

.PHONY: check
check: setup ## format, lint, types, import contracts, generated files, fast tests: what pre-commit runs too
	@$(MAKE) -k -j3 --output-sync=target check-static check-tests

.PHONY: check-static check-tests check-format check-lint check-types check-imports check-generated
check-static: check-format check-lint check-imports check-generated check-types
check-format: setup
	@$(VENV)/ruff format --check --output-format concise . >.venv/format.log || { grep -v 'already formatted' .venv/format.log; echo "error: make format puts it right" >&2; exit 1; }
check-lint: setup
	@$(VENV)/ruff check --quiet .
check-types: setup
	@$(VENV)/mypy --no-error-summary
check-imports: setup
	@$(VENV)/lint-imports --no-logo >.venv/imports.log || { cat .venv/imports.log; exit 1; }
check-generated: setup
	@scratch=$$(mktemp -d); trap 'rm -r "$$scratch"' EXIT
	$(VENV)/python -m reactor_operator.api.crd "$$scratch"
	for folder in crds charts/reactor-operator/files/crds; do
	  diff -r "$$scratch" "$$folder" || { echo "error: $$folder is not what the models render: run make crds" >&2; exit 1; }
	done
check-tests: setup
	@REACTOR_SEEDS=100 REACTOR_EXAMPLES=20 $(PYTEST) -q -n 3 -m 'not heavy' tests/unit tests/property tests/replay tests/simulation # many wait: more than there are cores

.PHONY: format
format: setup ## put format and imports right
	@$(VENV)/ruff format --quiet . && $(VENV)/ruff check --quiet --select I --fix .

.PHONY: test
test: check ## everything: check, heavy tests, contracts of the stores, 2,000 simulated runs, then the cluster
	@$(PYTEST) -q -n 2 -m heavy tests/unit
	@$(PYTEST) -q -n 2 tests/contract
	@$(MAKE) dashboard-check test-ui
	@REACTOR_SEEDS=2000 REACTOR_EXAMPLES=200 $(PYTEST) -q -n 2 --timeout 300 tests/simulation tests/property
	@requirements/system-packages cluster
	@tests/kind/with-cluster $(MAKE) test-cluster

.PHONY: test-cluster
test-cluster: ## the chart and tests/cluster on the cluster that is up (one of them in a browser)
	@requirements/system-packages ui
	@$(MAKE) chart-check
	@$(MAKE) deploy VALUES=tests/cluster/values.yaml
	@$(IN_CLUSTER) $(PYTEST) -q --timeout 600 tests/cluster

.PHONY: soak
soak: setup ## 20,000 simulated runs, and 2,000 examples of each property
	@REACTOR_SEEDS=20000 REACTOR_EXAMPLES=2000 $(PYTEST) -q -n 2 --timeout 7200 tests/simulation tests/property

.PHONY: mutants
mutants: setup ## an hour: changes to engine/ that no test notices, into build/mutants.txt (ONLY="decide draft": modules; ONLY=survived: again)
	@$(VENV)/python -m tests.mutants $(ONLY)

.PHONY: crds
crds: setup ## render crds/ from the models, the chart's copy, and docs/phases.md
	@mkdir -p crds charts/reactor-operator/files/crds
	@$(VENV)/python -m reactor_operator.api.crd crds
	@$(VENV)/python -m reactor_operator.api.phases docs/phases.md
	@rm -f charts/reactor-operator/files/crds/*.yaml && cp crds/*.yaml charts/reactor-operator/files/crds/

NODE_MODULES := dashboard/node_modules/.installed-$(shell sha256sum dashboard/package-lock.json | cut -c1-16)
STATIC := operator/src/reactor_operator/gateway/static
# what the built dashboard is made of; another hash builds it anew
BUILT := $(STATIC)/.built-$(shell find dashboard/src dashboard/*.json dashboard/*.ts dashboard/index.html -type f -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16)

.PHONY: dashboard dashboard-check dashboard-types test-ui screenshots
dashboard: $(BUILT) ## build the dashboard that the gateway serves (Node 20.19 or newer)

$(NODE_MODULES):
	@requirements/system-packages node
	@echo "== installing what dashboard/package-lock.json says" >&2
	@npm --prefix dashboard ci --silent
	@touch $@

$(BUILT): $(NODE_MODULES)
	@npm --prefix dashboard run --silent build -- --logLevel warn
	@touch $@

dashboard-check: $(NODE_MODULES) setup ## types, lint and unit tests of the dashboard, and that its types are those of the gateway
	@npm --prefix dashboard run --silent check
	@$(MAKE) dashboard-types && git diff --exit-code --stat dashboard/src/api/schema.d.ts

dashboard-types: $(NODE_MODULES) setup ## dashboard/src/api/schema.d.ts from the gateway's OpenAPI document
	@mkdir -p build && $(VENV)/python -c 'import json; from reactor_operator.gateway.api.openapi import openapi_document; print(json.dumps(openapi_document("0")))' >build/openapi.json
	@npm --prefix dashboard run --silent types >/dev/null

test-ui: setup dashboard ## the dashboard in a real browser, over a real gateway and Redis
	@requirements/system-packages ui
	@$(PYTEST) -q -n 2 --dist loadfile --timeout 240 tests/ui

screenshots: setup dashboard ## docs/images/dashboard-*.png, as docs/dashboard.md shows them
	@requirements/system-packages ui
	@$(VENV)/python -m tests.ui.screenshots

.PHONY: histories
histories: setup ## record tests/replay/histories anew, after a change that is meant
	@$(VENV)/python -m tests.replay.record

.PHONY: lock
lock: setup ## resolve the dependencies anew
	@$(VENV)/python -m venv build/uv && build/uv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@cd requirements
	for name in operator dev queues/{arq,celery,dramatiq}; do # the last are what `make bench` compares with
	  ../build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(LOCK) $$name.in -o $$name.lock
	done

.PHONY: cluster-up
cluster-up: setup ## a kind cluster, with an ordinary Docker or without; safe to repeat (CLUSTER=existing: the current context)
	@requirements/system-packages cluster
	@tests/kind/cluster-up

.PHONY: cluster-down
cluster-down: ## delete what cluster-up made; its cache of binaries and images stays
	@tests/kind/cluster-down

.PHONY: images
images: setup ## build the images that changed; their names are in build/images.env (REGISTRY=host/path: push them there)
	@requirements/system-packages cluster
	@tests/kind/build-images

.PHONY: deploy
deploy: images ## install or upgrade the chart in namespace reactor-system of the cluster (VALUES=file adds values)
	@tests/kind/load-images
	@tests/kind/deploy $(VALUES)

.PHONY: chart-check
chart-check: setup ## helm lint, and a server's dry run of every set of values
	@charts/check

.PHONY: demo
demo: $(INSTALLED) ## one order that succeeds, and one that fails and is undone
	@$(VENV)/reactor run examples/02-order-processing || [ $$? -eq 1 ] # 1: a run failed, as it is meant to

.PHONY: bench
bench: setup ## one table of ratios and costs, on the cluster that is up or one made for it; saved as JSON (BENCH=--quick, --only ROW…)
	@requirements/system-packages cluster
	@tests/kind/with-cluster $(MAKE) bench-cluster

.PHONY: bench-cluster
bench-cluster:
	@$(MAKE) deploy
	@$(IN_CLUSTER) $(VENV)/python -m tests.benchmarks $(BENCH)

.PHONY: clean
clean: cluster-down ## cluster-down, and remove everything made in the checkout
	@rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
