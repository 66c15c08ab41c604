"""The walk that must be learned within the episode: its experiments, run like all others by :func:`sweep`.

What a trained policy remembers is part of each run's record: its score on held-out episodes as it is, after lesions
between the two trials, and with other gaps between them.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import require, require_choice, require_count
from ..snn.layers import PlasticLinear
from ..snn.networks import NETWORKS, scaled
from ..training import ppo, whole_episode
from ..training.course import Progress, Trained
from ..training.supervised import REHEARSE, generator, gradient_sizes
from ..training.whole_episode import WholeEpisodes, inputs_of
from ..walking.evaluation import without_plasticity, without_reading
from ..walking.inference import acting
from ..walking.memory_policies import MEMORIES, MemoryPolicy
from ..walking.policies import PolicyState, SpikingPolicy, each
from ..walking.two_trials import HIDDEN, STEP_S, Episodes, TwoTrials, live
from .choices import PROFILES, PUBLISHED_MEMORIES
from .config import Config, Experiment, finite, named

TESTED = 100  # held-out episodes of an evaluation, as many of each hidden value
_TEST_SEED = 3_000_000  # of where their bodies start, which no training uses
GAPS_S = (0.0, 1.0, 5.0)


@dataclass(frozen=True)
class TwoTrialsConfig(Config):
    """Everything that shapes the result of a two-trials run beside its seed."""

    task: TwoTrials
    network: MemoryPolicy
    training: WholeEpisodes
    metric: ClassVar[str] = "score"

    @property
    def label(self) -> str:
        task = self.task
        also = ["reward shown"] * (task.cue == "reward") + ["told throughout"] * task.reminded
        return ", ".join([f"{self.network.name} {task.hidden} gap {task.gap_s:g} s", *also])

    def build(self, seed: int) -> nn.Module:
        """The untrained policy."""
        return self.network.build(*self.task.sizes(), seed)

    def train(self, network: nn.Module, seed: int, checkpoint: Path | None, progress: Progress) -> Trained:
        """Train on whole episodes, in place; then test it as it is, lesioned, and with other gaps."""
        trained = whole_episode.train(network, self.task, self.training, seed, checkpoint, progress)
        statistics = trained.weights["observation_mean"], trained.weights["observation_var"]
        episodes = TESTED if self.training.steps >= 10_000 else 8
        return trained._replace(metrics=trained.metrics | test(network, statistics, self.task, episodes))

    def test(self, network: nn.Module) -> dict[str, float]:
        """Nothing more than :meth:`train` measured."""
        return {}

    def rehearse(self) -> dict[str, float]:
        """What the code does with this configuration: a few episodes are collected, and learned from once."""
        little = dataclasses.replace(self.training, episodes=4, epochs=1, minibatches=1)
        learner, optimiser = whole_episode.set_up(self.build(0), self.task, little, 0)
        collected, _ = whole_episode.collect(learner, self.task, little, 0, 0)
        shuffle = generator(REHEARSE, 0)
        watched = ppo.learn(learner, optimiser, collected, whole_episode.objective, little, shuffle)
        return finite(
            {name: watched[name] for name in ("value_loss", "gradient_norm")}
            | gradient_sizes(learner)
            | {"advantages": collected.advantages.norm().item(), "actions": collected.actions.norm().item()}
        )


# ---------------------------------------------------------------- what a trained policy remembers


class Lesion:
    """What happens to a policy between the trials: to its state, and to what goes on acting."""

    def __init__(
        self, state: Callable[[Any], Any] = lambda state: state, policy: Callable[[nn.Module], nn.Module] | None = None
    ):
        self.state, self.policy = state, policy


def _forget(state: Any) -> Any:
    return each(torch.zeros_like, state)


def _swap(state: Any) -> Any:
    # episodes come sorted by hidden value: each gets the state of one in the other half, whose value is another
    return each(lambda x: torch.roll(x, len(x) // 2, 0), state)


def _E(state: PolicyState) -> Tensor:
    return state.network[0].plastic.E


LESIONS: dict[str, Lesion] = {
    "all forgotten": Lesion(_forget),
    "all swapped": Lesion(_swap),
}
# of what plastic synapses hold
E_LESIONS: dict[str, Lesion] = {
    "E alone kept": Lesion(lambda state: _forget(state).with_efficacies(_E(state))),
    "E forgotten": Lesion(lambda state: state.with_efficacies(torch.zeros_like(_E(state)))),
    "E swapped": Lesion(lambda state: state.with_efficacies(_swap(_E(state)))),
    "E frozen": Lesion(policy=without_plasticity),
    "α = 0": Lesion(policy=without_reading),
}


def is_plastic(policy: nn.Module) -> bool:
    """Whether ``policy`` has plastic synapses."""
    return isinstance(getattr(getattr(policy, "network", None), "synapses", None), PlasticLinear)


SETTLED = 20  # control steps without input, in which potentials and traces fade


@torch.no_grad()
def falls_silent(policy: SpikingPolicy, gap_s: float) -> bool:
    """Whether no neuron fires once a gap of ``gap_s`` has lasted for SETTLED control steps, so that no rule writes any more.

    What comes before the gap are observations drawn at random, of the standard deviation that a body's have.
    """
    before, gap = TwoTrials().shown, round(gap_s / STEP_S)
    require(gap > SETTLED, "gap_s", gap_s, f"more than {SETTLED * STEP_S:g} s")
    inputs = torch.zeros(before + gap, 8, policy.encoder.in_features)
    inputs[:before] = torch.randn(inputs[:before].shape, generator=torch.Generator().manual_seed(0))
    *both, _, _ = policy.activity(inputs, policy.initial_state(8))
    return not any(spikes[policy.ticks * (before + SETTLED) :].any() for spikes in both)


@torch.no_grad()
def walk(
    policy: nn.Module,
    statistics: tuple[Tensor, Tensor],
    task: TwoTrials,
    episodes: int = TESTED,
    lesion: Lesion = Lesion(),
) -> Episodes:
    """Held-out episodes without exploration, at least ``episodes``: as many with each hidden value, sorted by it."""
    values = len(HIDDEN[task.hidden])
    require_count("episodes", episodes, at_least=values)
    hidden = np.repeat(np.arange(values), -(-episodes // values))
    before = acting(policy)
    after = before if lesion.policy is None else acting(lesion.policy(policy))

    def act(t: int, body: np.ndarray, shown: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        inputs = torch.from_numpy(inputs_of(body, shown, statistics, task.simulated[t]))
        mean, state = (before if t < task.second.start else after)(inputs, state)
        return mean.numpy(), state

    return live(task, hidden, act, policy.initial_state(len(hidden)), np.random.default_rng(_TEST_SEED), lesion.state)


def test(policy: nn.Module, statistics: tuple[Tensor, Tensor], task: TwoTrials, episodes: int) -> dict[str, float]:
    """``score`` (metres), ``right`` (share of episodes that went the right way) and ``diverged``; ``score.<lesion>`` and so on."""
    lesions = {"": Lesion()} | LESIONS | (E_LESIONS if is_plastic(policy) else {})
    tested = {name: (task, lesion) for name, lesion in lesions.items()}
    tested |= {
        f"gap {gap:g} s": (dataclasses.replace(task, gap_s=gap), Lesion()) for gap in GAPS_S if gap != task.gap_s
    }
    found = {}
    for name, (variant, lesion) in tested.items():
        lived = walk(policy, statistics, variant, episodes, lesion)
        score = lived.score(variant)[~lived.diverged]
        end = f".{name}" if name else ""
        found |= {
            f"score{end}": float(score.mean()) if len(score) else float("nan"),
            f"right{end}": float((score > 0).mean()) if len(score) else float("nan"),
            f"diverged{end}": float(lived.diverged.sum()),
        }
    return found


# ---------------------------------------------------------------- the experiments

MAIN = "two-trials"
_TRAINING: dict[str, dict[str, Any]] = {
    "smoke": dict(steps=400, episodes=4, epochs=1, minibatches=2),
    "quick": dict(steps=100_000),
    "paper": {},
}
_SEEDS = {"smoke": 1, "quick": 1, "paper": 5}

# What the search below found best for each policy: (learning rate, factor on the rules' initial η).
CHOSEN: dict[str, tuple[float, float]] = {
    "snn": (4e-3, 1.0),
    "dp-oja": (2e-3, 0.2),
    "dp-bcm": (2e-3, 0.04),
    "ndp-oja": (2e-3, 0.04),
    "ndp-bcm": (2e-3, 0.04),
    "mlp": (2e-3, 1.0),
    "rsnn": (4e-3, 1.0),
    "gru": (2e-3, 1.0),
}

UNSEARCHED = (2e-3, 0.04)  # of a policy that no search has chosen for

FINDS_OUT = "-reward"  # the variant whose first trial shows the reward, so that the direction has to be found out

# What is changed of the main experiment, by what follows its name.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "": {},
    "-gap-1s": {"task": {"gap_s": 1.0}},
    "-gap-5s": {"task": {"gap_s": 5.0}},
    FINDS_OUT: {"task": {"cue": "reward"}, "training": {"steps": 800_000}},
    "-limb": {"task": {"hidden": "limb"}},
    "-motor": {"task": {"hidden": "motor"}},
    "-blind-critic": {"training": {"privileged": False}},
}


def policy(name: str, eta_factor: float) -> MemoryPolicy:
    """A policy of the default size with the rules' initial η multiplied by ``eta_factor``."""
    default = MemoryPolicy(name)
    return dataclasses.replace(default, options=scaled(default.options, name, eta_factor))


def two_trials(
    variant: str = "", profile: str = "paper", seeds: int | None = None, policies: Iterable[str] = PUBLISHED_MEMORIES
) -> Experiment:
    """Policies on the walk that must be learned within the episode, each with the values that the search found.

    Args:
        variant: one of VARIANTS.
        profile: one of PROFILES.
        seeds: how many, from 0 up; None takes the profile's own.
        policies: names of MEMORIES.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    require_choice("variant", variant, VARIANTS)
    require_choice("profile", profile, PROFILES)
    if seeds is not None:
        require_count("seeds", seeds)
    changed, configs = VARIANTS[variant], []
    for name in policies:
        require_choice("policies", name, MEMORIES)
        rate, factor = CHOSEN.get(name, UNSEARCHED)
        training = WholeEpisodes(**changed.get("training", {}) | _TRAINING[profile] | {"learning_rate": rate})
        configs.append(TwoTrialsConfig(TwoTrials(**changed.get("task", {})), policy(name, factor), training))
    seeds = tuple(range(seeds or _SEEDS[profile]))
    return Experiment(named(MAIN + variant, profile), profile, tuple(configs), seeds, weights_of=seeds)


TOLD = ("", "-limb", "-motor")  # variants that differ in what there is to remember


def reminded() -> Experiment:
    """The policy without a memory, told throughout what is hidden: what knowing it is worth; a configuration for each of TOLD."""
    configs = []
    for variant in TOLD:
        (config,) = two_trials(variant, policies=["mlp"]).configs
        configs.append(dataclasses.replace(config, task=dataclasses.replace(config.task, reminded=True)))
    return Experiment(f"{MAIN}-reminded", "paper", tuple(configs), tuple(range(_SEEDS["paper"])))


OTHER_RATES = (5e-4, 1e-3)  # below those of the search, whose lower one it found best for the GRU


def other_rates(variant: str = FINDS_OUT) -> Experiment:
    """Is a policy held back by its learning rate? The GRU at OTHER_RATES, and where the direction has to be found out all others
    that can remember at the lowest of them; the snn beside them.

    Args:
        variant: "" or FINDS_OUT.
    """
    require_choice("variant", variant, ("", FINDS_OUT))
    configs = []
    for name in PUBLISHED_MEMORIES if variant else ("gru",):
        (config,) = two_trials(variant, policies=[name]).configs
        for rate in {"gru": OTHER_RATES, "mlp": ()}.get(name, OTHER_RATES[:1]):
            training = dataclasses.replace(config.training, learning_rate=rate)
            configs.append(dataclasses.replace(config, training=training))
    return Experiment(f"{MAIN}{variant}-rates", "paper", tuple(configs), tuple(range(_SEEDS["paper"])))


SEARCHED_STEPS = 80_000
RATE, FACTORS = 2e-3, (0.04, 0.2)  # of plastic policies
RATES = (2e-3, 4e-3)  # of those without an η: as many tries


def search() -> Experiment:
    """The search for each policy's initial η, or its learning rate where it has no η: two tries and one budget for all."""
    configs = []
    for name in PUBLISHED_MEMORIES:
        plastic = NETWORKS.get(name, (None,))[0] is not None
        for rate, factor in [(RATE, factor) for factor in FACTORS] if plastic else [(rate, 1.0) for rate in RATES]:
            training = WholeEpisodes(steps=SEARCHED_STEPS, learning_rate=rate)
            configs.append(TwoTrialsConfig(TwoTrials(), policy(name, factor), training))
    return Experiment(f"{MAIN}-search", "paper", tuple(configs), (1000,))
