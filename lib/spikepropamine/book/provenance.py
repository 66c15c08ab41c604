"""Which code made an item: the mark of a notebook's cells."""

import hashlib
from pathlib import Path

import nbformat


def chapter_code(notebook: Path) -> str:
    """Twelve hex digits that name the code of a notebook's cells; its words, outputs and injected parameters do not count."""
    cells = [
        cell.source
        for cell in nbformat.read(notebook, 4).cells
        if cell.cell_type == "code" and not {"injected-parameters", "parameters"} & set(cell.metadata.get("tags", []))
    ]
    return hashlib.sha256("\n\n".join(cells).encode()).hexdigest()[:12]
