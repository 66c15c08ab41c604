# make book       build the book from the published records
# make test       run the tests, but for those that take long and rarely break
# make test-slow  run those
# make check      format, lint, types, and who imports whom
# make figures    copy the book's figures to figures/
# make pdf        print the book into one PDF; needs Chromium
# make audit      ask for known vulnerabilities of the locked packages; needs the network
# make lock       resolve the packages anew; needs uv and the network
# All set up .venv first, with the newest Python from 3.11 to 3.14 that is there, or PYTHON=…

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m spikepropamine
TORCH := torch==2.13.0
CHROMIUM ?= chromium

# the environment's own interpreter first: it stays as it is until another is asked for
WORKS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in $(BIN)/python python3.14 python3.13 python3.12 python3.11 python3 python; do \
	$$p -c '$(WORKS)' 2> /dev/null && { $$p -c 'import sys; print(sys._base_executable)'; break; }; done)
endif
# .venv holds the path of this folder and of its interpreter, so it is made again where either is another
MADE_FOR := $(CURDIR) $(shell "$(PYTHON)" -c 'import sys; print(sys._base_executable, sys.version.split()[0])' 2> /dev/null)
ifneq ($(shell cat $(VENV)/ready 2> /dev/null),$(MADE_FOR))
$(VENV)/ready: FORCE
endif

.PHONY: book test test-slow check figures pdf audit lock clean FORCE
.DELETE_ON_ERROR:

book: $(VENV)/ready
	@$(RUN) book

test: $(VENV)/ready
	$(RUN) test

test-slow: $(VENV)/ready
	$(RUN) test --slow

check: $(VENV)/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

figures: $(VENV)/ready
	@$(RUN) figures

# Every page on one, which Chromium prints once the mathematics is set. Sphinx writes the links of the one page as if it
# lay at the root, so there it is put.
STAGE := _build/stage
SINGLE := _build/single/_build/singlehtml
pdf: book
	@command -v $(CHROMIUM) > /dev/null || { echo "make pdf needs Chromium: install it, or say where it is with CHROMIUM=…"; exit 1; }
	$(BIN)/jupyter-book build $(STAGE) --path-output _build/single --builder custom --custom-builder singlehtml --quiet
	$(BIN)/python -m spikepropamine.book.one_page $(SINGLE)/book/index.html $(SINGLE)/book.html
	$(CHROMIUM) --headless=new --no-sandbox --disable-gpu --virtual-time-budget=60000 --no-pdf-header-footer \
		--generate-pdf-document-outline --print-to-pdf=_build/book.pdf "file://$(CURDIR)/$(SINGLE)/book.html" 2> _build/pdf.log
	@echo "The PDF is at $(CURDIR)/_build/book.pdf"

audit: $(VENV)/ready
	"$(PYTHON)" -m venv _build/audit && _build/audit/bin/python -m pip install --quiet pip-audit
	echo $(TORCH) > _build/audit/torch.txt
	_build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement requirements.lock
	_build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement _build/audit/torch.txt

lock:
	@command -v uv > /dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	head -2 requirements.lock > requirements.head
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-package torch --quiet --output-file requirements.lock
	cat requirements.head requirements.lock > requirements.new && mv requirements.new requirements.lock && rm requirements.head

clean:
	rm -rf _build

# torch is built differently for each kind of machine, so it has no one hash
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(VENV)/ready: pyproject.toml requirements.lock
	@"$(PYTHON)" -c '$(WORKS)' || { echo "This needs a Python from 3.11 to 3.14 with its modules venv and ensurepip: PYTHON=\"$(PYTHON)\" is none. Install one, or say where it is: make PYTHON=/path/to/python3.13"; exit 1; }
	test "$$(cat $@ 2> /dev/null)" = "$(MADE_FOR)" || "$(PYTHON)" -m venv --clear $(VENV)
	$(PIP) --no-deps --require-hashes --requirement requirements.lock
	$(PIP) $(TORCH)
	$(PIP) --no-deps --no-build-isolation --editable .
	@echo "$(MADE_FOR)" > $@
