# make quickstart   sets up .venv and runs specs/quickstart.yaml
# make test         sets up .venv and runs the tests (all but slow, gpu and browser)

PYTHON ?= python3
VENV := .venv
# CONSTRAINTS=constraints.txt installs the versions that were tested, as `.ci/run` does.
CONSTRAINTS ?=
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
# An editable install is not compiled by pip; without this every start compiles a hundred files where caches are not written.
COMPILE := $(VENV)/bin/python -m compileall -q runner plugins
PYTEST := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(VENV)/bin/python -m pytest -n 2 --dist worksteal

.PHONY: quickstart test fuzz test-slow test-long test-cluster test-browser docs editors coverage lint schemas constraints clean

quickstart: $(VENV)/.installed
	$(VENV)/bin/cbtrun specs/quickstart.yaml

test: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow and not gpu and not browser"

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m "slow and not long and not gpu and not browser" --ignore=tests/cluster

# The longest of the slow ones, each of which has a shorter one of its kind above: six minutes.
test-long: $(VENV)/.installed-dev
	$(PYTEST) -m "long and not gpu" --ignore=tests/cluster

# A real Ray of several nodes on this machine, whose processes are killed: nine minutes, with nothing else at work.
test-cluster: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m slow tests/cluster

test-browser: $(VENV)/.installed-dev
	$(PIP) -e ".[dev,tune,browser,docs]"
	$(PYTEST) -m browser

# The site in build/site; a link that leads nowhere fails. INTO=FOLDER puts it there as this version beside earlier ones.
docs: $(VENV)/.installed-dev
	$(PIP) -e ".[docs]"
	$(VENV)/bin/python tools/docs_site.py $(if $(INTO),--into $(INTO))

# A real yaml-language-server and Ajv against our schemas; needs node.
editors: $(VENV)/.installed-dev
	npm install --prefix build/node --no-fund --no-audit --silent yaml-language-server@2 ajv@8
	$(VENV)/bin/python -m pytest -m slow tests/study/test_editors.py

# How much of the source the fast tests run through, by file; told, not asked for.
coverage: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow and not gpu and not browser" --cov=cbtrun --cov-report=term:skip-covered

# Breaks things at random for an hour; the last line is JSON. SECONDS_OF_IT=600 SEED=7 for less, and others.
fuzz: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m tests.fuzz --seconds $(or $(SECONDS_OF_IT),3600) --seed $(or $(SEED),1) --keep build/findings

lint: $(VENV)/.installed-dev build/typing
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	cd build/typing && ../../$(VENV)/bin/mypy --config-file ../../pyproject.toml -p cbtrun
	cd build/typing && ../../$(VENV)/bin/lint-imports ../../pyproject.toml

schemas: $(VENV)/.installed
	$(VENV)/bin/cbtrun schema --write
	$(VENV)/bin/python tools/error_index.py
	$(VENV)/bin/python tools/prompts_page.py

constraints: $(VENV)/.installed-dev
	head -2 constraints.txt > build/constraints.txt
	$(VENV)/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' | grep -v " @ " >> build/constraints.txt
	mv build/constraints.txt constraints.txt

# mypy does not follow the editable install's import hook, so it reads the package through links.
build/typing: FORCE
	rm -rf $@ && mkdir -p $@/cbtrun
	ln -s $(CURDIR)/runner/* $@/cbtrun/
	for part in plugins specs rubrics schemas; do ln -s $(CURDIR)/$$part $@/cbtrun/$$part; done

FORCE:

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cbtrun needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --upgrade pip
	$(PIP) -e ".[tune]" && rm -rf cbtrun.egg-info
	$(COMPILE)
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) --upgrade pip
	$(PIP) -e ".[dev,tune,google,anthropic,serving]" && rm -rf cbtrun.egg-info
	$(COMPILE)
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage
