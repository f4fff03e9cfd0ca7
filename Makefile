# The commands of this repository. `make ssd` and `make test` need Python 3.11 and nothing else.
PYTHON ?= python3.11
CORES ?= all
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help ssd all check report test lint types unit clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

ssd: $(VENV)/.workflow ## make results/ssd_report.json
	snakemake --cores $(CORES) results/ssd_report.json

all: $(VENV)/.workflow ## make every sample's report
	snakemake --cores $(CORES) all

check: $(VENV)/.workflow ## make every report and fail if a gate of one failed
	snakemake --cores $(CORES) check

report: $(VENV)/.workflow ## make results/report.html, a page with all pictures and tables
	snakemake --cores $(CORES) all
	snakemake --report results/report.html

test: lint types unit ## lint, check types and run all tests

lint: $(VENV)/.develop ## check style
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules workflow/Snakefile
	snakemake --lint

types: $(VENV)/.develop ## check types
	mypy

unit: $(VENV)/.develop ## run the tests
	pytest

clean: ## remove what the workflow made; the environment stays
	rm -rf results/[!.]* logs benchmarks .snakemake

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not there. Install Python 3.11, or set PYTHON to it." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.workflow: requirements.txt constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	touch $@

$(VENV)/.develop: requirements-dev.txt $(VENV)/.workflow
	$(VENV)/bin/python -m pip install --quiet --requirement requirements-dev.txt --constraint constraints.txt
	touch $@
