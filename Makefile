# make book      build the book from the published records
# make test      run the tests
# make figures   copy the book's figures to figures/
# make pdf       print the book into one PDF; needs Chromium
# make audit     ask for known vulnerabilities of the locked packages; needs the network
# All set up .venv first.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAGE := _build/stage
CHAPTERS := $(notdir $(wildcard book/*.ipynb))
PAGES := $(addprefix $(STAGE)/book/,$(CHAPTERS))
SOURCES := $(shell find lib -name '*.py') $(shell find book/results -type f) \
	book/claims.yml book/paper_values.yml
STATIC := $(wildcard book/*.md book/*.bib book/*.yml book/_static/*) _config.yml _toc.yml CITATION.cff

.PHONY: book test figures pdf audit clean
.DELETE_ON_ERROR:

book: _build/html/book/index.html
	@echo "The book is at $(CURDIR)/_build/html/index.html"

test: $(VENV)/ready
	$(BIN)/python -m pytest

figures: book
	rm -rf figures && mkdir figures && cp -r $(STAGE)/figures/. figures/

# Every page on one, which Chromium prints: it waits for the mathematics to be set.
CHROMIUM ?= chromium
pdf: $(PAGES)
	$(BIN)/jupyter-book build $(STAGE) --path-output _build/single --builder custom --custom-builder singlehtml --quiet
	$(CHROMIUM) --headless=new --no-sandbox --disable-gpu --virtual-time-budget=60000 --no-pdf-header-footer \
		--print-to-pdf=_build/book.pdf file://$(CURDIR)/_build/single/_build/singlehtml/book/index.html
	@echo "The PDF is at $(CURDIR)/_build/book.pdf"

audit: $(VENV)/ready
	$(PYTHON) -m venv _build/audit && _build/audit/bin/python -m pip install --quiet pip-audit
	_build/audit/bin/pip-audit --no-deps --disable-pip --requirement requirements.lock

clean:
	rm -rf _build

# torch is built differently for each kind of machine, so it has no one hash
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(VENV)/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --require-hashes --requirement requirements.lock
	$(PIP) torch==2.13.0
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# One place for the renderer to read: the static pages, the records and the executed chapters.
$(STAGE)/ready: $(VENV)/ready $(STATIC) $(SOURCES)
	mkdir -p $(STAGE)/book
	rm -rf $(STAGE)/book/results $(STAGE)/book/_static
	cp -r book/results book/_static $(STAGE)/book/
	cp $(wildcard book/*.md book/*.bib book/*.yml) $(STAGE)/book/
	cp _config.yml _toc.yml CITATION.cff $(STAGE)/
	touch $@

$(STAGE)/book/%.ipynb: book/%.ipynb $(STAGE)/ready
	$(BIN)/papermill --cwd $(STAGE)/book --no-progress-bar --log-level WARNING $< $@

# This one shows what the others made.
$(STAGE)/book/reproduced_figures.ipynb: $(filter-out %/reproduced_figures.ipynb,$(PAGES))

_build/html/book/index.html: $(PAGES)
	$(BIN)/jupyter-book build $(STAGE) --path-output . -W -n --keep-going --quiet
	touch $@
