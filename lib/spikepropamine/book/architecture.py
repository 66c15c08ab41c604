"""The architecture of the package, read from its own imports: rooms, what is in them, and who imports whom."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .drawings import arrow, box, canvas
from .figures import WIDTH, Drawing

PACKAGE = Path(__file__).parent.parent


def rooms(pyproject: Path) -> list[str]:
    """The rooms from top to bottom, as the contract in ``pyproject.toml`` has them; single modules are left out."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [name for name in layers if (PACKAGE / name).is_dir()]


def imports(package: Path = PACKAGE) -> pd.DataFrame:
    """Who imports whom: one row for each pair of rooms, ``importer``, ``imported`` and ``modules``, how many modules do."""
    pairs = {
        (module, path.relative_to(package).parts[0], room)
        for path in package.rglob("*.py")
        for room in _imported(path, package)
        for module in [str(path.relative_to(package))]
        if room != path.relative_to(package).parts[0]
    }
    frame = pd.DataFrame(sorted(pairs), columns=["module", "importer", "imported"])
    return frame.groupby(["importer", "imported"], as_index=False).size().rename(columns={"size": "modules"})


def sizes(package: Path = PACKAGE) -> pd.Series:
    """How many modules each room holds."""
    found = [path.relative_to(package).parts for path in package.rglob("*.py") if path.name != "__init__.py"]
    return pd.Series([parts[0] for parts in found if len(parts) > 1]).value_counts()


def draw(names: list[str]) -> Drawing:
    """Rooms as boxes on a staircase, an arrow from each to each that it imports; thicker where more modules do."""
    data, held = imports(), sizes()
    data = data[data.importer.isin(names) & data.imported.isin(names)].reset_index(drop=True)
    step, height = 11.0, 7.0
    figure, axis = plt.subplots(figsize=(WIDTH, 4.6))
    axis.set(xlim=(0, 104), ylim=(-2, step * len(names)))
    axis.axis("off")
    top = {name: step * (len(names) - 1 - k) for k, name in enumerate(names)}
    left = {name: 9.6 * k for k, name in enumerate(names)}
    for row in data.itertuples():
        # down the right side of the importer's box, along to the left side of the imported one's
        x = left[row.importer] + 1.2 + 12 * (names.index(row.imported) - names.index(row.importer)) / len(names)
        lines = [
            (x, top[row.importer]),
            (x, top[row.imported] + height / 2),
            (left[row.imported], top[row.imported] + height / 2),
        ]
        upward = names.index(row.imported) < names.index(row.importer)
        colour = "#D55E00" if upward else "#0072B2"
        width = 0.5 + 0.12 * row.modules
        axis.plot(*zip(*lines[:2]), color=colour, lw=width, alpha=0.5, solid_capstyle="round")
        axis.add_patch(FancyArrowPatch(*lines[1:], arrowstyle="-|>", mutation_scale=7, color=colour, lw=width, alpha=0.5, shrinkA=0, shrinkB=0))  # fmt: skip
    for name in names:
        axis.add_patch(FancyBboxPatch((left[name], top[name]), 14, height, boxstyle="round,pad=0,rounding_size=1", facecolor="white", edgecolor="#222222", zorder=5))  # fmt: skip
        axis.text(
            left[name] + 7,
            top[name] + 0.62 * height,
            name,
            ha="center",
            va="center",
            weight="bold",
            fontsize=8,
            zorder=6,
        )
        axis.text(left[name] + 7, top[name] + 0.25 * height, f"{held.get(name, 0)} modules", ha="center", va="center", fontsize=6.5, color="0.35", zorder=6)  # fmt: skip
    up = data[[names.index(b) < names.index(a) for a, b in zip(data.importer, data.imported)]]
    caption = (
        f"Imports go down the staircase only: of {len(data)} arrows between {len(names)} rooms, {len(up) or 'none'} points up. Read from the "
        "package's own import statements; a line is thicker where more modules of the upper room import from the lower one."
    )
    alt = "Boxes on a staircase from top left to bottom right: " + "; ".join(
        f"{name} imports {', '.join(data[data.importer == name].imported) or 'no other room'}" for name in names
    )
    return Drawing(figure, data, caption, alt + ".")


def draw_flow() -> Drawing:
    """From a configuration to a page: what lies where, and what makes it."""
    stages = [
        ("experiment", "configurations\n× seeds", "experiments/"),
        ("run record", "config, seed,\ncurves, metrics", ".runs/"),
        ("published", "tables,\nchecksums", "book/results/"),
        ("chapter", "prose, calls\nof the library", "book/*.ipynb"),
        ("item", "image, data,\nprovenance", "figures/"),
        ("page", "HTML\nand PDF", "_build/html/"),
    ]
    makes = ("sweep", "publish", "papermill", "Shelf", "Jupyter Book")
    figure, axis = canvas(WIDTH, 1.5, (-9, 109), (0, 24))
    for k, (name, text, place) in enumerate(stages):
        x = 20 * k
        box(axis, x, 12, name, text, "#0072B2" if k < 3 else "#222222", width=16.5, height=12)
        axis.text(x, 3, place, ha="center", fontsize=7, family="monospace")
        if k:
            arrow(axis, (x - 11.7, 12), (x - 8.3, 12), "#222222")
            axis.text(x - 10, 20, makes[k - 1], ha="center", fontsize=7, color="0.35", style="italic")
    data = pd.DataFrame([(n, t.replace("\n", " "), p, m) for (n, t, p), m in zip(stages, ("", *makes))], columns=["stage", "holds", "place", "made_by"])  # fmt: skip
    caption = (
        "Data flow in one direction: a published chapter draws from records and trains nothing (except Use it in your own network, which trains "
        "its small example), and the library never writes a page. Coloured boxes: data; plain boxes: what is shown; in italics what makes each "
        "from the one before."
    )
    alt = "Six boxes in a row: " + ", ".join(f"{name} in {place}" for name, _, place in stages) + "."
    return Drawing(figure, data, caption, alt)


def what_rooms_hold(names: list[str]) -> pd.DataFrame:
    """Each room's modules with the first sentence of their docstrings: the table of contents of the package."""
    rows = []
    for name in names:
        for path in sorted((PACKAGE / name).rglob("*.py")):
            inside = path.relative_to(PACKAGE / name)
            module = "" if inside.name == "__init__.py" else ".".join(inside.with_suffix("").parts)
            if inside.name != "__init__.py" or inside.parent == Path("."):
                rows.append({"room": name, "module": module, "what it is": _opening(path)})
    return pd.DataFrame(rows)


def _imported(path: Path, package: Path) -> Iterator[str]:
    """The first name inside the package of each import of a module."""
    folder = path.relative_to(package.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            whole = (*base, *(node.module or "").split(".")) if node.module else base
            for name in [whole] if len(whole) > 1 else [(*whole, alias.name) for alias in node.names]:
                if len(name) > 1 and name[0] == package.name:
                    yield name[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name.split(".")
                if len(name) > 1 and name[0] == package.name:
                    yield name[1]


def _opening(path: Path) -> str:
    """The first line of a module's docstring, its references as they are read: of ":mod:`~demo.sweep`" the last name."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.sub(r":[a-z:]+:`(~?)\.?([^`]+)`", _as_read, text.split("\n")[0].strip())


def _as_read(reference: re.Match) -> str:
    short, target = reference.groups()
    return target.split(".")[-1] if short else target
