# Everything runs in .venv, which `make setup` makes from requirements.lock. See `make help`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TORCH := 2.13.0

.PHONY: help setup demo test test-fast check docs lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: $(STAMP) ## install fbm and its tools into .venv, exact versions

# The lock holds hashes for all but torch, whose file differs by machine; torch's own needs are in the lock, and
# a CUDA build brings its libraries itself.
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet "torch==$(TORCH)"
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## make a data set, pretrain, classify from it and from a random start, print the table (9 minutes on 2 cores at 2.8 GHz)
	$(BIN)/fbm prepare data=demo
	$(BIN)/fbm study demo

# A core a worker; a worker that has no test left takes some of the other's.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test: $(STAMP) ## all tests
	$(PYTEST)

test-fast: $(STAMP) ## the tests that start no process and run no whole command
	$(PYTEST) -m "not slow"

check: $(STAMP) ## ruff, mypy, the guards, every config, the docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/guards
	$(BIN)/fbm doctor config
	$(MAKE) docs

docs: $(STAMP) ## the documentation as a site in build/site; any warning, such as a dead link, is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env -c docs/site . build/site

# uv does not look where pip finds a CPU build of torch, unless it is given the place. What torch's CUDA builds need comes with torch.
CUDA := triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
  cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)

lock: ## write requirements.lock from pyproject.toml (needs uv)
	echo "torch==$(TORCH)" | UV_FIND_LINKS="$(PIP_FIND_LINKS)" uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --extra dev --custom-compile-command "make lock" \
	  $(addprefix --no-emit-package ,torch $(CUDA)) --output-file requirements.lock pyproject.toml -

clean: ## remove what make and fbm made here, but .venv
	rm -rf data stores outputs .pytest_cache .mypy_cache .ruff_cache dist
