"""Why spiking policies may stay behind the ordinary one: a small step of their weights is a large one of their actions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ...experiments.weight_sensitivity import DRAWS, STEPS
from ...records.statistics import interquartile_mean
from .. import figures, plots
from ..figures import Drawing
from ..phrases import between, enumerated

SMALL = 1e-3  # the move of the weights that sentences speak of


def middle(table: pd.DataFrame, value: str = "action_moved") -> pd.Series:
    """The interquartile mean over seeds of ``value`` by (environment, network)."""
    cells = table.groupby(["environment", "network"], sort=False)[value]
    return pd.Series({key: interquartile_mean(values.dropna()).mean for key, values in cells})


def exponents(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` by policy: with which power of the weights' move the actions' grows, over all sizes of move."""
    keys, rows = ["environment", "network", "seed"], []
    for key, part in table.groupby(keys, sort=False):
        slope, _ = np.polyfit(np.log(part.weights_moved), np.log(part.action_moved), 1)
        rows.append((*key, slope))
    return pd.DataFrame(rows, columns=[*keys, "exponent"])


def times_as_far(table: pd.DataFrame) -> list[float]:
    """How many times as far as the MLP's the actions of each spiking policy move, with weights moved by SMALL."""
    moved = middle(table[np.isclose(table.weights_moved, SMALL)])
    return [moved[e, n] / moved[e, "mlp"] for e, n in moved.index if n != "mlp" and (e, "mlp") in moved.index]


def in_a_sentence(table: pd.DataFrame) -> str:
    """The likely cause, to follow another sentence; empty where it was not measured."""
    factors = times_as_far(table) if len(table) else []
    if not factors:
        return ""
    return (
        f" A likely cause is that their actions jump: with weights moved by {SMALL:.1%} they move {between(factors, '.0f')} times as "
        "far as the MLP's."
    )


def with_return(table: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Whether spiking policies whose actions move less return more, by robot, in a sentence; empty where there are too few."""
    small = table[np.isclose(table.weights_moved, SMALL) & (table.network != "mlp")]
    both, told = small.merge(runs[["config_hash", "seed", "return"]], on=["config_hash", "seed"]), []
    for robot, part in both.groupby("environment", sort=False):
        if len(part) > 4:
            rho, p = stats.spearmanr(part.action_moved, part["return"])
            told.append(f"{rho:.2f} on {robot} (p = {p:.2g}, {len(part)} policies)")
    return f" The rank correlation of that move and the return is {enumerated(told)}." if told else ""


def why_behind(table: pd.DataFrame, curves: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The likely cause in words: how far actions move, and how large PPO's steps are; ``curves`` and ``runs`` are of training."""
    factors = times_as_far(table)
    if not factors:
        return ""
    moved, powers = middle(table[np.isclose(table.weights_moved, SMALL)]), middle(exponents(table), "exponent")

    def both(values: pd.Series, form: str) -> str:
        ordinary = values.index.get_level_values(1) == "mlp"
        return f"{between(list(values[~ordinary]), form)} for spiking policies and {between(list(values[ordinary]), form)} for the MLP"

    end = curves[curves.step == curves.groupby("environment").step.transform("max")]
    return figures.minus(
        "**A likely cause is that their actions jump.** Proximal policy optimisation takes small steps in the weights and counts "
        f"on small steps in the actions. Where every weight of a trained policy moves at random by {SMALL:.1%} of its size, the "
        f"mean action moves by {both(moved, '.2%')}, as a share of how much it varies in a walk: {between(factors, '.0f')} times as "
        f"far. It grows with a power of the weights' move: {both(powers, '.2f')}. A power of 1 is a smooth response; 0.5 is what "
        "single spikes give, which come or go in proportion to the move and are all of one size.\n\n"
        f"In training their updates go far. The interquartile mean of the divergence (KL) of an update is {both(middle(curves, 'kl'), '.2f')}. "
        f"The share of ratios beyond the clip is {both(middle(curves, 'clipped'), '.0%')}, and the standard deviation of actions ends at "
        f"{both(middle(end, 'std'), '.2f')}.\n\n"
        f"That this is what holds the return back is not shown.{with_return(table, runs)} It would explain why spiking "
        "controllers come nearer to ordinary ones with TD3, which weighs no action by the ratio of two policies' probabilities; "
        "TD3 was not tried here. Smaller steps were: a third of the learning rate and half the clip are among the changes below."
    )


def in_round_two(table: pd.DataFrame, runs: pd.DataFrame) -> str:
    """How far the actions of round two's policies move, and whether those return more whose move less; empty where not measured."""
    factors = times_as_far(table) if len(table) else []
    if not factors:
        return ""
    robots = enumerated(dict.fromkeys(table.environment))
    return figures.minus(
        f"Of round two's policies on {robots} the same is measured: with weights moved by {SMALL:.1%} the actions of spiking ones "
        f"move {between(factors, '.0f')} times as far as the MLP's.{with_return(table, runs)}"
    )


def draw_sensitivity(table: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """How far actions move by how far weights do, a panel a robot."""
    robots, styles = list(dict.fromkeys(table.environment)), figures.network_styles(names)
    figure, axes = figures.grid(1, len(robots), height=2.9, sharey=True, squeeze=False)
    for axis, robot in zip(axes[0], robots):
        part = table[table.environment == robot]
        plots.band(axis, part, "weights_moved", "action_moved", styles)
        axis.set(title=robot, xscale="log", yscale="log", xlabel="move of the weights (share of their size)")
    axes[0][0].set_ylabel("move of the actions (share)")
    plots.legend_above(figure, {name: styles[name] for name in names if name in set(table.network)})
    moved = middle(table[np.isclose(table.weights_moved, SMALL)])
    told = "; ".join(f"{name} on {robot} {value:.2%}" for (robot, name), value in moved.items())
    return Drawing(
        figure,
        table[["environment", "network", "seed", "weights_moved", "action_moved"]],
        "Actions of spiking policies jump where those of the ordinary policy follow smoothly: root mean square of what the mean actions of "
        f"a trained policy move, as a share of their own deviation over a walk of {STEPS} control steps, when every weight moves at "
        f"random, a normal number times the root mean square of its tensor times the value on the x axis, mean over {DRAWS} draws. "
        "Interquartile mean over seeds with 95% bootstrap interval.",
        f"Lines of the actions' move against the weights', both logarithmic, a panel a robot. With weights moved by {SMALL:.1%}: {told}.",
    )
