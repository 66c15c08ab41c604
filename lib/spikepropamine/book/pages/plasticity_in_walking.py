"""What plasticity does in a walk: sentences and figures, of the policies of both rounds."""

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd

from ...experiments import kept as kept_by
from ...experiments.plasticity_in_walking import BOUNDS, FADES_S, WAYS
from ...records.statistics import interquartile_mean
from ...snn.networks import NetworkOptions
from ...training.ppo import PPO
from .. import figures, plots
from ..figures import Drawing
from ..phrases import between, enumerated
from ..rerun import counted

# from which share of the return on E counts as a fixed weight, and as the same in every episode
HELD_KEEPS, SWAPPED_KEEPS = 0.95, 0.9
HELD = "E held at its mean"


def relative(ways: pd.DataFrame, of: str = "return") -> pd.DataFrame:
    """``ways`` with ``share``: the return in each way, or another column, as a share of the same policy's as trained."""
    keys = ["environment", "network", "seed"]
    trained = ways[ways.way == WAYS[0]].set_index(keys)[of].rename("as_trained")
    ways = ways.merge(trained, left_on=keys, right_index=True)
    return ways[ways.way != WAYS[0]].assign(share=lambda t: t[of] / t.as_trained)


def what_plasticity_does(ways: pd.DataFrame) -> list[str]:
    """A few sentences: what is lost without E, what another E does, what E is like, and what its bound does."""
    shares = relative(ways)
    robots = list(dict.fromkeys(shares.environment))

    def mean(way: str, robot: str) -> float:
        return interquartile_mean(shares[(shares.way == way) & (shares.environment == robot)].share).mean

    def by_network(way: str, robot: str) -> str:
        at = shares[(shares.way == way) & (shares.environment == robot)].groupby("network", sort=False).share
        return ", ".join(f"{name} {interquartile_mean(values).mean:.0%}" for name, values in at)

    def of_each(way: str) -> str:
        return "; ".join(f"{mean(way, robot):.0%} on {robot} ({by_network(way, robot)})" for robot in robots)

    held = shares[shares.way == HELD].groupby(["environment", "network"], sort=False).share
    fixed = [interquartile_mean(values).mean >= HELD_KEEPS for _, values in held]
    where = "" if all(fixed) else f" in {sum(fixed)} of {len(fixed)} cases"
    first = (
        f"**E is used {f'like a fixed weight{where}, not as a memory' if any(fixed) else 'as more than a fixed weight'}.** With E held at "
        f"its mean plastic policies keep of their return {of_each(HELD)}; without reading E (α = 0) they keep {of_each('α = 0')}."
        + _of_progress(ways)
    )
    swapped, others = (
        {robot: mean(way, robot) for robot in robots} for way in ("E swapped between episodes", "E of another policy")
    )
    matters = min(swapped.values()) < SWAPPED_KEEPS
    second = (
        f"What E holds of the present episode {'matters' if matters else 'hardly matters'}: with that of another episode "
        f"policies keep {_on_each(swapped)}. With the mean E of another policy they keep "
        + "; ".join(
            f"{share:.0%} on {robot} ({by_network('E of another policy', robot)})" for robot, share in others.items()
        )
    )
    of_another = shares[shares.way == "E of another policy"].groupby("network", sort=False).share
    own = [name for name, values in of_another if interquartile_mean(values).mean < 0.9]
    if not matters and own:
        second += (
            f", so that what is written serves as well in other episodes, and in {enumerated(own)} is each policy's own"
        )
    at = (
        ways[ways.way == WAYS[0]].groupby(["environment", "network"], sort=False)[["at_bound", "alpha_E_over_W"]].mean()
    )
    third = "Of the efficacies these shares sit at their bound, mean over an episode: " + "; ".join(
        f"on {robot} {', '.join(f'{name} {row.at_bound:.0%}' for name, row in at.loc[robot].iterrows())}, while |α E| is "
        f"{between(list(at.loc[robot].alpha_E_over_W))} of |W|"
        for robot in robots
    )
    return [figures.minus(text + ".") for text in (first.removesuffix("."), second, third)] + _swept(shares, robots)


def _of_progress(ways: pd.DataFrame) -> str:
    """What is kept without reading E where a bonus for staying up is part of the return, in a sentence; empty where none is, or lengths are not there."""
    told = {}
    for robot, of_it in ways.groupby("environment", sort=False) if "length" in ways else ():
        if kept_by.BONUS.get(robot):
            progress = relative(kept_by.with_progress(of_it), "progress")
            told[robot] = interquartile_mean(progress[progress.way == "α = 0"].share).mean
    return f" Of progress, which leaves out the bonus for staying up, that is {_on_each(told)}." if told else ""


def _on_each(shares: Mapping[str, float]) -> str:
    return enumerated(f"{share:.0%} on {robot}" for robot, share in shares.items())


def _swept(shares: pd.DataFrame, robots: Sequence[str]) -> list[str]:
    """What networks keep with other bounds of E, and where E fades, in two sentences; nothing where it was not measured."""

    def kept(ways: Mapping[str, float]) -> tuple[float, str]:
        at = {
            robot: [interquartile_mean(cell).mean for _, cell in part.groupby(["way", "network"]).share]
            for robot in robots
            if len(part := shares[(shares.environment == robot) & shares.way.isin(ways)])
        }
        told = enumerated(f"{between(values)} on {robot}" for robot, values in at.items())
        return min((min(values) for values in at.values()), default=1.0), told

    (least, bounded), (_, faded) = kept(BOUNDS), kept(FADES_S)
    if not bounded or not faded:
        return []
    matters = "little" if least >= 0.9 else "in some networks"
    others = " or ".join(f"{bound:g}" for bound in BOUNDS.values())
    return [
        f"Where that bound lies matters {matters}: with a bound of {others} in place of {NetworkOptions().e_max:g}, networks keep {bounded} of their "
        f"return. With an E that fades, within {enumerated(f'{tau:g} s' for tau in FADES_S.values())}, they keep {faded}."
    ]


def in_round_two(ways: pd.DataFrame) -> str:
    """The same of round two's policies, in two sentences; empty where they were not measured."""
    if ways.empty:
        return ""
    seeds = ways.groupby(["environment", "network"]).seed.nunique()
    told = enumerated(f"{counted(seeds[robot].min(), 'seed')} on {robot}" for robot in dict.fromkeys(ways.environment))
    first, second = what_plasticity_does(ways)[:2]
    return f"Of round two's policies ({told}): {first} {second}"


def with_longer_pieces(ways: pd.DataFrame, longer: pd.DataFrame, before: PPO, now: PPO) -> str:
    """Whether plasticity comes to use where gradients reach farther back; empty where that was not measured.

    Args:
        ways: of round two's policies; those count of which ``longer`` has the network and the seed.
        longer: of policies trained through longer pieces.
        before, now: how either were trained.
    """
    keys = ["environment", "network", "seed"]
    both = ways[keys].merge(longer[keys]).drop_duplicates() if len(ways) and len(longer) else pd.DataFrame()
    if both.empty:
        return ""
    old, new = (_means(table.merge(both, on=keys)) for table in (ways, longer))
    held, swapped, unread = "E held at its mean", "E swapped between episodes", "α = 0"

    def a_memory(kept: Mapping[str, float]) -> bool:
        return kept[held] < HELD_KEEPS or kept[swapped] < SWAPPED_KEEPS

    verdict = "leave that as it is" if a_memory(old) == a_memory(new) else "change that"
    return figures.minus(
        f"Gradients that reach back {now.piece} control steps in place of {before.piece}, so that credit can reach the writing of E "
        f"({now.environments} environments at a time in place of {before.environments}, with as many steps between updates; "
        f"{counted(both.groupby('network').seed.nunique().min(), 'seed')} of {both.network.nunique()} plastic networks on "
        f"{enumerated(both.environment.unique())}, exploratory), {verdict}: with E held at its mean these policies keep {new[held]:.0%} of their "
        f"return ({old[held]:.0%} before), with the E of another episode {new[swapped]:.0%} ({old[swapped]:.0%}), without reading E "
        f"{new[unread]:.0%} ({old[unread]:.0%}). They return {new['return']:,.0f} where the others return {old['return']:,.0f}."
    )


def _means(ways: pd.DataFrame) -> dict[str, float]:
    """By way the interquartile mean of the shares kept; and that of the return as trained."""
    kept = {way: interquartile_mean(values).mean for way, values in relative(ways).groupby("way").share}
    return kept | {"return": interquartile_mean(ways[ways.way == WAYS[0]]["return"]).mean}


def draw_ways(ways: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """What is kept of the return where E is changed, a panel a robot."""
    shares = relative(ways)
    robots, styles = list(dict.fromkeys(shares.environment)), figures.network_styles(names)
    figure, axes = figures.grid(1, len(robots), height=3.6, squeeze=False, sharey=True)
    for axis, robot in zip(axes[0], robots):
        plots.seeds_and_interval(axis, shares[shares.environment == robot], "share", styles, at="way", horizontal=True)
        plots.limits(axis, {"as trained": 1.0}, horizontal=True)
        axis.set(xlabel="share of the return kept")
        axis.set_title(robot, pad=14)
    plots.legend_above(figure, {name: styles[name] for name in names if name in set(shares.network)})
    kept = {
        key: interquartile_mean(cell).mean for key, cell in shares.groupby(["environment", "way"], sort=False).share
    }
    told = "; ".join(f"{way} on {robot}: {share:.0%}" for (robot, way), share in kept.items())
    swapped = enumerated(f"{kept[robot, 'E swapped between episodes']:.0%} on {robot}" for robot in robots)
    return Drawing(
        figure,
        shares[["environment", "network", "seed", "way", "return", "share"]],
        f"With the E of another episode round two's policies keep {swapped} of their return: return of every policy (faint) with "
        "E changed, as a share of its own as trained, and interquartile means over seeds with 95% bootstrap intervals.",
        f"Dot plot of shares of the return, ways down the side. {told}.",
    )


def _much(shares: Mapping[str, float]) -> str:
    return "Most" if min(shares.values()) >= 0.5 else "A part"


_LINES = (("E.at_bound", "share of E at the bound"), ("alpha_E_over_W", "|α E| / |W|"), ("rate.hidden", "rate (Hz)"))


def draw_plasticity(gait: pd.DataFrame, ways: pd.DataFrame) -> Drawing:
    """What E is like through whole episodes of the median walkers, and what is kept where E is changed."""
    shares = relative(ways)
    robots = [robot for robot in dict.fromkeys(gait.environment) if (shares.environment == robot).any()]
    names = [name for name in dict.fromkeys(gait.network)]
    styles, changed = figures.network_styles(names), [way for way in WAYS[1:] if (shares.way == way).any()]
    places = 0.34 * len(changed)  # as high as its places ask for, beside three time courses
    figure, axes = figures.grid(
        4, len(robots), height=5.9 + 1.2 * places, squeeze=False, height_ratios=[1, 1, 1, places]
    )
    rows = []
    for column, robot in zip(axes.T, robots):
        for axis, (what, label) in zip(column, _LINES):
            for name in names:
                one = gait[(gait.environment == robot) & (gait.network == name)]
                if what in one and one[what].notna().any():
                    smooth = one[what].rolling(20, min_periods=1).mean()
                    axis.plot(one.time_s, smooth, color=styles[name]["color"], ls=styles[name]["linestyle"], lw=1.1)
                    every = slice(19, None, 20)
                    rows.append(pd.DataFrame({"environment": robot, "network": name, "quantity": what,
                                              "time_s": one.time_s[every], "value": smooth[every]}))  # fmt: skip
            axis.set(xlim=(0, gait.time_s.max()), ylim=(0, None))
            axis.set_ylabel(label if robot == robots[0] else "")
        column[0].set_title(robot)
        column[2].set_xlabel("time in the episode (s)")
        at = shares[shares.environment == robot]
        plots.seeds_and_interval(column[3], at, "share", styles, at="way", horizontal=True)
        plots.limits(column[3], {"as trained": 1.0}, horizontal=True)
        column[3].set_xlabel("share of the return kept")
        if robot != robots[0]:
            column[3].set_yticklabels([])
        rows.append(
            at.assign(quantity="share kept", value=at.share)[
                ["environment", "network", "seed", "way", "quantity", "value"]
            ]
        )
    plots.legend_above(figure, styles)
    at_zero = {robot: shares[(shares.environment == robot) & (shares.way == "α = 0")].share for robot in robots}
    least = {robot: interquartile_mean(values).mean for robot, values in at_zero.items()}
    told = ", ".join(f"{value:.0%} on {robot}" for robot, value in least.items())
    return Drawing(
        figure,
        pd.concat(rows, ignore_index=True),
        f"{_much(least)} of the walk is kept without reading E ({told} of the return with α = 0). Above: share of efficacies at their bound, "
        "mean size of α E in that of W, and firing rate of the second population through a whole episode of each network's "
        "median walker, running means over 1 s. Below: return of every policy (faint) with E changed, as a share of its own as "
        "trained, and interquartile means with 95% bootstrap intervals.",
        "Per robot three time courses over an episode of 50 s and a dot plot. " + "; ".join(
            f"{way} on {robot}: {interquartile_mean(shares[(shares.environment == robot) & (shares.way == way)].share).mean:.0%}"
            for robot, way in product(robots, changed)
        ) + ".",
    )  # fmt: skip
