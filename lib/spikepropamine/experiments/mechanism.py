"""How trained plastic networks use their efficacies: measured on published weights, nothing is trained.

``swap``: at the decision E of another trial takes the place of a trial's own: does the answer follow E? ``probe``: cue
association without any background, and with spikes on its cue inputs in the decision period alone: is E there, but not read
out? ``bound``: how many efficacies stand at their bound when the decision begins, and how much of the current they carry.
"""

from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..snn.networks import NetworkState, SpikingNetwork
from ..snn.scan import HiddenState
from ..tasks.task import Task
from ..training.supervised import REHEARSE, generator, held_out
from .choices import PUBLISHED_PLASTIC
from .config import Config
from .sweeps import Store
from .temporal import temporal

MEASURED = ("cue-association", "cue-reward", "recall")
SWAPPED = ("cue-association", "recall")  # where another trial's E says what to answer
PROBE_HZ = (0.0, 5.0, 10.0, 20.0, 40.0)
TRIALS, CHUNK = 1024, 256
AT_BOUND = 0.99  # of E_max: an efficacy from there on counts as at its bound


def answers(scores: Tensor, task: Task) -> Tensor:
    """What scores, (B, outputs), say: classes (B, 1), or bits (B, outputs)."""
    binary = scores > 0 if task.n_outputs != 2 or task.name == "recall" else scores.argmax(1, keepdim=True)
    return binary.long()


def state_at_decision(network: SpikingNetwork, task: Task, spikes: Tensor) -> NetworkState:
    """The state at the first tick of the decision period."""
    return network.run(spikes[: task.decision_start]).state


def decide(network: SpikingNetwork, task: Task, spikes: Tensor, state: NetworkState) -> Tensor:
    """The scores, (B, outputs), of a decision period that starts in ``state``."""
    return network.run(spikes[task.decision_start :], state).readout.mean(0)


def with_efficacies(state: NetworkState, donor: NetworkState) -> NetworkState:
    """``state`` with E of ``donor``, everything else kept."""
    return state.with_efficacies(donor.hidden.plastic.E)


def rolled(state: NetworkState) -> NetworkState:
    """``state`` with the trials moved on by one: each gets that of the trial before it."""
    (v, plastic), y = state
    return NetworkState(HiddenState(v.roll(1, 0), type(plastic)(*(x.roll(1, 0) for x in plastic))), y.roll(1, 0))


@torch.no_grad()
def swap(network: SpikingNetwork, task: Task, trials: int = TRIALS) -> dict[str, float]:
    """How often the answer follows the donor, where the donor's answer is another one.

    ``follows.E``: E is the donor's and everything else the trial's own; ``follows.all but E``: the other way round. Bits that
    are shown again in a recall trial are not counted.
    """
    counts = {"follows.E": 0.0, "follows.all but E": 0.0}
    conflicting = 0.0
    for k in range(-(-trials // CHUNK)):
        batch = held_out(task, min(CHUNK, trials - k * CHUNK), k)
        own = state_at_decision(network, task, batch.spikes)
        other = rolled(own)
        labels = batch.labels.reshape(len(batch.labels), -1)
        conflict = labels != labels.roll(1, 0)
        if batch.asked is not None:
            conflict &= batch.asked
        conflicting += conflict.sum().item()
        states = {"follows.E": with_efficacies(own, other), "follows.all but E": with_efficacies(other, own)}
        for name, state in states.items():
            said = answers(decide(network, task, batch.spikes, state), task)
            counts[name] += ((said == labels.roll(1, 0)) & conflict).sum().item()
    return {name: count / conflicting for name, count in counts.items()}


@torch.no_grad()
def probe(network: SpikingNetwork, task: Task, trials: int = TRIALS) -> dict[str, float]:
    """Accuracy on cue association without background, ``probe.0``, and with spikes at a rate of PROBE_HZ on the inputs of
    both cues in the decision period alone, ``probe.<Hz>``."""
    found = {f"probe.{hz:g}": 0.0 for hz in PROBE_HZ}
    silent = type(task)(**(vars(task) | {"noise": 0.0}))
    for k in range(-(-trials // CHUNK)):
        batch = held_out(silent, min(CHUNK, trials - k * CHUNK), k)
        cues = slice(task.group("left").start, task.group("right").stop)
        draws = torch.rand(batch.spikes[task.decision_start :, :, cues].shape, generator=generator(REHEARSE, 1, k))
        before = state_at_decision(network, task, batch.spikes)
        for hz in PROBE_HZ:
            spikes = batch.spikes.clone()
            spikes[task.decision_start :, :, cues] = (draws < hz * task.dt / 1000).to(spikes)
            right = task.correct(decide(network, task, spikes, before), batch).sum().item()
            found[f"probe.{hz:g}"] += right
    return {name: right / trials for name, right in found.items()}


@torch.no_grad()
def bound(network: SpikingNetwork, task: Task, trials: int = CHUNK) -> dict[str, float]:
    """Of the efficacies at the start of the decision: ``at bound``, their share at ±E_max, and ``carried``, theirs of Σ|α E|."""
    E = state_at_decision(network, task, held_out(task, trials, 0).spikes)[0].plastic.E.abs()
    layer = network.synapses
    full = E >= AT_BOUND * layer.e_max
    strength = layer.alpha.abs() * E
    return {"at bound": full.double().mean().item(), "carried": (strength[full].sum() / strength.sum()).item()}


def of_network(name: str, network: SpikingNetwork, task: Task) -> dict[str, float]:
    """Everything that is measured of one trained network on the task of this name."""
    found = bound(network, task)
    if name in SWAPPED:
        found |= swap(network, task)
    return found | (probe(network, task) if name == "cue-association" else {})


def jobs(store: Store) -> Iterator[tuple[str, str, Config, int]]:
    """Every plastic network of round one whose weights ``store`` holds."""
    for task in MEASURED:
        experiment = temporal(task, networks=PUBLISHED_PLASTIC)
        for config, seed in experiment.runs:
            if store.has_weights(experiment.name, config, seed):
                yield task, experiment.name, config, seed


def measure(store: Store) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row a network, noise level, task, seed and quantity; and over how many trials."""
    rows = []
    for task, experiment, config, seed in tqdm(list(jobs(store)), desc="mechanism", unit="network"):
        network = config.build(seed)
        network.load_state_dict(store.weights(experiment, config, seed), strict=False)
        where = {"task": task, "network": config.network.name, "noise": config.task.noise, "seed": seed}
        rows += [where | {"quantity": name, "value": x} for name, x in of_network(task, network, config.task).items()]
    return pd.DataFrame(rows), {"trials": TRIALS}
