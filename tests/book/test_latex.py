"""Tables and citations as LaTeX, read again by a reader of LaTeX that is not ours (latexcodec, which pybtex uses)."""

import codecs
import re

import latexcodec  # noqa: F401  registers the codec
import pandas as pd
import pytest
from pybtex.database import parse_string
from pybtex.richtext import Text

from spikepropamine.book.figures import Provenance, Shelf
from spikepropamine.book.latex import latex


@pytest.mark.parametrize("text", ["95% interval", "a_b & c #3", "η × 0.04 → −0.1", "α, θ, λ, τ, Δ", "√T at 5°, 1–2"])
def test_what_is_read_is_what_was_written(text):
    assert codecs.decode(latex(text), "ulatex") == text


@pytest.mark.parametrize(
    "text, expected",
    [
        ("**all** of `a_b`", r"\textbf{all} of \texttt{a\_b}"),
        ("*profile `quick`*", r"\emph{profile \texttt{quick}}"),
        ("p < 0.05 > x|y", "p $<$ 0.05 $>$ x$|$y"),
        ("\\{", r"\textbackslash{}\{"),
        ("5 ✓", r"5 $\surd$"),
    ],
)
def test_markup_and_what_latex_would_take_for_a_command(text, expected):
    assert latex(text) == expected


def rows(table):
    """The cells of each line of a tabular, taken apart as LaTeX does."""
    body = re.search(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", re.sub(r"(?<!\\)%.*", "", table), re.DOTALL)
    lines = [line for line in body[2].splitlines() if not re.fullmatch(r"\\(top|mid|bottom)rule", line)]
    assert all(line.endswith(r"\\") for line in lines)
    return len(body[1]), [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in lines]


def test_a_table_of_every_difficult_kind_is_one_to_latex(tmp_path):
    shown = pd.DataFrame({"95% interval": ["-0.1 & 50%", "**all**"], "P(a > b)": ["α_1", "✓"]})
    shelf = Shelf(tmp_path, "../figures", Provenance("demo", {}, ("abc",), (0,), ("c0ffee",), {}))
    shelf.table("tab-demo", pd.DataFrame({"x": [1]}), shown, "With a 95% interval.")
    columns, found = rows((tmp_path / "tab-demo" / "table.tex").read_text(encoding="utf-8"))
    assert columns == 2 and [len(cells) for cells in found] == [2, 2, 2]
    assert [cell.strip() for cell in found[1]] == [r"$-$0.1 \& 50\%", r"$\alpha$\_1"] and found[2][
        1
    ].strip() == r"$\surd$"
    citation = parse_string((tmp_path / "tab-demo" / "citation.bib").read_text(encoding="utf-8"), "bibtex").entries[
        "tab-demo"
    ]
    assert Text.from_latex(citation.fields["title"]).render_as("text") == "With a 95% interval"


def test_every_published_table_and_citation_is_plain_latex(repository):
    tables = sorted((repository / "figures").glob("*/table.tex"))
    assert tables
    for path in tables:
        columns, found = rows(path.read_text(encoding="utf-8"))
        assert {len(cells) for cells in found} == {columns}, path
    for path in [*tables, *(repository / "figures").glob("*/citation.bib")]:
        assert path.read_text(encoding="utf-8").isascii(), path
