# The commands of this repository. `make ssd` and `make test` need Python 3.11 and nothing else.
PYTHON ?= python3.11
CORES ?= all
TEST_PROCESSES ?= 2
KILLS ?= 200
SECONDS ?= 60
AUDIT ?=
CHOSEN ?=
ENGINE_PYTHON ?= python3.10
VENV := .venv
ENGINE := .engine
TRTEXEC ?=
GPU_BENCH ?= results/bench_gpu
CLUSTER := .cluster
DOCS := .docs
SUPPLY := .supply
MNIST := mnist mnist_api uff_mnist onnx_mnist int8 plugin mlp end_to_end_tensorflow_mnist network_api_pytorch_mnist \
	fc_plugin_caffe_mnist uff_custom_plugin int8_caffe_mnist engine_refit_mnist
GPU_BUILDS := --skeletons results/sizes --backend tensorrt --workspace-mb 4096 --plans $(GPU_BENCH)/plans \
	--timing-cache $(GPU_BENCH)/timing.cache
NEED_PYTHON := @command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not there. Install Python 3.11, or set PYTHON to it." >&2; exit 1; }
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help ssd all check report engine-env test-gpu bench-gpu test-slurm test quick full soak bench fuzz sbom audit lint types unit wheel docs clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

ssd: $(VENV)/.workflow ## make results/ssd_report.json
	snakemake --cores $(CORES) results/ssd_report.json

all: $(VENV)/.workflow ## make every sample's report
	snakemake --cores $(CORES) all

check: $(VENV)/.workflow ## make every report and fail if a gate of one failed
	snakemake --cores $(CORES) check

report: $(VENV)/.workflow ## make results/report.html, a page with all pictures and tables
	snakemake --cores $(CORES) all
	snakemake --report results/report.html

engine-env: $(ENGINE)/.ready ## make .engine, the Python that runs TensorRT 8.6 on a GPU

test-gpu: $(VENV)/.develop $(ENGINE)/.ready ## make all reports with TensorRT, then compare them with the reference's (needs a GPU)
	snakemake --cores $(CORES) all --config backend=tensorrt
	ENGINE_PYTHON=$(CURDIR)/$(ENGINE)/bin/python pytest tests/gpu -rfEs --numprocesses $(TEST_PROCESSES)

bench-gpu: $(VENV)/.workflow $(ENGINE)/.ready ## time engines beside trtexec (TRTEXEC=its path) and PyTorch on a GPU, as docs/performance.md has it (an hour)
	test -d results/sizes/yolov3 || python scripts/export_sizes.py --networks resnet50 tf_ssd yolov3 --out-dir results/sizes
	$(ENGINE)/bin/python scripts/bench_runtime.py $(GPU_BUILDS) $(if $(TRTEXEC),--trtexec $(TRTEXEC)) --out $(GPU_BENCH)/runtime.json \
	    --engines $(foreach network,resnet50 tf_ssd yolov3,$(foreach batch,1 128,$(network):fp16:$(batch) $(network):int8:$(batch))) \
	    resnet50:fp16:128:hwc8-fp16 resnet50:int8:256:chw4-int8 resnet50:best:256:chw4-int8 tf_ssd:best:128
	$(ENGINE)/bin/python scripts/bench_runtime.py $(GPU_BUILDS) --plans $(GPU_BENCH)/fixed $(if $(TRTEXEC),--trtexec $(TRTEXEC)) \
	    --fixed-batch --contexts 2 --rounds 2 --time-limit 3600 --out $(GPU_BENCH)/batches.json \
	    --engines $(foreach batch,1 16 64 256 512 1024,resnet50:best:$(batch):chw4-int8 resnet50:fp16:$(batch):linear-fp16) \
	    resnet50:fp16:512:hwc8-fp16
	$(ENGINE)/bin/python scripts/bench_runtime.py $(GPU_BUILDS) --plans $(GPU_BENCH)/level1 $(if $(TRTEXEC),--trtexec $(TRTEXEC)) \
	    --fixed-batch --contexts 2 --rounds 2 --optimization-level 1 --time-limit 3600 --out $(GPU_BENCH)/level1.json \
	    --engines resnet50:best:256:chw4-int8 resnet50:best:512:chw4-int8
	python scripts/bench_runtime.py --out $(GPU_BENCH)/batches.json --draw $(GPU_BENCH)/batches.png
	rm -rf $(addprefix $(GPU_BENCH)/,first second builds.cache builds.cache.sha256)
	for round in first second; do $(ENGINE)/bin/python scripts/bench_runtime.py $(GPU_BUILDS) --timing-cache $(GPU_BENCH)/builds.cache \
	    --plans $(GPU_BENCH)/$$round --build-only --out $(GPU_BENCH)/builds.$$round.json \
	    --engines tf_ssd:fp16:128 tf_ssd:int8:128 tf_ssd:best:128 || exit 1; done
	$(ENGINE)/bin/python scripts/bench_char_rnn.py --backend tensorrt --precision fp16 --recurrent layers --together 50 --compiled \
	    --torch-python $(VENV)/bin/python --out $(GPU_BENCH)/char_rnn.json
	$(ENGINE)/bin/python scripts/bench_nmt.py --backend tensorrt --precision fp16 --recurrent layers --compiled \
	    --torch-python $(VENV)/bin/python --out $(GPU_BENCH)/nmt.json
	python scripts/bench_calibration.py --name resnet50 --pictures 500 --sides trtflow tensorrt --skeletons results/sizes \
	    --engine-python $(ENGINE)/bin/python --out $(GPU_BENCH)/calibration.json

test-slurm: $(CLUSTER)/.ready ## run ssd (small) and the MNIST samples through a Slurm of one node (as root, with Slurm's packages)
	SLURM_SAMPLES="$${SLURM_SAMPLES-$(MNIST)}" $(CLUSTER)/bin/python -m pytest tests/slurm -rfEs

sbom: $(SUPPLY)/.ready $(VENV)/.workflow ## write results/sbom.json, what is installed, as CycloneDX has it
	$(SUPPLY)/bin/cyclonedx-py environment --output-reproducible --of JSON -o results/sbom.json $(VENV)/bin/python

audit: $(SUPPLY)/.ready ## ask a service for known vulnerabilities of the pinned packages (needs a network; AUDIT=options of pip-audit)
	$(SUPPLY)/bin/pip-audit --no-deps --requirement constraints.txt $(AUDIT)

bench: $(VENV)/.workflow ## time the reference beside its peers on this CPU (docs/performance.md); let the machine be idle (an hour)
	mkdir -p results/bench
	rm -f results/bench/*.json
	python scripts/bench_cpu_int8.py --threads 1 --precisions fp16 --out results/bench/cpu_int8.json
	python scripts/bench_cpu_int8.py --out results/bench/cpu_int8.json --draw results/bench/cpu_int8.png
	python scripts/bench_calibration.py --name googlenet --pictures 2 --resume --out results/bench/calibration.json
	python scripts/bench_calibration.py --name resnet50 --pictures 50 --resume --out results/bench/calibration.json
	python scripts/bench_calibration.py --name resnet50 --pictures 500 --resume --out results/bench/calibration.json
	python scripts/bench_resnet50_torch.py --training 30 --width 0.25 --out results/bench/training.json
	python tests/speed/time_workflow.py --out results/bench/workflow.json
	python scripts/write_results.py --bench results/bench --page docs/performance.md --out results/bench/performance.md

soak: $(VENV)/.develop ## kill and stop workers of pools at random moments, KILLS=200 of them
	python tests/soak/kill_workers.py --kills $(KILLS)

test: lint ## lint, then check types and run all tests side by side
	$(MAKE) --jobs 2 --no-print-directory types unit

quick: lint ## the same with the tests that neither run the workflow nor train (minutes)
	$(MAKE) --jobs 2 --no-print-directory types unit CHOSEN="-m 'not workflow'"

full: $(VENV)/.develop ## run each sample to its report with data: full, from stand-ins for the published files (minutes)
	TRTFLOW_FULL=1 pytest tests/rules/test_full_*.py -rfEs --numprocesses $(TEST_PROCESSES) --dist loadfile

lint: $(VENV)/.develop ## check style
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules workflow/Snakefile
	snakemake --lint

types: $(VENV)/.develop ## check types
	mypy

unit: $(VENV)/.develop ## run the tests; why some were skipped stands at the end
	pytest $(CHOSEN) -rfEs --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

fuzz: $(VENV)/.develop ## try damaged files on every reader for SECONDS (60) in all; what was found is kept in .fuzz
	python tests/fuzz/fuzz.py --seconds $(SECONDS)

wheel: $(VENV)/.develop ## make dist/trtflow-<version>-py3-none-any.whl
	rm -rf build dist trtflow.egg-info
	python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --wheel-dir dist .
	rm -rf build trtflow.egg-info

docs: $(DOCS)/.ready ## make the site of docs/ in site/; what is wrong with it is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --quiet --strict

clean: ## remove what the workflow made; the environment stays
	rm -rf results/[!.]* logs benchmarks .snakemake

$(ENGINE)/.ready: envs/engine.txt
	@command -v $(ENGINE_PYTHON) >/dev/null || { echo "error: $(ENGINE_PYTHON) is not there. Install Python 3.10, or set ENGINE_PYTHON to it." >&2; exit 1; }
	$(ENGINE_PYTHON) -m venv $(ENGINE)
	$(ENGINE)/bin/python -m pip install --quiet --requirement envs/engine.txt
	touch $@

$(CLUSTER)/.ready: requirements.txt requirements-dev.txt requirements-cluster.txt constraints.txt
$(DOCS)/.ready: requirements-docs.txt
$(SUPPLY)/.ready: requirements-supply.txt
$(CLUSTER)/.ready $(DOCS)/.ready $(SUPPLY)/.ready:
	$(NEED_PYTHON)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(foreach file,$(filter requirements%,$^),--requirement $(file)) $(addprefix --constraint ,$(filter constraints%,$^))
	touch $@

$(VENV)/bin/python:
	$(NEED_PYTHON)
	$(PYTHON) -m venv $(VENV)

# hashes first; what the second command still finds to install is torch (docs/reliability.md)
$(VENV)/.workflow: requirements.lock requirements.txt constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(VENV)/bin/python -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	touch $@

$(VENV)/.develop: requirements-dev.txt $(VENV)/.workflow
	$(VENV)/bin/python -m pip install --quiet --requirement requirements-dev.txt --constraint constraints.txt
	touch $@
