# make book   build the book from the published records
# make test   run the tests
# Both set up .venv first. make figures copies the book's figures to figures/.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAGE := _build/stage
CHAPTERS := $(notdir $(wildcard book/*.ipynb))
PAGES := $(addprefix $(STAGE)/book/,$(CHAPTERS))
SOURCES := $(shell find lib -name '*.py') $(shell find book/results -type f) \
	book/claims.yml book/paper_values.yml
STATIC := $(wildcard book/*.md book/*.bib book/*.yml book/_static/*) _config.yml _toc.yml

.PHONY: book test figures clean
.DELETE_ON_ERROR:

book: _build/html/book/index.html
	@echo "The book is at $(CURDIR)/_build/html/index.html"

test: $(VENV)/ready
	$(BIN)/python -m pytest

figures: book
	rm -rf figures && mkdir figures && cp -r $(STAGE)/figures/. figures/

clean:
	rm -rf _build

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

# One place for the renderer to read: the static pages, the records and the executed chapters.
$(STAGE)/ready: $(VENV)/ready $(STATIC) $(SOURCES)
	mkdir -p $(STAGE)/book
	rm -rf $(STAGE)/book/results $(STAGE)/book/_static
	cp -r book/results book/_static $(STAGE)/book/
	cp $(wildcard book/*.md book/*.bib book/*.yml) $(STAGE)/book/
	cp _config.yml _toc.yml $(STAGE)/
	touch $@

$(STAGE)/book/%.ipynb: book/%.ipynb $(STAGE)/ready
	$(BIN)/papermill --cwd $(STAGE)/book --no-progress-bar --log-level WARNING $< $@

# This one shows what the others made.
$(STAGE)/book/reproduced_figures.ipynb: $(filter-out %/reproduced_figures.ipynb,$(PAGES))

_build/html/book/index.html: $(PAGES)
	$(BIN)/jupyter-book build $(STAGE) --path-output . -W -n --keep-going --quiet
	touch $@
