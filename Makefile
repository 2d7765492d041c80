# Everything a clone needs: make demo, make test. They set themselves up; `make` alone says what there is.

PYTHON ?= python3
JOBS   ?= 2
UV     := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
RUN    := .venv/bin
READY  := .venv/ready

# Bytecode is kept: starts are three times faster. No library that we start calls home.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV UV_PROJECT_ENVIRONMENT
export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never
export MLFLOW_DISABLE_TELEMETRY := true
export YDATA_PROFILING_NO_ANALYTICS := 1
export STREAMLIT_BROWSER_GATHER_USAGE_STATS := false

# What the demo tries of hyperparameters. The replay begins with what its run has trained, so both take the same.
SEARCH := -p n_trials=2

say = @printf '==> %s\n'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo replay test check fix bench bench-serving lab app pictures browser clean

help: ## say what there is
	@echo "Targets (each sets up what it needs):"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

demo: $(READY) ## run the flight-delay pipeline on real data and say what came of it
	$(say) "running the pipeline notebooks/train.yaml with a short search; a second run takes everything from the cache"
	@$(RUN)/workbench run train $(SEARCH)
	@$(RUN)/workbench runs show latest
	$(say) "replaying April to June: each month's end trains on the newest three months, and the gates decide"
	@$(RUN)/workbench replay train --policy monthly --history 3 --last 6 $(SEARCH) --short
	@echo
	@echo "Open next:  $$(ls -t reports/train/*/dossier.html | head -1)   the review of the new version"
	@echo "            .venv/bin/workbench models promote flight-delay 1   make it the champion"
	@echo "            .venv/bin/workbench serve flight-delay   then it answers: http://127.0.0.1:8000/docs"
	@echo "            make app   runs and models in the browser"
	@echo "            reports/replay-train.html   the replay: every decision, and what the month after showed"
	@echo "            .venv/bin/workbench replay train --history 3   April to December, all policies; November's version is rolled back"
	@echo "            make lab   the notebooks; start with notebooks/explore.ipynb"
	@echo "            .venv/bin/workbench mlflow    metrics, artifacts and model versions"

replay: $(READY) ## June to August as they would have been, on a quarter of the flights: train monthly, promote or refuse
	$(say) "replaying three months; all of the year: .venv/bin/workbench replay train"
	@$(RUN)/workbench replay train --policy monthly --first 6 --last 8 -p sample=0.25 -p n_trials=2

test: check ## all that CI runs: check, the tests with coverage, nbval over the notebooks
	$(say) "tests and notebooks, $(JOBS) at a time, with coverage"
	@$(RUN)/pytest -n $(JOBS) --dist worksteal --cov --cov-report=term:skip-covered

check: $(READY) ## lint, format, types, layers, notebooks without outputs
	$(say) "ruff"
	@$(RUN)/ruff check --quiet .
	@$(RUN)/ruff format --check --quiet .
	$(say) "mypy; beside it import-linter, notebooks without outputs"
	@{ $(RUN)/lint-imports --no-logo && $(RUN)/nbstripout --keep-id --verify notebooks/*.ipynb; } \
	    >.import_linter_report 2>&1 & $(RUN)/mypy; mypy=$$?; wait $$! || { cat .import_linter_report; exit 1; }; exit $$mypy

fix: $(READY) ## format, repair what ruff can, strip the notebooks' outputs
	@$(RUN)/nbstripout --keep-id notebooks/*.ipynb
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .

bench: $(READY) ## measure what the README claims against its peers: ONLY=w1,noop ROUNDS=5; writes reports/bench.md
	@UV="$(UV)" $(RUN)/python tests/bench $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-serving: $(READY) ## measure online and batch against their peers: ONLY=race,skew; writes reports/bench-serving.md
	@UV="$(UV)" $(RUN)/python tests/bench/serving $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS))

lab: $(READY) ## JupyterLab with warm kernels on the notebooks, on this machine only
	@$(RUN)/workbench lab

app: $(READY) ## the app on http://127.0.0.1:8501, on this machine only
	@$(RUN)/workbench app

pictures: $(READY) ## each view of the app on this project, light and dark, into reports/app/
	@$(RUN)/python -m tests.pictures

browser: ## install Debian's chromium for the browser tests (as root)
	@command -v chromium >/dev/null || { apt-get update -qq && \
	    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-noto-color-emoji >/dev/null; }

clean: ## remove the environment and caches; results in .workbench/ and reports/ stay
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment knows where it was made; in a folder that was moved it is brought up to date.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

define need_python
	@command -v "$(PYTHON)" >/dev/null || { \
	    echo "There is no '$(PYTHON)' here: install Python 3.11 or newer, or name one: make demo PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "'$(PYTHON)' is $$("$(PYTHON)" --version 2>&1); 3.11 or newer is needed: make demo PYTHON=python3.12" >&2; exit 1; }
endef

$(READY): uv.lock pyproject.toml | $(UV)
	$(need_python)
	$(say) "installing what uv.lock names into .venv and compiling it (a minute or two the first time)"
	@test -e .venv/pyvenv.cfg || $(UV) venv --quiet --relocatable --python "$(PYTHON)" .venv
	@$(UV) sync --frozen --all-extras --python "$(PYTHON)" --reinstall-package notebook-workbench $(if $(MAKE_TERMOUT),,--quiet)
	@printf '%s\n' "$(CURDIR)" > $@

.uv/bin/uv:
	$(need_python)
	$(say) "installing uv into .uv, since there is none on PATH"
	@rm -rf .uv
	@if "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
	    "$(PYTHON)" -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'; \
	elif "$(PYTHON)" -m pip --version >/dev/null 2>&1; then \
	    "$(PYTHON)" -m pip install --quiet --disable-pip-version-check --target .uv 'uv>=0.8'; \
	else \
	    echo "'$(PYTHON)' has neither venv nor pip: install one of them (Debian: apt install python3-venv) or uv (https://docs.astral.sh/uv)" >&2; \
	    exit 1; \
	fi
