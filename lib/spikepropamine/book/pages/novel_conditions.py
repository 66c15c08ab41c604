"""Figures, tables and sentences of the chapter on novel conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from scipy import stats

from ...experiments import kept
from ...records.statistics import Interval, interquartile_difference, interquartile_mean
from ...snn.networks import NETWORKS
from ...walking.conditions import CONDITIONS, TRAINING
from ...walking.robots import ENVIRONMENTS
from .. import figures, plots
from ..figures import Drawing
from ..judges.judge import VERDICTS, Decision, Definitions, Round
from ..judges.walking_by_policies import on_one_robot, whole_policies
from ..phrases import between, capital, enumerated
from .locomotion import ANT, ant_first, plastic_of, with_enough
from .walking_round_two import SIGNIFICANT_AT

STRENGTHS = {"moderate": kept.MODERATE, "strongest": kept.STRONGEST}
REGISTERED, *STRICTER = kept.MEASURES
SHORT = {
    REGISTERED: "return (as registered)",
    STRICTER[0]: "return, at most 100%",
    STRICTER[1]: "progress",
    STRICTER[2]: "progress, at most 100%",
    STRICTER[3]: "progress, strongest",
}


def names_of(walks: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """By environment the policies at hand, in the order of the book."""
    if walks.empty:
        return {}
    return {e: [n for n in names if ((walks.environment == e) & (walks.network == n)).any()] for e in dict.fromkeys(walks.environment)}  # fmt: skip


def measured_in_words(walks: pd.DataFrame, episodes: int, hours: float, unknown: int) -> str:
    """What was measured, how long that took, and what went wrong."""
    seeds = walks.groupby(["environment", "network"], sort=False).seed.nunique()
    return (
        f"Measured on {episodes} episodes of each policy under each condition and strength, all from the same starting states: "
        + "; ".join(f"on {e}, {_policies(seeds[e])}" for e in dict.fromkeys(walks.environment))
        + f". That took {hours:.2f} core hours" + (f", not counting {unknown} policies measured before the time was kept" if unknown else "")
        + f". {diverged_in_words(walks)}{_not_yet_run(walks)}"
    )  # fmt: skip


def _policies(seeds: pd.Series) -> str:
    """How many policies there are of each network."""
    if seeds.nunique() == 1:
        return f"{seeds.iloc[0]} of each network ({', '.join(seeds.index)})"
    return ", ".join(f"{n} of {name}" for name, n in seeds.items())


def _not_yet_run(walks: pd.DataFrame) -> str:
    """The conditions that can be imposed and that no policy has walked under."""
    missing = [condition for condition in CONDITIONS if condition not in set(walks.condition)]
    return f" Not yet run: {', '.join(missing)}." if missing else ""


def diverged_in_words(walks: pd.DataFrame, under: str = "condition") -> str:
    """Episodes whose simulation diverged, by condition, or by whatever column says ``under`` what policies walked."""
    by = walks.groupby(["environment", under], sort=False).diverged.sum()
    by = by[by > 0]
    if by.empty:
        return "No simulation diverged."
    told = ", ".join(f"{n} under {condition} on {robot}" for (robot, condition), n in by.items())
    return f"Episodes whose simulation diverged, counted and left out: {told}."


def conditions_table() -> str:
    """The conditions with their strengths, as Markdown."""
    rows = [
        f"| {name} | {kind.make.__doc__.strip().splitlines()[0]} | "
        f"{', '.join(f'{s:g}' for s in kind.strengths)} | {kind.moderate:g} {kind.unit} |"
        for name, kind in CONDITIONS.items()
    ]
    return "\n".join(["| condition | what is different | strengths | moderate |", "|---|---|---|---|", *rows])


# ---------------------------------------------------------------- what we found


DIVIDES = " Part of this may be arithmetic: what was learned also divides the share, so that chance alone pulls it below zero."


def _correlated(rho: float, p: float) -> str:
    """A rank correlation of what was learned and what is kept of it, with what it owes to arithmetic where it may be one."""
    return f"{rho:.2f} (p {'< 0.001' if p < 0.001 else f'= {p:.1g}'}).{DIVIDES * bool(rho < 0 and p < SIGNIFICANT_AT)}"


HELPS = 1.2  # a share of progress above which a condition is said to help


def what_we_found(walks: pd.DataFrame, adapted: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> str:
    """Three to five sentences, as a list."""
    plastic, robots = plastic_of(names), list(dict.fromkeys(walks.environment))
    lines = []
    if plastic and ANT in robots:
        lines.append(f"{whether_it_holds(walks, plastic, definitions)} [Measure by measure](#what-is-kept).")
    for robot in robots:
        share = kept.shares(walks[walks.environment == robot]).groupby("condition").share.mean()
        both = share.max() > HELPS
        lines.append(
            f"**On {robot} {'the average hides both directions' if both else f'{share.idxmin()} costs most'}.** At moderate strength "
            + (f"{share.idxmax()} raises progress to {share.max():.0%}, over all policies, and " if both else "")
            + f"{share.idxmin()} leaves {share.min():.0%}."
        )
    for robot in robots:
        learned = learned_and_kept(walks, robot)
        if len(learned) > 4:
            rho, p = stats.spearmanr(learned["trained"], learned.share)
            how = (
                "are not shown to go together"
                if p >= definitions.significant_at
                else "rise together"
                if rho > 0
                else "go against each other"
            )
            lines.append(
                f"**On {robot} return and share kept {how}**: their rank correlation over {len(learned)} spiking policies is "
                + _correlated(rho, p)
            )
    if len(adapted):
        lines.append(adaptation_in_a_sentence(adapted))
    return "\n".join(f"- {line}" for line in map(figures.minus, lines))


def verdict_of(share: float, definitions: Definitions) -> str:
    """Where a mean share stands: "kept", "in part" or "lost", by the thresholds of round one, without its interval."""
    if share >= definitions.keeps_at_least:
        return "kept"
    return "in part" if share >= definitions.keeps_partly_at_least else "lost"


def shown_measures(walks: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> pd.DataFrame:
    """What each network keeps by each measure, a row a robot and measure; ● where it is what was asked for."""
    table = kept.robustness(ant_first(walks[walks.network.isin(names)]))
    table["said"] = [f"{share:.1%}{' ●' * (verdict_of(share, definitions) == 'kept')}" for share in table.share]
    wide = table.assign(measure=table.measure.map(SHORT)).pivot_table(
        "said", ["environment", "measure"], "network", aggfunc="first", sort=False
    )
    return wide[[name for name in names if name in wide]].rename_axis(columns=None).reset_index()


def whether_it_holds(walks: pd.DataFrame, plastic: Sequence[str], definitions: Definitions) -> str:
    """Claim 6 on Ant in a sentence: by the measure of round one, and by how many of the stricter ones."""
    table = kept.robustness(walks[walks.network.isin(plastic) & (walks.environment == ANT)])
    each = (
        table.assign(how=table.share.map(lambda share: verdict_of(share, definitions)))
        .groupby("measure", sort=False)
        .how
    )
    found = each.agg(lambda how: "yes" if set(how) == {"kept"} else "no" if set(how) == {"lost"} else "in part")
    told = {"yes": "holds", "in part": "holds in part", "no": "does not hold"}
    stricter, reach = (part.drop(REGISTERED) for part in (found, each.agg(lambda how: (how != "lost").sum())))
    by = [f"by {n} of {len(stricter)} stricter measures it {told[how]}" for how, n in stricter.value_counts().items()]
    # networks that reach that share: by how many of the stricter measures as many
    alike = {n: [SHORT[measure] for measure in part.index] for n, part in reach.groupby(reach, sort=False)}
    of_them = [
        f"{n} of its {len(plastic)} plastic networks by {len(some)} of these"
        if len(some) > 1
        else f"{n} by *{some[0]}*"
        for n, some in alike.items()
    ]
    return (
        f"**Claim 6, that walking degrades near-minimally, {told[found[REGISTERED]]} on Ant by the measure of round one; "
        f"{enumerated(by)}.** {definitions.keeps_partly_at_least:.0%} is kept by {enumerated(of_them)}."
    )


def learned_and_kept(walks: pd.DataFrame, robot: str, of: str = "return", capped: bool = False) -> pd.DataFrame:
    """Return, or progress, under the training condition and mean share of it that is kept, as :func:`kept.shares` has it, a row a spiking policy of ``robot``."""
    at = walks[(walks.environment == robot) & walks.network.isin(list(NETWORKS))]
    if at.empty:
        return pd.DataFrame()
    trained = (
        kept.with_progress(at[at.condition == TRAINING])[[*kept.KEYS, of]].rename(columns={of: "trained"}).fillna(0.0)
    )
    return kept.by_policy(kept.shares(at, of=of, capped=capped)).merge(trained, on=kept.KEYS)


# ---------------------------------------------------------------- what is kept


def draw_shares(walks: pd.DataFrame, robot: str, names: Sequence[str]) -> Drawing:
    """Progress kept under each condition by each network, at moderate and at the strongest level."""
    at = walks[(walks.environment == robot) & walks.network.isin(names)]
    panels = {title: kept.shares(at, strengths) for title, strengths in STRENGTHS.items() if _has(at, strengths)}
    policies = {title: len(table[kept.KEYS].drop_duplicates()) for title, table in panels.items()}
    most = max(policies.values())
    missing = "".join(
        f" The {title} level is measured of {number} of {most} policies, and not shown."
        for title, number in policies.items()
        if number < most
    )
    panels = {title: table for title, table in panels.items() if policies[title] == most}
    figure, axes = figures.grid(1, len(panels), height=3.9, sharey=True, squeeze=False)
    for axis, (title, table) in zip(axes[0], panels.items()):
        values = table.groupby(["condition", "network"]).share.mean().unstack()
        values = values.reindex(
            index=[c for c in CONDITIONS if c in values.index], columns=[n for n in names if n in values]
        )
        _cells(axis, 100 * values, title, "{:z.0f}", limits=(0, 200))
    means = {name: table.groupby("condition").share.mean() for name, table in panels.items()}
    first = next(iter(means.values()))
    by_network = next(iter(panels.values())).groupby(["network", "condition"]).share.mean().unstack()
    lowest, helped = by_network.idxmin(axis=1), int((by_network[first.idxmax()] > 1).sum())
    message = (
        f"At {next(iter(means))} strength {first.idxmin()} costs most on {robot}, for {(lowest == first.idxmin()).sum()} of {len(lowest)} networks"
        + (f", and {first.idxmax()} helps {helped}" if first.max() > 1.05 else "")
    )
    data = at[at.condition != TRAINING].copy()
    trained = at[at.condition == TRAINING].set_index(kept.KEYS)["return"].rename("trained")
    data = data.merge(trained, left_on=kept.KEYS, right_index=True)
    data["share"] = data["return"] / data.trained
    with_progress = kept.with_progress(data)
    told = "; ".join(
        f"{title}: " + ", ".join(f"{c} {100 * value:.0f}%" for c, value in mean.items())
        for title, mean in means.items()
    )
    return Drawing(
        figure,
        with_progress[["environment", "condition", "strength", "network", "seed", "return", "progress", "share"]],
        f"{message}: progress (the return without the bonus for staying up) as a percentage of the same policy's under the "
        f"training condition, mean over policies, what is above 100% counted in full. Orange is less than there, purple more. The data hold every strength that was measured.{missing}",
        f"Two tables of coloured cells, conditions down the side and networks along the top. Means over networks, {told}.",
    )


def _has(walks: pd.DataFrame, strengths: Mapping[str, float]) -> bool:
    return bool(walks.strength.eq(walks.condition.map(strengths)).any())


def _cells(axis: Axes, values: pd.DataFrame, title: str, form: str, limits: tuple[float, float]) -> None:
    """A table of coloured cells with their numbers; the middle of ``limits`` is white."""
    axis.imshow(values, cmap="PuOr", vmin=limits[0], vmax=limits[1], aspect="auto")
    for row, column in np.ndindex(values.shape):
        value = values.iloc[row, column]
        text = "–" if np.isnan(value) else figures.minus(form.format(value))
        # an outline in the opposite ink reads on every cell, in the dark theme too
        outline = [withStroke(linewidth=1.5, foreground="white")]
        axis.text(column, row, text, ha="center", va="center", fontsize=7.5, color="black", path_effects=outline)
    axis.set_xticks(range(values.shape[1]), values.columns, rotation=45, ha="left")
    axis.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axis.set_yticks(range(len(values)), ["nothing" if name == TRAINING else name for name in values.index])
    axis.tick_params(axis="y", length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(title)


def draw_robustness(walks: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> Drawing:
    """What each network keeps by each measure, a panel a robot: every policy, and intervals by resampling policies."""
    robots, styles = list(dict.fromkeys(walks.environment)), figures.network_styles(names)
    rows = []
    for measure, options in kept.measures(walks).items():
        table = kept.shares(walks, **options)
        if measure == REGISTERED:
            # within a policy the middle half of its conditions, as the registered measure has it over all of them
            middle = table.groupby(kept.KEYS, sort=False).share.agg(lambda x: stats.trim_mean(x, 0.25))
            policies = middle.reset_index()
        else:
            policies = kept.by_policy(table)
        rows.append(policies.assign(measure=measure))
    data = pd.concat(rows, ignore_index=True)
    figure, axes = figures.grid(1, len(robots), height=4.2, sharey=True, squeeze=False)
    for axis, robot in zip(axes[0], robots):
        shown = data[(data.environment == robot) & data.network.isin(names)].assign(
            place=lambda t: t.measure.map(SHORT)
        )
        plots.seeds_and_interval(axis, shown, "share", styles, at="place", horizontal=True)
        limits = {"in part": definitions.keeps_partly_at_least, "kept": definitions.keeps_at_least}
        plots.limits(axis, limits, horizontal=True)
        axis.set(xlabel="share kept")
        axis.set_title(robot, pad=14)
    plots.legend_above(figure, {n: styles[n] for n in names if n in set(data.network)})
    told = "; ".join(
        f"{network} on {robot}, {measure}, {interquartile_mean(part.share).mean:.2f}"
        for (robot, measure, network), part in data.groupby(["environment", "measure", "network"], sort=False)
    )
    return Drawing(
        figure,
        data[["environment", "network", "seed", "measure", "share"]],
        f"What is kept depends on the measure: share kept under novel conditions by {data.measure.nunique()} measures, of every policy (faint), and interquartile mean over "
        "policies with 95% bootstrap interval by resampling policies. The first measure is taken within each policy here; the verdict takes it over all "
        "conditions and seeds.",
        f"Dot plots of the share kept, a panel a robot, measures down the side. {told}.",
    )


def costs(walks: pd.DataFrame) -> str:
    """One sentence a robot: which two conditions cost most at moderate strength, and which one helps."""
    told = []
    for robot in dict.fromkeys(walks.environment):
        share = kept.shares(walks[walks.environment == robot]).groupby("condition").share.mean().sort_values()
        worst = " and ".join(f"{condition} ({value:.0%} of progress is left)" for condition, value in share[:2].items())
        helps = f"; {share.index[-1]} raises progress to {share.iloc[-1]:.0%}" if share.iloc[-1] > 1 else ""
        told.append(f"On {robot} {worst} cost most{helps}.")
    return figures.minus(" ".join(told))


def kept_rows(walks: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """By robot and network: as judged (conditions and seeds taken as independent), and by resampling policies."""
    returned, progress, capped = kept.shares(walks, of="return"), kept.shares(walks), kept.shares(walks, capped=True)
    strongest, rows = kept.shares(walks, kept.STRONGEST) if _has(walks, kept.STRONGEST) else None, []
    for robot, present in names_of(walks, names).items():
        strata = {n: _strata(returned, robot, n) for n in present}
        for name in present:
            row = {
                "robot": robot,
                "policy": name,
                "return, as judged": f"{interquartile_mean(*strata[name]):.2f}",
                "return, policies resampled": f"{kept.kept(returned, robot, name):.2f}",
                "progress, policies resampled": f"{kept.kept(progress, robot, name):.2f}",
                "progress at most 100%, policies resampled": f"{kept.kept(capped, robot, name):.2f}",
            }
            if strongest is not None:
                row["progress at the strongest level, policies resampled"] = f"{kept.kept(strongest, robot, name):.2f}"
            if "snn" in present and name != "snn":
                row |= {
                    "more than snn, as judged": f"{interquartile_difference(strata[name], strata['snn']):+.2f}",
                    "more than snn, policies resampled": f"{kept.kept_more(returned, robot, name, 'snn'):+.2f}",
                }
            rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def _strata(table: pd.DataFrame, robot: str, name: str) -> list[pd.Series]:
    at = table[(table.environment == robot) & (table.network == name)]
    return [part.share for _, part in at.groupby("condition", sort=False)]


def compared_with_plain(walks: pd.DataFrame, names: Sequence[str]) -> str:
    """How many plastic networks keep more than snn, as judged and where policies are what is resampled."""
    table, counts, told = kept.shares(walks, of="return"), {}, []
    for robot, present in names_of(walks, names).items():
        if "snn" not in present:
            continue
        for name in plastic_of(present):
            judged = interquartile_difference(_strata(table, robot, name), _strata(table, robot, "snn"))
            policies = kept.kept_more(table, robot, name, "snn")
            counts.setdefault("judged", []).append(judged.low > 0)
            counts.setdefault("policies", []).append(policies.low > 0)
            if judged.low > 0:
                told.append(f"{name} on {robot} {judged:+.2f} as judged, {policies:+.2f} by policies")
    if not counts:
        return ""
    cases, judged, policies = len(counts["judged"]), sum(counts["judged"]), sum(counts["policies"])
    return figures.minus(
        f"{'In some cases' if policies else 'That is not shown'}: with policies resampled {policies} of {cases} cases (network × robot) keep{'s' * (policies == 1)} more than "
        f"snn. As round one judged it, with all conditions and seeds taken as independent, {judged} do{'es' * (judged == 1)}"
        + (f" ({'; '.join(told)})" if told else "")
        + ". Policies are what was drawn at random; twelve conditions of one policy are not twelve policies."
    )


# ---------------------------------------------------------------- round two


ORDINARY, PLAIN = "mlp", "snn"
MET, IN_PART, *_ = VERDICTS


def second_round(walks: pd.DataFrame, planned: int, names: Sequence[str], round: Round) -> str:
    """How many policies of round two are measured, and what they keep by its measure, on each robot."""
    if walks.empty:
        return f"0 of {planned} policies are measured."
    made = len(walks.loc[walks.network.isin(names), kept.KEYS].drop_duplicates())
    lines = [f"- **{robot}**: {_by_criteria(walks, round, robot)}" for robot in ENVIRONMENTS]
    judged = "all" if made == planned else f"{made} of {planned}"
    told = f"{capital(judged)} policies are measured at moderate strength. {diverged_in_words(walks)}"
    return f"{told}\n\n" + figures.minus("\n".join(lines))


def _by_criteria(walks: pd.DataFrame, round: Round, robot: str) -> str:
    """What the criteria of round two say of one robot by itself, as far as it has its seeds."""
    d = round.definitions
    keeps, beside_ordinary, beside_plain = (
        on_one_robot(judge, walks, round, robot)
        for judge in ("keeps_progress", "loses_no_more_than_ordinary", "keeps_more_progress_than_plain")
    )
    if keeps is None or beside_ordinary is None or beside_plain is None:
        judged = [round.plain, *round.plastic, ORDINARY]
        whole = whole_policies(walks, round)
        seeds = whole[whole.environment == robot].groupby("network").seed.nunique().reindex(judged, fill_value=0)
        return f"{between(list(seeds), 'd')} of {d.walking_seeds_at_least} seeds of each policy are measured, too few to judge."

    return (
        f"of {len(round.plastic)} plastic networks {_who(_with(MET, keeps), 'keep')} {d.keeps_at_least:.0%} of progress ({d.keeps_low_at_least:.0%} by the "
        f"lower end), {_who(_with(IN_PART, keeps), 'keep')} at least {d.keeps_partly_at_least:.0%} by the mean. "
        f"{capital(_who(_with(MET, beside_ordinary), 'lose'))} at most {100 * d.keeps_less_at_most:g} percentage points more than the MLP; "
        f"{_who(_with(MET, beside_plain), 'keep')} more than snn. Beyond the criteria: {_not_judged(walks, round, robot)} {capital(_spiking_or_plastic(walks, robot))}"
    )


def _not_judged(walks: pd.DataFrame, round: Round, robot: str) -> str:
    """Where the plain snn and the MLP stand by the criterion of plastic networks, in a sentence."""
    as_plastic = replace(round, networks={**round.networks, "plastic": (PLAIN, ORDINARY)})
    decision = on_one_robot("keeps_progress", walks, as_plastic, robot)
    how = {MET: "meets it", IN_PART: "meets it in part"}
    told = [
        f"{name}, with {one.reason.removeprefix(robot).strip()}, {how.get(one.verdict, 'does not meet it')}"
        for name, one in decision.found.items()
    ]
    beside = on_one_robot(
        "loses_no_more_than_ordinary", walks, replace(round, networks={**round.networks, "plastic": (PLAIN,)}), robot
    )
    loses = beside.found[PLAIN]
    does = "loses no more than the MLP either" if loses.verdict == MET else "is not shown to lose as little"
    return f"held to the criterion of what is kept, {' and '.join(told)}; snn {does} ({loses.reason.removeprefix(robot).strip()})."


def _spiking_or_plastic(walks: pd.DataFrame, robot: str) -> str:
    """Under which conditions spiking policies of ``robot`` keep more than the MLP, and whether those that learned more keep less."""
    table = kept.shares(walks[walks.environment == robot], capped=True)
    both = {
        condition: [list(part[part.network.isin(NETWORKS) == spiking].share) for spiking in (True, False)]
        for condition, part in table.groupby("condition", sort=False)
    }
    more = {condition: interquartile_difference(*([shares] for shares in two)) for condition, two in both.items()}
    ahead = sorted((name for name, i in more.items() if i.low > 0), key=lambda name: -more[name].mean)
    behind = [name for name, i in more.items() if i.high < 0]
    most = " and ".join(
        f"{name} ({' against '.join(f'{interquartile_mean(shares).mean:.0%}' for shares in both[name])})"
        for name in ahead[:2]
    )
    learned = learned_and_kept(walks, robot, of="progress", capped=True)
    found = stats.spearmanr(learned.trained, learned.share)
    at = kept.with_progress(walks[(walks.environment == robot) & walks.strength.eq(walks.condition.map(kept.MODERATE))])
    progress = at.groupby(["condition", "network"]).progress.mean().unstack()
    spiking = [name for name in progress if name in NETWORKS]
    farther = int((progress[ORDINARY] > progress[spiking].max(axis=1)).sum())
    return (
        f"spiking policies, plastic or not, keep a greater share than the MLP under {len(ahead)} of {len(more)} conditions{f', above all under {most}' if most else ''}, "
        f"and a smaller one under {len(behind)}, by intervals that leave out zero. "
        f"In progress itself the MLP, which learned more, is by its mean still ahead of every spiking network under {farther} of {len(progress)}. Among the {len(learned)} "
        f"spiking policies, all networks together, the rank correlation of progress and share of it kept is {_correlated(found.statistic, found.pvalue)}"
    )


def _with(verdict: str, decision: Decision) -> list[str]:
    """The networks of which ``decision`` found that verdict."""
    return [name for name, finding in decision.found.items() if finding.verdict == verdict]


def _who(names: Sequence[str], verb: str) -> str:
    return f"{_listed(names)} {verb}{'s' * (len(names) < 2)}"


def headlines(walks: pd.DataFrame, names: Sequence[str], round: Round) -> list[str]:
    """A sentence for each robot that round two can judge: what is kept by its measure."""
    told = []
    for robot in names_of(ant_first(with_enough(walks)), names) if len(walks) else ():
        decision = on_one_robot("keeps_progress", walks, round, robot)
        if decision is None:
            continue
        table = kept.shares(walks, capped=True)
        mean = {name: kept.kept(table, robot, name).mean for name in (*round.plastic, PLAIN, ORDINARY)}
        d, met, in_part = round.definitions, _with(MET, decision), _with(IN_PART, decision)
        told.append(
            f"**Round two, {robot}: plastic networks keep {between([mean[n] for n in round.plastic])} of their progress** by the stricter measure, the "
            f"plain snn {mean[PLAIN]:.0%} and the MLP {mean[ORDINARY]:.0%}. Of {len(round.plastic)} plastic networks {_who(met, 'keep')} the "
            f"{d.keeps_at_least:.0%} that was asked for, {_who(in_part, 'keep')} at least {d.keeps_partly_at_least:.0%} by the mean."
        )
    return told


def _listed(names: Sequence[str]) -> str:
    if set(names) == set(plastic_of(NETWORKS)):
        return f"all {len(names)}"
    return f"{len(names)} ({', '.join(names)})" if names else "none"


def draw_round_two(walks: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> Drawing:
    """Progress kept by the measure of round two, a panel a robot: every policy, and intervals by resampling policies."""
    data = kept.by_policy(kept.shares(walks, capped=True))
    robots, styles = list(names_of(ant_first(walks), names)), figures.network_styles(names)
    figure, axes = figures.grid(1, len(robots), height=2.6, squeeze=False)
    for axis, robot in zip(axes[0], robots):
        plots.seeds_and_interval(axis, data[data.environment == robot], "share", styles, horizontal=True)
        limits = {"in part": definitions.keeps_partly_at_least, "kept": definitions.keeps_at_least}
        plots.limits(axis, limits, horizontal=True)
        axis.set(xlabel="progress kept, each condition at most 1")
        axis.set_title(robot, pad=14)
    middle = {key: interquartile_mean(part.share) for key, part in data.groupby(["environment", "network"], sort=False)}
    told = "; ".join(f"{network} on {robot} {share:.2f}" for (robot, network), share in middle.items())
    message = "; ".join(
        f"on {robot} spiking policies keep {between([share.mean for (at, n), share in middle.items() if at == robot and n in NETWORKS])} of "
        f"their progress" + (f", the MLP {middle[robot, ORDINARY].mean:.0%}" if (robot, ORDINARY) in middle else "")
        for robot in robots
        if any(at == robot and n in NETWORKS for at, n in middle)
    )
    return Drawing(
        figure,
        data,
        (f"{capital(message)}: " if message else "") + f"progress under {len(CONDITIONS)} novel conditions at moderate strength, as a share of the same policy's "
        "under the training condition, each condition's share at most 1, mean over conditions of every policy (faint) and interquartile "
        "mean over policies with 95% bootstrap interval by resampling policies.",
        f"Dot plot of the share of progress kept, a panel a robot. {told}.",
    )  # fmt: skip


def round_two_rows(walks: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Progress kept by the measure of round two, and how much more than the MLP and the plain snn; a row a robot and policy."""
    table, rows = kept.shares(walks, capped=True), []
    for robot, present in names_of(ant_first(walks), names).items():
        for name in present:
            row = {"robot": robot, "policy": name, "progress kept": f"{kept.kept(table, robot, name):.2f}"}
            for other in (ORDINARY, PLAIN):
                if name != other and other in present:
                    row[f"more than {other}"] = figures.minus(f"{kept.kept_more(table, robot, name, other):+.2f}")
            rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def by_condition_rows(walks: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Progress kept under each condition, at most 1 of each policy: a row a robot and condition, a column a policy."""
    table, rows = kept.shares(walks, capped=True), []
    for robot, present in names_of(ant_first(walks), names).items():
        of_it = table[table.environment == robot].groupby(["condition", "network"]).share
        each = {key: f"{interquartile_mean(shares):.2f}" for key, shares in of_it}
        conditions = [condition for condition in CONDITIONS if any(at == condition for at, _ in each)]
        rows += [
            {"robot": robot, "condition": condition} | {name: each.get((condition, name), "–") for name in present}
            for condition in conditions
        ]
    return pd.DataFrame(rows).fillna("–")


# ---------------------------------------------------------------- does plasticity adapt?


def adaptation_of(adapted: pd.DataFrame) -> pd.DataFrame:
    """Rewards of each way and quarter as a share of the first quarter's; cells in which no episode got that far are left out."""
    keys = ["environment", "network", "seed", "condition", "way"]
    before = adapted[adapted.quarter == 1].set_index(keys).reward.rename("before")
    return (
        adapted.merge(before, left_on=keys, right_index=True)
        .assign(share=lambda t: t.reward / t.before)
        .dropna(subset=["share"])
    )


def free_less_frozen(adapted: pd.DataFrame) -> pd.DataFrame:
    """Reward of a control step in the last quarter with E free less that with E frozen, a row a policy and condition."""
    last = adapted[adapted.quarter == 4]
    wide = last.pivot_table(index=["environment", "network", "seed", "condition"], columns="way", values="reward")
    return (wide["E free"] - wide["E frozen"]).rename("difference").dropna().reset_index()


def by_policies(adapted: pd.DataFrame, beyond: bool = False) -> dict[tuple[str, str], Interval]:
    """Of each robot and network the difference of :func:`free_less_frozen` under novel conditions, policies resampled.

    Args:
        adapted: the measurements.
        beyond: less the same policy's difference where nothing changes, which is what freezing E does by itself.
    """
    gains = free_less_frozen(adapted).set_index(["environment", "network", "seed"])
    changed = gains[gains.condition != TRAINING].groupby(gains.index.names, sort=False).difference.mean()
    unchanged = gains[gains.condition == TRAINING].difference.reindex(changed.index)
    gains = changed - unchanged if beyond else changed
    return {
        key: interquartile_mean(part) for key, part in gains.dropna().groupby(["environment", "network"], sort=False)
    }  # fmt: skip


def adaptation_in_a_sentence(adapted: pd.DataFrame) -> str:
    """Whether E free earns more than E frozen after a change, and more so than where nothing changes."""
    found, beyond = by_policies(adapted), by_policies(adapted, beyond=True)
    both = [case for case in found if found[case].low > 0 and case in beyond and beyond[case].low > 0]
    how = "is not shown to adapt" if not both else "hardly adapts" if len(both) <= len(found) / 2 else "adapts"
    return (
        f"**Plasticity {how} the walk within an episode.** With E free rather than frozen at the change, {_more_and_less(found)} in the "
        f"last quarter; beyond what a free E brings where nothing changes, {_more_and_less(beyond)}. To adapt is to earn more by both "
        f"({len(both)} of {len(found)}); 95% intervals, not corrected for there being {len(found)}, in which differences of up to "
        f"{max(max(abs(i.low), abs(i.high)) for i in (*found.values(), *beyond.values())):.2f} of a control step's reward stay possible."
    )


def _more_and_less(found: Mapping[tuple[str, str], Interval]) -> str:
    """How many cases earn more, and less, by their intervals' ends, and which."""
    told = []
    for how, cases in (
        ("more", [case for case, i in found.items() if i.low > 0]),
        ("less", [case for case, i in found.items() if i.high < 0]),
    ):
        named = f" ({', '.join(f'{name} on {robot}' for robot, name in cases)})" if cases else ""
        if cases or how == "more":
            told.append(f"{len(cases)} of {len(found)} cases earn{'s' * (len(cases) == 1)} {how}{named}")
    return " and ".join(told)


def draw_adaptation(adapted: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """E free less E frozen in the last quarter, condition × network, a panel a robot."""
    gains = free_less_frozen(adapted)
    robots = list(dict.fromkeys(gains.environment))
    figure, axes = figures.grid(1, len(robots), height=4.1, sharey=True, squeeze=False)
    for axis, robot in zip(axes[0], robots):
        values = gains[gains.environment == robot].groupby(["condition", "network"]).difference.mean().unstack()
        order = [c for c in (TRAINING, *CONDITIONS) if c in values.index]
        _cells(
            axis,
            values.reindex(index=order, columns=[n for n in names if n in values]),
            robot,
            "{:+z.2f}",
            limits=(-1, 1),
        )
    sentence = adaptation_in_a_sentence(adapted).replace("**", "").split(". With")[0]
    means = gains[gains.condition != TRAINING].groupby(["environment", "network"], sort=False).difference.mean()
    told = "; ".join(f"{name} on {robot} {value:+.2f}" for (robot, name), value in means.items())
    return Drawing(
        figure,
        adapted[["environment", "condition", "network", "seed", "way", "quarter", "reward", "share", "episodes"]],
        figures.minus(
            f"{sentence}: reward of a control step in the last quarter of the episode with E free, less that with E frozen at the "
            "change, mean over policies. Orange is less with E free, purple more. In the first row nothing changes: it shows what freezing E does by "
            "itself."
        ),
        figures.minus(
            f"Tables of coloured cells, conditions down the side, plastic networks along the top, a panel a robot. Means: {told}."
        ),
    )  # fmt: skip


def shown_adaptation(adapted: pd.DataFrame) -> pd.DataFrame:
    """The differences as they are read."""
    trend = adapted[adapted.way == "E free"].pivot_table(
        index=["environment", "network", "seed", "condition"], columns="quarter", values="reward"
    )
    trend = (
        (trend[4] - trend[2])
        .drop(TRAINING, level="condition")
        .groupby(["environment", "network", "seed"], sort=False)
        .mean()
    )
    gains = free_less_frozen(adapted)
    still, rows, beyond = gains[gains.condition == TRAINING], [], by_policies(adapted, beyond=True)
    for (robot, name), gain in by_policies(adapted).items():
        unchanged = still[(still.environment == robot) & (still.network == name)].difference
        rows.append(
            {
                "robot": robot,
                "policy": name,
                "E free less E frozen": f"{gain:+.3f}",
                "E free, last quarter less second": f"{interquartile_mean(trend.loc[robot, name]):+.3f}",
                "nothing changed: E free less E frozen": f"{interquartile_mean(unchanged):+.3f}",
                "changed less unchanged": f"{beyond[robot, name]:+.3f}" if (robot, name) in beyond else "–",
            }
        )
    return pd.DataFrame(rows)
