# Three commands do everything on a fresh machine with Python >= 3.11:
#   make demo    simulate a night, explain it, write the HTML report
#   make check   lint, types and the quick tests: under three minutes, once the environment is made
#   make test    lint, types, all tests, and the site with its tutorials
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo check test lint types quick tests docs bench floors newest package clean

demo: .venv/demo
	$(BIN)/eegflex demo demo

check: lint types quick

test: lint types tests docs

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test
	$(BIN)/mypy

quick: .venv/test
	$(BIN)/pytest -m "not slow"

# Tests of one file share what they make, so that a file stays with one process; two threads in each would only wait.
tests: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

# Runs the tutorials, and needs no network; docs/_build/html/index.html.
docs: .venv/docs
	$(BIN)/sphinx-build -W --keep-going --quiet docs docs/_build/html

# Some hours; one Markdown table, benchmarks/RESULTS.md. SECTION=speed measures the sections alone that begin so.
bench: .venv/test
	$(BIN)/python -m benchmarks --section "$(SECTION)"

# The lowest versions that pyproject.toml promises, and the newest that there are; each in an environment of its own. Old
# packages warn of much that is not ours to mend; what the newest ones warn of is to come, and fails. braindecode and YASA ask for
# more of MNE and NumPy than eegflex does: what needs them is tested in a second environment. ARGS="-m 'not slow'" takes the quick ones.
STAGERS := tests/evaluation tests/spec tests/stagers tests/test_why_own_code.py
floors: .venv-floors/own .venv-floors/stagers
	OMP_NUM_THREADS=1 .venv-floors/own-env/bin/pytest --override-ini filterwarnings=default --numprocesses auto --dist loadfile $(ARGS)
	OMP_NUM_THREADS=1 .venv-floors/stagers-env/bin/pytest --override-ini filterwarnings=default --numprocesses auto --dist loadfile $(STAGERS) $(ARGS)

newest: .venv-newest/made
	OMP_NUM_THREADS=1 .venv-newest/bin/pytest --numprocesses auto --dist loadfile $(ARGS)

# Build what is published into dist, and use it as a stranger would: the wheel alone, and with all extras. PIP_CONSTRAINT=constraints.txt
# takes the versions that are pinned.
package:
	$(PYTHON) tools/try_package.py --extras

# Each environment is remade when what it is made from changes.
.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit('eegflex needs Python >= 3.11' if sys.version_info < (3, 11) else 0)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[gssc]'
	touch $@

.venv/test: .venv/demo
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	$(BIN)/python -m pip install --quiet --no-deps physioex==1.0.0.dev4  # for its weights: what trains them is not wanted
	$(BIN)/python tools/mend_torchaudio.py
	touch $@

.venv/docs: .venv/test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

.venv-floors/%: pyproject.toml tools/floors.py tools/mend_torchaudio.py
	test -x $@-env/bin/python || $(PYTHON) -m venv $@-env
	$(PYTHON) tools/floors.py constraints $* > $@-env/constraints.txt
	$@-env/bin/python -m pip install --quiet --constraint $@-env/constraints.txt --editable ".[$$($(PYTHON) tools/floors.py extras $*),tools]"
	$@-env/bin/python tools/mend_torchaudio.py
	touch $@

.venv-newest/made: pyproject.toml
	test -x .venv-newest/bin/python || $(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[test]'
	.venv-newest/bin/python tools/mend_torchaudio.py
	touch $@

clean:
	rm -rf .venv .venv-floors .venv-newest demo build dist docs/_build docs/generated docs/tutorials
