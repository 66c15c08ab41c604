"""Figures, tables and sentences of the chapter on the walk that must be learned within the episode."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ...experiments.adaptation_task import E_LESIONS, GAPS_S, LESIONS, SETTLED, TESTED, TwoTrialsConfig, falls_silent
from ...records.statistics import Interval, interquartile_mean
from ...snn.networks import NETWORKS
from ...walking.policies import SpikingPolicy
from ...walking.two_trials import GAIN, REWARD_GAIN, STEP_S, TwoTrials
from .. import figures, plots
from ..figures import Drawing
from ..judges.judge import Definitions
from ..phrases import between, enumerated
from .locomotion import plastic_of

INTACT = "as it is"
REMEMBERS, FINDS = ("remembers", "remember"), ("finds out", "find out")  # what one does, and what several do
_IN_WORDS = {
    "all forgotten": "everything forgotten",
    "all swapped": "everything swapped",
    "E alone kept": "all but E forgotten",
    "E forgotten": "E forgotten",
    "E swapped": "E swapped",
    "E frozen": "E frozen",
    "α = 0": "E not read (α = 0)",
}


def tidy(runs: pd.DataFrame) -> pd.DataFrame:
    """``runs`` with the column ``network``."""
    return runs.rename(columns={"network.name": "network"})


def of_networks(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The ``runs`` of ``names`` with the column ``network``."""
    found = tidy(runs)
    return found[found.network.isin(names)] if len(found) else found


def with_curves(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """``curves`` with the network of their runs."""
    return curves.merge(runs[["config_hash", "seed", "network"]], on=["config_hash", "seed"])


def long(runs: pd.DataFrame, variants: Sequence[str]) -> pd.DataFrame:
    """``score`` and ``right`` of each run as it is and in each of ``variants``, lesions or gaps: a row each."""
    rows = []
    for name in (INTACT, *variants):
        end = "" if name == INTACT else f".{name}"
        if f"score{end}" in runs:
            part = runs[["network", "seed", f"score{end}", f"right{end}"]]
            rows.append(part.set_axis(["network", "seed", "score", "right"], axis=1).assign(variant=name).dropna())
    return pd.concat(rows, ignore_index=True)


# ---------------------------------------------------------------- what we found


def remembers(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> dict[str, tuple[Interval, str]]:
    """By network the share that went the right way, and whether it remembers, forgets, or neither, by the interval's end."""
    found = {}
    for name in names:
        of_it = runs[runs.network == name]
        if len(of_it):
            share = interquartile_mean(of_it.right, confidence=definitions.confidence)
            low, high = (share.mean, share.mean) if np.isnan(share.low) else (share.low, share.high)
            how = (
                "remembers"
                if low >= definitions.remembers_at_least
                else "forgets"
                if high <= definitions.forgets_at_most
                else "neither"
            )
            found[name] = share, how
    return found  # fmt: skip


def too_few(runs: pd.DataFrame, definitions: Definitions) -> str:
    """That there are too few seeds to judge, where there are."""
    fewest = runs.groupby("network").seed.nunique().min()
    enough = definitions.adaptation_seeds_at_least
    return (
        f"**Not judged yet**: {fewest} of {enough} seeds of the network with the fewest are run."
        if fewest < enough
        else ""
    )


def what_we_found(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions, rates: str = "") -> str:
    """Three to five sentences, as a list; the one on other kinds of memory ends with ``rates``, what lower learning rates bring."""
    found, lines = remembers(runs, names, definitions), []
    if few := too_few(runs, definitions):
        lines.append(f"{few} The sentences below rest on these alone.")
    plastic = [name for name in plastic_of(names) if name in found]
    if plastic:
        able = [name for name in plastic if found[name][1] == "remembers"]
        lines.append(
            f"**Does plasticity carry what was learned a moment ago? {answer(len(able), len(plastic))}.** To remember, at least "
            f"{definitions.remembers_at_least:.0%} of episodes must go the right way, by the interval's lower end (chance is 50%): "
            + ", ".join(f"{name} {right_way(found[name][0], definitions)}" for name in plastic)
            + "."
        )
        if able:
            lines.append(_efficacies(runs, able))
            lines.append(_gaps(runs, able))
    without = [name for name in ("snn", "mlp") if name in found]
    able_without = [name for name in without if found[name][1] == "remembers"]
    if without:
        lines.append(
            (
                "**Without a memory nothing is remembered.** "
                if not able_without
                else "**Some remember without a memory.** "
            )
            + " and ".join(f"{name} goes the right way in {found[name][0].mean:.0%}" for name in without)
            + "."
        )
    others = other_memories(found)
    if others:
        each = (
            f"{name} goes the right way in {right_way(found[name][0], definitions)} and runs {mean_score(runs, name):.2f} m"
            for name in others
        )
        beside = enumerated(f"{name} {mean_score(runs, name):.2f}" for name in plastic)
        lines.append(
            f"**Other kinds of memory**: {'; '.join(each)}"
            + (f". The plastic networks run, in metres, {beside}." if plastic else ".")
            + " All had as many steps and tries: with more of either the order may change."
            + _unlearned(others, [name for name in others if found[name][1] == "remembers"])
            + f" {rates}".rstrip()
        )
    return "\n".join(f"- {line}" for line in map(figures.minus, lines))


def _unlearned(others: Sequence[str], able: Sequence[str]) -> str:
    """What it means that only some of the other memories are ``able`` to do the task, in a sentence; empty where all or none are."""
    if not 0 < len(able) < len(others):
        return ""
    failed = enumerated(name for name in others if name not in able)
    return f" {failed} did not learn the task by the two tries that every policy had, so that plasticity is compared with {enumerated(able)} alone."


def right_way(share: Interval, definitions: Definitions) -> str:
    """A share that went the right way, with a digit more where its interval would round onto the criterion."""
    at = definitions.remembers_at_least
    return f"{share:.1%}" if share.low < at <= round(share.low, 2) else f"{share:.0%}"


def who_remembers(
    runs: pd.DataFrame, names: Sequence[str], definitions: Definitions, verb: tuple[str, str] = REMEMBERS
) -> str:
    """One sentence: the policies that remember, or do what ``verb`` says of one and of several; and those that do not."""
    by: dict[str, list[str]] = {"remembers": [], "neither": [], "forgets": []}
    for name, (_, how) in remembers(runs, names, definitions).items():
        by[how].append(name)
    told = [f"{enumerated(by['remembers']) or 'No policy'} {verb[len(by['remembers']) > 1]} which way to run"]
    if by["neither"]:
        told.append(f"{enumerated(by['neither'])} {'lie' if len(by['neither']) > 1 else 'lies'} in between")
    if by["remembers"] and by["forgets"]:
        told.append(
            f"{enumerated(by['forgets'])} {'do' if len(by['forgets']) > 1 else 'does'} not (at most {definitions.forgets_at_most:.0%} of episodes go "
            "the right way, by the upper end)"
        )
    return "; ".join(told) + "."


def how_long(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> str:
    """One sentence: which policies still know the way after the longest gap, by the criterion of remembering, and who forgot it."""
    longest = max(gap for gap in GAPS_S if f"right.gap {gap:g} s" in runs or not gap)
    later = remembers(runs.assign(right=runs[f"right.gap {longest:g} s"]), names, definitions)
    still = [name for name, (_, how) in later.items() if how == "remembers"]
    lost = [
        name
        for name, (_, how) in remembers(runs, names, definitions).items()
        if how == "remembers" and name not in still
    ]

    def told(some: Sequence[str]) -> str:
        return enumerated(f"{name} ({later[name][0].mean:.0%})" for name in some)

    parts = [f"{how} by {told(some)}" for how, some in (("still known", still), ("no longer known", lost)) if some]
    if not parts:
        return f"After {longest:g} s no policy knows the way."
    return f"After {longest:g} s the way is {enumerated(parts)}: the share of episodes that go the right way."


def in_the_gap(policies: Sequence[SpikingPolicy]) -> str:
    """What a blank gap asks of plastic policies and what it does not, in sentences."""
    silent, said = [falls_silent(policy, max(GAPS_S)) for policy in policies], ""
    if silent:
        said = (
            f" Without input neurons fall silent: from {SETTLED * STEP_S:g} s into the gap on, no neuron fires in {sum(silent)} of {len(silent)} plastic "
            "policies, and what does not fire writes no E. "
            "So a blank gap asks whether E lasts by itself, not whether it outlasts what else could be written over it."
        )
    return f"The same policies, with nothing to see between the trials, for far longer than a membrane remembers.{said}"


def answer(able: int, of: int) -> str:
    """Whether any of the plastic networks do it, and how many."""
    return f"Yes, in {able} of {of} plastic networks" if able else "Not here"


def other_memories(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that remember by something else than plastic synapses."""
    return [name for name in names if name not in (*NETWORKS, "mlp")]


def mean_score(runs: pd.DataFrame, name: str, column: str = "score") -> float:
    return interquartile_mean(runs[runs.network == name][column].dropna()).mean


def _right(runs: pd.DataFrame, name: str, variant: str) -> float:
    return interquartile_mean(runs[runs.network == name][f"right.{variant}"].dropna()).mean


def _efficacies(runs: pd.DataFrame, able: Sequence[str]) -> str:
    ways = ("E alone kept", "E swapped", "E forgotten", "α = 0")
    kept, swapped, forgotten, unread = ([_right(runs, name, how) for name in able] for how in ways)
    worst = able[int(np.argmax(swapped))]
    return (
        f"**E is enough, and decides when it is swapped.** Of the episodes of {enumerated(able)} these go the right way: {between(kept)} when all but "
        f"E is forgotten between the trials; {between(swapped)} when E is swapped with an episode of the other direction (most in "
        f"{worst}); {between(forgotten)} when E alone is forgotten; {between(unread)} when E is not read (α = 0)."
        + also_outside(runs, able)
    )


OUTSIDE = 0.6  # share that goes the right way with E forgotten, above which something outside E must tell it


def also_outside(runs: pd.DataFrame, able: Sequence[str]) -> str:
    """Which networks still go the right way too often without E for E to be all there is, seed by seed; empty where none does."""
    told = []
    for name in able:
        shares = runs[runs.network == name]["right.E forgotten"].dropna()
        if interquartile_mean(shares).mean > OUTSIDE:
            told.append(
                f"{name} ({interquartile_mean(shares):.0%}; its seeds {enumerated(f'{x:.0%}' for x in sorted(shares))})"
            )
    return (
        f" Not all of it lies in E: with E forgotten the right way is still taken by {enumerated(told)}."
        if told
        else ""
    )


WRITTEN_OVER = 0.1  # of the share that goes the right way, which holding E adds where it was written over


def written_over(runs: pd.DataFrame, names: Sequence[str]) -> str:
    """Which policies lose by writing on what they had stored, in a sentence; empty where none does."""
    shares = {
        name: (_right(runs, name, "E frozen"), mean_score(runs, name, "right"))
        for name in plastic_of(names)
        if (runs.network == name).any() and "right.E frozen" in runs
    }
    told = [
        f"{name} ({held:.0%} against {free:.0%})" for name, (held, free) in shares.items() if held - free > WRITTEN_OVER
    ]
    if not told:
        return ""
    return (
        f"Not everything that is stored is kept: with E frozen between the trials the right way is taken more often by {enumerated(told)}, which "
        "had stored the direction and overwrites it while running."
    )


def _gaps(runs: pd.DataFrame, able: Sequence[str]) -> str:
    gaps = [f"gap {gap:g} s" for gap in GAPS_S if f"right.gap {gap:g} s" in runs]
    told = enumerated(
        f"{between([_right(runs, name, gap) for name in able])} after {gap.removeprefix('gap ')}" for gap in gaps
    )
    others = sorted(other_memories({*runs.network}))
    other = max(others, key=lambda name: mean_score(runs, name), default=None)
    beside = "" if other is None else f"; {other} in {enumerated(f'{_right(runs, other, gap):.0%}' for gap in gaps)}"
    return f"**After a gap that was never trained** {enumerated(able)} still go{'es' * (len(able) == 1)} the right way in {told}{beside}."


# ---------------------------------------------------------------- the task


def described(config: TwoTrialsConfig) -> str:
    """The task, the policies and their training in words, all values from one configuration."""
    task, training, policy = config.task, config.training, config.network
    n_inputs, n_actions = task.sizes()
    has_to = (
        "HalfCheetah has to run forward or backward" if task.hidden == "direction" else "HalfCheetah has to run forward"
    )
    after = "shows it too" if task.reminded else "is silent about it"
    steps = training.updates(task) * training.episodes * int(task.simulated.sum())
    return (
        f"{has_to}. An episode has two trials. The first, of {task.shown} control steps ({task.shown * STEP_S:g} s), shows {what_is_shown(task)} (body "
        "observations have a standard deviation of 1), and another input marks the trial. Then HalfCheetah is put back to its start; the second trial, of "
        f"{task.scored} steps ({task.scored * STEP_S:g} s), is scored, and {after}. Reward is speed in the right direction, and the "
        "score is how many metres the second trial went that way. "
        + (
            "A policy that does not remember scores 0 on average and goes the right way in half of its episodes."
            if task.hidden == "direction" and not task.reminded
            else ""
        )
        + "\n\n"
        "What is asked is therefore whether a policy *remembers*. Whether it *finds out* is asked [below](#can-it-be-found-out), where the first trial "
        "shows the reward: the direction then follows only from the signs of reward and speed together, which neither a GRU nor a plastic network "
        "learned in up to 166,000 steps, so that training is longer there.\n\n"
        f"All policies have {n_inputs} inputs, {n_actions} actions and {policy.n_hidden} units a layer: the six of "
        "[](locomotion.ipynb), `rsnn`, whose second population hears its own spikes, and `gru`, a gated recurrent unit "
        f"{{cite:p}}`cho2014`. PPO over whole episodes: {training.episodes} between updates, {training.epochs} epochs, "
        f"{training.minibatches} minibatches, {steps:,} steps; gradients run from the second trial back through the first. The "
        "critic, which only training uses, also reads the hidden direction and the time {cite:p}`pinto2018`. The full list is "
        "`WholeEpisodes` in `lib/spikepropamine/training/whole_episode.py`."
    )


def what_is_shown(task: TwoTrials) -> str:
    """What the first trial shows, and how."""
    if task.cue == "reward":
        return f"by one input what the step before earned, in m/s times {REWARD_GAIN:g}"
    if task.hidden == "direction":
        return f"by one input in which direction a metre earns, +{GAIN:g} or −{GAIN:g}"
    how = (
        f"by one input, +{GAIN:g} or −{GAIN:g},"
        if task.n_cues == 2
        else f"by {GAIN:g} in one of {task.n_cues - 1} inputs"
    )
    return f"{how} which {task.hidden} is dead"


def draw_task(task: TwoTrials) -> Drawing:
    """One episode as a timeline."""
    gap = max(task.gap_s, 0.0)
    first, second = task.shown * STEP_S, task.scored * STEP_S
    figure, axis = figures.grid(1, 1, height=1.7)
    parts = [
        (
            "first trial",
            0.0,
            first,
            "#F0E442",
            "shown: what the\nstep before earned" if task.cue == "reward" else f"shown: which\n{task.hidden}",
        ),
        (
            "second trial",
            first + gap,
            second,
            "#56B4E9",
            f"{'' if task.reminded else 'not '}shown; scored: metres in the right direction",
        ),
    ]
    rows = []
    for name, start, lasts, colour, text in parts:
        axis.broken_barh([(start, lasts)], (0, 1), facecolors=colour, alpha=0.6, lw=0)
        axis.text(start + lasts / 2, 0.5, text, ha="center", va="center", fontsize=8)
        axis.text(start + lasts / 2, 1.08, name, ha="center", fontsize=9)
        rows.append({"panel": name, "time_s": start, "value": lasts, "quantity": "seconds"})
    axis.annotate(
        "put back to its start",
        (first, 0.88),
        (first + 0.25, 0.88),
        va="center",
        fontsize=8,
        arrowprops={"arrowstyle": "->"},
    )
    axis.set(xlim=(0, first + gap + second), ylim=(-0.1, 1.3), yticks=[], xlabel="time in the episode (s)")
    axis.spines["left"].set_visible(False)
    return Drawing(
        figure,
        pd.DataFrame(rows),
        "Both trials show what has to be known: an episode of the task."
        if task.reminded
        else "Nothing but the policy's own state tells the second trial what the first one showed: an episode of the task.",
        f"A timeline: a first trial of {first:g} s, the robot put back to its start, and a second trial of {second:g} s, which is scored.",
    )


# ---------------------------------------------------------------- learning, scores, lesions, gaps


LEARNED_M = 0.3  # mean score at the end of training above which a policy is said to learn


def draw_learning(curves: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """Score in the course of training."""
    styles = figures.network_styles(names)
    figure, axis = figures.grid(1, 1, height=2.9)
    data = curves[["network", "seed", "step", "score", "right"]].dropna().assign(thousands=lambda t: t.step / 1e3)
    data["window"] = data.groupby(["network", "seed"]).score.transform(lambda s: s.rolling(3, min_periods=1).mean())
    plots.band(axis, data, "thousands", "window", styles)
    axis.axhline(0, color="0.5", lw=0.8, ls=":")
    axis.set(xlabel="control steps (thousands)", ylabel="score (m), with exploration")
    plots.legend_above(figure, {name: styles[name] for name in names if name in set(data.network)}, columns=4)
    last = data[data.step == data.step.max()].groupby("network")
    end = {name: interquartile_mean(of_it.window).mean for name, of_it in last}
    rising = [name for name in names if name in end and _gain_at_the_end(data[data.network == name]) > RISES_M]
    learned = [name for name in names if name in end and end[name] > LEARNED_M]
    told = ", ".join(f"{name} {end[name]:.2f} m" for name in names if name in end)
    return Drawing(
        figure,
        data[["network", "seed", "step", "score", "right"]],
        figures.minus(
            (f"{enumerated(learned)} learn{'s' * (len(learned) == 1)} within {int(data.step.max()):,} steps (above {LEARNED_M:g} m): " if learned else "No policy learns: ")
            + "score in training, with exploration noise, running mean over three points; interquartile mean over seeds with 95% bootstrap intervals. "
            + (f"More than {RISES_M:g} m better in the last fifth of training than in the fourth, and so not done learning: {enumerated(rising)}." if rising else "No curve still rises at the end.")
        ),
        figures.minus(f"Learning curves of the score in metres. At the end: {told}."),
    )  # fmt: skip


RISES_M = 0.1  # metres from the fourth fifth of training to the last above which a curve is said to rise still


def _gain_at_the_end(curve: pd.DataFrame) -> float:
    """Metres by which the mean score of the last fifth of training is above that of the fourth."""
    part = curve.step / curve.step.max()
    return curve[part > 0.8].score.mean() - curve[(part > 0.6) & (part <= 0.8)].score.mean()


def draw_scores(
    runs: pd.DataFrame, names: Sequence[str], definitions: Definitions, verb: tuple[str, str] = REMEMBERS
) -> Drawing:
    """The share that went the right way and how far, of every seed."""
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, 2, height=3.0, sharey=True)
    plots.seeds_and_interval(axes[0], runs, "right", styles, horizontal=True)
    fails = "forgets" if verb is REMEMBERS else "fails"
    limits = {"chance": 0.5, fails: definitions.forgets_at_most, verb[0]: definitions.remembers_at_least}
    plots.limits(axes[0], limits, horizontal=True)
    axes[0].set(xlim=(0, 1.03), xlabel="share that went the right way")
    plots.seeds_and_interval(axes[1], runs, "score", styles, horizontal=True)
    axes[1].axvline(0, color="0.4", lw=0.8, ls=":")
    axes[1].set(xlabel="metres in the right direction")
    found = remembers(runs, names, definitions)
    able = [name for name, (_, how) in found.items() if how == "remembers"]
    told = "; ".join(f"{name} {share:.2f} and {mean_score(runs, name):.2f} m" for name, (share, _) in found.items())
    return Drawing(
        figure,
        runs[["network", "seed", "right", "score"]],
        f"{enumerated(able) or 'No policy'} {verb[len(able) > 1]} which way to run: {TESTED} held-out episodes of every seed (faint), and interquartile mean with 95% bootstrap interval.",
        figures.minus(f"Dot plots, policies down the side. Share that went the right way and metres: {told}."),
    )


MOST = 0.75  # share of episodes from which on, or below 1 less it, a memory is said to follow a part of the state


def draw_lesions(runs: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """The share that went the right way after each lesion between the trials, of the plastic policies."""
    plastic = plastic_of(names)
    data = lesioned(runs, plastic)
    order = [INTACT, *[name for name in _IN_WORDS if name in set(data.variant)]]
    data = data.sort_values("variant", key=lambda column: column.map(order.index), kind="stable")
    styles = figures.network_styles([name for name in plastic if name in set(data.network)])
    figure, axis = figures.grid(1, 1, height=4.4)
    plots.seeds_and_interval(axis, data, "right", styles, at="lesion", horizontal=True)
    plots.limits(axis, {"chance": 0.5}, horizontal=True)
    axis.set(xlim=(-0.03, 1.03), xlabel="share that went the right way")
    plots.legend_above(figure, styles)
    means = data.groupby(["network", "lesion"]).right.agg(lambda values: interquartile_mean(values).mean)
    alone, swapped, follow = following_e(runs, plastic)
    rest = [f"{name} ({swapped[name]:.0%} and {alone[name]:.0%})" for name in alone.index if name not in follow]
    finding = f"In {len(follow)} of {len(alone)} plastic networks the memory follows E"
    if follow:
        finding += f": with E swapped {between(swapped[follow])} of their episodes go the right way, with all but E forgotten {between(alone[follow])}"
    if follow and rest:
        finding += f". Not so in {enumerated(rest)}"
    told = "; ".join(f"{name}, {lesion}: {value:.2f}" for (name, lesion), value in means.items())
    return Drawing(
        figure,
        data[["network", "seed", "lesion", "right", "score"]],
        f"{finding}. Share of episodes that go the right way, with a part of the state forgotten, or swapped with an episode of the other direction, "
        "between the trials: every seed (faint), interquartile mean with 95% bootstrap interval.",
        f"Dot plot, lesions down the side. Means: {told}.",
    )


def lesioned(runs: pd.DataFrame, plastic: Sequence[str]) -> pd.DataFrame:
    """:func:`long` of every lesion of the ``plastic`` policies, with the lesion in words."""
    data = long(runs[runs.network.isin(plastic)], [*LESIONS, *E_LESIONS])
    return data.assign(lesion=data.variant.map({INTACT: INTACT, **_IN_WORDS}))


def following_e(runs: pd.DataFrame, plastic: Iterable[str]) -> tuple[pd.Series, pd.Series, list[str]]:
    """By plastic network the share that goes the right way with all but E forgotten, and with E swapped; and whose memory follows E."""
    there = [name for name in plastic if (runs.network == name).any()]
    alone, swapped = (
        pd.Series({name: _right(runs, name, how) for name in there}, dtype=float)
        for how in ("E alone kept", "E swapped")
    )
    return alone, swapped, [name for name in there if alone[name] > MOST and swapped[name] < 1 - MOST]


def draw_gaps(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> Drawing:
    """The share that went the right way against the gap between the trials."""
    gaps = {INTACT: 0.0} | {f"gap {gap:g} s": gap for gap in GAPS_S if gap}
    data = long(runs, [name for name in gaps if name != INTACT])
    data["delay_s"] = data.variant.map(gaps)
    styles = figures.network_styles(names)
    figure, axis = figures.grid(1, 1, height=2.8)
    places = sorted(set(data.delay_s))
    for k, name in enumerate(name for name in names if name in set(data.network)):
        for place in places:
            values = data[(data.network == name) & (data.delay_s == place)].right
            at = places.index(place) + 0.08 * (k - len(names) / 2)
            plots.error_interval(
                axis, at, interquartile_mean(values), color=styles[name]["color"], marker=styles[name]["marker"]
            )
    axis.set_xticks(range(len(places)), [f"{place:g} s" for place in places])
    plots.limits(axis, {"chance": 0.5})
    axis.set(ylim=(0, 1.03), xlabel="gap between the trials", ylabel="share that went the right way")
    plots.legend_above(figure, {name: styles[name] for name in names if name in set(data.network)}, columns=4)
    at_last = data[data.delay_s == max(places)].groupby("network").right
    told = ", ".join(f"{name} {interquartile_mean(of_it).mean:.2f}" for name, of_it in at_last)
    return Drawing(
        figure,
        data[["network", "seed", "delay_s", "right", "score"]],
        f"{how_long(runs, names, definitions)} Share of held-out episodes that went the right way, by gap; no gap was trained. "
        "Interquartile mean over seeds with 95% bootstrap interval.",
        f"Intervals at gaps of {between(places, 'g')} s. After the longest gap: {told}.",
    )


def shown_scores(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> pd.DataFrame:
    """The table as it is read, a row a policy."""
    rows = []
    for name, (share, how) in remembers(runs, names, definitions).items():
        of_it = runs[runs.network == name]
        rows.append(
            {
                "policy": name,
                "seeds": len(of_it),
                "right way": f"{share:.2f}",
                "stands": {"neither": "in between"}.get(how, how),
                "score (m)": f"{interquartile_mean(of_it.score):.2f}",
                "all forgotten (m)": f"{interquartile_mean(of_it['score.all forgotten']):.2f}",
            }
        )
    return pd.DataFrame(rows)


def shown_search(tried: pd.DataFrame, chosen: dict[str, tuple[float, float]], eta: float) -> pd.DataFrame:
    """The search as it is read: every try of every policy."""
    rows = []
    for run in tidy(tried).itertuples():
        one = tried.loc[run.Index]
        key = one["training.learning_rate"], round(one["network.options.eta_oja"] / eta, 6)
        plastic = bool(plastic_of([run.network]))
        rows.append(
            {
                "policy": run.network,
                "learning rate": f"{key[0]:g}",
                "initial η": f"×{key[1]:g}" if plastic else "–",
                "score (m)": f"{run.score:.2f}" + (" (chosen)" if chosen.get(run.network) == key else ""),
                "right way": f"{run.right:.2f}",
            }
        )
    return pd.DataFrame(rows)
