# Each target sets up what it needs: a virtual environment in .venv, pinned by constraints.txt.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo quick test coverage test-slow test-portable test-gpu test-oldest test-newest test-mlflow test-scale lint wheel docs docs-look release audit notebook quality bench clean

demo: $(READY)
	$(BIN)/python -m sk_autoencoder compare --output report.png

# Some tests of each part, in less than a minute. The files that hold none are not even read.
quick: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --quiet -m "quick and not slow" \
		$$(grep --files-with-matches mark.quick tests/test_*.py)

# One thread a process: two that wait for each other take longer.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -m "not slow"

# The same, and which lines it runs; that takes a fifth longer.
coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -m "not slow" --cov \
		--cov-report=term

# What `make test` leaves out.
test-slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --quiet -m slow

# Kernels of lesser processors, on one that has more: each library's alone, then all at once, with
# one thread and with two. What runs in processes of its own, and shows no figures, is left out.
LESSER := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	OPENBLAS_CORETYPE=Haswell
ALONE := $(foreach setting,$(LESSER) ATEN_CPU_CAPABILITY=avx2,"$(setting) OMP_NUM_THREADS=1")
AT_ONCE := $(foreach threads,1 2,"$(LESSER) OMP_NUM_THREADS=$(threads)")
PROCESSORS ?= $(ALONE) $(AT_ONCE)
PORTABLE ?= --ignore tests/test_examples.py --ignore tests/test_memory.py

test-portable: $(READY)
	@failed=; \
	for processor in $(PROCESSORS); do \
		echo "== $$processor"; \
		env $$processor $(BIN)/python -m pytest --numprocesses auto --quiet $(PORTABLE) \
			|| failed="$$failed; $$processor"; \
	done; \
	test -z "$$failed" || { echo "failed with$${failed#;}"; exit 1; }

# On a GPU, where one is at hand; else its paths are taken on the CPU.
test-gpu: $(READY)
	$(BIN)/python -m pytest --quiet tests/test_gpu.py tests/test_precision.py tests/test_device.py

# With the oldest versions that pyproject.toml allows, and with the newest ones. Each has an
# environment of its own; VERSIONS_TESTS chooses tests, such as "-m quick".
VERSIONS_TESTS ?= --ignore tests/test_examples.py --ignore tests/test_house.py

test-oldest:
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --upgrade pip
	.venv-oldest/bin/python -m pip install --quiet --constraint constraints-oldest.txt \
		--editable ".[all]" --group test
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest --numprocesses auto --quiet $(VERSIONS_TESTS)

test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade pip
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager \
		--editable ".[all]" --group test
	OMP_NUM_THREADS=1 .venv-newest/bin/python -m pytest --numprocesses auto --quiet $(VERSIONS_TESTS)

# A pipeline and a detector logged by MLflow, and answered by another process.
test-mlflow:
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python -m pip install --quiet --editable ".[skops]" "mlflow>=3" pytest \
		$$(grep '^torch==' constraints.txt)
	.venv-mlflow/bin/python -m pytest --quiet tests/check_mlflow.py

# Spark, Ray and accelerate, each of which starts what it needs and stops it. Spark needs Java, such
# as Debian's default-jre-headless.
test-scale:
	$(PYTHON) -m venv .venv-scale
	.venv-scale/bin/python -m pip install --quiet --editable ".[dask,parquet]" pyspark \
		"ray[data,train]" accelerate pytest pytest-xdist $$(grep '^torch==' constraints.txt)
	.venv-scale/bin/python -m pytest --quiet tests/check_engines.py tests/test_distributed.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict --follow-imports=silent tests/typed_user.py
	$(BIN)/python -m pytest --quiet tests/test_house.py
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

wheel: $(READY)
	rm -rf dist
	$(BIN)/python -m build --no-isolation .
	PYTHON=$(PYTHON) sh tests/check_wheel.sh

# Write the version, date the changelog, build, look at what was built, commit and tag. To push the tag is
# left to you, after a look: a workflow then builds and publishes.
release: $(READY)
	$(if $(VERSION),,$(error Say which: make release VERSION=0.2.0))
	git diff --quiet HEAD || { echo "commit first what is changed"; exit 1; }
	{ $(BIN)/python tools/release.py $(VERSION) && $(MAKE) wheel && \
		$(BIN)/twine check --strict dist/*; } || { git checkout --quiet .; exit 1; }
	git commit --quiet --all --message "Release $(VERSION)"
	git tag --annotate v$(VERSION) --message "Release $(VERSION)"

# What the database of known weaknesses tells of the pinned packages. It fails where one has some, or
# where no database can be asked; a package that is in none is told, and is no failure.
audit: $(READY)
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

# The site, in docs/_build/html: each figure and example is executed, and a warning is an error. Links
# to other sites are looked at with DOCS_ONLINE=1.
docs: $(READY)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --group docs
	OMP_NUM_THREADS=2 $(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html
	$(BIN)/sphinx-build --quiet -b linkcheck -d docs/_build/html/.doctrees docs docs/_build/links
	OMP_NUM_THREADS=2 $(BIN)/sphinx-build --quiet -b doctest -d docs/_build/html/.doctrees docs docs/_build/doctest

# The site in a browser, such as Debian's chromium.
docs-look: $(READY)
	$(BIN)/python -m pytest --quiet --numprocesses 2 tests/check_site.py

notebook: $(READY)
	$(BIN)/python tests/test_examples.py

# TABLES is a folder of the .npz files of ADBench.
quality: $(READY)
	$(if $(TABLES),,$(error Say where the tables are: make quality TABLES=folder))
	$(BIN)/python -m benchmarks.quality.fashion_mnist
	$(BIN)/python -m benchmarks.quality.adbench $(TABLES)

# On an idle machine. The guards run too where the report misses a bar, and either fails it.
bench: $(READY)
	$(BIN)/python -m benchmarks.speed; missed=$$?; \
	$(BIN)/python -m pytest benchmarks && exit $$missed

clean:
	rm -rf docs/_build docs/api docs/auto_examples $(VENV) .venv-oldest .venv-newest .venv-mlflow .venv-scale \
		.benchmarks build dist htmlcov .coverage report.png speed.png speed.json

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $@
