# Everything a user or a CI machine needs. Python 3.11 or newer and make are enough to begin with.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
READY := .venv/ready

.PHONY: help install mutual-info test endurance lint doctest benchmarks clean

help:
	@echo 'make mutual-info   install into .venv, then bound the information of VAEs on the embedded data'
	@echo '                   (ARGS="--help" lists the options)'
	@echo 'make test          install into .venv, then run the tests'
	@echo 'make endurance     the tests that take longer'
	@echo 'make lint          style, types and import contracts'
	@echo 'make doctest       the examples in the docstrings'
	@echo 'make benchmarks    the measurements of benchmarks/README.md'

install: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'Installing into .venv (the GPU build of PyTorch is several GB; the README has the CPU-only way)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

mutual-info: $(READY)
	$(BIN)/python -m analysis.mutual_info $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

endurance: $(READY)
	$(BIN)/python -m pytest -m endurance $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

doctest: $(READY)
	$(BIN)/python -m pytest --doctest-modules msda store figures training vae analysis

benchmarks: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[benchmarks]'
	$(BIN)/python benchmarks/mixers.py
	$(BIN)/python benchmarks/all_pairs.py
	$(BIN)/python benchmarks/accuracy.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
