# Everything a user or a CI machine needs. Python 3.11 or newer and make are enough to begin with.
PYTHON ?= python3
ARGS ?=
# tests at once, each on one thread
JOBS ?= 2
BIN := .venv/bin
READY := .venv/ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# PyTorch's threads otherwise spin while they wait, which slows down whatever else a shared machine does
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help install audit mutual-info table-1 classifiers report notebooks docs test endurance lint doctest benchmarks clean

help:
	@echo 'make mutual-info   install into .venv, then bound the information of VAEs on the embedded data'
	@echo '                   (ARGS="--help" lists the options)'
	@echo 'make table-1       the same with everything that can be said: both FMix spectra, decoder scales, noise'
	@echo '                   (ARGS="--data fashion-mnist --train-images 10000", say)'
	@echo 'make classifiers   train classifiers under each augmentation, at a CPU'"'"'s scale, and compare their accuracies'
	@echo '                   (ARGS="--data fashion-mnist --train-images 10000 --epochs 10 --width 16")'
	@echo 'make report        measure everything on the embedded data, and put it, with the records in results/, beside'
	@echo '                   the paper: out/report/index.html'
	@echo 'make notebooks     execute the notebooks and render them: out/notebooks (ARGS=--smoke: quickly)'
	@echo 'make docs          the API reference: out/docs'
	@echo 'make test          install into .venv, then run the tests'
	@echo 'make endurance     the tests that take longer'
	@echo 'make lint          style, types and import contracts'
	@echo 'make audit         which pins of constraints.txt are behind, withdrawn, or have other hashes at the index'
	@echo '                   (ARGS=--write: put the index'"'"'s hashes there)'
	@echo 'make doctest       the examples in the docstrings'
	@echo 'make benchmarks    the measurements of benchmarks/README.md'

install: $(READY)

# pip looks at hashes for all that it installs or for nothing: a step for the pins, what builds the package among them,
# and one for torch and torchvision, which finds the rest in place
$(READY): pyproject.toml constraints.txt constraints-torch.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'Installing into .venv (the GPU build of PyTorch is several GB; the README has the CPU-only way)'
	$(INSTALL) --no-deps --require-hashes --requirement constraints.txt
	$(INSTALL) --no-build-isolation --constraint constraints-torch.txt --editable '.[dev]'
	@touch $@

# Not after an install that is due: a raised pin cannot be installed before its hashes are written
audit:
	test -x $(BIN)/python || $(MAKE) install
	$(BIN)/python tools/pins.py $(ARGS)

mutual-info: $(READY)
	$(BIN)/python -m analysis.mutual_info $(ARGS)

table-1: $(READY)
	$(BIN)/python -m analysis.mutual_info --augmentations none mixup cutmix fmix fmix-reference \
		--inputs clean own-augmented --noise 0.5 1 2 4 --shared --decoder-scales 1 0.3 0.1 $(ARGS)

classifiers: $(READY)
	$(BIN)/python -m analysis.accuracy --augmentations none mixup cutmix fmix fmix-reference fmix+mixup $(ARGS)

report: $(READY)
	$(BIN)/python -m analysis.mutual_info
	$(BIN)/python -m analysis.accuracy
	$(BIN)/python -m gradcam.sums
	$(BIN)/python -m attacks.sweep --images 50
	$(BIN)/python -m reports.build $(ARGS)

notebooks: $(READY)
	$(BIN)/python notebooks/render.py $(ARGS)

docs: $(READY)
	$(BIN)/python -m sphinx -b html -q -W --keep-going docs out/docs

test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

endurance: $(READY)
	$(BIN)/python -m pytest -m endurance $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

doctest: $(READY)
	$(BIN)/python -m pytest --doctest-modules mixinfo msda store figures findings tasks training vae classifiers analysis attacks gradcam reports experiments

benchmarks: $(READY)
	$(BIN)/python benchmarks/mixers.py
	$(BIN)/python benchmarks/all_pairs.py
	$(BIN)/python benchmarks/vae_speed.py
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/classifier_speed.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
