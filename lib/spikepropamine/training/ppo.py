"""Proximal policy optimisation (Schulman et al. 2017) of a policy with a memory, top to bottom in this file.

The policy's state runs through the whole episode, plastic efficacies included. What is collected is cut into
pieces of a few control steps, each with the state in which it began; learning runs the policy again over each
piece from that state, and gradients reach back to its start. Details follow CleanRL's continuous PPO (Huang et
al. 2022): orthogonal layers apart, normalised observations and rewards, advantages normalised by minibatch, both
the policy's and the value's loss clipped, the learning rate annealed to zero.

Training runs in sections. At the start of a section all episodes start anew, from seeds that follow from the
section's number, so that a run taken up at a section ends where it would have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from ..checks import require, require_count, require_not_negative, require_positive
from ..fields import added
from ..walking.inference import acting
from ..walking.policies import SpikingPolicy, TanhPolicy, each, forget, perceptron
from ..walking.robots import Locomotion
from .course import Course, Progress, Trained, learned_eta
from .supervised import generator


@dataclass(frozen=True)
class PPO:
    """How a policy is trained; the same for every policy of a comparison.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    steps: int = 2_000_000  # of the environments, together
    environments: int = 32
    rollout: int = 64  # control steps of each environment between updates
    piece: int = 16  # control steps that gradients reach back through
    epochs: int = 8  # over what was collected
    minibatches: int = 8  # per epoch
    learning_rate: float = 1e-3  # Adam, annealed linearly to zero over the updates
    discount: float = 0.99
    gae: float = 0.95  # λ of generalised advantage estimation (Schulman et al. 2016)
    clip: float = 0.2  # of the ratio of probabilities, and of a value's move
    value_weight: float = 0.5
    clip_norm: float = 0.5  # of the gradient over all parameters
    initial_std: float = 0.6  # of actions, whose range is −1 to 1
    section: int = 32  # updates between fresh starts, where a run can be taken up
    entropy_weight: float = added(0.0)  # of the actions' entropy in the objective, which keeps their spread
    target_kl: float | None = added(None)  # mean divergence after whose minibatch an update ends; None: it goes on

    def __post_init__(self):
        for name in ("steps", "environments", "rollout", "piece", "epochs", "minibatches", "section"):
            require_count(name, getattr(self, name))
        for name in ("learning_rate", "clip", "clip_norm", "initial_std"):
            require_positive(name, getattr(self, name))
        for name in ("discount", "gae", "value_weight", "entropy_weight"):
            require_not_negative(name, getattr(self, name))
        if self.target_kl is not None:
            require_positive("target_kl", self.target_kl)
        require(self.discount < 1, "discount", self.discount, "less than 1")
        require(self.gae <= 1, "gae", self.gae, "at most 1")

    @property
    def updates(self) -> int:
        """Rounds of collecting and learning: as many as ``steps`` asks for."""
        return -(-self.steps // (self.environments * self.rollout))


class Agent(nn.Module):
    """All that is learned: the policy, the spread of its actions, the value, and the running statistics.

    The statistics are parameters without gradients, so that they are kept wherever the weights are.
    """

    def __init__(
        self, policy: SpikingPolicy | TanhPolicy, n_observations: int, n_actions: int, seed: int, initial_std: float
    ):
        super().__init__()
        self.policy = policy
        self.log_std = nn.Parameter(torch.full((n_actions,), float(np.log(initial_std))))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critic = perceptron(n_observations, 64, 1)

        def statistic(*shape: int, value: float) -> nn.Parameter:
            return nn.Parameter(torch.full(shape, value, dtype=torch.float64), requires_grad=False)

        self.observation_mean, self.observation_var = (
            statistic(n_observations, value=0.0),
            statistic(n_observations, value=1.0),
        )
        self.observation_count = statistic(value=1e-4)
        self.return_mean, self.return_var, self.return_count = (
            statistic(value=0.0),
            statistic(value=1.0),
            statistic(value=1e-4),
        )

    def log_probability(self, mean: Tensor, action: Tensor) -> Tensor:
        """The log density, (...), of ``action`` around ``mean``, (..., actions)."""
        return torch.distributions.Normal(mean, self.log_std.exp(), validate_args=False).log_prob(action).sum(-1)

    def lend_statistics(self, envs: gymnasium.vector.VectorEnv) -> None:
        """Make ``envs`` go on with the running statistics of this agent."""
        for name, rms in _running(envs).items():
            for part in ("mean", "var", "count"):
                value = getattr(self, f"{name}_{part}").numpy().copy()
                setattr(rms, part, value if value.ndim else value.item())

    def take_statistics(self, envs: gymnasium.vector.VectorEnv) -> None:
        """Keep the running statistics of ``envs``."""
        for name, rms in _running(envs).items():
            for part in ("mean", "var", "count"):
                getattr(self, f"{name}_{part}").copy_(torch.as_tensor(getattr(rms, part)))


def _running(envs) -> dict[str, Any]:
    found = {}
    while hasattr(envs, "env"):
        found |= (
            {"observation": envs.obs_rms} if isinstance(envs, gymnasium.wrappers.vector.NormalizeObservation) else {}
        )
        found |= {"return": envs.return_rms} if isinstance(envs, gymnasium.wrappers.vector.NormalizeReward) else {}
        envs = envs.env
    return found


# ---------------------------------------------------------------- collecting


class Rollout(NamedTuple):
    """What was collected, T control steps of N environments, cut into K pieces of at most L.

    The step after an episode's end only resets its environment: it is not ``valid``, and a piece ends with it.
    """

    observations: Tensor  # (T, N, inputs), normalised
    actions: Tensor  # (T, N, actions)
    log_probabilities: Tensor  # (T, N)
    values: Tensor  # (T, N)
    advantages: Tensor  # (T, N)
    valid: Tensor  # (T, N) of bool
    time: Tensor  # (L, K) of each piece's steps; a short piece repeats the last step
    environment: Tensor  # (K,)
    counts: Tensor  # (L, K) of bool: valid steps, once each
    states: Any  # of the policy at each piece's start, batch K

    @property
    def pieces(self) -> int:
        return len(self.environment)


class Walk(NamedTuple):
    """Where the environments are between two rollouts."""

    observations: np.ndarray  # (N, inputs)
    valid: np.ndarray  # (N,) of bool: whether the next step is one of an episode
    state: Any  # of the policy


@torch.no_grad()
def collect(
    agent: Agent, envs, walk: Walk, training: PPO, noise: torch.Generator
) -> tuple[Rollout, Walk, dict[str, list[float]]]:
    """Let the agent act for ``training.rollout`` steps; also what ended episodes scored."""
    T, N = training.rollout, training.environments
    observation, valid, state = walk
    act, std = acting(agent.policy), agent.log_std.exp()
    steps = []
    ended: dict[str, list[float]] = {"return": [], "length": [], "diverged": []}
    age = np.zeros(N, dtype=int)  # of each environment's piece
    starts, states = [], []
    for t in range(T):
        new = np.flatnonzero(age == 0)
        if len(new):
            starts += [(t, n) for n in new]
            states.append(each(lambda x: x[new], state))
        mean, state = act(torch.from_numpy(observation), state)
        action = (mean + std * torch.randn(mean.shape, generator=noise)).numpy()
        following, reward, terminated, truncated, info = envs.step(action)
        done = terminated | truncated
        steps.append(
            {
                "observations": observation,
                "means": mean.numpy(),
                "actions": action,
                "valid": valid,
                "rewards": reward.astype(np.float32),
                "terminated": terminated,
                "done": done,
            }
        )
        for n in np.flatnonzero(info.get("_episode", [])):
            ended["return"].append(float(info["episode"]["r"][n]))
            ended["length"].append(float(info["episode"]["l"][n]))
            ended["diverged"].append(float("diverged" in info and info["diverged"][n]))
        # the step after an end resets: what follows it is a new episode, with nothing in mind
        state = forget(state, ~valid)
        age = np.where(valid & (age + 1 < training.piece), age + 1, 0)
        observation, valid = following, ~done
    data = {name: torch.from_numpy(np.stack([step[name] for step in steps])) for name in steps[0]}
    log_probabilities = agent.log_probability(data["means"], data["actions"])
    values = agent.critic(torch.cat([data["observations"], torch.from_numpy(observation).unsqueeze(0)])).squeeze(-1)
    advantages = advantage(data["rewards"], values, data["terminated"], data["done"], training)
    pieces = _pieces(starts, data["valid"], training.piece)
    rollout = Rollout(
        data["observations"],
        data["actions"],
        log_probabilities,
        values[:-1],
        advantages,
        data["valid"],
        *pieces,
        each(lambda *parts: torch.cat(parts), *states),
    )
    return rollout, Walk(observation, valid, state), ended


def advantage(rewards: Tensor, values: Tensor, terminated: Tensor, done: Tensor, training: PPO) -> Tensor:
    """Generalised advantage estimates, (T, N), of ``values``, (T + 1, N)."""
    found, following = torch.zeros_like(rewards), torch.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        # δ = r + γ V(o') − V(o), where V(o') counts unless the episode ended there for good
        error = rewards[t] + training.discount * values[t + 1] * ~terminated[t] - values[t]
        # A = δ + γ λ A', within an episode
        following = error + training.discount * training.gae * following * ~done[t]
        found[t] = following
    return found


def _pieces(starts: list[tuple[int, int]], valid: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    first, environment = torch.tensor(starts).T
    # a piece ends where its environment's next one starts
    end = torch.full_like(first, len(valid))
    order = sorted(range(len(starts)), key=lambda k: starts[k][::-1])
    for a, b in zip(order, order[1:]):
        if environment[a] == environment[b]:
            end[a] = first[b]
    time_ = first + torch.arange(length).unsqueeze(1)
    counts = time_ < end
    time_ = torch.minimum(time_, end - 1)
    return time_, environment, counts & valid[time_, environment]


# ---------------------------------------------------------------- learning


def objective(agent: Agent, rollout: Rollout, pieces: Tensor, training: PPO) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss over ``pieces``, indices of some of the rollout's, and what is worth watching."""
    time_, environment, counts = rollout.time[:, pieces], rollout.environment[pieces], rollout.counts[:, pieces]
    at = (time_, environment)
    observations = rollout.observations[at]
    mean, _ = agent.policy.run(observations, each(lambda x: x[pieces], rollout.states))
    change = agent.log_probability(mean, rollout.actions[at]) - rollout.log_probabilities[at]
    values = agent.critic(observations).squeeze(-1)
    loss, watched = clipped(
        *(x[counts] for x in (change, values, rollout.values[at], rollout.advantages[at])), training
    )
    # H = Σ ln σ + ½ ln 2πe of each action, whose constant part has no gradient
    return loss - training.entropy_weight * agent.log_std.sum(), watched


def clipped(
    change: Tensor, values: Tensor, values_before: Tensor, advantages: Tensor, training
) -> tuple[Tensor, dict[str, Tensor]]:
    """The clipped loss of some steps and what is worth watching, from how their log probabilities changed; each (steps,)."""
    ratio, returns = change.exp(), advantages + values_before
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    # the worse of the gain and the gain with the ratio held within 1 ± clip
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - training.clip, 1 + training.clip) * advantages).mean()
    held = values_before + (values - values_before).clamp(-training.clip, training.clip)
    value_loss = 0.5 * torch.maximum((values - returns).square(), (held - returns).square()).mean()
    watched = {
        "kl": (ratio - 1 - change).mean(),
        "clipped": ((ratio - 1).abs() > training.clip).float().mean(),
        "value_loss": value_loss,
    }
    return -gain + training.value_weight * value_loss, {name: value.detach() for name, value in watched.items()}


def learn(
    learner: nn.Module,
    optimiser: torch.optim.Optimizer,
    collected,
    objective: Callable,
    training,
    shuffle: torch.Generator,
    most_kl: float = math.inf,
) -> dict[str, float]:
    """Epochs over the pieces of what was collected in minibatches.

    Args:
        learner: all that is learned.
        optimiser: of its parameters.
        collected: experience of so many ``pieces``, such as a :class:`Rollout`.
        objective: the loss of some pieces and what is worth watching, from learner, collected, pieces and training.
        training: the trainer's values.
        shuffle: generator of the order of pieces.
        most_kl: mean divergence, ``kl`` of what is watched, after which no more is learned from what was collected.

    Returns:
        Means of what was watched, and how many updates were skipped since their gradient was not finite.
    """
    learned = [p for p in learner.parameters() if p.requires_grad]
    seen: list[dict[str, Tensor]] = []
    skipped = 0
    orders = (torch.randperm(collected.pieces, generator=shuffle) for _ in range(training.epochs))
    for pieces in (pieces for order in orders for pieces in order.chunk(training.minibatches)):
        loss, watched = objective(learner, collected, pieces, training)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(learned, training.clip_norm)
        if torch.isfinite(norm):
            optimiser.step()
        else:
            skipped += 1
        seen.append(watched | {"gradient_norm": norm})
        if watched["kl"] > most_kl:
            break
    return {name: torch.stack([one[name] for one in seen]).mean().item() for name in seen[0]} | {
        "skipped_updates": skipped
    }


# ---------------------------------------------------------------- the whole of it

_ACT, _SHUFFLE, _RESET = 10, 11, 12
_ENTRY = 16  # updates between entries of the curves


def train(
    policy: SpikingPolicy | TanhPolicy,
    task: Locomotion,
    training: PPO,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress = lambda step, latest: None,
) -> Trained:
    """Train ``policy``, in place, on ``task``.

    Args:
        policy: what acts.
        task: where.
        training: the trainer's values.
        seed: seed of the environments, the actions' noise, the order of minibatches and the critic's weights.
        checkpoint: where to keep the state of the run after each section; a run that finds it there goes on from it.
        progress: called after each update with the environment steps done and the latest curve values.

    Returns:
        Metrics, curves with an entry for every few updates, and the weights of the policy with the observations' statistics.

    Raises:
        FloatingPointError: an action that is not finite, with the step.
    """
    agent, optimiser = set_up(policy, task, training, seed)
    course = Course(policy, agent, optimiser, checkpoint)
    total = {name: course.latest.get(name, 0.0) for name in ("episodes", "diverged_episodes", "skipped_updates")}
    per_update = training.environments * training.rollout
    for start in range(course.first, training.updates, training.section):
        envs = task.make_many(training.environments, training.discount)
        agent.lend_statistics(envs)
        walk = set_out(agent, envs, generator(_RESET, seed, start).initial_seed() % 2**31)
        ended: dict[str, list[float]] = {"return": [], "length": [], "diverged": []}
        until = min(start + training.section, training.updates)
        for update in range(start, until):
            optimiser.param_groups[0]["lr"] = training.learning_rate * (1 - update / training.updates)
            rollout, walk, scores = collect(agent, envs, walk, training, generator(_ACT, seed, update))
            if not torch.isfinite(rollout.log_probabilities).all():
                raise FloatingPointError(f"an action is not finite at step {update * per_update}, seed {seed}")
            shuffle, most_kl = generator(_SHUFFLE, seed, update), training.target_kl or math.inf
            watched = learn(agent, optimiser, rollout, objective, training, shuffle, most_kl)
            total["skipped_updates"] += watched.pop("skipped_updates")
            for name, values in scores.items():
                ended[name] += values
            done = update + 1
            progress(done * per_update, course.latest | _scores(ended))
            if done % _ENTRY == 0 or done == until:
                total["episodes"] += len(ended["return"])
                total["diverged_episodes"] += sum(ended["diverged"])
                course.note(
                    {
                        "step": done * per_update,
                        **_scores(ended),
                        "std": agent.log_std.exp().mean().item(),
                        "eta": learned_eta(getattr(policy, "network", policy)),
                        **watched,
                        **total,
                    }
                )
                ended = {name: [] for name in ended}
        agent.take_statistics(envs)
        envs.close()
        course.keep(until)
    statistics = {"observation_mean": agent.observation_mean, "observation_var": agent.observation_var}
    return course.end(total | {"steps_per_second": training.steps / course.seconds}, statistics)


def set_up(
    policy: SpikingPolicy | TanhPolicy, task: Locomotion, training: PPO, seed: int
) -> tuple[Agent, torch.optim.Adam]:
    """The agent around ``policy`` before it has learned anything, and its optimiser."""
    agent = Agent(policy, *task.sizes(), seed, training.initial_std)
    # foreach: the same numbers with fewer calls
    return agent, torch.optim.Adam(
        [p for p in agent.parameters() if p.requires_grad], lr=training.learning_rate, eps=1e-5, foreach=True
    )


def set_out(agent: Agent, envs: gymnasium.vector.VectorEnv, seed: int) -> Walk:
    """All episodes of ``envs`` at their start, from ``seed`` on."""
    observations, _ = envs.reset(seed=seed)
    return Walk(observations, np.ones(envs.num_envs, dtype=bool), agent.policy.initial_state(envs.num_envs))


def _scores(ended: dict[str, list[float]]) -> dict[str, float]:
    """Mean return and length of the episodes since the last entry that did not diverge; NaN where there is none."""
    counted = [k for k, diverged in enumerate(ended["diverged"]) if not diverged]
    return {
        name: float(np.mean([ended[name][k] for k in counted])) if counted else float("nan")
        for name in ("return", "length")
    }
