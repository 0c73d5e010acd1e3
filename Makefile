# Everything runs in .venv, which `make setup` makes from requirements.lock. See `make help`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help setup demo test check lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 14

setup: $(STAMP) ## install fbm and its tools into .venv, exact versions

# The lock holds hashes for all but torch, whose file differs by machine; torch's own needs are in the lock, and
# a CUDA build brings its libraries itself.
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## make a data set, pretrain, classify from three initialisations, print Table 1 (8 minutes on 2 cores)
	$(BIN)/fbm prepare data=demo
	$(BIN)/fbm train experiment=demo/pretrain
	$(BIN)/fbm train experiment=demo/classify
	$(BIN)/fbm report outputs/demo

test: $(STAMP) ## all tests (10 minutes on 2 cores)
	$(BIN)/python -m pytest

check: $(STAMP) ## ruff, mypy and the guards
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/guards
	$(BIN)/fbm doctor config

lock: $(STAMP) ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev \
	  --no-emit-package torch --constraint torch.constraint -o requirements.lock pyproject.toml

clean: ## remove what make and fbm made here, but .venv
	rm -rf data stores outputs .pytest_cache .mypy_cache .ruff_cache dist
