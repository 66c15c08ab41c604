"""The course of a training run: its clock, its curves, where it resumes, and what it leaves."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..records.runs import load_checkpoint, save_checkpoint
from ..snn.layers import PlasticLinear


class Trained(NamedTuple):
    """What a finished run leaves."""

    metrics: dict[str, float]
    curves: dict[str, list[float]]  # one entry per evaluation
    weights: dict[str, Tensor]
    seconds_before: float = 0.0  # spent on it before it was taken up from a checkpoint


Progress = Callable[[int, dict[str, float]], None]  # told the steps done and the latest values of the curves


class Course:
    """What every trainer keeps of a run beside what is learned.

    Args:
        network: what is trained; how far its parameters move is measured.
        learner: all that is learned, ``network`` itself or a module around it.
        optimiser: of the learner's parameters.
        checkpoint: where to keep the state of the run; a run that finds it there goes on from it.

    Raises:
        DamagedRecord: a checkpoint that is not whole or not of this run, naming the file.
    """

    def __init__(
        self, network: nn.Module, learner: nn.Module, optimiser: torch.optim.Optimizer, checkpoint: Path | None
    ):
        self.network, self.learner, self.optimiser, self.checkpoint = network, learner, optimiser, checkpoint
        self.started = time.perf_counter()
        self.initial = {name: p.detach().clone() for name, p in network.named_parameters()}
        self.first, self.seconds_before, self.curves = 0, 0.0, {}
        if checkpoint is not None and checkpoint.exists():
            self.first, self.seconds_before, self.curves = load_checkpoint(checkpoint, learner, optimiser)
        self.latest: dict[str, float] = {name: values[-1] for name, values in self.curves.items()}

    @property
    def seconds(self) -> float:
        """How long the run has taken, what came before it was taken up included."""
        return self.seconds_before + time.perf_counter() - self.started

    def note(self, entry: dict[str, float]) -> None:
        """Add an entry to the curves."""
        self.latest = entry
        for name, value in entry.items():
            self.curves.setdefault(name, []).append(float(value))

    def keep(self, done: int) -> None:
        """Write the checkpoint, if there is to be one, of a run that goes on with ``done``."""
        if self.checkpoint is not None:
            save_checkpoint(self.checkpoint, self.learner, self.optimiser, done, self.seconds, self.curves)

    def end(self, metrics: dict[str, float], statistics: Mapping[str, Tensor] = {}, from_zero: bool = False) -> Trained:
        """What the run leaves: ``metrics``, its time, how far each parameter moved, and the weights with ``statistics``.

        Parameters that started at zero have no relative change; ``from_zero`` takes how large they became instead.
        """
        changes = {
            f"change_{name}": relative_change(self.initial[name], p)
            for name, p in self.network.named_parameters()
            if from_zero or self.initial[name].norm() > 0
        }
        weights = {n: p.detach().cpu().clone() for n, p in [*self.network.named_parameters(), *statistics.items()]}
        metrics = metrics | changes | {"training_seconds": self.seconds}
        return Trained(metrics, self.curves, weights, self.seconds_before)


def learned_eta(network: nn.Module) -> float:
    """η of the network's plastic synapses; NaN where it has none."""
    synapses = getattr(network, "synapses", None)
    return synapses.rule.eta.item() if isinstance(synapses, PlasticLinear) else float("nan")


def relative_change(before: Tensor, after: Tensor) -> float:
    """‖after − before‖ / ‖before‖, or ‖after‖ where a parameter started at zero."""
    scale = before.norm()
    return ((after.detach() - before).norm() / (scale if scale > 0 else 1)).item()
