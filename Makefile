# make book      build the book from the published records
# make test      run the tests
# make figures   copy the book's figures to figures/
# make pdf       print the book into one PDF; needs Chromium
# make audit     ask for known vulnerabilities of the locked packages; needs the network
# All set up .venv first.

PYTHON ?= python3.11
TORCH := torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
STAGE := _build/stage
CHAPTERS := $(notdir $(wildcard book/*.ipynb))
PAGES := $(addprefix $(STAGE)/book/,$(CHAPTERS))
SOURCES := $(shell find lib -name '*.py') $(shell find book/results -type f) \
	$(wildcard book/*.yml) _toc.yml CITATION.cff
STATIC := $(wildcard book/*.md book/*.bib book/_static/*) _config.yml

.PHONY: book test figures pdf audit clean
.DELETE_ON_ERROR:

book: _build/html/book/index.html
	@echo "The book is at $(CURDIR)/_build/html/index.html"

test: $(VENV)/ready
	$(BIN)/python -m pytest

figures: book
	rm -rf figures && mkdir figures && cp -r $(STAGE)/figures/. figures/

# Every page on one, which Chromium prints once the mathematics is set. Sphinx writes the links of the one page as if it
# lay at the root, so there it is put.
CHROMIUM ?= chromium
SINGLE := _build/single/_build/singlehtml
pdf: _build/html/book/index.html
	@command -v $(CHROMIUM) > /dev/null || { echo "make pdf needs Chromium: install it, or say where it is with CHROMIUM=…"; exit 1; }
	$(BIN)/jupyter-book build $(STAGE) --path-output _build/single --builder custom --custom-builder singlehtml --quiet
	sed 's|"\.\./_images/|"_images/|g' $(SINGLE)/book/index.html > $(SINGLE)/book.html
	$(CHROMIUM) --headless=new --no-sandbox --disable-gpu --virtual-time-budget=60000 --no-pdf-header-footer \
		--print-to-pdf=_build/book.pdf file://$(CURDIR)/$(SINGLE)/book.html 2> _build/pdf.log
	@echo "The PDF is at $(CURDIR)/_build/book.pdf"

audit: $(VENV)/ready
	$(PYTHON) -m venv _build/audit && _build/audit/bin/python -m pip install --quiet pip-audit
	echo $(TORCH) > _build/audit/torch.txt
	_build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement requirements.lock
	_build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement _build/audit/torch.txt

clean:
	rm -rf _build

# torch is built differently for each kind of machine, so it has no one hash
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(VENV)/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --require-hashes --requirement requirements.lock
	$(PIP) $(TORCH)
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# One place for the renderer to read: the records, the executed chapters and the static pages.
$(STAGE)/ready: $(VENV)/ready $(SOURCES)
	mkdir -p $(STAGE)/book
	rm -rf $(STAGE)/book/results
	cp -r book/results $(STAGE)/book/
	cp $(wildcard book/*.yml) $(STAGE)/book/
	cp _toc.yml CITATION.cff $(STAGE)/
	touch $@

$(STAGE)/book/%.ipynb: book/%.ipynb $(STAGE)/ready
	$(BIN)/papermill --cwd $(STAGE)/book --no-progress-bar --log-level WARNING $< $@

# This one shows what the others made.
$(STAGE)/book/reproduced_figures.ipynb: $(filter-out %/reproduced_figures.ipynb,$(PAGES))

_build/html/book/index.html: $(PAGES) $(STATIC)
	rm -rf $(STAGE)/book/_static
	cp -r book/_static $(STAGE)/book/
	cp $(wildcard book/*.md book/*.bib) $(STAGE)/book/
	cp _config.yml $(STAGE)/
	$(BIN)/jupyter-book build $(STAGE) --path-output . -W -n --keep-going --quiet
	touch $@
