"""Supervised training through time: one seed, one network, one task, from start to end.

Every number that shapes the result is a field of :class:`Training`; every random draw follows
from the seed and the step, so that a run taken up after an interruption ends where it would have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import require, require_count, require_finite, require_not_negative, require_positive
from ..snn.networks import Run
from ..tasks.task import Task, Trials
from .course import Course, Progress, Trained, learned_eta


@dataclass(frozen=True)
class Training:
    """How a network is trained; the same for every network of a comparison.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 3e-3  # Adam, annealed linearly to zero over the steps
    clip_norm: float = 1.0  # of the gradient over all parameters
    rate_target: float = 10.0  # Hz, mean firing rate asked of each hidden neuron
    rate_penalty: float = 0.1  # weight of mean_j ((r_j − target) / 100 Hz)²
    evaluate_every: int = 50
    evaluation_trials: int = 2048  # held out: drawn from a stream training never touches

    def __post_init__(self):
        for name in ("steps", "batch_size", "evaluate_every", "evaluation_trials"):
            require_count(name, getattr(self, name))
        for name in ("learning_rate", "clip_norm", "rate_target"):
            require_positive(name, getattr(self, name))
        require_not_negative("rate_penalty", self.rate_penalty)


# Streams of random numbers: no two purposes share one.
_TRAIN, _EVALUATE, REHEARSE = 0, 1, 20


def generator(stream: int, seed: int, step: int = 0) -> torch.Generator:
    """The generator of one step of one stream, a function of nothing else."""
    state = np.random.SeedSequence((stream, seed, step)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def logits(readout: Tensor, task: Task) -> Tensor:
    """Scores, (B, outputs): the mean readout over the decision period."""
    return readout[task.decision_start :].mean(0)


def loss(network: nn.Module, task: Task, trials, training: Training) -> tuple[Tensor, Tensor]:
    """The task's objective plus firing-rate regularisation, and the scores."""
    run = network.run(trials.spikes.to(network.readout.weight))
    scores = logits(run.readout, task)
    rates = run.spikes.mean((0, 1)) * (1000 / task.dt)
    off_target = ((rates - training.rate_target) / 100).square().mean()
    return task.objective(scores, trials) + training.rate_penalty * off_target, scores


def _require_fit(network: nn.Module, task: Task) -> None:
    """Refuse a network whose inputs, outputs or, where its synapses have one, tick are not those of ``task``."""
    dt = getattr(getattr(network, "synapses", None), "dt", task.dt)
    sizes = {"n_inputs": network.n_inputs, "n_outputs": network.readout.out_features, "dt": dt}
    for name, has in sizes.items():
        wanted = getattr(task, name)
        require(has == wanted, name, has, f"{wanted}, that of the task {type(task).__name__}")


@lru_cache(maxsize=8)
def held_out(task: Task, trials: int, part: int) -> Trials:
    """Trials of the task's fixed held-out set, its ``part``-th so many; not to be written to.

    Kept for a while: a run asks for the same ones at every evaluation, and drawing them takes half as long as running a network.
    """
    return task.sample(trials, generator(_EVALUATE, 0, part))


@torch.no_grad()
def evaluate(
    network: nn.Module,
    task: Task,
    trials: int,
    chunk: int = 256,
    run: Callable[[nn.Module, Tensor], Run] = lambda network, spikes: network.run(spikes),
) -> dict[str, float]:
    """Accuracy and firing rate on the task's fixed held-out set of ``trials`` trials.

    ``run(network, spikes)`` is how the network runs over the spikes of a ``chunk`` of trials.

    Raises:
        ValueError: a network that does not fit the task, or no trials.
    """
    require_count("trials", trials)
    require_count("chunk", chunk)
    _require_fit(network, task)
    right, spikes = 0.0, 0.0
    for k, start in enumerate(range(0, trials, chunk)):
        batch = held_out(task, min(chunk, trials - start), k)
        made = run(network, batch.spikes.to(network.readout.weight))
        right += task.correct(logits(made.readout, task), batch).sum(dtype=torch.float64).item()
        spikes += made.spikes.sum((0, 1)).double().sum().item()  # whole numbers below 2²⁴ each: exact in float32
    neurons = network.readout.in_features
    seconds = trials * task.ticks * task.dt / 1000
    return {"accuracy": right / trials, "firing_rate": spikes / (neurons * seconds)}


def train(
    network: nn.Module,
    task: Task,
    training: Training,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress = lambda step, latest: None,
) -> Trained:
    """Train ``network`` on ``task`` with Adam.

    Args:
        network: trained in place.
        task: what is learned, such as :class:`~spikepropamine.tasks.cue_association.CueAssociation`.
        training: the trainer's values.
        seed: seed of the training trials.
        checkpoint: where to keep the state of the run at each evaluation; a run that finds it
            there goes on from it.
        progress: called at each step with the number of steps done and the latest curve values.

    Raises:
        ValueError: a network whose inputs, outputs or tick are not the task's.
        FloatingPointError: a weight or a loss that is not finite, with the step.
    """
    _require_fit(network, task)
    optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    course = Course(network, network, optimiser, checkpoint)
    skipped = int(course.latest.get("skipped_steps", 0))
    for step in range(course.first, training.steps):
        try:
            require_finite(dict(network.named_parameters()))
        except ValueError as error:
            raise FloatingPointError(f"{error}, at step {step}, seed {seed}") from error
        trials = task.sample(training.batch_size, generator(_TRAIN, seed, step))
        objective, scores = loss(network, task, trials, training)
        if not torch.isfinite(objective):
            raise FloatingPointError(f"loss = {objective.item()} at step {step}, seed {seed}: must be finite")
        optimiser.zero_grad(set_to_none=True)
        objective.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
        optimiser.param_groups[0]["lr"] = training.learning_rate * (1 - step / training.steps)
        # An adjoint that overflowed says nothing about the direction: skip, and count the skip.
        if torch.isfinite(norm):
            optimiser.step()
        else:
            skipped += 1
        done = step + 1
        if done % training.evaluate_every == 0 or done == training.steps:
            course.note(
                {
                    "step": done,
                    "loss": objective.item(),
                    "training_accuracy": task.correct(scores, trials).mean().item(),
                    "gradient_norm": norm.item(),
                    "skipped_steps": skipped,
                    "eta": learned_eta(network),
                    **evaluate(network, task, training.evaluation_trials),
                }
            )
            course.keep(done)
        progress(done, course.latest)
    last = {name: course.curves[name][-1] for name in ("accuracy", "firing_rate", "loss", "skipped_steps")}
    return course.end(last, from_zero=True)


def gradient_sizes(network: nn.Module) -> dict[str, float]:
    """The norm of the gradient that lies in each parameter, by ``gradient.<name>``."""
    return {f"gradient.{name}": p.grad.norm().item() for name, p in network.named_parameters() if p.grad is not None}
