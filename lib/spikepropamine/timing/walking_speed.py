"""How fast policies learn to walk, beside what the simulator alone takes."""

import statistics
import time
from collections.abc import Callable

import mujoco
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from ..checks import require_count
from ..experiments.locomotion import EXPERIMENTS, locomotion
from ..training import ppo
from ..training.supervised import generator
from ..walking.robots import Locomotion

RAW = "MuJoCo alone"


def raw_stepping(environment: str, steps: int) -> Callable[[int], None]:
    """Stepping the environment's own model with random torques, as many physics steps as a control step has."""
    env = Locomotion(environment).make().unwrapped
    env.reset(seed=0)
    torques = np.random.default_rng(0).uniform(-0.3, 0.3, (steps, env.model.nu))

    def turn(_: int) -> None:
        for torque in torques:
            env.data.ctrl[:] = torque
            mujoco.mj_step(env.model, env.data, env.frame_skip)

    return turn


def learning(experiment: str, policy: str, profile: str = "paper") -> tuple[Callable[[int], None], int]:
    """One update of a policy's training: collecting and learning; and how many environment steps it has."""
    (config,) = locomotion(experiment, profile, policies=[policy]).configs
    training = config.training
    agent, optimiser = ppo.set_up(config.build(0), config.task, training, 0)
    envs = config.task.make_many(training.environments, training.discount)
    at = ppo.set_out(agent, envs, 0)

    def turn(update: int) -> None:
        nonlocal at
        rollout, at, _ = ppo.collect(agent, envs, at, training, generator(0, 0, update))
        ppo.learn(agent, optimiser, rollout, ppo.objective, training, generator(1, 0, update))

    return turn, training.environments * training.rollout


def measure(profile: str, policies: list[str]) -> tuple[pd.DataFrame, dict]:
    """Environment steps a second on one thread, everything taking turns after one to warm up: medians over rounds.

    Columns: environment, network (a policy, or RAW), steps_per_second, share_of_raw.
    """
    torch.set_num_threads(1)
    rounds = {"smoke": 1, "quick": 3, "paper": 9}[profile]
    require_count("policies", len(policies))
    rows = []
    for experiment, environment in EXPERIMENTS.items():
        turns = {name: learning(experiment, name, profile) for name in policies}
        steps = next(iter(turns.values()))[1]
        turns[RAW] = raw_stepping(environment, steps), steps
        seconds: dict[str, list[float]] = {name: [] for name in turns}
        for update in tqdm(range(rounds + 1), desc=f"speed on {environment}", unit="round", leave=False):
            for name, (turn, _) in turns.items():
                started = time.perf_counter()
                turn(update)
                seconds[name].append(time.perf_counter() - started)
        speed = {name: steps / statistics.median(times[1:]) for name, times in seconds.items()}
        rows += [
            {"environment": environment, "network": name, "steps_per_second": value, "share_of_raw": value / speed[RAW]}
            for name, value in speed.items()
        ]
    return pd.DataFrame(rows), {"rounds": rounds}
