"""Walks looked at closely: what the body does, what the network does, and films of them."""

from collections.abc import Callable, Iterator
from functools import partial

import mujoco
import pandas as pd
import torch
from torch import Tensor

from ..checks import require_count
from ..records.runs import load_measurements
from ..walking.policies import SpikingPolicy
from ..walking.robots import ENVIRONMENTS, Locomotion, Normalised
from .choices import PUBLISHED_NETWORKS
from .films import SEED, Walker, films, median_walker
from .mechanism import AT_BOUND
from .sweeps import Store

FEET = {
    "Ant-v5": {
        "front left": "left_ankle_geom",
        "front right": "right_ankle_geom",
        "back left": "third_ankle_geom",
        "back right": "fourth_ankle_geom",
    },
    "HalfCheetah-v5": {"front": "ffoot", "back": "bfoot"},
}
# a leg's joints from the body outwards
LEGS = {
    "Ant-v5": {side: (f"hip_{k}", f"ankle_{k}") for k, side in enumerate(FEET["Ant-v5"], 1)},
    "HalfCheetah-v5": {"front": ("fthigh", "fshin", "ffoot"), "back": ("bthigh", "bshin", "bfoot")},
}


@torch.no_grad()
def record(
    policy: SpikingPolicy, statistics: tuple[Tensor, Tensor], task: Locomotion, steps: int, seed: int
) -> pd.DataFrame:
    """Walk for at most ``steps`` control steps from ``seed``, without noise: a row a step, up to the episode's end.

    Columns: ``time_s``; ``x_m`` and ``speed_m_s`` of the torso along x; ``angle.<joint>`` in radians; ``contact.<foot>``;
    ``rate.encoder`` and ``rate.hidden`` in Hz, means over neurons; where there is plasticity ``E.mean_abs``, the
    share of efficacies at their bound ``E.at_bound``, the mean size of α E in that of W ``alpha_E_over_W``, and the 10th, 50th and 90th percentile of M over neurons, ``M.10``, ``M.50`` and ``M.90``.
    """
    require_count("steps", steps)
    env = Normalised(task.make(), *(x.numpy() for x in statistics))
    observation, _ = env.reset(seed=seed)
    model, data = env.unwrapped.model, env.unwrapped.data
    joints = [
        model.joint(k).name
        for k in range(model.njnt)
        if model.jnt_type[k] == mujoco.mjtJoint.mjJNT_HINGE and model.jnt_limited[k]
    ]
    feet = {name: model.geom(geom).id for name, geom in FEET[task.environment].items()}
    floor, state, rows = model.geom("floor").id, policy.initial_state(1), []
    seconds_per_tick = env.unwrapped.dt / policy.ticks
    for step in range(steps):
        first, second, mean, state = policy.activity(torch.as_tensor(observation).view(1, 1, -1), state)
        observation, _, terminated, truncated, info = env.step(mean[0, 0].clamp(-1, 1).numpy())
        touching = {geom for contact in data.contact if floor in contact.geom for geom in contact.geom}
        row = {"time_s": (step + 1) * env.unwrapped.dt, "x_m": data.qpos[0], "speed_m_s": info["x_velocity"]}
        row |= {f"angle.{name}": data.joint(name).qpos[0] for name in joints}
        row |= {f"contact.{name}": float(geom in touching) for name, geom in feet.items()}
        row |= {
            "rate.encoder": first.mean().item() / seconds_per_tick,
            "rate.hidden": second.mean().item() / seconds_per_tick,
        }
        plastic = state.network[0].plastic
        if plastic is not None:
            synapses = policy.network.synapses
            M = synapses.modulator(plastic.x_post)[0]
            size = plastic.E.abs()
            row |= {
                "E.mean_abs": size.mean().item(),
                "E.at_bound": (size >= AT_BOUND * synapses.e_max).float().mean().item(),
                "alpha_E_over_W": (synapses.alpha * plastic.E).abs().mean().item()
                / synapses.weight.abs().mean().item(),
            }
            row |= {f"M.{percent}": M.quantile(percent / 100).item() for percent in (10, 50, 90)}
        rows.append(row)
        if terminated or truncated:
            break
    env.close()
    return pd.DataFrame(rows)


def measure(store: Store, steps: int = 1000) -> tuple[pd.DataFrame, dict, dict[str, bytes]]:
    """Whole episodes of the median walker of every spiking network on every robot, and films of some of them.

    Returns:
        The rows of :func:`record` with environment, network, seed and config_hash; which walkers and films they are; and the films.
    """
    tables, walkers = [], []
    for environment in ENVIRONMENTS:
        for name in PUBLISHED_NETWORKS:
            walker = median_walker(store, environment, name)
            policy, statistics = walker.revive(store)
            table, falls = first_whole(partial(record, policy, statistics, walker.config.task, steps), steps)
            tables.append(table.assign(environment=environment, network=name, seed=walker.seed))
            walkers.append(_facts(walker) | {"falls_before": falls})
    attached, filmed = {}, []
    for name, film, facts in films(store):
        attached[f"film-{name}.mp4"] = film
        filmed += facts
    return pd.concat(tables, ignore_index=True), {"walkers": walkers, "films": filmed}, attached


def _facts(walker: Walker) -> dict:
    return {
        "environment": walker.config.task.environment,
        "network": walker.name,
        "seed": walker.seed,
        "config_hash": walker.config.hash,
        "return": walker.score,
    }


def stale(store: Store) -> Iterator[str]:
    """A line for each published walk that is not of the policy that would be shown today."""
    folder = store.published / "gait"
    if not folder.exists():
        return
    walkers = load_measurements(folder)[1]["facts"].get("walkers")
    if walkers is None:
        yield f"{folder}: shows one walker alone, as it did before"
    for shown in walkers or ():
        today = median_walker(store, shown["environment"], shown["network"])
        if (shown["config_hash"], shown["seed"]) != (today.config.hash, today.seed):
            yield (
                f"{folder}: shows seed {shown['seed']} of {shown['network']} on {shown['environment']}; the median return has "
                f"seed {today.seed}"
            )


def first_whole(walk: Callable[[int], pd.DataFrame], steps: int, attempts: int = 20) -> tuple[pd.DataFrame, int]:
    """The first walk, from SEED on, that lasts ``steps`` control steps, and how many before it ended in a fall."""
    for falls in range(attempts):
        table = walk(SEED + falls)
        if len(table) == steps:
            return table, falls
    raise ValueError(f"steps = {steps}: must be fewer, since none of {attempts} walks lasted as long")
