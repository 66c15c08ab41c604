"""The table of a published search: every point of its grid for every network, and what was chosen."""

from collections.abc import Callable

import pandas as pd

from ..snn.networks import NETWORKS, NetworkOptions
from ..tasks import TASKS
from .figures import Item, Shelf


def search_table(task: str, runs: pd.DataFrame, shelf: Callable[[pd.DataFrame], Shelf]) -> Item:
    """The search on ``task`` as a table, ``tab-<task>-search``.

    Args:
        task: a name of TASKS.
        runs: of the search, one or more.
        shelf: where to put the table, given the runs that it shows.
    """
    found = runs.rename(columns={"network.name": "network", "training.learning_rate": "learning_rate"})
    default = NetworkOptions()
    found["eta_factor"] = (found["network.options.eta_oja"] / default.eta_oja).round(6)
    mean = found.groupby(["learning_rate", "eta_factor", "network"]).accuracy.mean().unstack()
    mean = mean[[name for name in NETWORKS if name in mean]]
    chosen = {name: {TASKS[task].choice(name): " (chosen)"} for name in mean}
    rows = [
        {"learning rate": f"{key[0]:g}", "initial η": f"×{key[1]:g}"}
        | {name: f"{row[name]:.3f}{chosen[name].get(key, '')}" for name in mean.columns}
        for key, row in mean.iterrows()
    ]
    return shelf(found).table(
        f"tab-{task}-search",
        found[["network", "learning_rate", "eta_factor", "seed", "accuracy"]],
        pd.DataFrame(rows),
        f"The search on {TASKS[task].label}: held-out accuracy at high noise after {found['training.steps'].iloc[0]} steps, mean of "
        f"{found.seed.nunique()} seeds. The initial η is a multiple of {default.eta_oja:g} (Oja) or {default.eta_bcm:g} (BCM).",
    )
