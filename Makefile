# Each target makes .venv and installs what it needs, once. Needs make and Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin

# make study [ROOT=<folder of pairs, LOL's layout or alike>] [OUT=<folder>] [ARGS="<Hydra overrides>"]
ROOT :=
ARGS :=
# A text as one word of the shell; a text between single quotes of Hydra's. Both may hold quotes.
shell_word = '$(subst ','\'',$(1))'
hydra_text = $(subst ',\',$(1))
OUT := outputs/study$(if $(ROOT),-$(shell basename $(call shell_word,$(ROOT))))
EXPERIMENT := $(if $(ROOT),lol_cpu,study)
DATA := $(if $(ROOT),data=lol $(call shell_word,data.root='$(call hydra_text,$(ROOT))'))
LEARNT := mirnet autoencoder gan
CLASSICAL := identity gamma histogram

.PHONY: help install study test check layers docs format wheel clean

help:
	@echo "make study [ROOT=DIR]  train, score and compare the three methods (embedded data, or the pairs in DIR)"
	@echo "make test              the fast tests;  make check  lint, types and the fast tests"
	@echo "make layers            the import layers of the package"
	@echo "make docs              the documentation as a site, docs/_build/html/index.html"
	@echo "make install | format | wheel | clean"

install: .venv/.dev

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "lowlight needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "this Python has no venv module: install it (Debian: apt install python3-venv) and try again" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.core: .venv/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e .
	@touch $@

.venv/.dev: .venv/.core
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	@touch $@

study: .venv/.core
	@set -e; out=$(call shell_word,$(call hydra_text,$(OUT))); \
	for method in $(LEARNT); do \
		$(BIN)/lowlight train experiment=$(EXPERIMENT)/$$method $(DATA) resume=auto "output_dir='$$out/$$method'" $(ARGS); \
	done; \
	for method in $(CLASSICAL); do \
		$(BIN)/lowlight evaluate method=$$method $(DATA) trainer=cpu resume=auto "output_dir='$$out/$$method'" $(filter data=% data.% +data.%,$(ARGS)); \
	done
	@out=$(call shell_word,$(OUT)); if [ ! -f "$$out/report/index.html" ] || \
		[ -n "$$(find "$$out"/*/manifest.json -newer "$$out/report/index.html")" ]; then \
		set -- ; for method in $(LEARNT) $(CLASSICAL); do set -- "$$@" "$$out/$$method"; done; \
		$(BIN)/lowlight compare "$$@" --out "$$out/report"; \
	fi
	@echo "the report:" $(call shell_word,$(OUT)/report/index.html)

test: .venv/.dev
	$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadgroup -m "not slow and not gpu and not browser"

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

layers: .venv/.dev
	@$(BIN)/python -m tests.test_architecture

docs: .venv/.dev
	$(BIN)/python docs/generate.py
	$(BIN)/python -m sphinx -W -n --keep-going -q -b html docs docs/_build/html
	@echo "the site: docs/_build/html/index.html"

format: .venv/.dev
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

wheel: .venv/.dev
	$(BIN)/python -m pip wheel --disable-pip-version-check -q --no-deps --no-build-isolation -w dist .
	@ls dist/*.whl

clean:
	rm -rf .venv dist docs/_build docs/api .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
