import nbformat
import pytest

from spikepropamine.audit.typed_numbers import typed_numbers


def page(folder, *cells):
    (folder / "book").mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), folder / "book" / "page.ipynb")


def test_no_number_is_typed_into_the_book(repository):
    assert list(typed_numbers(repository)) == []


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 0.93 on held-out trials.",
        "Accuracy: **93 %**.",
        "ten times out of 12",
        "Claims 1 to 4 hold at 97% (a 95% interval).",
        "See [the table](tab-1.html) for 17 more.",
        "$x = 1$ and 4 more",
        "```\n1\n```\nThen 2 and\n```\n3\n```",
    ],
)
def test_a_number_typed_into_words_is_found_with_its_page_and_cell(tmp_path, text):
    page(tmp_path, nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_markdown_cell(text))
    (found,) = typed_numbers(tmp_path)
    assert "page.ipynb, cell 1: " in found and "is typed" in found


@pytest.mark.parametrize(
    "code",
    [
        'Markdown(f"It reaches 0.93, not {x:.2f}.")',
        'caption = ("All seeds, "\n "93 % of trials.")',
        "f\"{'of 12 trials' if x else y}\"",
    ],
)
def test_a_number_typed_into_the_sentences_of_code_is_found(tmp_path, code):
    page(tmp_path, nbformat.v4.new_code_cell(code))
    assert len(list(typed_numbers(tmp_path))) == 1


@pytest.mark.parametrize(
    "cell",
    [
        nbformat.v4.new_markdown_cell(
            "Code `x[0]`, $x^2$, $$E_{1}$$, [link](page-2.html), {cite:p}`oja1982`, a 95% interval.\n\n```bash\nmake 2\n```"
        ),
        nbformat.v4.new_code_cell(
            'Markdown(f"{x:.2f} of {n:>5} trials, with 95% intervals")\ny = 0.93\nname = "fig-2"'
        ),
    ],
)
def test_code_formulas_links_and_formats_are_no_prose(tmp_path, cell):
    page(tmp_path, cell)
    assert list(typed_numbers(tmp_path)) == []


def test_pages_in_markdown_and_the_readme_are_read_too(tmp_path):
    page(tmp_path)
    (tmp_path / "README.md").write_text("Solves 5 of 6.", encoding="utf-8")
    (tmp_path / "book" / "api.md").write_text("Since 2.13.", encoding="utf-8")
    assert [found.split(":")[0].rsplit("/", 1)[1] for found in typed_numbers(tmp_path)] == [
        "README.md",
        "README.md",
        "api.md",
    ]
