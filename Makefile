# Every word is a word of course.py, which runs without make too. `make PYTHON=python3.13 lab` picks another Python,
# `make test ARGS="-x"` hands words on.
PYTHON ?= python3
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: setup browser lab test check notebooks slides site bench help

setup browser lab test check notebooks slides site bench help:
	@$(PYTHON) course.py $@ $(ARGS)
