# Each target sets up what it needs: a virtual environment in .venv, pinned by constraints.txt.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint wheel notebook quality bench clean

demo: $(READY)
	$(BIN)/python -m sk_autoencoder compare --output report.png

# One thread a process: two that wait for each other take longer.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --cov --cov-report=term

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: $(READY)
	rm -rf dist
	$(BIN)/python -m build --no-isolation .
	PYTHON=$(PYTHON) sh tests/check_wheel.sh

notebook: $(READY)
	$(BIN)/python tests/test_examples.py

# TABLES is a folder of the .npz files of ADBench.
quality: $(READY)
	$(if $(TABLES),,$(error Say where the tables are: make quality TABLES=folder))
	$(BIN)/python -m benchmarks.fashion_mnist
	$(BIN)/python -m benchmarks.quality $(TABLES)

# On an idle machine. The guards run too where the report misses a bar, and either fails it.
bench: $(READY)
	$(BIN)/python -m benchmarks.speed; missed=$$?; \
	$(BIN)/python -m pytest benchmarks && exit $$missed

clean:
	rm -rf $(VENV) .benchmarks build dist htmlcov .coverage report.png speed.png speed.json

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $@
