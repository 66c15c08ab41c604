"""Parameters given by papermill, in a real notebook."""

import re
import shutil

import nbformat
import papermill
import pytest

OPEN = """
from spikepropamine.book.chapters import open_chapter
chapter = open_chapter("demo", profile=profile, recompute=recompute)
shelf = chapter.shelf(__import__("pandas").DataFrame({"config_hash": [], "seed": [], "git_commit": []}))
print(shelf.folder)
"""


@pytest.fixture
def notebook(repository, tmp_path):
    """A small chapter of a repository in which nothing is published."""
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "book" / "results").mkdir(parents=True)
    for name in ("paper_values.yml", "columns.yml"):
        shutil.copy(repository / "book" / name, tmp_path / "book")
    parameters = nbformat.v4.new_code_cell('profile = "paper"\nrecompute = False', metadata={"tags": ["parameters"]})
    demo = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(OPEN)])
    demo.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(demo, tmp_path / "book" / "demo.ipynb")
    return tmp_path / "book" / "demo.ipynb"


def run(notebook, **parameters):
    done = papermill.execute_notebook(
        str(notebook), str(notebook.with_name("out.ipynb")), parameters, cwd=str(notebook.parent), progress_bar=False
    )
    return "".join(output.get("text", "") for cell in done.cells for output in cell.get("outputs", []))


def test_a_parameter_that_the_chapter_does_not_have_is_refused_by_name(notebook):
    told = "parameter = 'profil': must be one of 'profile', 'recompute'"
    with pytest.raises(papermill.PapermillExecutionError, match=re.escape(told)):
        run(notebook, profil="smoke", recompute="true")


@pytest.mark.parametrize("building, where", [(False, "_build/rerun/demo-paper-"), (True, "figures")])
def test_only_while_the_book_is_built_figures_go_among_the_published(notebook, monkeypatch, building, where):
    monkeypatch.delenv("SPIKEPROPAMINE_STAGE", raising=False)
    if building:
        monkeypatch.setenv("SPIKEPROPAMINE_STAGE", "1")
    assert run(notebook, profile="paper").strip().startswith(str(notebook.parent.parent / where))
