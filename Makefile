# Needs make and Python 3.11 to 3.14, nothing else. PYTHON=… names the interpreter, ARGS=… goes to the command.
.PHONY: help run test check bench bench-gateway soak lock clean
.DEFAULT_GOAL := help

help:
	@echo "make run     install, start the database, index the samples, serve on http://127.0.0.1:8000"
	@echo "make test    install what the tests need and run all of them"
	@echo "make check   ruff and mypy --strict"
	@echo "make bench   the benchmarks"
	@echo "make bench-gateway   the gateway beside bare references and, where installed, other gateways"
	@echo "make soak    ten minutes of failing providers and leaving clients"
	@echo "make lock    write the lock files anew from pyproject.toml (ARGS=--upgrade: newer versions)"
	@echo "make clean   remove .venv and caches; the data in .marginalia stays"

run: .venv/installed-run
	@exec .venv/bin/python -m shared.cli serve $(ARGS)

test: .venv/installed-dev
	@.venv/bin/python -m pytest $(ARGS)

check: .venv/installed-dev
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy --strict

bench: .venv/installed-dev
	@.venv/bin/python -m benchmarks $(ARGS)

bench-gateway: .venv/installed-dev
	@.venv/bin/python -m benchmarks.gateway $(ARGS)

soak: .venv/installed-dev
	@.venv/bin/python -m benchmarks.soak $(ARGS)

lock: .venv/installed-dev
	@scripts/lock $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/installed-run: requirements.lock pyproject.toml
	@scripts/install run

.venv/installed-dev: requirements-dev.lock pyproject.toml
	@scripts/install dev
