"""Proximal policy optimisation over whole episodes: gradients reach from the second trial back to the first.

The algorithm and its loop over minibatches are those of :mod:`spikepropamine.training.ppo`, with three differences. Every episode lasts as long as the
task says, so what is collected are whole episodes and nothing is cut. Gradients run through all of an episode, the
writing of plastic efficacies among it. And the critic, which is used in training alone, also reads what is hidden from
the policy and the time (an asymmetric critic, Pinto et al. 2018); ``privileged`` takes that away.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import require, require_bool, require_count, require_not_negative, require_positive
from ..walking.inference import acting
from ..walking.policies import perceptron
from ..walking.robots import CLIP
from ..walking.two_trials import HIDDEN, TwoTrials, live
from . import ppo
from .course import Course, Progress, Trained, learned_eta
from .supervised import generator

REWARD_SCALE = 0.1  # what the critic learns to predict is this times the reward


@dataclass(frozen=True)
class WholeEpisodes:
    """How a policy is trained on whole episodes; the same for every policy of a comparison.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    steps: int = 120_000  # control steps of the bodies, together
    episodes: int = 32  # between updates
    epochs: int = 8  # over what was collected
    minibatches: int = 8  # per epoch
    learning_rate: float = 1e-3  # Adam, annealed linearly to zero over the updates
    discount: float = 0.99
    gae: float = 0.95
    clip: float = 0.2
    value_weight: float = 0.5
    clip_norm: float = 0.5
    initial_std: float = 0.6
    privileged: bool = True  # whether the critic reads what is hidden
    section: int = 10  # updates between checkpoints

    def __post_init__(self):
        for name in ("steps", "episodes", "epochs", "minibatches", "section"):
            require_count(name, getattr(self, name))
        for name in ("learning_rate", "clip", "clip_norm", "initial_std"):
            require_positive(name, getattr(self, name))
        for name in ("discount", "gae", "value_weight"):
            require_not_negative(name, getattr(self, name))
        require(self.discount <= 1, "discount", self.discount, "at most 1")
        require(self.gae <= 1, "gae", self.gae, "at most 1")
        require_bool("privileged", self.privileged)

    def updates(self, task: TwoTrials) -> int:
        """Rounds of collecting and learning: as many as ``steps`` asks for."""
        return -(-self.steps // (self.episodes * int(task.simulated.sum())))


class Learner(nn.Module):
    """All that is learned: the policy, the spread of its actions, the critic, and the statistics of the observations."""

    def __init__(self, policy: nn.Module, task: TwoTrials, training: WholeEpisodes, seed: int):
        super().__init__()
        n_inputs, n_actions = task.sizes()
        self.policy = policy
        self.log_std = nn.Parameter(torch.full((n_actions,), math.log(training.initial_std)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # beside the policy's inputs: what is hidden, one-hot, and the time left
            self.critic = perceptron(n_inputs + len(HIDDEN[task.hidden]) + 1, 64, 1)
        self.privileged = training.privileged

        def statistic(x: Tensor) -> nn.Parameter:
            return nn.Parameter(x.double(), requires_grad=False)

        n_body = n_inputs - task.n_cues
        self.body_mean, self.body_var = statistic(torch.zeros(n_body)), statistic(torch.ones(n_body))
        self.body_count = statistic(torch.tensor(0.0))

    def log_probability(self, mean: Tensor, action: Tensor) -> Tensor:
        """The log density, (...), of ``action`` around ``mean``, (..., actions)."""
        return torch.distributions.Normal(mean, self.log_std.exp(), validate_args=False).log_prob(action).sum(-1)

    def values(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """What is still to come, (T, N), after ``inputs``, (T, N, inputs), of episodes with ``hidden``, (N, one-hot)."""
        T, N, _ = inputs.shape
        told = (hidden if self.privileged else torch.zeros_like(hidden)).expand(T, -1, -1)
        left = torch.linspace(1, 0, T).view(T, 1, 1).expand(T, N, 1)
        return self.critic(torch.cat([inputs, told, left], -1)).squeeze(-1)

    def observe(self, bodies: Tensor) -> None:
        """Take ``bodies``, (steps, body), into the statistics."""
        # the mean and variance of two samples together, by their own and their counts (Chan et al. 1983)
        n, m = self.body_count.item(), len(bodies)
        mean, var = bodies.mean(0), bodies.var(0, correction=0)
        shift = mean - self.body_mean
        spread = (n * self.body_var + m * var + shift.square() * n * m / (n + m)) / (n + m)
        self.body_var.copy_(spread)
        self.body_mean.add_(shift * m / (n + m))
        self.body_count.fill_(n + m)


def normalise(bodies: np.ndarray, statistics: tuple[Tensor, Tensor]) -> np.ndarray:
    """``bodies``, (..., body), by the mean and variance of training, clipped."""
    mean, var = (x.numpy() for x in statistics)
    return np.clip((bodies - mean) / np.sqrt(var + 1e-8), -CLIP, CLIP).astype(np.float32)


def inputs_of(body: np.ndarray, shown: np.ndarray, statistics: tuple[Tensor, Tensor], simulated: bool) -> np.ndarray:
    """What a policy reads, (N, inputs): the body's state, normalised, and what the task shows; all zero in the gap."""
    if not simulated:
        return np.zeros((len(body), body.shape[1] + shown.shape[1]), np.float32)
    return np.concatenate([normalise(body, statistics), shown.astype(np.float32)], 1)


class Collected(NamedTuple):
    """Whole episodes: T control steps of N."""

    inputs: Tensor  # (T, N, inputs)
    actions: Tensor  # (T, N, actions)
    log_probabilities: Tensor  # (T, N)
    values: Tensor  # (T, N)
    advantages: Tensor  # (T, N)
    counts: Tensor  # (T, N) of bool: the body moves, and the simulation is sound
    hidden: Tensor  # (N, one-hot)

    @property
    def pieces(self) -> int:
        return len(self.hidden)


@torch.no_grad()
def collect(
    learner: Learner, task: TwoTrials, training: WholeEpisodes, seed: int, update: int
) -> tuple[Collected, dict]:
    """Episodes with exploration; and what they scored."""
    rng = np.random.default_rng((_ACT, seed, update))
    hidden = rng.integers(len(HIDDEN[task.hidden]), size=training.episodes)
    noise = generator(_ACT, seed, update)
    statistics = learner.body_mean, learner.body_var
    step, std, kept = acting(learner.policy), learner.log_std.exp(), []

    def act(t: int, body: np.ndarray, shown: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        inputs = torch.from_numpy(inputs_of(body, shown, statistics, task.simulated[t]))
        mean, state = step(inputs, state)
        kept.append((inputs, mean))
        return (mean + std * torch.randn(mean.shape, generator=noise)).numpy(), state

    lived = live(task, hidden, act, learner.policy.initial_state(training.episodes), rng)
    inputs, means = (torch.stack(series) for series in zip(*kept))
    actions = torch.from_numpy(lived.actions)
    one_hot = nn.functional.one_hot(torch.from_numpy(hidden), len(HIDDEN[task.hidden])).float()
    values = learner.values(inputs, one_hot)
    advantages = advantage(torch.from_numpy(REWARD_SCALE * lived.rewards).float(), values, training)
    sound = torch.from_numpy(~lived.diverged).expand(task.steps, -1)
    counts = torch.from_numpy(task.simulated).unsqueeze(1) & sound
    learner.observe(torch.from_numpy(lived.bodies[task.simulated][:, ~lived.diverged]).flatten(0, 1))
    score = lived.score(task)[~lived.diverged]
    watched = {
        "score": float(score.mean()),
        "right": float((score > 0).mean()),
        "diverged_episodes": float(lived.diverged.sum()),
    }
    log_probabilities = learner.log_probability(means, actions)
    return Collected(inputs, actions, log_probabilities, values, advantages, counts, one_hot), watched


def advantage(rewards: Tensor, values: Tensor, training: WholeEpisodes) -> Tensor:
    """Generalised advantage estimates, (T, N), of episodes that end with the last step."""
    before_the_end = torch.zeros_like(rewards, dtype=torch.bool)
    values = torch.cat([values, torch.zeros_like(values[:1])])
    return ppo.advantage(rewards, values, before_the_end, before_the_end, training)


def objective(
    learner: Learner, collected: Collected, of: Tensor, training: WholeEpisodes
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss over the episodes ``of``, indices, and what is worth watching."""
    inputs, actions, before, values_before, advantages, counts = (x[:, of] for x in collected[:6])
    mean, _ = learner.policy.run(inputs, learner.policy.initial_state(len(of)))
    change = learner.log_probability(mean, actions) - before
    values = learner.values(inputs, collected.hidden[of])
    return ppo.clipped(*(x[counts] for x in (change, values, values_before, advantages)), training)


_ACT, _SHUFFLE = 30, 31
_ENTRY = 5  # updates between entries of the curves


def set_up(policy: nn.Module, task: TwoTrials, training: WholeEpisodes, seed: int) -> tuple[Learner, torch.optim.Adam]:
    """The learner around ``policy`` before it has learned anything, and its optimiser."""
    learner = Learner(policy, task, training, seed)
    learned = [p for p in learner.parameters() if p.requires_grad]
    return learner, torch.optim.Adam(learned, lr=training.learning_rate, eps=1e-5, foreach=True)


def train(
    policy: nn.Module,
    task: TwoTrials,
    training: WholeEpisodes,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress = lambda step, latest: None,
) -> Trained:
    """Train ``policy``, in place, on ``task``.

    Args:
        policy: what acts.
        task: the task.
        training: the trainer's values.
        seed: seed of the episodes, the actions' noise, the order of minibatches and the critic's weights.
        checkpoint: where to keep the state of the run after each section; a run that finds it there resumes from it.
        progress: called after each update with the control steps done and the latest curve values.

    Returns:
        Metrics, curves, and the weights of the policy with the statistics of its observations.

    Raises:
        FloatingPointError: an action that is not finite, with the step.
    """
    learner, optimiser = set_up(policy, task, training, seed)
    course = Course(policy, learner, optimiser, checkpoint)
    total = {name: course.latest.get(name, 0.0) for name in ("diverged_episodes", "skipped_updates")}
    per_update, updates = training.episodes * int(task.simulated.sum()), training.updates(task)
    for update in range(course.first, updates):
        optimiser.param_groups[0]["lr"] = training.learning_rate * (1 - update / updates)
        collected, scores = collect(learner, task, training, seed, update)
        if not torch.isfinite(collected.log_probabilities).all():
            raise FloatingPointError(f"an action is not finite at step {update * per_update}, seed {seed}")
        watched = ppo.learn(learner, optimiser, collected, objective, training, generator(_SHUFFLE, seed, update))
        total["skipped_updates"] += watched.pop("skipped_updates")
        total["diverged_episodes"] += scores.pop("diverged_episodes")
        done = update + 1
        if done % _ENTRY == 0 or done == updates:
            course.note(
                {
                    "step": done * per_update,
                    **scores,
                    "std": learner.log_std.exp().mean().item(),
                    "eta": learned_eta(getattr(policy, "network", policy)),
                    **watched,
                    **total,
                }
            )
        if done % training.section == 0 or done == updates:
            course.keep(done)
        progress(done * per_update, course.latest)
    statistics = {"observation_mean": learner.body_mean, "observation_var": learner.body_var}
    return course.end(total | {"steps_per_second": updates * per_update / course.seconds}, statistics)
