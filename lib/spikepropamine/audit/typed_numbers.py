"""Numbers typed into prose. There are to be none: a result gets into a sentence through code, from its record.

Prose is every Markdown cell, every page, and every text of a code cell that reads like a sentence. Code, formulas and
targets of links are not; nor is what ALLOWED names.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

ALLOWED = {
    r"\b95%": "the level of every interval",
    r"\bclaims \d (to|and) \d\b|\(claim-[\w-]+\)=|^## Claim \d:": "claims have numbers for names",
    r"\bα = 0\b|\bat most 100%": "a value that is set, not found",
    r"\bTD3\b": "the name of an algorithm",
    r"\bseed 0\b": "the seed whose run is shown where one is",
    r"\b(\S|time) at 0\b|[+−-]1\b|\b[Ms] = [+−]?[01]\b|\([01] to 1\)|\(1 is linear\)": "the ends of a scale",
    r"\bfor a [01]\b|\bpattern [12]\b|\(2, 0\) or \(0, 2\)": "names of bits, of two patterns and of fixed points",
    r"\(10, 50, 90%\)": "the percentiles of a column, in its heading",
    r"\bfloat(32|64)\b": "a type",
    r"-p \w+ \S+": "a parameter of a command",
    r"\b(x86-|arm)64\b": "a kind of processor",
    r"α = 0\b": "what is switched off",
    r"\bround \d\b": "rounds of evidence have numbers for names",
    r"\bPython (\(from )?3\.1[1-4]\b((, | and | to )3\.1[1-4])*|\bCC BY 4\.0\b|\b15:629210, 2021\b": "a version, a licence, the paper's place and year",
}
_NOT_PROSE = r"^(`{3,}|~{3,}).*?^\1|\$\$.*?\$\$|`[^`\n]*`|\$[^$\n]*\$|\]\([^)]*\)|^:{3,}.*?$|^:\w+:.*?$|\{\w+\}"


def typed_numbers(root: Path) -> Iterator[str]:
    """The typed numbers in the pages of the book and the README below ``root``, a line each: where, and what stands around it."""
    for page in sorted([*(root / "book").glob("*.ipynb"), *(root / "book").glob("*.md"), *root.glob("README.md")]):
        for where, text in _prose(page):
            rest = re.sub("|".join(ALLOWED), " ", re.sub(_NOT_PROSE, " ", text, flags=re.S | re.M), flags=re.I | re.M)
            for found in re.finditer(r"\d[\d.,]*", rest):
                around = rest[max(0, found.start() - 40) : found.end() + 20]
                yield f"{page}{where}: {found[0]} is typed, must come from a record: … {' '.join(around.split())} …"


def _prose(page: Path) -> Iterator[tuple[str, str]]:
    """The texts of a page, each with where it stands in it."""
    if page.suffix != ".ipynb":
        yield "", page.read_text(encoding="utf-8")
        return
    for number, cell in enumerate(nbformat.read(page, 4).cells):
        for text in [cell.source] if cell.cell_type == "markdown" else _sentences(cell.source):
            yield f", cell {number}", text


def _sentences(code: str) -> Iterator[str]:
    """The texts of some code that have words in them, without the formats of their numbers."""
    tree = ast.parse(code)
    formats = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and node.format_spec
        for part in ast.walk(node.format_spec)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in formats
            and " " in node.value.strip()
        ):
            yield node.value
