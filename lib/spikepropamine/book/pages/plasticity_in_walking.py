"""What plasticity does in a walk: sentences and figures, of the policies of both rounds."""

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ...experiments import kept as kept_by
from ...experiments.plasticity_in_walking import BOUNDS, EPISODES, FADES_S, WAYS
from ...records.statistics import interquartile_difference, interquartile_mean
from ...snn.networks import NetworkOptions
from ...training.ppo import PPO
from .. import figures, plots
from ..figures import Drawing
from ..phrases import between, enumerated
from ..rerun import counted

# from which share of the progress on E counts as a fixed weight, and as the same in every episode
HELD_KEEPS, SWAPPED_KEEPS = 0.95, 0.9
_, UNREAD, HELD, SWAPPED, FOREIGN, *_ = WAYS


def relative(ways: pd.DataFrame) -> pd.DataFrame:
    """``ways`` with ``share``: the progress in each way as a share of the same policy's as trained, which kept nothing if it made none."""
    ways = kept_by.with_progress(ways)
    trained = ways[ways.way == WAYS[0]].set_index(kept_by.KEYS).progress.rename("as_trained")
    ways = ways.merge(trained, left_on=kept_by.KEYS, right_index=True)
    return ways[ways.way != WAYS[0]].assign(share=lambda t: (t.progress / t.as_trained).where(t.as_trained > 0, 0.0))


def what_plasticity_does(ways: pd.DataFrame) -> list[str]:
    """Three sentences: what is lost without the E of the moment, what another E does, and what E is like; none where it was not measured."""
    if ways.empty:
        return []
    shares = relative(ways)
    robots = list(dict.fromkeys(shares.environment))

    def by_network(way: str, robot: str) -> str:
        at = shares[(shares.way == way) & (shares.environment == robot)].groupby("network", sort=False).share
        return ", ".join(f"{name} {_not_rounded_up(interquartile_mean(values).mean)}" for name, values in at)

    def of_each(way: str) -> str:
        kept = _kept(shares, way, robots)
        return " and ".join(f"{share:.0%} on {robot} ({by_network(way, robot)})" for robot, share in kept.items())

    held = shares[shares.way == HELD].groupby(["environment", "network"], sort=False).share
    kept = {f"{name} on {robot}": interquartile_mean(values) for (robot, name), values in held}
    fixed, others = ([case for case, i in kept.items() if (i.mean >= HELD_KEEPS) == yes] for yes in (True, False))
    where = f" in {len(fixed)} of {len(kept)} cases (network × robot), all but {enumerated(others)}" if others else ""
    how = f"like a fixed weight{where}, not as a memory" if fixed else "as more than a fixed weight"
    ends = [kept[case].low for case in fixed if not math.isnan(kept[case].low)]
    by_end = (
        f" In {f'these {len(fixed)} cases' if others else 'each case'} at least {HELD_KEEPS:.0%} is kept by the mean; the intervals' lower ends lie at {between(ends)}, so that "
        "some use of E as a memory stays possible."
        if ends
        else ""
    )
    first = (
        f"**E is used {how}.** With E held at its mean plastic policies keep {of_each(HELD)} of their progress.{by_end} Without reading E "
        f"(α = 0) they keep {of_each(UNREAD)}."
    )
    swapped = _kept(shares, SWAPPED, robots)
    matters = min(swapped.values()) < SWAPPED_KEEPS
    second = (
        f"What E holds of the present episode {'matters' if matters else 'hardly matters'}: with that of another episode "
        f"policies keep {_on_each(swapped)}. With the mean E of another policy they keep {of_each(FOREIGN)}"
    )
    of_another = shares[shares.way == FOREIGN].groupby("network", sort=False).share
    own = [name for name, values in of_another if interquartile_mean(values).mean < 0.9]
    if not matters and own:
        second += (
            f". So E of another episode serves as well, and E of another policy does not in {enumerated(own)}; but neurons of two policies do "
            "not correspond"
        )
    at = (
        ways[ways.way == WAYS[0]].groupby(["environment", "network"], sort=False)[["at_bound", "alpha_E_over_W"]].mean()
    )
    third = "Of the efficacies these shares sit at their bound, mean over an episode: " + "; ".join(
        f"on {robot} {', '.join(f'{name} {row.at_bound:.0%}' for name, row in at.loc[robot].iterrows())}, while |α E| is "
        f"{between(list(at.loc[robot].alpha_E_over_W))} of |W|"
        for robot in robots
    )
    return [figures.minus(f"{text.removesuffix('.')}.") for text in (first, second, third)]


def _not_rounded_up(share: float) -> str:
    """``share`` with a digit more where it would round onto HELD_KEEPS, which it is below."""
    return f"{share:.1%}" if share < HELD_KEEPS <= round(share, 2) else f"{share:.0%}"


def _kept(shares: pd.DataFrame, way: str, robots: Sequence[str]) -> dict[str, float]:
    """By robot the interquartile mean over policies of what is kept in one way."""
    at = shares[shares.way == way]
    return {robot: interquartile_mean(at[at.environment == robot].share).mean for robot in robots}


def _on_each(shares: Mapping[str, float]) -> str:
    return enumerated(f"{share:.0%} on {robot}" for robot, share in shares.items())


def briefly(ways: pd.DataFrame) -> str:
    """What plasticity does where nothing is different, in a sentence; empty where it was not measured."""
    if ways.empty:
        return ""
    shares, trained = relative(ways), ways[ways.way == WAYS[0]]
    robots = list(dict.fromkeys(shares.environment))
    at_bound = trained.groupby(["environment", "network"]).at_bound.mean()
    robot, name = at_bound.idxmax()
    return (
        f"Where nothing is different these policies keep {_on_each(_kept(shares, HELD, robots))} of their progress with E held at its mean, and "
        f"{_on_each(_kept(shares, UNREAD, robots))} without reading E (α = 0); up to {at_bound.max():.0%} of efficacies sit at their bound ({name} on {robot})."
    )


def with_other_bounds(ways: pd.DataFrame) -> str:
    """What networks keep with other bounds of E, and where E fades, in two sentences; empty where it was not measured."""
    if ways.empty or not ways.way.isin([*BOUNDS, *FADES_S]).any():
        return ""
    shares = relative(ways)

    def kept(some: Mapping[str, float]) -> tuple[float, str]:
        at = shares[shares.way.isin(some)].groupby(["environment", "way", "network"], sort=False).share
        cells = at.apply(lambda cell: interquartile_mean(cell).mean)
        told = enumerated(
            f"{between(list(cells[robot]))} on {robot}" for robot in dict.fromkeys(cells.index.get_level_values(0))
        )
        return cells.min(), told

    (least, bounded), (_, faded) = kept(BOUNDS), kept(FADES_S)
    others = " or ".join(f"{bound:g}" for bound in BOUNDS.values())
    return figures.minus(
        f"Where the bound of E lies matters {'little' if least >= 0.9 else 'in some networks'}: with a bound of {others} in place of "
        f"{NetworkOptions().e_max:g}, networks keep {bounded} of their progress. With an E that fades, within "
        f"{enumerated(f'{tau:g} s' for tau in FADES_S.values())}, they keep {faded}."
    )


def whose(ways: pd.DataFrame) -> str:
    """How many seeds of each network were measured, by robot."""
    seeds = ways.groupby(["environment", "network"]).seed.nunique()
    return enumerated(f"{counted(seeds[robot].min(), 'seed')} on {robot}" for robot in dict.fromkeys(ways.environment))


def with_longer_pieces(ways: pd.DataFrame, longer: pd.DataFrame, before: PPO, now: PPO) -> str:
    """Whether plasticity comes to use where gradients reach farther back; empty where that was not measured.

    Args:
        ways: of round two's policies; those count of which ``longer`` has the network and the seed.
        longer: of policies trained through longer pieces.
        before, now: how either were trained.
    """
    keys = kept_by.KEYS
    both = ways[keys].merge(longer[keys]).drop_duplicates() if len(ways) and len(longer) else pd.DataFrame()
    if both.empty:
        return ""
    tables = [table.merge(both, on=keys) for table in (ways, longer)]
    old, new = map(_means, tables)
    returns = [
        [cell["return"].tolist() for _, cell in table[table.way == WAYS[0]].groupby("network")] for table in tables
    ]
    more = interquartile_difference(*reversed(returns))

    def a_memory(kept: Mapping[str, float]) -> bool:
        return kept[HELD] < HELD_KEEPS or kept[SWAPPED] < SWAPPED_KEEPS

    verdict = "leave that as it is" if a_memory(old) == a_memory(new) else "change that"
    return figures.minus(
        f"Gradients that reach back {now.piece} control steps in place of {before.piece}, so that credit can reach the writing of E "
        f"({now.environments} environments at a time in place of {before.environments}, with as many steps between updates; "
        f"{counted(both.groupby('network').seed.nunique().min(), 'seed')} of {both.network.nunique()} plastic networks on "
        f"{enumerated(both.environment.unique())}, exploratory), {verdict}: with E held at its mean these policies keep {new[HELD]:.0%} of their "
        f"progress ({old[HELD]:.0%} for the same seeds of round two), with the E of another episode {new[SWAPPED]:.0%} ({old[SWAPPED]:.0%}), without reading E "
        f"{new[UNREAD]:.0%} ({old[UNREAD]:.0%}). In these walks, {EPISODES} episodes of each policy, they return {new['return']:,.0f} and the others {old['return']:,.0f}: "
        f"{more:+,.0f} by 95% bootstrap interval, which {'leaves out' if more.low > 0 or more.high < 0 else 'holds'} zero."
    )


def _means(ways: pd.DataFrame) -> dict[str, float]:
    """By way the interquartile mean of the shares kept; and that of the return as trained."""
    kept = {way: interquartile_mean(values).mean for way, values in relative(ways).groupby("way").share}
    return kept | {"return": interquartile_mean(ways[ways.way == WAYS[0]]["return"]).mean}


def _much(shares: Mapping[str, float]) -> str:
    return "Most" if min(shares.values()) >= 0.5 else "A part"


_LINES = (("E.at_bound", "share of E at the bound"), ("alpha_E_over_W", "|α E| / |W|"), ("rate.hidden", "rate (Hz)"))


def draw_plasticity(gait: pd.DataFrame, ways: pd.DataFrame, walkers: Iterable[Mapping] = ()) -> Drawing:
    """What E is like through whole episodes of the median ``walkers``, and what is kept where E is changed."""
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
        column[3].set_xlabel("share of progress kept")
        if robot != robots[0]:
            column[3].set_yticklabels([])
        rows.append(
            at.assign(quantity="share kept", value=at.share)[
                ["environment", "network", "seed", "way", "quantity", "value"]
            ]
        )
    plots.legend_above(figure, styles)
    kept = {way: _kept(shares, way, robots) for way in changed}
    fell = [f"{w['network']} on {w['environment']}" for w in walkers if w["falls_before"] and w["network"] in names]
    passed = f" (of {enumerated(fell)} another episode than the first, which ended in a fall)" if fell else ""
    return Drawing(
        figure,
        pd.concat(rows, ignore_index=True),
        f"{_much(kept[UNREAD])} of the walk is kept without reading E ({_on_each(kept[UNREAD])} of progress with α = 0), and with E held at its mean "
        f"{_on_each(kept[HELD])}. Above: share of efficacies at their bound, mean size of α E as a share of that of W, and firing rate of the second population "
        f"through a whole episode of each network's median walker{passed}, running means over 1 s. Below: progress of every policy (faint) with E changed, as a "
        "share of its own as trained, and interquartile means over seeds with 95% bootstrap intervals.",
        "Per robot three time courses over an episode of 50 s and a dot plot. "
        + "; ".join(f"{way} on {robot}: {share:.0%}" for way, by in kept.items() for robot, share in by.items())
        + ".",
    )
