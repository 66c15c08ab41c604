"""Films of trained policies: several walk side by side, under the same condition, from the same start.

A walker is shown as it usually walks: of a policy's seeds, the one with the median return. Pictures are drawn by MuJoCo
off screen (set MUJOCO_GL to egl or osmesa), and written as MP4 by the ffmpeg that imageio-ffmpeg carries
(``pip install spikepropamine[films]``).
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from ..checks import require, require_choice
from ..snn.networks import NETWORKS
from ..walking.conditions import CONDITIONS, TRAINING, impose
from ..walking.inference import acting
from ..walking.robots import ENVIRONMENTS, EndDiverged, Normalised
from .locomotion import EXPERIMENTS, LocomotionConfig, revive
from .sweeps import Store
from .walking_round_two import round_two

FRAMES_PER_SECOND = 20  # a picture a control step: real time
SECONDS = 10
SEED = 2_000_000  # of the walks shown, which no training and no evaluation uses


class Walker(NamedTuple):
    """A trained run."""

    experiment: str
    config: LocomotionConfig
    seed: int
    score: float  # mean return under the training condition

    @property
    def name(self) -> str:
        """Of the policy."""
        return self.config.network.name

    def revive(self, store: Store) -> tuple[nn.Module, tuple]:
        """The policy and the statistics of its observations."""
        return revive(self.config, store.weights(self.experiment, self.config, self.seed))


def median_walker(store: Store, environment: str, name: str) -> Walker:
    """The run of policy ``name`` in round two whose return is the median over its seeds (the lower one of two in the middle).

    Raises:
        ValueError: an unknown environment or policy, or one without a published run.
    """
    require_choice("environment", environment, ENVIRONMENTS)
    (experiment,) = (key for key, value in EXPERIMENTS.items() if value == environment)
    sweep = round_two(experiment, policies=[name])
    runs = store.results(sweep)[0]
    require(len(runs) > 0, "name", name, f"a policy with a finished run on {environment}")
    middle = runs.sort_values("return").iloc[(len(runs) - 1) // 2]
    return Walker(sweep.name, sweep.configs[0], int(middle["seed"]), float(middle["return"]))


def best_plastic(store: Store, environment: str) -> str:
    """The plastic network whose median walker has the highest return on ``environment``."""
    plastic = [name for name, (rule, _) in NETWORKS.items() if rule is not None]
    return max(plastic, key=lambda name: median_walker(store, environment, name).score)


FILMED: dict[str, tuple[str, float | None]] = {
    "undisturbed": (TRAINING, None),
    "slippery-floor": ("low friction", CONDITIONS["low friction"].strengths[-1]),
    "lame-leg": ("lame leg", CONDITIONS["lame leg"].strengths[-1]),
}


class Take(NamedTuple):
    """One walker's part of a film."""

    pictures: list[Image.Image]
    metres: float  # along x, in the whole of the film
    fell_s: float  # when the episode ended; NaN where it did not


@torch.no_grad()
def take(
    walker: Walker, store: Store, condition: str, strength: float | None, steps: int, size: tuple[int, int] = (300, 240)
) -> Take:
    """``steps`` control steps of ``walker`` under a condition, without exploration; after a fall the last picture stays."""
    policy, statistics = walker.revive(store)
    width, height = size
    inner = gymnasium.make(
        walker.config.task.environment, render_mode="rgb_array", width=width, height=height, camera_name="track"
    )
    env = impose(Normalised(EndDiverged(inner), *(x.numpy() for x in statistics)), condition, strength)
    observation, _ = env.reset(seed=SEED)
    act, data, state, pictures, fell = acting(policy), env.unwrapped.data, policy.initial_state(1), [], float("nan")
    start = data.qpos[0]
    for step in range(steps):
        if np.isnan(fell):
            mean, state = act(torch.as_tensor(observation).view(1, -1), state)
            observation, _, terminated, _, info = env.step(mean[0].clamp(-1, 1).numpy())
            if info["diverged"]:
                raise RuntimeError(
                    f"{walker.name} under {condition}: the simulation diverged {step} steps into the film"
                )
            picture = Image.fromarray(env.render())
            fell = (step + 1) / FRAMES_PER_SECOND if terminated else fell
        metres = float(data.qpos[0] - start)
        pictures.append(
            _labelled(picture, f"{walker.name}   {round(metres, 1) + 0.0:.1f} m" + ("   fell" if fell == fell else ""))
        )
    env.close()
    return Take(pictures, metres, fell)


def film(takes: Sequence[Take], bit_rate: str = "600k") -> bytes:
    """An MP4 (H.264) of ``takes`` side by side."""
    import imageio.v2 as imageio  # only who films needs an ffmpeg

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with imageio.get_writer(
            path, fps=FRAMES_PER_SECOND, codec="libx264", bitrate=bit_rate, macro_block_size=2, pixelformat="yuv420p",
            ffmpeg_params=["-preset", "slow", "-movflags", "+faststart", "-map_metadata", "-1"],
        ) as writer:  # fmt: skip
            for row in zip(*(one.pictures for one in takes), strict=True):
                writer.append_data(np.concatenate([np.asarray(picture) for picture in row], axis=1))
        return path.read_bytes()


def films(store: Store, steps: int = FRAMES_PER_SECOND * SECONDS) -> Iterator[tuple[str, bytes, list[dict]]]:
    """For each robot and each of FILMED a name, the film, and facts of its three walkers: the plain network, the best plastic one and the MLP."""
    for robot, environment in EXPERIMENTS.items():
        walkers = [median_walker(store, environment, name) for name in ("snn", best_plastic(store, environment), "mlp")]
        for what, (condition, strength) in FILMED.items():
            takes = [take(walker, store, condition, strength, steps) for walker in walkers]
            facts = [
                {"film": f"{robot}-{what}", "environment": environment, "network": walker.name, "seed": walker.seed,
                 "config_hash": walker.config.hash, "return": walker.score, "condition": condition,
                 "strength": strength, "metres": one.metres, "fell_s": None if np.isnan(one.fell_s) else one.fell_s}
                for walker, one in zip(walkers, takes)
            ]  # fmt: skip
            yield f"{robot}-{what}", film(takes), facts


def _labelled(picture: Image.Image, text: str) -> Image.Image:
    """``picture`` with ``text`` on a dark bar along its top."""
    labelled = picture.copy()
    draw = ImageDraw.Draw(labelled)
    draw.rectangle((0, 0, picture.width, 22), fill=(20, 20, 20))
    draw.text((8, 4), text, fill=(255, 255, 255), font=ImageFont.load_default(14))
    return labelled
