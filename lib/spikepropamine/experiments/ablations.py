"""What a trained network can do without: the same weights, run with one part of its state taken away.

Nothing is trained here. What a network need not learn in the first place: :mod:`spikepropamine.experiments.restrictions`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import joblib
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..checks import require_choice
from ..records.runs import run_keys
from ..snn.networks import NETWORKS, NetworkState, Run, SpikingNetwork, rule_of
from ..snn.scan import HiddenState
from ..tasks.task import Task
from ..training.supervised import REHEARSE, evaluate, generator
from .changes import Changes, changed
from .choices import check_workers
from .config import Config
from .sweeps import Store, in_parallel
from .temporal import TASKS, temporal


def forget_efficacies(state: NetworkState) -> NetworkState:
    """E at zero, everything else kept."""
    return state.with_efficacies(torch.zeros_like(state.hidden.plastic.E))


def forget_all_else(state: NetworkState) -> NetworkState:
    """E kept; potentials, traces, thresholds and the readout at zero."""
    hidden, y = state
    kept = hidden.plastic.E
    rest = (torch.zeros_like(x) for x in hidden.plastic[1:])
    return NetworkState(HiddenState(torch.zeros_like(hidden.v), type(hidden.plastic)(kept, *rest)), torch.zeros_like(y))


@dataclass(frozen=True)
class AtDecision:
    """Run a trial, but change the state at the first tick of the decision period."""

    start: int
    change: Callable[[NetworkState], NetworkState]

    def __call__(self, network: SpikingNetwork, spikes: Tensor) -> Run:
        before = network.run(spikes[: self.start])
        after = network.run(spikes[self.start :], self.change(before.state))
        return Run(*(torch.cat(parts) for parts in zip(before[:2], after[:2])), after.state)


def run_with_shuffled_modulator(network: SpikingNetwork, spikes: Tensor) -> Run:
    """Run a trial with the modulator of the undisturbed run, its ticks in random order, another in each trial.

    How much and how often the rule is gated stays; when it is gated does not.
    """
    _, recording = network(spikes, record=True)
    order = torch.rand(spikes.shape[:2], generator=torch.Generator().manual_seed(0)).argsort(0)
    ticks = iter(recording.modulator.gather(0, order.unsqueeze(-1).expand_as(recording.modulator)))
    layer = network.synapses
    layer.modulator = lambda x_post: next(ticks)
    try:
        return network.run(spikes, path="reference")
    finally:
        del layer.modulator


def ablations(network: str, task: Task) -> dict[str, Callable[[SpikingNetwork, Tensor], Run]]:
    """What can be taken away from ``network``, a plastic one, by name."""
    ways = {
        "intact": SpikingNetwork.run,
        "E forgotten": AtDecision(task.decision_start, forget_efficacies),
        "all but E forgotten": AtDecision(task.decision_start, forget_all_else),
    }
    require_choice("network", network, NETWORKS)
    return ways | ({"modulator shuffled": run_with_shuffled_modulator} if NETWORKS[network][1] else {})


TRIALS = {"smoke": 16, "quick": 512, "paper": 512}


def ablate(task: str, experiment: str, config: Config, seed: int, store: Store, trials: int) -> list[dict]:
    """The accuracy of one trained run under every ablation, a row each."""
    torch.set_num_threads(1)
    network = config.build(seed)
    network.load_state_dict(store.weights(experiment, config, seed), strict=False)
    name, noise = config.network.name, config.task.noise
    return [
        {
            "task": task,
            "network": name,
            "noise": noise,
            "seed": seed,
            "config_hash": config.hash,
            "ablation": way,
            "accuracy": evaluate(network, config.task, trials, run=run)["accuracy"],
        }
        for way, run in ablations(name, config.task).items()
    ]


def rehearse() -> dict[str, float]:
    """What each ablation does, in a number: how far the readout of an untrained network moves on a few small trials."""
    found = {}
    for config in temporal("recall", "smoke", noises=["low"]).configs:
        if rule_of(config.network.name) is not None:
            network, trials = config.build(0).double(), config.task.sample(4, generator(REHEARSE, 0))
            with torch.no_grad():
                readouts = {
                    way: run(network, trials.spikes.double()).readout
                    for way, run in ablations(config.network.name, config.task).items()
                }
            for way, readout in readouts.items():
                other = 0 if way == "intact" else readouts["intact"]
                found[f"{config.network.name}, {way}"] = (readout - other).norm().item()
    return found


def measure(
    profile: str,
    seeds: int | None,
    networks: list[str],
    store: Store,
    workers: int | str = 1,
    earlier: pd.DataFrame | None = None,
    changes: Changes | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Every ablation of every plastic network whose weights ``store`` holds, on every task; how many trials each, and what ablations do.

    The runs that ``earlier`` tells of, such a table, are not measured again: their weights need not be at hand any more.
    ``changes`` are those of :mod:`spikepropamine.experiments.changes`, for networks that were trained with them.
    """
    check_workers(workers)
    require_choice("profile", profile, TRIALS)
    plastic = [name for name in networks if rule_of(name) is not None]
    held = run_keys(earlier)
    jobs = [
        (task, experiment.name, config, seed)
        for task in TASKS
        for experiment in ([changed(temporal(task, profile, seeds, plastic), changes or {})] if plastic else [])
        for config, seed in experiment.runs
        if (config.hash, seed) not in held and store.has_weights(experiment.name, config, seed)
    ]
    trials = TRIALS[profile]
    done = in_parallel((joblib.delayed(ablate)(*job, store, trials) for job in jobs), workers)
    rows = [row for rows in tqdm(done, total=len(jobs), desc="ablations", unit="run") for row in rows]
    table = pd.concat([table for table in (earlier, pd.DataFrame(rows)) if table is not None], ignore_index=True)
    return table, {"trials": trials, "rehearsal": rehearse()}
