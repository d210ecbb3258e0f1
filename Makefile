# `make demo` and `make test` set up everything they need in .venv first, once.

PY := .venv/bin/python
PYTEST := $(PY) -m pytest -n auto --maxprocesses 8 --dist worksteal

.PHONY: help setup demo test test-fast fuzz lint clean

help:
	@echo 'make demo       a trained network at three precisions becomes verified Verilog; table and report in build/demo'
	@echo 'make test       every test'
	@echo 'make test-fast  the tests that need no simulator'
	@echo 'make fuzz       a random campaign: PyTorch, graph, RTL and cycle model against each other'
	@echo 'make lint       ruff and mypy --strict'
	@echo 'make clean      remove what was built (make distclean: and .venv)'

setup: .venv/.ready

.venv/.ready: pyproject.toml requirements.lock .ci/setup
	@bash .ci/setup

demo: .venv/.ready
	@$(PY) -m bitwright demo

test: .venv/.ready
	@$(PYTEST)

test-fast: .venv/.ready
	@$(PYTEST) -m 'not slow'

fuzz: .venv/.ready
	@$(PY) -m tests.fuzz

lint: .venv/.ready
	@$(PY) -m ruff check .
	@$(PY) -m mypy --strict -p bitwright

.PHONY: distclean
clean:
	@rm -rf build dist bitwright.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find bitwright tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	@rm -rf .venv
