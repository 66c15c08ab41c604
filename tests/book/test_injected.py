"""Parameters given by papermill, in a real notebook."""

import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import papermill
import psutil
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


LACKS = """
from spikepropamine.book.chapters import open_chapter
from spikepropamine.experiments import temporal
chapter = open_chapter("demo", profile=profile, recompute=recompute)
chapter.stop_without(temporal.temporal("recall"), "gait")
"""


@pytest.mark.parametrize("parameters, told", [({}, True), (dict(recompute=True), False)])
def test_a_page_ends_where_nothing_is_published_of_what_it_shows(notebook, parameters, told):
    page = nbformat.read(notebook, as_version=4)
    page.cells[1:] = [nbformat.v4.new_code_cell(cell) for cell in (LACKS, "print('drawn')")]
    nbformat.write(page, notebook)
    assert run(notebook, **parameters) == ("" if told else "drawn\n")
    shown = nbformat.read(notebook.with_name("out.ipynb"), as_version=4).cells[-2].outputs
    if told:
        (said,) = (output.data["text/markdown"] for output in shown)
        assert said.startswith("**Not yet run.** Nothing is published in `book/results` of `recall` and `gait`")
        for command in ("sweep recall", "publish recall", "publish gait"):
            assert f"python -m spikepropamine {command}\n" in said
        assert "sweep gait" not in said
    else:
        assert not shown


WORK = """
import os, pathlib, time
import joblib
from spikepropamine.book.chapters import open_chapter
from spikepropamine.experiments.sweeps import in_parallel
open_chapter("demo", profile=profile, recompute=recompute)
def stay(k):
    pathlib.Path(f"pid-{k}").write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(120)
list(in_parallel([joblib.delayed(stay)(k) for k in range(2)], 2))
"""


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no signals as elsewhere")
def test_a_papermill_that_is_told_to_end_takes_its_kernel_and_the_workers_along(notebook):
    demo = nbformat.read(notebook, 4)
    demo.cells[-1].source = WORK
    nbformat.write(demo, notebook)
    folder = notebook.parent
    words = [sys.executable, "-m", "papermill", str(notebook), str(folder / "out.ipynb"), "--cwd", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pids = [folder / f"pid-{k}" for k in range(2)]
    try:
        wait_for(lambda: all(path.exists() and path.read_text(encoding="utf-8") for path in pids), 120)
        family = psutil.Process(process.pid).children(recursive=True)
        assert {int(path.read_text(encoding="utf-8")) for path in pids} <= {one.pid for one in family}
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        wait_for(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family), 20)
    finally:
        process.kill()
        process.wait()
