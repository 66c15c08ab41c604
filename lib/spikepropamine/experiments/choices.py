"""What may be chosen about a run: its profile, its networks, and how many runs are made at a time.

The registries (NETWORKS, CONTROLS, TASKS, CONDITIONS) say what can be built. The lists here say what the published
experiments are made of, so that adding to a registry changes none of them.
"""

import re
from collections.abc import Iterable, Sequence

from ..checks import require, require_choice, require_count
from ..snn.networks import NETWORKS

PROFILES = ("smoke", "quick", "paper")
PUBLISHED_NETWORKS = ("snn", "dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm")
PUBLISHED_PLASTIC = PUBLISHED_NETWORKS[1:]
PUBLISHED_POLICIES = (*PUBLISHED_NETWORKS, "mlp")
PUBLISHED_MEMORIES = (*PUBLISHED_POLICIES, "rsnn", "gru")  # policies where something has to be remembered
PUBLISHED_CONTROLS = ("snn-long", "snn-wide", "rsnn", "alif", "synaptic", "slstm")


def check_networks(networks: Iterable[str], known: Sequence[str] = tuple(NETWORKS)) -> list[str]:
    """The names as a list, in the order of ``known``; refuses an empty one and unknown names."""
    names = [networks] if isinstance(networks, str) else list(networks)
    require(len(names) > 0, "networks", names, "one or more of " + ", ".join(map(repr, known)))
    for name in names:
        require_choice("networks", name, known)
    return [name for name in known if name in names]


def check_workers(workers: int | str) -> None:
    """Refuse what is neither a number of processes nor the address of a scheduler."""
    if isinstance(workers, str):
        require(
            re.fullmatch(r"(tcp|tls)://\S+:\d+", workers) is not None,
            "workers",
            workers,
            "a whole number >= 1 or the address of a Dask scheduler, such as 'tcp://10.0.0.1:8786'",
        )
    else:
        require_count("workers", workers)
