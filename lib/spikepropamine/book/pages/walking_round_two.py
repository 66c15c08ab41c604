"""Round two of the chapter on learning to walk: the search for what brings spiking policies nearer to the MLP, and its ten seeds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ...experiments.config import Experiment
from ...experiments.kept import BONUS, with_progress
from ...experiments.locomotion import EXPERIMENTS
from ...experiments.walking_round_two import (
    FURTHER_CHANGES,
    GAP_CHANGES,
    GAP_STEPS,
    TAKEN,
    UNCHANGED,
    gain_of,
    gap_changes,
    gap_search,
)
from ...records.statistics import Interval, interquartile_mean
from ...snn.networks import NETWORKS
from ...walking.evaluation import EPISODES
from .. import figures, plots
from ..claims import number
from ..figures import Drawing
from ..judges.judge import Definitions
from ..phrases import between, enumerated
from .locomotion import against_plain, last_fifth, plastic_of, reached, shares_of_ordinary

CLOSED_AT = 0.9  # of the MLP's return
SIGNIFICANT_AT = 0.05  # adjusted p of a difference from snn
BESIDES = {  # what a change is besides what its name says
    "four ticks of 12.5 ms": "The MLP has no ticks, so that only the spiking policies are changed by it. It is more than a finer "
    "time: η is per tick, so that E is written twice as often, and neurons can fire twice as often."
}
FLAT_WITHIN = 0.05  # relative change of the mean return in the last fifth of training


# ---------------------------------------------------------------- the search


def tried_to_close(searches: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """By robot's experiment, the runs of its :func:`walking_round_two.gap_search`: the return of a policy under a change.

    ``share_of_ordinary`` is that of the MLP's return under the same change, NaN where it was not run.
    """
    rows = []
    for robot, runs in searches.items():
        known = gap_changes(robot)
        for run in runs.to_dict("records"):
            if run["config_hash"] in known:
                network, change = known[run["config_hash"]]
                named = {"environment": EXPERIMENTS[robot], "network": network, "change": change}
                rows.append(named | {key: run[key] for key in ("config_hash", "seed", "git_commit", "return")})
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    keys = ["environment", "change", "seed"]
    ordinary = table[table.network == "mlp"].set_index(keys)["return"].rename("ordinary")
    table = table.join(ordinary, on=keys)
    table = table.assign(share_of_ordinary=table["return"] / table.ordinary).drop(columns="ordinary")
    order = [*EXPERIMENTS.values(), *GAP_CHANGES, *FURTHER_CHANGES]
    return table.sort_values(["environment", "change"], key=lambda c: c.map(order.index))


def does_it_close(
    table: pd.DataFrame,
    planned: int,
    again: Mapping[str, Sequence[float]] | None = None,
    later: pd.DataFrame | None = None,
) -> str:
    """What was tried to bring spiking policies nearer to the MLP, in sentences.

    Args:
        table: of :func:`tried_to_close`, the list that was registered.
        planned: how many of its runs were planned.
        again: by robot what spiking policies reach of the MLP's return in round two, with the change that was taken.
        later: likewise as ``table``, what was tried later.
    """
    told = (
        f"One list of {len(GAP_CHANGES) - 1} changes was tried for every policy, {GAP_STEPS:,} steps and one seed each: "
        f"{len(table)} of {planned} runs are done."
    )
    if table.empty:
        return f"*Not yet run*: {told}"
    every = table if later is None or later.empty else pd.concat([table, later], ignore_index=True)
    spiking = every[every.network.isin(NETWORKS)]
    near = spiking.share_of_ordinary >= CLOSED_AT
    everywhere = near.groupby([spiking.environment, spiking.change]).all()
    if not near.any():
        answer = "Not by what was tried so far."
    elif everywhere.any():
        answer = "With some changes."
    else:
        still = sum(
            len(_still_near(part, part[part.network.isin(NETWORKS)])) for _, part in every.groupby("environment")
        )
        answer = f"No: of {len(spiking)} single runs {still or 'none'} reach{'es' * (still < 2)} {CLOSED_AT:.0%} of the MLP as it was."
    if again:
        shares = enumerated(f"{between(list(values))} on {robot}" for robot, values in again.items())
        told += f" With ten seeds, in round two, spiking policies reach {shares} of the MLP's return under the change that was taken."
    lines = [_on_one_robot(robot, part) for robot, part in table.groupby("environment", sort=False)]
    lines += _over_robots(table)
    return f"**{answer}** {told}\n\n" + "\n".join(f"- {line}" for line in lines)


def further(closer: pd.DataFrame, later: pd.DataFrame) -> str:
    """What the exploratory changes, ``later``, add to round one's settings, which are in ``closer``; empty where none was run.

    Sentences, and a table of the changes that were tried with all policies on at least one robot.
    """
    if later.empty or closer.empty:
        return ""
    tried = [change for change in FURTHER_CHANGES if change in set(later.change)]
    unfelt = [f"*{change}*" for change in tried if _of_neurons(change)]
    planned = len(FURTHER_CHANGES) * closer.network.nunique() * closer.environment.nunique()
    told = (
        f"Later, and exploratory, a second list of {len(FURTHER_CHANGES)} changes was tried in the same way ({len(later)} of {planned} runs are done)."
        + f" The MLP has nothing that {enumerated(unfelt)} would change." * bool(unfelt)
    )
    lines, gains = [], {}
    for robot, part in later.groupby("environment", sort=False):
        before = closer[closer.environment == robot]
        gains[robot] = gain_of(pd.concat([before, part], ignore_index=True)).reindex(tried).dropna()
        lines.append(_later_on(robot, before, part, gains[robot]))
    adds = pd.concat(gains, axis=1)
    everywhere = adds.dropna()
    mean = everywhere.mean(axis=1)
    if len(gains) > 1 and len(everywhere) and mean.max() > 0:
        lines.append(_on_both(mean.idxmax(), everywhere.loc[mean.idxmax()]))
    adds = adds.loc[adds.mean(axis=1).sort_values(ascending=False).index].map(
        lambda gain: "–" if pd.isna(gain) else f"{gain:+,.0f}"
    )
    table = adds.rename_axis("adds to the mean return of all policies").reset_index().to_markdown(index=False)
    said = "\n".join(f"- {line}" for line in lines)
    return figures.minus("\n\n".join([told, *([table] if len(adds) else []), said]))


def _later_on(robot: str, before: pd.DataFrame, later: pd.DataFrame, gains: pd.Series) -> str:
    """What the later changes bring on one robot: which adds most, of those that were tried with all policies, and who comes near the MLP."""
    spiking = later[later.network.isin(NETWORKS) & later.share_of_ordinary.notna()]
    near = spiking[spiking.share_of_ordinary >= CLOSED_AT]
    reach = enumerated(f"{r.network} with *{r.change}* ({r.share_of_ordinary:.0%})" for r in near.itertuples())
    told = f"**{robot}**: "
    if len(gains) and gains.max() > 0:
        shares = spiking[spiking.change == gains.idxmax()].share_of_ordinary
        told += f"*{gains.idxmax()}* adds most, and under it spiking policies reach {between(list(shares))} of what the MLP then has. "
    return (
        told
        + f"{CLOSED_AT:.0%} of what the MLP has under the same change is reached by {reach or 'none'}, and of what it had before by "
        f"{len(_still_near(before, spiking)) or 'none'} of {len(spiking)} runs."
    )


def _on_both(change: str, gains: pd.Series) -> str:
    """The change that adds most over all robots, in words."""
    return f"**Over both robots** *{change}* adds most, {gains.mean():+,.0f} on average and {gains.min():+,.0f} where it adds least."


def _of_neurons(change: str) -> bool:
    """Whether a change is one of spiking neurons alone."""
    network, training = (GAP_CHANGES | FURTHER_CHANGES)[change]
    return not training and network.keys() <= {"options", "ticks"}


def _over_robots(table: pd.DataFrame) -> list[str]:
    """The change that adds most over all robots, of those that were tried with every policy on each; none on one robot alone."""
    gains = pd.concat({robot: gain_of(part) for robot, part in table.groupby("environment")}, axis=1)
    gains = gains.drop(index=UNCHANGED, errors="ignore").dropna()
    if gains.shape[1] < 2 or gains.empty:
        return []
    most = gains.mean(axis=1).idxmax()
    return [
        figures.minus(_on_both(most, gains.loc[most])) + " The rule asks for the best change of each robot by itself."
    ]


def _on_one_robot(robot: str, tried: pd.DataFrame) -> str:
    """How near spiking policies come to the MLP on one robot, with which changes, and which is taken."""
    spiking = tried[tried.network.isin(NETWORKS) & tried.share_of_ordinary.notna()]
    before, after = (spiking[(spiking.change == UNCHANGED) == as_before] for as_before in (True, False))
    told = f"**{robot}**: "
    if len(before):
        told += f"with the settings of round one spiking policies reach {between(list(before.share_of_ordinary))} of the MLP's return. "
    if len(after):
        near = after[after.share_of_ordinary >= CLOSED_AT].sort_values("share_of_ordinary", ascending=False)
        each = enumerated(f"{r.network} with *{r.change}* ({r.share_of_ordinary:.0%})" for r in near.itertuples())
        told += f"With a change {len(near) or 'none'} of {len(after)} runs reach{'es' * (len(near) < 2)} {CLOSED_AT:.0%} of what the MLP has under the same change"
        told += f": {each}{_of_the_mlp_as_it_was(tried, near)}. " if len(near) else ". "
    gains = gain_of(tried).drop(UNCHANGED, errors="ignore").sort_values(ascending=False)
    if len(gains):
        ranked = enumerated(f"*{change}* ({gain:+,.0f})" for change, gain in gains[:2].items())
        told += (
            f"Of {len(gains)} changes tried with all policies, {'these add' if len(gains) > 1 else 'this adds'} most to their mean "
            f"return: {figures.minus(ranked)}, an order that one seed of each leaves uncertain. "
        )
    name = next(name for name, environment in EXPERIMENTS.items() if environment == robot)
    planned = len(gap_search(name).runs)
    if len(tried) < planned:
        return f"{told}{len(tried)} of {planned} runs are done, and none is chosen before all are."
    chosen = "keeps the settings of round one" if TAKEN[name] == UNCHANGED else "takes the first"
    return f"{told}Round two {chosen}, by the rule in `book/claims.yml`. {BESIDES.get(TAKEN[name], '')}".rstrip()


def _of_the_mlp_as_it_was(tried: pd.DataFrame, near: pd.DataFrame) -> str:
    """How many of the runs that come near the MLP also come near it without the change, under which it may have lost."""
    if not ((tried.network == "mlp") & (tried.change == UNCHANGED)).any():
        return ""
    still = len(_still_near(tried, near))
    return f"; of the MLP as it was, {still or 'none'} of these {'does' if still < 2 else 'do'}"


def _still_near(tried: pd.DataFrame, some: pd.DataFrame) -> pd.DataFrame:
    """Those of ``some`` runs on one robot that come near the MLP as it was without a change."""
    before = tried[(tried.network == "mlp") & (tried.change == UNCHANGED)]["return"]
    return some[some["return"] >= CLOSED_AT * before.mean()]


def draw_tried(table: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """Return of every policy under each change, a panel a robot."""
    robots, changes = list(dict.fromkeys(table.environment)), list(dict.fromkeys(table.change))
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(robots), height=1.0 + 0.15 * len(changes), squeeze=False, sharey=True)
    for axis, robot in zip(axes[0], robots):
        for name, look in styles.items():
            part = table[(table.environment == robot) & (table.network == name)]
            axis.plot(part["return"], part.change.map(changes.index), **look | {"linestyle": "none", "ms": 5})
        plots.name_places(axis, changes, horizontal=True)
        axis.set(title=robot, xlabel="return", xlim=(0, None))
    plots.legend_above(figure, {name: styles[name] for name in names if name in set(table.network)})
    spiking = table[table.network.isin(NETWORKS)].dropna(subset=["share_of_ordinary"])
    most = {
        robot: part.loc[part.share_of_ordinary.idxmax()] for robot, part in spiking.groupby("environment", sort=False)
    }
    message = " and ".join(
        f"{r.share_of_ordinary:.0%} on {robot} ({r.network}, {r.change})" for robot, r in most.items()
    )
    told = "; ".join(
        f"{robot}, {change}: " + ", ".join(f"{name} {value:,.0f}" for name, value in zip(part.network, part["return"]))
        for (robot, change), part in table.groupby(["environment", "change"], sort=False)
    )
    return Drawing(
        figure,
        table[["environment", "network", "change", "seed", "return", "share_of_ordinary"]],
        (f"The highest share of the MLP's return under the same change is {message}: " if message else "")
        + f"return after {GAP_STEPS:,} steps, mean of {EPISODES} episodes of one policy (seed {table.seed.iloc[0]}), by what was "
        "changed. One seed each: small distances between marks mean little.",
        f"Dot plot of returns, changes down the side. {told}.",
    )


def shown_tried(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`tried_to_close` as it is read: a row a change, a column a policy, and what the change adds to their mean."""
    wide = table.pivot_table("return", ["environment", "change"], "network", sort=False)
    gains = pd.concat({robot: gain_of(part) for robot, part in table.groupby("environment", sort=False)})
    return (
        wide.map(number)
        .assign(
            **{"gain of the mean": [f"{gains.get(key, float('nan')):+,.0f}".replace("+nan", "–") for key in wide.index]}
        )
        .rename_axis(columns=None)
        .reset_index()
    )


# ---------------------------------------------------------------- ten seeds


def in_words(
    planned: Mapping[str, Experiment],
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    definitions: Definitions,
    names: Sequence[str],
) -> str:
    """What round two finds on each robot, as far as it was run."""
    lines = [_of_robot(name, one, runs, curves, definitions, names) for name, one in planned.items()]
    made, total = len(runs), sum(len(one.runs) for one in planned.values())
    judged = (
        "All runs are done."
        if made == total
        else f"{made} of {total} runs are done; its claims are judged when all are done and measured."
    )
    return f"{judged}\n\n" + "\n".join(f"- {figures.minus(line)}" for line in lines)


def beside_round_one(first: pd.DataFrame, second: pd.DataFrame, names: Sequence[str]) -> str:
    """What spiking policies reach of the MLP's return in either round, in a sentence a robot that both have."""
    told = []
    before, after = shares_of_ordinary(first, names), shares_of_ordinary(second, names) if len(second) else {}
    for robot in before.keys() & after.keys():
        steps = [table[table.environment == robot]["training.steps"].max() for table in (first, second)]
        change = TAKEN[next(name for name, environment in EXPERIMENTS.items() if environment == robot)]
        told.append(
            f"On {robot} spiking policies reached {between(before[robot])} of the MLP's return in round one, with {steps[0]:,} steps, and reach "
            f"{between(after[robot])} with {steps[1]:,} and *{change}*."
        )
    return " ".join(sorted(told))


class Standing(NamedTuple):
    """Where the policies of one robot stand that has all its runs."""

    middle: dict[str, Interval]  # of the return, by network
    walk: list[str]  # plastic networks that do
    shares: dict[str, float]  # of the MLP's return, by spiking network
    tests: pd.DataFrame  # each plastic network against snn
    differ: pd.DataFrame  # those of them that are significant


def standing(runs: pd.DataFrame, definitions: Definitions, names: Sequence[str]) -> Standing:
    """Where the policies stand whose ``runs`` on one robot are all done."""
    middle = {network: interval for (_, network), interval in reached(runs).items() if network in names}
    plastic, ordinary = [network for network in plastic_of(names) if network in middle], middle.get("mlp")
    tests = against_plain(runs, plastic)
    return Standing(
        middle,
        [network for network in plastic if middle[network].low >= definitions.walks_at_least],
        {n: middle[n].mean / ordinary.mean for n in names if n in NETWORKS and n in middle} if ordinary else {},
        tests,
        tests[tests.adjusted_p < SIGNIFICANT_AT] if len(tests) else tests,
    )


def headlines(
    planned: Mapping[str, Experiment], runs: pd.DataFrame, definitions: Definitions, names: Sequence[str]
) -> list[str]:
    """A sentence for each robot that has all its runs: how near to the MLP, who walks, and whether plasticity helps."""
    told = []
    for name, one in planned.items():
        of_it = runs[runs.environment == EXPERIMENTS[name]] if len(runs) else runs
        if len(of_it) < len(one.runs):
            continue
        found = standing(of_it, definitions, names)
        if found.shares and len(found.tests):
            count, differ = len(found.tests), len(found.differ)
            others = [name for name in plastic_of(found.middle) if name not in found.walk]
            but = f", all but {enumerated(others)}" if 0 < len(others) < len(found.walk) else ""
            told.append(
                f"**Round two, {EXPERIMENTS[name]}: {len(found.walk)} of {count} plastic networks walk{but}** ({one.configs[0].training.steps:,} "
                f"steps, {TAKEN[name]}). Spiking policies reach {between(list(found.shares.values()))} of the MLP's return, and "
                f"{differ or 'none'} of {count} plastic ones differ{'s' * (differ < 2)} significantly from the plain snn."
            )
    return told


def _of_robot(
    name: str,
    planned: Experiment,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    definitions: Definitions,
    names: Sequence[str],
) -> str:
    robot, steps = EXPERIMENTS[name], planned.configs[0].training.steps
    settings = f"**{robot}** ({steps:,} steps, {TAKEN[name]})"
    runs = runs[runs.environment == robot] if len(runs) else runs
    if runs.empty:
        return f"{settings}: *not yet run*."
    found = (
        _so_far(runs, len(planned.runs), names) if len(runs) < len(planned.runs) else _whole(runs, definitions, names)
    )
    return f"{settings}: {found} {_levelled(curves[curves.environment == robot])}".rstrip()


def _so_far(runs: pd.DataFrame, planned: int, names: Sequence[str]) -> str:
    """Plain means of what is done of one robot."""
    means, seeds = (
        runs.groupby("network", sort=False)["return"].mean(),
        runs.network.value_counts().reindex(names, fill_value=0),
    )
    shares = [means[n] / means["mlp"] for n in names if n in NETWORKS and n in means and "mlp" in means]
    return (
        f"{len(runs)} of {planned} runs, seeds of each policy: {between(list(seeds), 'd')}, too few to judge. So far they return {', '.join(f'{name} {means[name]:,.0f}' for name in names if name in means)}"
        + (f": spiking policies {between(shares)} of the MLP's return." if shares else ".")
    )


def _whole(runs: pd.DataFrame, definitions: Definitions, names: Sequence[str]) -> str:
    """Who walks, who comes near the MLP, and whether plasticity helps, on one robot with all its seeds."""
    found = standing(runs, definitions, names)
    told = (
        f"{len(found.walk)} of {len(plastic_of(found.middle))} plastic networks walk (at least {definitions.walks_at_least:,} by the "
        f"interval's lower end): {', '.join(f'{network} {interval:,.0f}' for network, interval in found.middle.items())}."
    )
    if found.shares:
        near = [n for n, share in found.shares.items() if share >= definitions.reaches_at_least]
        told += (
            f" Spiking policies reach {between(list(found.shares.values()))} of the MLP's return; "
            + (f"{enumerated(near)} {'reaches' if len(near) == 1 else 'reach'}" if near else "none reaches")
            + f" the {definitions.reaches_at_least:.0%} that was asked for."
            + _of_progress(runs, list(found.shares))
        )
    if len(found.tests):
        open_ = max(found.tests.low.abs().max(), found.tests.high.abs().max())
        each = enumerated(
            f"{r.network} ({r.difference:+,.0f}, adjusted p {r.adjusted_p:.2g})" for r in found.differ.itertuples()
        )
        told += (
            f" From the plain snn {len(found.differ) or 'none'} of {len(found.tests)} plastic networks differ{'s' * (len(found.differ) < 2)} significantly"
            f"{f': {each}' if each else ''} (Mann-Whitney U, Benjamini-Hochberg; not among the criteria); "
            f"by Welch's 95% intervals differences of up to {open_:,.0f} stay possible."
        )
    return told


def _of_progress(runs: pd.DataFrame, spiking: Sequence[str]) -> str:
    """The same of progress where a bonus for staying up is part of the return, in a sentence; empty where none is."""
    if "length" not in runs or not BONUS.get(runs.environment.iloc[0]):
        return ""
    progress = with_progress(runs).groupby("network").progress.apply(lambda values: interquartile_mean(values).mean)
    shares = [progress[name] / progress["mlp"] for name in spiking]
    return f" Of progress, which leaves out the bonus for staying up, they make {between(shares)}."


def _levelled(curves: pd.DataFrame) -> str:
    """Whose mean return still changed at the end of training."""
    change = last_fifth(curves).droplevel("environment")
    if change.empty:
        return ""
    moving = change[change.abs() > FLAT_WITHIN]
    return f"In the last fifth of training mean returns changed by {between(list(change), '+.0%')}: " + (
        (
            f"{'none' if len(moving) == len(change) else 'all but ' + enumerated(moving.index)} had levelled off"
            if len(moving)
            else "all curves had levelled off"
        )
        + ", as far as returns with exploration noise can tell while the learning rate goes to zero."
    )
