# The two commands: `make repro` (the pipeline, from photos to the report) and `make test`. Both make the environment first,
# `make repro` without the packages that only tests need.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Programs in an environment hold its path: their stamps are of this folder, and one that moved has none.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
INSTALLED := $(VENV)/.installed-$(HERE)
INSTALLED_DEV := $(VENV)/.installed-dev-$(HERE)
# Packages are compiled once, here: where PYTHONDONTWRITEBYTECODE is set, each import of torch would take seconds more.
UV := uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python
LOCK := uv pip compile --quiet --constraint constraints.txt --universal --generate-hashes --no-header --no-annotate --no-emit-index-url
PEERS := .venv-peers
PARALLEL := --numprocesses 2 --dist loadscope --no-loadscope-reorder

# uv gets the packages from where pip would, if the environment says where.
ifdef PIP_INDEX_URL
export UV_INDEX_URL ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_EXTRA_INDEX_URL ?= $(PIP_EXTRA_INDEX_URL)
endif
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

.PHONY: help repro own try nus-wide-1 nus-wide-2 sample test test-all fuzz soak bench lint lock dist sbom audit clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -hE '^[a-z0-9 -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / — /'

repro: $(INSTALLED)  ## run the pipeline on params.yaml, show the results and where the report lies
	@echo "Checking params.yaml, then running what changed (dvc repro)."
	@tagrec check
	@python -m scripts.repro report bundle
	@tagrec results

own: $(INSTALLED)  ## begin with photos or posts of your own, and run: make own DATA=path
	@test -n "$(DATA)" || { echo "Error: name your photos or posts: make own DATA=path" >&2; exit 1; }
	@tagrec begin "$(DATA)"
	@$(MAKE) --no-print-directory repro

try: $(INSTALLED)  ## serve the sample's bundle, with new photos at hand, and print the page's address
	@test -f artifacts/sample/sample/bundle/bundle.json || { echo "Error: the sample's bundle is missing: run make repro, or, if\
	 params.yaml names other data, make sample, which sets it back." >&2; exit 1; }
	@python -m scripts.render_new_photos .work/try/photos
	@tagrec serve --bundle artifacts/sample/sample/bundle --examples .work/try/photos --journal .work/try/accepted.sqlite

nus-wide-1 nus-wide-2 sample: $(INSTALLED)  ## set source, recipe and weights in params.yaml to the paper's, or back, and run
	@tagrec choose $@
	@$(MAKE) --no-print-directory repro

test: $(INSTALLED_DEV)  ## run the tests, in two processes
	python -m pytest -m "not slow" $(PARALLEL)

test-all: $(INSTALLED_DEV)  ## run the tests, those that take minutes too
	python -m pytest $(PARALLEL)

fuzz: $(INSTALLED_DEV)  ## search for input that breaks the code, for half an hour, or: make fuzz MINUTES=5
	@python -m scripts.fuzz --minutes $(or $(MINUTES),30)

soak: $(INSTALLED_DEV)  ## kill the pipeline and the service at random for an hour, or: make soak MINUTES=5
	@python -m scripts.soak --minutes $(or $(MINUTES),60)

bench: $(INSTALLED) $(PEERS)/.installed  ## compare training speed with implicit and LightFM (results: benchmarks/README.md)
	python -m benchmarks.training --peers $(PEERS)/bin/python

lint: $(INSTALLED_DEV)  ## check the style
	ruff check .
	ruff format --check .

lock: $(INSTALLED)  ## pin the files of all packages by their SHA-256, in requirements/, as constraints.txt pins versions
	$(LOCK) --output-file requirements/run.txt pyproject.toml
	$(LOCK) --output-file requirements/dev.txt --extra dev pyproject.toml
	echo uv | $(LOCK) --output-file requirements/uv.txt -
	printf 'setuptools\nsetuptools-scm\n' | $(LOCK) --output-file requirements/build.txt -

dist: $(INSTALLED)  ## build a wheel and an archive of the sources, in dist/: what a machine needs that only suggests
	uv build --quiet --build-constraints requirements/build.txt --require-hashes --out-dir dist

sbom: $(INSTALLED)  ## write sbom.json, a software bill of materials (CycloneDX)
	uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py environment $(VENV)/bin/python --output-reproducible --of JSON -o sbom.json

audit: $(INSTALLED)  ## ask a public database for known vulnerabilities of the pinned packages (needs a network)
	uv tool run --from pip-audit==2.10.1 pip-audit --require-hashes --disable-pip --requirement requirements/run.txt

clean:  ## delete the environment and what can be computed again; not the artifacts, not journals (.work/nus-wide, .work/keywords)
	rm -rf $(VENV) $(PEERS) .work/training .work/sample .work/table .work/features .work/suggest .work/seconds

$(INSTALLED): pyproject.toml setup.py requirements/uv.txt requirements/run.txt requirements/build.txt
	@echo "Making $(VENV) and installing the pinned dependencies (about 6 GB, some minutes)."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@test ! -L $(VENV) || { echo "$(VENV) is a link, and what it leads to would be emptied: remove the link."; exit 1; }
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(VENV)
	python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	$(UV) --require-hashes --requirement requirements/run.txt --requirement requirements/build.txt
	$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED) requirements/dev.txt
	@echo "Installing what the tests need (about 1 GB)."
	$(UV) --require-hashes --requirement requirements/dev.txt
	@touch $@

$(PEERS)/.installed: benchmarks/peers/build.txt benchmarks/peers/requirements.txt
	@echo "Making $(PEERS): the peers have an environment of their own (0.4 GB, a compiler with OpenMP, Python 3.11)."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "LightFM 1.17 needs Python 3.11: make PYTHON=python3.11 bench")'
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement benchmarks/peers/build.txt
	$(PEERS)/bin/python -m pip install --quiet --no-build-isolation --requirement benchmarks/peers/requirements.txt
	@touch $@
