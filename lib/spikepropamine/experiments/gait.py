"""One walk, looked at closely: what the body does, what the network does, and a film of it."""

import io
import logging
from collections.abc import Callable, Iterator, Sequence

import gymnasium
import mujoco
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from ..checks import require_count
from ..records.runs import load_measurements
from ..snn.networks import NETWORKS
from ..walking.policies import SpikingPolicy
from ..walking.robots import Locomotion, Normalised
from .locomotion import EXPERIMENTS, LocomotionConfig, locomotion, revive
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
SEED = 2_000_000  # of the walk shown, which no training and no evaluation uses
# a leg's joints from the body outwards
LEGS = {
    "Ant-v5": {side: (f"hip_{k}", f"ankle_{k}") for k, side in enumerate(FEET["Ant-v5"], 1)},
    "HalfCheetah-v5": {"front": ("fthigh", "fshin", "ffoot"), "back": ("bthigh", "bshin", "bfoot")},
}
log = logging.getLogger(__name__)


@torch.no_grad()
def record(
    policy: SpikingPolicy, statistics: tuple[Tensor, Tensor], task: Locomotion, steps: int, seed: int
) -> pd.DataFrame:
    """Walk for at most ``steps`` control steps from ``seed``, without noise: a row a step, up to the episode's end.

    Columns: ``time_s``; ``x_m`` and ``speed_m_s`` of the torso along x; ``angle.<joint>`` in radians; ``contact.<foot>``;
    ``rate.encoder`` and ``rate.hidden`` in Hz, means over neurons; where there is plasticity ``E.mean_abs``, and the
    10th, 50th and 90th percentile of M over neurons, ``M.10``, ``M.50`` and ``M.90``.
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
            M = policy.network.synapses.modulator(plastic.x_post)[0]
            row |= {"E.mean_abs": plastic.E.abs().mean().item()}
            row |= {f"M.{percent}": M.quantile(percent / 100).item() for percent in (10, 50, 90)}
        rows.append(row)
        if terminated or truncated:
            break
    env.close()
    return pd.DataFrame(rows)


@torch.no_grad()
def film(
    policy: SpikingPolicy,
    statistics: tuple[Tensor, Tensor],
    task: Locomotion,
    start: int,
    frames: int,
    seed: int,
    size: tuple[int, int] = (320, 240),
) -> list[Image.Image]:
    """Pictures of a walk, one a control step from step ``start`` on, by MuJoCo off screen (set MUJOCO_GL to egl or osmesa)."""
    width, height = size
    inner = gymnasium.make(task.environment, render_mode="rgb_array", width=width, height=height, camera_name="track")
    env, pictures = Normalised(inner, *(x.numpy() for x in statistics)), []
    observation, _ = env.reset(seed=seed)
    state = policy.initial_state(1)
    for step in range(start + frames):
        mean, state = policy.run(torch.as_tensor(observation).view(1, 1, -1), state)
        observation, _, terminated, truncated, _ = env.step(mean[0, 0].clamp(-1, 1).numpy())
        if step >= start:
            pictures.append(Image.fromarray(env.render()))
        if terminated or truncated:
            log.warning("the walk from seed %d ended after %d steps, before the film did", seed, step + 1)
            break
    env.close()
    return pictures


def measure(
    store: Store, steps: int = 200, frames: int = 80, pictured: int = 6
) -> tuple[pd.DataFrame, dict, dict[str, bytes]]:
    """A walk of :func:`best_walker`: its record, which policy it is, and a film of it."""
    experiment, config, seed, score = best_walker(store)
    policy, statistics = revive(config, store.weights(experiment, config, seed))
    table, falls = first_whole(lambda seed: record(policy, statistics, config.task, steps, seed), steps)
    pictures = film(policy, statistics, config.task, steps - frames, frames, SEED + falls)
    shown = pictures[: 2 * pictured : 2]
    facts = {
        "environment": config.task.environment,
        "network": config.network.name,
        "seed": seed,
        "config_hash": config.hash,
        "return": score,
        "falls_before": falls,
        "film_starts_s": (steps - frames) * 0.05,
        "strip_every_s": 0.1,
    }
    return table, facts, {"film.gif": animation(pictures), "strip.png": strip(shown)}


def best_walker(store: Store) -> tuple[str, LocomotionConfig, int, float]:
    """The neuromodulated policy with the highest return on Ant, or on HalfCheetah where no run on Ant is at hand.

    Returns:
        The experiment's name, the configuration, the seed and the return.
    """
    modulated = [name for name, (_, modulated) in NETWORKS.items() if modulated]
    sweeps = [locomotion(name, policies=modulated) for name in EXPERIMENTS]
    experiment, runs = next((sweep, runs) for sweep in sweeps if len(runs := store.results(sweep)[0]))
    best = runs.loc[runs["return"].idxmax()]
    (config,) = (config for config in experiment.configs if config.hash == best["config_hash"])
    return experiment.name, config, int(best["seed"]), float(best["return"])


def stale(store: Store) -> Iterator[str]:
    """A line if the published walk is not of the policy that would be shown today."""
    folder = store.published / "gait"
    if folder.exists():
        _, config, seed, _ = best_walker(store)
        facts = load_measurements(folder)[1]["facts"]
        if (facts["config_hash"], facts["seed"]) != (config.hash, seed):
            yield (
                f"{folder}: shows seed {facts['seed']} of {facts['network']} on {facts['environment']}; the highest return has "
                f"seed {seed} of {config.network.name} on {config.task.environment}"
            )


def first_whole(walk: Callable[[int], pd.DataFrame], steps: int, attempts: int = 20) -> tuple[pd.DataFrame, int]:
    """The first walk, from SEED on, that lasts ``steps`` control steps, and how many before it ended in a fall."""
    for falls in range(attempts):
        table = walk(SEED + falls)
        if len(table) == steps:
            return table, falls
    raise ValueError(f"steps = {steps}: must be fewer, since none of {attempts} walks lasted as long")


def animation(pictures: Sequence[Image.Image], milliseconds: int = 50) -> bytes:
    """An animated GIF of ``pictures``, each shown for ``milliseconds``, over and over."""
    file = io.BytesIO()
    first, *rest = (picture.quantize(64) for picture in pictures)
    first.save(file, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return file.getvalue()


def strip(pictures: Sequence[Image.Image]) -> bytes:
    """A PNG of ``pictures`` side by side."""
    width, height = pictures[0].size
    whole = Image.new("RGB", (width * len(pictures), height))
    for k, picture in enumerate(pictures):
        whole.paste(picture, (k * width, 0))
    file = io.BytesIO()
    whole.quantize(128).save(file, "PNG", optimize=True)
    return file.getvalue()
