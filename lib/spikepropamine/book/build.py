"""Building the book: the chapters run into ``_build/stage``, their pages rendered into ``_build/html``.

``python -m spikepropamine book`` on any system. What is newer than all that it is made of is not made again.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm.auto import tqdm

from ..records.atomic import read_json
from .readme import write_results
from .research_object import seal

STAGE = "SPIKEPROPAMINE_STAGE"  # set in the environment of a chapter whose figures are those to be published
LAST = ("reproduced_figures.ipynb",)  # shows what the other chapters drew

_JUPYTER_BOOK = (
    "from jupyter_book.cli.main import main; main()"  # it is no module to run, and its script is elsewhere on Windows
)


def build(root: Path, workers: int) -> Path:
    """Build the book of the repository at ``root``, ``workers`` chapters at a time.

    Returns:
        The page to open.

    Raises:
        subprocess.CalledProcessError: a chapter that fails, or a page with a warning.
    """
    stage = root / "_build" / "stage"
    sources = lay_out(root, stage)
    chapters = sorted((root / "book").glob("*.ipynb"))
    first = [path for path in chapters if path.name not in LAST]
    for group, rests_on in ((first, [sources]), ([c for c in chapters if c.name in LAST], [sources, *first])):
        made_of = [stage / "book" / path.name if path in first else path for path in rests_on]
        old = [path for path in group if not _fresh(stage / "book" / path.name, [path, *made_of])]
        with ThreadPoolExecutor(workers) as pool, tqdm(total=len(old), desc="chapters", unit="chapter") as bar:
            for _ in pool.map(lambda path: run_chapter(path, stage), old):
                bar.update()
    return render(root, stage, [stage / "book" / path.name for path in chapters])


def lay_out(root: Path, stage: Path) -> Path:
    """Put the records and what else chapters read into ``stage``, if anything they rest on is newer.

    Returns:
        The file that is as old as what lies there.
    """
    done = stage / "ready"
    package = Path(__file__).parent.parent
    records, texts = root / "book" / "results", [*(root / "book").glob("*.yml")]
    beside = [root / "_toc.yml", root / "CITATION.cff"]
    if not _fresh(done, [*package.rglob("*.py"), *records.rglob("*"), *texts, *beside]):
        shutil.rmtree(stage / "book" / "results", ignore_errors=True)
        shutil.copytree(records, stage / "book" / "results")
        for path in texts:
            shutil.copy(path, stage / "book")
        for path in beside:
            shutil.copy(path, stage)
        done.touch()
    return done


def run_chapter(chapter: Path, stage: Path) -> None:
    """Run one notebook by papermill; its page, with outputs, lies in ``stage`` if it ran to its end."""
    page = stage / "book" / chapter.name
    draft = stage / f"{chapter.stem}.draft.ipynb"
    # a chapter reads its own code for its items' provenance; this copy is too old to count as a page
    shutil.copy(chapter, page)
    os.utime(page, (0, 0))
    for facts in stage.glob("figures/*/provenance.json"):  # of an earlier run, which may have had other items
        if read_json(facts)["chapter"] == chapter.stem:
            shutil.rmtree(facts.parent)
    subprocess.run(
        [sys.executable, "-m", "spikepropamine.book.private_kernel", "--cwd", str(stage / "book"), "--no-progress-bar"]
        + ["--log-level", "WARNING", str(chapter), str(draft)],
        env=os.environ | {STAGE: "1"},
        check=True,
    )
    draft.replace(page)


def render(root: Path, stage: Path, pages: Iterable[Path]) -> Path:
    """Render the pages to HTML; every warning is an error."""
    html, book = root / "_build" / "html", root / "book"
    folders = [book / name for name in ("_static", "_templates", "_ext")]
    static = [*book.glob("*.md"), *book.glob("*.bib"), root / "_config.yml"]
    static += [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
    first, built = html / "index.html", html / "book" / "index.html"
    if not _fresh(built, [*pages, *static]):
        for folder in folders:
            shutil.rmtree(stage / "book" / folder.name, ignore_errors=True)
            shutil.copytree(folder, stage / "book" / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (*book.glob("*.md"), *book.glob("*.bib")):
            shutil.copy(path, stage / "book")
        shutil.copy(root / "_config.yml", stage)
        command = [sys.executable, "-c", _JUPYTER_BOOK, "build", str(stage), "--path-output", str(root)]
        subprocess.run([*command, "-W", "-n", "--keep-going", "--quiet"], check=True)
        (html / ".nojekyll").touch()  # GitHub Pages leaves out folders with an underscore otherwise
        built.touch()
    return first


def publish_figures(root: Path) -> None:
    """Put the figures and tables of the built book in the place of ``figures/``, write the README's table, and describe all that is published."""
    shutil.rmtree(root / "figures", ignore_errors=True)
    shutil.copytree(root / "_build" / "stage" / "figures", root / "figures")
    write_results(root)
    seal(root)


def _fresh(target: Path, made_of: Iterable[Path]) -> bool:
    """Whether ``target`` is there and nothing it is made of is newer."""
    return target.exists() and all(path.stat().st_mtime <= target.stat().st_mtime for path in made_of)
