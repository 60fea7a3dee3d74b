# VisionLLM Interaction Analysis. `make help` lists the targets; `make demo` and `make test` install all they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml)
DEPLOY_BIN := $(VENV)/deploy/bin
DEPLOY_OUT := $(VENV)/deploy/rendered
DEMO_DIR ?= demo
IMAGES ?= cpu cluster train serve
DOCKER_BUILD ?= docker build
PACKAGES ?= newest
# Three modules use packages of extras. A warning of an old package about a newer one is no fault of ours.
BASE_TESTS := tests/core tests/errors tests/config_loading tests/store tests/utils -W ignore::DeprecationWarning \
  --ignore tests/core/test_run_lengths.py --ignore tests/config_loading/test_config_layers.py --ignore tests/utils/test_extras.py
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n < 4 ? n : 4)))

export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

##@ Main
demo: $(VENV)/.ready-all ## The main job on simulated pictures and videos, to a report one can look at (about 12 minutes)
	@$(BIN)/visionllm demo --out $(DEMO_DIR) --json

test: $(VENV)/.ready-dev ## The fast tests, on up to four cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile

test-base: $(UV) ## Rooms that need no extra, in an environment with the PACKAGES=newest (or oldest) that pyproject.toml permits
	$(UV) venv -q --clear --python $(BIN)/python $(VENV)/base
	$(UV) pip install -q --python $(VENV)/base/bin/python --resolution $(if $(filter oldest,$(PACKAGES)),lowest-direct,highest) \
	  -e . -r requirements/test-base.in
	$(VENV)/base/bin/visionllm --version
	$(VENV)/base/bin/python -m pytest $(BASE_TESTS)

coverage: $(VENV)/.ready-dev ## The fast tests, and how many of the product's lines they run (at least 85 %)
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadfile
	$(BIN)/coverage combine
	$(BIN)/coverage report

check: $(VENV)/.ready-dev check-secrets ## Lint, format, types, import contracts, dependencies, docs, secrets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pydoclint --config=pyproject.toml --quiet src
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src
	$(BIN)/zensical build --clean --strict

check-secrets: $(VENV)/.ready-dev ## Passwords, keys and tokens in files that git tracks; .secrets-allowed says what is none, and why
	mapfile -t allowed < <(grep '^--' .secrets-allowed); git ls-files -z \
	  | xargs -0 -n 200 -P $(WORKERS) $(BIN)/detect-secrets-hook --no-verify "$${allowed[@]}"

check-deploy: $(VENV)/.ready-deploy ## Container, cluster, workflow and monitoring files, by the checkers of each kind
	$(DEPLOY_BIN)/hadolint deploy/docker/Dockerfile tests/deploy/stand_ins/*/Dockerfile
	$(DEPLOY_BIN)/shellcheck .ci/run deploy/slurm/*.sbatch deploy/examples/*.sh findings/*.sh tests/deploy/stand_ins/*/*.sh
	$(DEPLOY_BIN)/yamllint --strict deploy .github config .yamllint.yaml .hadolint.yaml
	$(DEPLOY_BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(DEPLOY_BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(DEPLOY_BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(DEPLOY_BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/docker/compose*.yaml
	$(DEPLOY_BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	PATH="$$PWD/$(DEPLOY_BIN):$$PATH" $(DEPLOY_BIN)/actionlint -no-color
	$(DEPLOY_BIN)/zizmor --offline --quiet --pedantic .github
	$(BIN)/python deploy/k8s/render.py deploy/k8s/overlays/* deploy/k8s/jobs --out $(DEPLOY_OUT)
	$(DEPLOY_BIN)/kubernetes-validate --strict --quiet $(DEPLOY_OUT)/*.yaml
	$(DEPLOY_BIN)/check-jsonschema --schemafile deploy/k8s/rayjob.schema.json $(DEPLOY_OUT)/ray/*.yaml
	@if command -v promtool >/dev/null; then cd deploy/monitoring \
	  && promtool check config prometheus.yml && promtool check config prometheus.kubernetes.yml && promtool test rules rules_test.yml; \
	else echo "promtool is missing, so that the alert rules were not checked: install Debian's package prometheus"; exit 1; fi

check-vulnerabilities: $(VENV)/.ready-deploy ## Known vulnerabilities of all locked packages; asks PyPI, so not offline
	for file in requirements/*.txt deploy/docker/postgres.txt; do \
	  $(DEPLOY_BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$file; done

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Slow suites
test-slow: $(VENV)/.ready-dev ## Tests of more than a few seconds (tracking and relations over many seeds, training)
	$(BIN)/pytest -m slow
test-crash: $(VENV)/.ready-dev ## kill -9 at random moments: the pipeline, the service
	$(BIN)/pytest -m crash
test-kill-drill: $(VENV)/.ready-dev ## 200 times kill -9 under a stream of uploads, over SQLite and PostgreSQL (hours; parts: DRILL='-k sqlite')
	VISIONLLM_KILLS=$${VISIONLLM_KILLS:-200} VISIONLLM_DRILL_RESULTS=$${VISIONLLM_DRILL_RESULTS:-benchmarks/results/kill_drill.json} \
	  $(BIN)/pytest -m crash -s tests/server/jobs/test_kill_drill.py $(DRILL)
test-api-fuzz: $(VENV)/.ready-api-fuzz ## schemathesis, 300 examples per operation of the interface (about an hour; parts: FUZZ='-k videos')
	VISIONLLM_SCHEMATHESIS=$(VENV)/api-fuzz/bin/schemathesis VISIONLLM_FUZZ_EXAMPLES=$${VISIONLLM_FUZZ_EXAMPLES:-300} \
	  $(BIN)/pytest -m slow -s tests/server/interface/test_api_fuzz.py $(FUZZ)
test-browser: $(VENV)/.ready-dev ## The page in Chromium
	$(BIN)/pytest -m browser
test-llm: $(VENV)/.ready-dev ## Questions in free words; needs an OpenAI-compatible endpoint (VISIONLLM_LLM_URL)
	$(BIN)/pytest -m llm
test-docker: $(VENV)/.ready-dev ## The container images; needs a Docker engine
	$(BIN)/pytest -m docker -s
test-compose: $(VENV)/.ready-dev ## All services together, with a fault drill; needs a Docker engine and compose
	$(BIN)/pytest -m compose -s
test-slurm: $(VENV)/.ready-dev ## The recipes for Slurm; needs a cluster
	$(BIN)/pytest -m slurm
bench: $(VENV)/.ready-dev ## Benchmarks, as ratios, to benchmarks/results/
	for script in benchmarks/*/bench_*.py; do $(BIN)/python $$script; done
bench-annotations: $(VENV)/.ready-dev ## Annotation files and pictures at COCO's size (some minutes)
	$(BIN)/python benchmarks/datasets/annotations.py
	$(BIN)/python benchmarks/datasets/image_checks.py
	$(BIN)/python benchmarks/datasets/transform.py
	$(BIN)/python benchmarks/datasets/stages_memory.py
bench-analysis: $(VENV)/.ready-dev ## Relations, measures, exchange with other tools, a store of 100 hours (some minutes)
	for name in video/symbols measures/measures interop/exchange measures/store; do $(BIN)/python benchmarks/$$name.py; done
bench-video: $(VENV)/.ready-dev ## Tracking, blur, overlap, memory over two hours (about ten minutes)
	$(BIN)/python benchmarks/video/tracking.py
	$(BIN)/python benchmarks/video/video.py overlap
	$(BIN)/python benchmarks/video/video.py memory
bench-validity: $(VENV)/.ready-dev ## Coverage of intervals, widths, the audit planner, permutation tests (some minutes)
	$(BIN)/python benchmarks/validity/validity.py
bench-service: $(VENV)/.ready-dev ## The service under load beside the bare detector, DETECTOR=FILE (about ten minutes)
	$(BIN)/python benchmarks/service/service_load.py --detector $(DETECTOR)
bench-gpu: $(VENV)/.ready-dev ## Training and inference on a CUDA GPU, against torchvision in the same run
	$(BIN)/python benchmarks/detection/gpu.py

##@ Upkeep
images: ## The four container images, with the commit in their labels; needs a Docker engine (one: IMAGES=cpu)
	for target in $(IMAGES); do $(DOCKER_BUILD) -f deploy/docker/Dockerfile --target $$target \
	  --build-arg REVISION=$$(git rev-parse HEAD) --build-arg CREATED=$$(git log -1 --format=%cI) \
	  -t visionllm-interaction:$$target . ; done
install: $(VENV)/.ready-all ## Install the command `visionllm` into .venv
lock: $(UV) ## Renew requirements/*.txt from pyproject.toml
	$(LOCK) --extra dev pyproject.toml requirements/build.in -o requirements/dev.txt
	$(LOCK) -c requirements/dev.txt --extra all pyproject.toml requirements/build.in -o requirements/all.txt
	$(LOCK) -c requirements/dev.txt --extra train --extra toyroom --extra download pyproject.toml requirements/build.in -o requirements/train.txt
	$(LOCK) -c requirements/dev.txt --extra serve --extra oidc --extra otel --extra models pyproject.toml requirements/build.in -o requirements/serve.txt
	$(LOCK) -c requirements/dev.txt --extra serve pyproject.toml requirements/build.in -o requirements/cpu.txt
	$(LOCK) -c requirements/dev.txt --extra cluster --extra s3 pyproject.toml requirements/build.in requirements/ray-node.in \
	  -o requirements/cluster.txt
	$(LOCK) -c requirements/dev.txt --extra models pyproject.toml requirements/build.in -o requirements/models.txt
	$(LOCK) requirements/uv.in -o requirements/uv.txt
	$(LOCK) requirements/deploy.in -o requirements/deploy.txt
	$(LOCK) requirements/api-fuzz.in -o requirements/api-fuzz.txt
release-files: $(VENV)/.ready-deploy ## What a release consists of, to dist/: wheel, source, docs, components (SBOM), notes, digests
	rm -rf dist && mkdir dist
	@awk -v head="## $(VERSION)" 'on && /^## / {exit} on {print} index($$0, head) == 1 {on = 1}' CHANGELOG.md >dist/NOTES.md
	@grep -q . dist/NOTES.md || { echo "CHANGELOG.md has no section '## $(VERSION)': rename 'Unreleased', or set the version" >&2; exit 1; }
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(UV) build -q --python $(BIN)/python --no-build-isolation --out-dir dist
	rm -f dist/.gitignore
	$(DEPLOY_BIN)/cyclonedx-py requirements requirements/all.txt --output-reproducible -o dist/sbom.cdx.json
	$(BIN)/zensical build --clean --strict
	tar -C site -c --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$$(git log -1 --format=%ct) . | gzip -n >dist/docs-$(VERSION).tar.gz
	cd dist && sha256sum -- *.whl *.tar.gz *.json >SHA256SUMS
client: $(VENV)/.ready-dev ## The client that blocks, made from the one for event loops
	$(BIN)/python tests/client/blocking_client.py
format: $(VENV)/.ready-dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
clean: ## Remove what was built here, but not .venv
	rm -rf .coverage .coverage.* $(DEMO_DIR) artifacts store service mlruns site dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# One package (promise, which MLflow needs through graphene) is published as source only: the locked setuptools builds it.
# Where Python may not write byte code, each of a test run's processes would compile torch anew: it is compiled here, once.
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)
INSTALL = $(UV) pip install -q $(COMPILE) --python $(BIN)/python --require-hashes -b requirements/dev.txt -r
OURSELVES = $(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . $(if $(COMPILE),&& $(BIN)/python -m compileall -q src)
LOCK := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

$(UV): requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $(UV)

$(VENV)/.ready-all: $(UV) requirements/all.txt pyproject.toml
	$(INSTALL) requirements/all.txt
	$(OURSELVES)
	@touch $@

$(VENV)/.ready-dev: $(UV) requirements/dev.txt pyproject.toml
	$(INSTALL) requirements/dev.txt
	$(OURSELVES)
	@touch $@ $(VENV)/.ready-all

$(VENV)/.ready-deploy: $(VENV)/.ready-dev requirements/deploy.txt
	$(UV) venv -q --clear $(VENV)/deploy
	$(UV) pip install -q --python $(DEPLOY_BIN)/python --require-hashes --only-binary :all: -r requirements/deploy.txt
	@touch $@

$(VENV)/.ready-api-fuzz: $(VENV)/.ready-dev requirements/api-fuzz.txt
	$(UV) venv -q --clear $(VENV)/api-fuzz
	$(UV) pip install -q --python $(VENV)/api-fuzz/bin/python --require-hashes -r requirements/api-fuzz.txt
	@touch $@

.PHONY: check-secrets check-vulnerabilities images test-api-fuzz test-base release-files check-deploy bench-validity bench-service bench-gpu demo test coverage check help test-slow test-crash test-browser test-kill-drill test-llm test-docker test-compose test-slurm bench bench-annotations bench-analysis bench-video install lock client format clean
