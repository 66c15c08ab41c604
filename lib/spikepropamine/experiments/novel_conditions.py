"""What trained policies keep of their walk under conditions that no training has seen, and whether E has a part in it."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from ..checks import require, require_choice
from ..walking.conditions import CONDITIONS, TRAINING, conditions_of, impose
from ..walking.evaluation import EPISODES, summary, walk, without_plasticity
from ..walking.robots import Locomotion, Normalised
from .choices import check_workers
from .config import Experiment
from .kept import MODERATE
from .locomotion import EXPERIMENTS, LocomotionConfig, locomotion, revive
from .sweeps import Store, in_parallel


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    episodes: int
    steps: int  # control steps of an episode
    strengths: str  # of STRENGTHS
    seeds: int | None  # whose policies; None takes all

    @property
    def quarter(self) -> int:
        """Control steps of a quarter of an episode; a condition to adapt to sets in after the first."""
        return self.steps // 4


SIZES = {
    "smoke": Size(2, 40, "moderate", 1),
    "quick": Size(4, 1000, "moderate", 1),
    "paper": Size(EPISODES, 1000, "all", None),
}
# which strengths are measured: those that are judged, with training; all others; both, those that are judged first
STRENGTHS = ("moderate", "other", "all")
ALL = (TRAINING, *CONDITIONS)


def fare(
    experiment: str, config: LocomotionConfig, seed: int, store: Store, size: Size, conditions: Sequence[str] = ALL
) -> list[dict]:
    """How one trained run fares under each of ``conditions`` at every strength of ``size``, a row each.

    Args:
        experiment: the name under which the run was trained.
        config: of the run.
        seed: of the run.
        store: where its weights are.
        size: how many episodes of how many steps, and which strengths; a condition that has none of them is left out.
        conditions: names of CONDITIONS, or ALL.

    Raises:
        ValueError: a condition that the robot does not have, before anything runs.
        FileNotFoundError: the run is not in ``store``.
    """
    torch.set_num_threads(1)
    policy, statistics = revive(config, store.weights(experiment, config, seed))
    said, rows = config.walker(seed), []
    tested = suited(conditions, config.task.environment)
    for condition, strength in [(one, strength) for one in tested for strength in _strengths(one, size)]:
        found = walk(policy, statistics, config.task, condition, strength, episodes=size.episodes, steps=size.steps)
        rows.append(
            said
            | {"condition": condition, "strength": math.nan if strength is None else float(strength)}
            | summary(found)
        )
    return rows


def suited(conditions: Sequence[str], environment: str) -> list[str]:
    """``conditions`` as they are tested on a robot: of ALL those that it has what they take for, and otherwise all that were named.

    Raises:
        ValueError: a condition that was named and that the robot does not have, before anything runs.
    """
    possible = [TRAINING, *conditions_of(environment)]
    if tuple(conditions) == ALL:
        return possible
    for name in conditions:
        require_choice(f"condition on {environment}", name, possible)
    return list(conditions)


def _strengths(condition: str, size: Size) -> tuple[float | None, ...]:
    require_choice("strengths", size.strengths, STRENGTHS)
    if condition == TRAINING:
        return () if size.strengths == "other" else (None,)
    require_choice("condition", condition, CONDITIONS)
    kind = CONDITIONS[condition]
    of = {"moderate": (kind.moderate,), "all": kind.strengths}
    return of.get(size.strengths) or tuple(one for one in kind.strengths if one != kind.moderate)


def _held(table: pd.DataFrame | None, strengths: str) -> set[tuple[str, int, str]]:
    """The policies and conditions, by hash, seed and name, that ``table`` has at ``strengths``, "moderate" or "other"."""
    if table is None:
        return set()
    if "strength" in table:
        moderate = table.strength.isna() | table.strength.eq(table.condition.map(MODERATE))
        table = table[moderate if strengths == "moderate" else ~moderate]
    return set(zip(table.config_hash, table.seed, table.condition))


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`fare` of those policies that are measured under every condition at every strength."""
    if "strength" not in table:
        return table
    wanted = {
        robot: sum(len(_strengths(one, SIZES["paper"])) for one in suited(ALL, robot))
        for robot in table.environment.unique()
    }
    there = table.groupby(["config_hash", "seed"]).condition.transform("size")
    return table[there >= table.environment.map(wanted)]


def adapt(
    experiment: str, config: LocomotionConfig, seed: int, store: Store, size: Size, conditions: Sequence[str] = ALL
) -> list[dict]:
    """How one trained run copes with each condition that sets in after a quarter, with E free and with E frozen from there on.

    A row for each of ``conditions`` (with TRAINING, in which nothing sets in), way and quarter: the mean reward of a control step,
    over the episodes that got as far as the onset; steps after a fall count as zero.
    """
    torch.set_num_threads(1)
    policy, statistics = revive(config, store.weights(experiment, config, seed))
    onset, said, rows = size.quarter, config.walker(seed), []
    for condition in suited(conditions, config.task.environment):
        for way, later in (("E free", None), ("E frozen", without_plasticity(policy))):
            found = walk(policy, statistics, config.task, condition, None, onset, size.episodes, size.steps, later)
            counted = ~found.diverged & np.isfinite(found.rewards[:, : onset + 1]).all(1)
            for quarter, rewards in enumerate(
                np.split(np.nan_to_num(found.rewards[counted]), range(onset, 4 * onset, onset), axis=1), 1
            ):
                reward = float(rewards.sum(1).mean() / onset) if counted.any() else math.nan
                rows.append(
                    said
                    | {
                        "condition": condition,
                        "way": way,
                        "quarter": quarter,
                        "reward": reward,
                        "episodes": int(counted.sum()),
                    }
                )
    return rows


REHEARSED_STEPS = 25  # control steps: the first push comes after 20


def rehearse() -> dict[str, float]:
    """What each condition does, in a number: how far what is sensed in a fixed walk is from what is sensed without it."""
    found = {}
    for name, environment in EXPERIMENTS.items():
        sensed = {one: _fixed_walk(Locomotion(environment), one) for one in suited(ALL, environment)}
        for condition, observations in sensed.items():
            other = 0 if condition == TRAINING else sensed[TRAINING]
            found[f"{name}, {condition}"] = float(np.abs(observations - other).sum())
    return found


def _fixed_walk(task: Locomotion, condition: str) -> np.ndarray:
    """The observations, (steps, inputs), of a walk by rote."""
    inputs, actions = task.sizes()
    env = impose(Normalised(task.make(), np.zeros(inputs), np.ones(inputs)), condition)
    observations = [env.reset(seed=0)[0]]
    for step in range(REHEARSED_STEPS):
        observations.append(env.step(np.full(actions, 0.5 * (-1) ** step, np.float32))[0])
    env.close()
    return np.stack(observations)


def each_measured(
    how: Callable[..., list[dict]],
    jobs: Sequence[tuple[str, LocomotionConfig, int, Sequence[str]]],
    store: Store,
    size: Size,
    workers: int | str,
    said: str,
) -> Iterator[list[dict]]:
    """The rows of ``how`` of each of ``jobs``, in their order, ``workers`` at a time, each row with the seconds that its job took.

    A job is an experiment's name, a configuration, a seed, and the conditions to measure.
    """
    asked = (
        joblib.delayed(_timed)(how, name, config, seed, store, size, conditions)
        for name, config, seed, conditions in jobs
    )
    done = in_parallel(asked, workers)
    return iter(tqdm(done, total=len(jobs), desc=said, unit="policy"))


def _timed(how: Callable[..., list[dict]], *arguments) -> list[dict]:
    started = time.perf_counter()
    rows = how(*arguments)
    took = time.perf_counter() - started
    return [row | {"policy_seconds": took} for row in rows]


def measuring_hours(table: pd.DataFrame) -> tuple[float, int]:
    """Core hours that the policies of a table of :func:`measure` took, and how many of them are older than this record."""
    # a policy's moderate strengths may be measured before the others
    each = table.reindex(columns=["config_hash", "seed", "policy_seconds"]).drop_duplicates()
    return float(each.policy_seconds.sum() / 3600), int(each.policy_seconds.isna().sum())


def jobs(
    size: Size,
    policies: list[str],
    store: Store,
    seeds: int | None = None,
    make: Callable[..., Experiment] = locomotion,
    whole: bool = False,
) -> list[tuple[str, LocomotionConfig, int]]:
    """The runs of the paper profile whose weights ``store`` holds, each with the name of its experiment.

    Args:
        size: whose seeds, unless ``seeds`` says.
        policies: names.
        store: where the weights are.
        seeds: whose policies, from seed 0 up.
        make: the experiment on a robot: of its name, a profile, how many seeds and names of policies.
        whole: leave out a robot some of whose weights are not there yet.

    Raises:
        ValueError: no weights.
    """
    experiments = [make(robot, "paper", seeds or size.seeds, policies) for robot in EXPERIMENTS]
    found = []
    for experiment in experiments:
        there = [run for run in experiment.runs if store.has_weights(experiment.name, *run)]
        if there == experiment.runs or not whole:
            found += [(experiment.name, *run) for run in there]
    require(len(found) > 0, "policies", policies, f"some whose trained weights are published in {store.published}")
    return found


def measure(
    how: Callable[..., list[dict]],
    profile: str,
    seeds: int | None,
    policies: list[str],
    store: Store,
    workers: int | str = 1,
    earlier: pd.DataFrame | None = None,
    keep: Callable[[pd.DataFrame, dict], None] = lambda table, facts: None,
    conditions: Sequence[str] = ALL,
    make: Callable[..., Experiment] = locomotion,
) -> tuple[pd.DataFrame, dict]:
    """:func:`fare` or :func:`adapt`, at the size of ``profile``, of every run of the paper profile whose weights ``store`` holds.

    Args:
        how: what is measured of a run.
        profile: one of PROFILES.
        seeds: whose policies, from seed 0 up; None takes the size's own.
        policies: names; :func:`adapt` is for those with plasticity.
        store: where the weights are.
        workers: policies at a time.
        earlier: rows of the same kind and size; they stay, and no run is measured again under a condition and at a strength
            that it has there.
        keep: called after each policy with all there is so far, so that a measurement that was stopped can be taken up.
        conditions: names of CONDITIONS, and TRAINING.
        make: whose runs, as :func:`jobs` takes it.

    Returns:
        The rows, the strengths that are judged first, with the seconds that those of a policy took that were measured together; how many episodes each rests on, and what the conditions do.

    Raises:
        ValueError: no weights.
    """
    check_workers(workers)
    require_choice("profile", profile, SIZES)
    size = SIZES[profile]
    there = jobs(size, policies, store, seeds, make)  # once: what is trained meanwhile is for the next time
    for robot in {config.task.environment for _, config, _ in there}:
        suited(conditions, robot)  # refuses one that the robot cannot have, before anything runs
    table, facts = earlier, {"episodes": size.episodes, "rehearsal": rehearse()}
    for strengths in ("moderate", "other") if size.strengths == "all" else (size.strengths,):
        part, left, held = replace(size, strengths=strengths), [], _held(table, strengths)
        for name, config, seed in there:
            possible = [one for one in suited(conditions, config.task.environment) if _strengths(one, part)]
            missing = [one for one in possible if (config.hash, seed, one) not in held]
            if missing:
                left.append((name, config, seed, missing))
        for rows in each_measured(how, left, store, part, workers, f"{how.__name__}, {strengths} strengths"):
            table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
            keep(table, facts)
    return table, facts
