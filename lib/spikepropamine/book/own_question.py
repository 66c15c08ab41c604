"""What came of a reader's own question: changed configurations beside the published ones that are nearest to them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from .. import records
from ..experiments.changes import Changes, nearest
from ..experiments.config import Config, Experiment
from ..records.statistics import interquartile_mean


def beside_published(experiment: Experiment, runs: pd.DataFrame, published: Path) -> pd.DataFrame:
    """A row for each configuration of ``experiment`` that has ``runs``: its result, the nearest published one, how they differ."""
    rows = []
    for config in experiment.configs:
        here = runs[runs.config_hash == config.hash]
        there = nearest(config, published)
        if here.empty:
            continue
        row = {"network": config.network.name} | _noise(config) | {f"{config.metric} here": _said(here[config.metric])}
        if there is None:
            rows.append(row | {"nearest published": "none", "differs in": "–"})
            continue
        table = records.load_published(published / there.experiment).runs
        found = table[table.config_hash == there.config_hash]
        differs = "; ".join(f"{field} {_value(a)} here, {_value(b)} there" for field, (a, b) in there.differs.items())
        rows.append(
            row
            | {
                "nearest published": f"{_said(found[config.metric])}, {there.experiment}",
                "differs in": differs or "nothing",
            }
        )
    return pd.DataFrame(rows)


def answer(experiment: Experiment, runs: pd.DataFrame, published: Path, changes: Changes) -> str:
    """What was changed and what came of it, in Markdown."""
    asked = ", ".join(f"`{path} = {value}`" for path, value in changes.items())
    table = beside_published(experiment, runs, published)
    shown = table.to_markdown(index=False, disable_numparse=True) if len(table) else "*Not yet run.*"
    return (
        f"**Your question: {asked}.** Everything below on this page is of runs with that change. Beside each result stands "
        "the nearest published one, of the same network, and the fields in which the two differ; values are interquartile "
        f"means over seeds with 95% bootstrap intervals.\n\n{shown}"
    )


def _noise(config: Config) -> dict[str, Any]:
    noise = getattr(config.task, "noise", None)
    return {} if noise is None else {"noise": noise}


def _said(values: Iterable[float]) -> str:
    values = list(values)
    found, form = interquartile_mean(values), "{:.3f}" if max(map(abs, values)) < 100 else "{:.0f}"
    said = form.format(found.mean)
    interval = f" [{form.format(found.low)}, {form.format(found.high)}]" if len(values) > 1 else ""
    return f"{said}{interval} (n = {len(values)})"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
