"""How long the commands on pages take that make no runs, whose records would tell."""

import tempfile
import time
from pathlib import Path

import pandas as pd
import papermill

# what the panel of each such page tells a reader to give papermill
PAGES = {
    "plasticity_rules": {"networks": "dp-oja"},
    "novel_conditions": {"profile": "quick", "workers": 2},
    "performance": {"profile": "quick", "recompute": True},
}


def command(chapter: str) -> str:
    """The parameters of a page of PAGES as one writes them on the command line."""
    return " ".join(
        f"-p {name} {str(value).lower() if isinstance(value, bool) else value}"
        for name, value in PAGES[chapter].items()
    )


def measure(root: Path) -> tuple[pd.DataFrame, dict]:
    """Run each of PAGES, by the notebooks of the repository at ``root``, one after the other.

    Returns:
        A table with a row for each page, chapter and seconds; no facts.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for chapter, parameters in PAGES.items():
            started = time.perf_counter()
            papermill.execute_notebook(
                root / "book" / f"{chapter}.ipynb",
                Path(folder) / f"{chapter}.ipynb",
                parameters,
                cwd=root / "book",
                progress_bar=False,
            )
            rows.append({"chapter": chapter, "seconds": time.perf_counter() - started})
    return pd.DataFrame(rows), {}
