"""The walk that must be learned within the episode, trained in other ways: with gaps, another critic, or the reward shown in place of the direction."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...records.statistics import interquartile_difference, interquartile_mean
from .. import figures, plots
from ..figures import Drawing
from ..judges.judge import Definitions
from ..phrases import between, enumerated
from .adaptation import (
    FINDS,
    INTACT,
    MOST,
    also_outside,
    answer,
    following_e,
    lesioned,
    mean_score,
    other_memories,
    remembers,
    right_way,
    too_few,
    who_remembers,
)
from .locomotion import plastic_of

VARIANTS_IN_WORDS = {
    "": "as above",
    "-reward": "reward shown,\nnot direction",
    "-blind-critic": "critic does not\nread what is\nhidden",
    "-gap-1s": "trained with\na gap of 1 s",
    "-gap-5s": "trained with\na gap of 5 s",
    "-limb": "one of two legs\nis dead",
    "-motor": "one of six\nmotors is dead",
}

VARIANTS_IN_A_SENTENCE = {
    "-blind-critic": "trained with a critic that does not read what is hidden",
    "-gap-1s": "trained with a gap of 1 s",
    "-gap-5s": "trained with a gap of 5 s",
}


def variant_in_words(variant: str) -> str:
    """What is different in a variant of the task, on one line."""
    return VARIANTS_IN_WORDS[variant].replace("\n", " ")


def trained_gap(runs: Mapping[str, pd.DataFrame], names: Sequence[str]) -> str:
    """What policies that were trained with the longest gap do, as a line; empty where none was."""
    gaps = [variant for variant in VARIANTS_IN_WORDS if variant.startswith("-gap-") and variant in runs]
    if not gaps:
        return ""
    of_it = runs[gaps[-1]]
    share = {name: mean_score(of_it, name, "right") for name in names if (of_it.network == name).any()}
    plastic = [name for name in plastic_of(names) if name in share]
    others = other_memories(share)
    said = [enumerated(f"{name} {share[name]:.0%}" for name in some) for some in (plastic, others) if some]
    if not said:
        return ""
    told = "; of the other memories, ".join(said)
    return f"- **{variant_in_words(gaps[-1]).capitalize()}** (exploratory), the share of episodes that go the right way is: {told}."


def finds_out(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> str:
    """Which policies find out the direction from the reward, where they keep it, and how far they run, in sentences."""
    found = remembers(runs, names, definitions)
    plastic = [name for name in plastic_of(names) if name in found]
    able = [name for name in plastic if found[name][1] == "remembers"]
    said = [too_few(runs, definitions)]
    if plastic:
        said.append(f"{answer(len(able), len(plastic))}.")
    said.append(who_remembers(runs, names, definitions, FINDS))
    if able:
        alone, swapped, follow = following_e(runs, able)
        rest = enumerated(f"{name} ({swapped[name]:.0%} and {alone[name]:.0%})" for name in able if name not in follow)
        if follow:
            said.append(
                f"What is found out lies in E in {enumerated(follow)}: {between(swapped[follow])} of their episodes go the right way with E "
                f"swapped, {between(alone[follow])} with all but E forgotten."
            )
        if rest:
            said.append(f"It does not lie in E alone in {rest}.")
        said.append(also_outside(runs, follow).strip())
    metres = enumerated(f"{name} {mean_score(runs, name):.2f}" for name in found)
    said.append(f"In metres: {metres}.")
    return figures.minus(" ".join(filter(None, said)))


def found_out(runs: pd.DataFrame, names: Sequence[str], definitions: Definitions, rates: str = "") -> str:
    """Whether the direction is found out from the reward, as a line that ends with ``rates``; empty where that was not run."""
    found = remembers(runs, plastic_of(names), definitions) if len(runs) else {}
    if not found:
        return ""
    able = [name for name, (_, how) in found.items() if how == "remembers"]
    others = remembers(runs, [name for name in names if name not in found], definitions)
    shares = ", ".join(f"{name} {right_way(share, definitions)}" for name, (share, _) in found.items())
    beside = ", ".join(f"{name} {share.mean:.0%}" for name, (share, _) in others.items())
    return figures.minus(
        f"- **Is the direction found out where only the reward is shown? {answer(len(able), len(found))}.** {too_few(runs, definitions)} After "
        f"{steps(runs)} these shares of episodes go the right way: {shares}"
        + (f"; of the others, {beside}" * bool(beside))
        + f". {rates}".rstrip()
    ).replace("  ", " ")


def at_rates(rates: pd.DataFrame, usual: pd.DataFrame, names: Sequence[str]) -> dict[str, dict[float, pd.DataFrame]]:
    """By policy of ``names`` that was tried at other learning rates, and by rate, its runs; those at its own rate first."""
    if not len(rates) or not len(usual):
        return {}
    found = {}
    for name in names:
        tried, own = rates[rates.network == name], usual[usual.network == name]
        if len(tried) and len(own):
            both = pd.concat([own, tried], ignore_index=True)
            found[name] = dict(iter(both.groupby("training.learning_rate", sort=False)))
    return found


def held_back(rates: pd.DataFrame, usual: pd.DataFrame, names: Sequence[str]) -> str:
    """Which policies run farther at a lower learning rate than the search tried, in sentences; empty where none was tried."""
    tried = at_rates(rates, usual, names)
    if not tried:
        return ""
    best = {name: max(by_rate, key=lambda rate: mean_score(by_rate[rate], name)) for name, by_rate in tried.items()}
    told = {}
    for name, by_rate in tried.items():
        own, lower = next(iter(by_rate.values())), by_rate[best[name]]
        gain = interquartile_difference([lower.score], [own.score])
        if gain.low > 0:
            told[name] = (
                f"{name} runs {mean_score(lower, name):.2f} m at {best[name]:g} in place of {mean_score(own, name):.2f} ({gain:+.2f})"
            )
    lead = f"At learning rates below those of the search (exploratory, {seeds(rates)})"
    how = (
        enumerated(told.values())
        or f"{enumerated(tried)} run{'s' * (len(tried) == 1)} no farther, by an interval above zero"
    )
    score = {name: by_rate[best[name]].score for name, by_rate in tried.items()}
    return figures.minus(f"{lead} {how}.{_each_at_its_best(score, other_memories(told))}")


def _each_at_its_best(score: Mapping[str, pd.Series], held: Sequence[str]) -> str:
    """How the best of the other memories that were ``held`` back stands beside the best plastic network, in a sentence; empty without both."""
    plastic = plastic_of(score)
    if not held or not plastic:
        return ""
    one, rival = (max(some, key=lambda name: interquartile_mean(score[name]).mean) for some in (held, plastic))
    gain = interquartile_difference([score[one]], [score[rival]])
    sure = "" if gain.low > 0 or gain.high < 0 else " (no significant difference)"
    return (
        f" With each at the best of its rates, {one} runs {gain:+.2f} m farther than {rival}, the best plastic network{sure}: a comparison with {one} at "
        "the rate that the search chose is one with a network that was held back."
    )


def every_rate(
    rates: Mapping[str, pd.DataFrame], usual: Mapping[str, pd.DataFrame], names: Sequence[str]
) -> pd.DataFrame:
    """The runs of those that were tried at other learning rates, with those at their own; ``rates`` and ``usual`` by variant."""
    rows = [
        part[["network", "seed", "right", "score"]].assign(
            shown="reward" if variant else "direction", learning_rate=rate, chosen="yes" if k == 0 else "no"
        )
        for variant, found in rates.items()
        for by_rate in at_rates(found, usual.get(variant, pd.DataFrame()), names).values()
        for k, (rate, part) in enumerate(by_rate.items())
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def shown_rates(data: pd.DataFrame) -> pd.DataFrame:
    """:func:`every_rate` as it is read: a row a policy and learning rate."""
    return pd.DataFrame(
        {
            "shown": shown,
            "policy": name,
            "learning rate": f"{rate:g}" + " (chosen)" * (part.chosen.iloc[0] == "yes"),
            "score (m)": figures.minus(f"{interquartile_mean(part.score):.2f}"),
            "right way": f"{interquartile_mean(part.right):.2f}",
        }
        for (shown, name, rate), part in data.groupby(["shown", "network", "learning_rate"], sort=False)
    )


def steps(runs: pd.DataFrame) -> str:
    """How long policies were trained, in words."""
    return f"{between(runs['training.steps'], ',')} steps"


def holds_elsewhere(runs: Mapping[str, pd.DataFrame], names: Sequence[str], definitions: Definitions) -> str:
    """How many plastic networks remember the way in each variant that has been run, in a sentence; empty where none has."""
    plastic, told, counts = plastic_of(names), [], []
    for variant, of_it in runs.items():
        found = remembers(of_it, plastic, definitions)
        counts.append(sum(how == "remembers" for _, how in found.values()))
        told.append(f"{counts[-1]} of {len(found)} {VARIANTS_IN_A_SENTENCE[variant]}")
    if not told or not plastic:
        return ""
    how_many = "Mostly" if min(counts) > len(plastic) / 2 else "In part" if any(counts) else "No"
    return f"{how_many}. Of the plastic networks, by the criterion above, these remember the way: {enumerated(told)}."


def shown_variants(runs: Mapping[str, pd.DataFrame], names: Sequence[str], definitions: Definitions) -> pd.DataFrame:
    """The share of episodes that go the right way, a row a policy, a column a variant."""
    found = {variant: remembers(of_it, names, definitions) for variant, of_it in runs.items()}
    rows = [
        {"policy": name}
        | {variant_in_words(v): right_way(of[name][0], definitions) if name in of else "–" for v, of in found.items()}
        for name in names
        if any(name in of for of in found.values())
    ]
    return pd.DataFrame(rows)


def variants_found(runs: Mapping[str, pd.DataFrame], names: Sequence[str]) -> str:
    """A line for each variant that has been run: who relies on its state, and who goes farthest."""
    lines = []
    for variant, of_it in runs.items():
        scores = {name: mean_score(of_it, name) for name in names if (of_it.network == name).any()}
        able, first = relying(of_it, list(scores)), max(scores, key=scores.__getitem__)
        other = max(other_memories(scores), key=scores.__getitem__, default=None)
        better = "the better of the other memories" if len(other_memories(scores)) > 1 else "another memory"
        beside = [f"{other}, {better}, {scores[other]:.2f} m"] if other not in (None, first) else []
        beside += [f"mlp, which has no memory, {scores['mlp']:.2f} m"] if "mlp" in scores and first != "mlp" else []
        lines.append(
            f"- **{variant_in_words(variant).capitalize()}** ({seeds(of_it)}): {enumerated(able) or 'no policy'} run{'s' * (len(able) < 2)} more than "
            f"{RELIES_M:g} m less far once the state is swapped. {'; '.join([f'{first} goes farthest, {scores[first]:.2f} m', *beside])}."
        )
    return figures.minus("\n".join(lines))


_TOLD_BAND = {"color": "0.6", "alpha": 0.3, "lw": 0}
RELIES_M = 0.5  # metres less with the state of an episode of the other value


def relying(runs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The policies that run more than RELIES_M less once their state is swapped between the trials."""
    return [
        name
        for name in names
        if (runs.network == name).any()
        and mean_score(runs, name) - mean_score(runs, name, "score.all swapped") > RELIES_M
    ]


def seeds(runs: pd.DataFrame) -> str:
    """How many seeds every policy has, in words."""
    counts = runs.groupby("network").seed.nunique()
    return f"{between(counts, 'd')} seeds" if counts.max() > 1 else "one seed"


def draw_variants(
    runs: Mapping[str, pd.DataFrame], names: Sequence[str], told: Mapping[str, pd.Series] = {}
) -> Drawing:
    """Score of every policy by how it was trained, as it is and with its state swapped between the trials.

    Args:
        runs: of each variant.
        names: the policies, from the top.
        told: by variant the scores of an mlp that is told throughout what is hidden, by seed.
    """
    styles = figures.network_styles(names)
    figure, axes = figures.grid(1, len(runs), height=3.4, sharey=True)
    rows = []
    for axis, (variant, of_it) in zip(np.atleast_1d(axes).flat, runs.items()):
        for k, name in enumerate(names):
            part = of_it[of_it.network == name]
            color, marker = styles[name]["color"], styles[name]["marker"]
            for state, column, shift, face in (
                (INTACT, "score", -0.15, color),
                ("swapped", "score.all swapped", 0.2, "none"),
            ):
                values = part[column].dropna()
                if len(values):
                    look = {"color": color, "marker": marker, "mfc": face}
                    plots.error_interval(axis, k + shift, interquartile_mean(values), horizontal=True, **look)
                    rows.append(
                        part[["network", "seed"]].assign(
                            trained_as=variant_in_words(variant), state=state, score=values
                        )
                    )
        plots.name_places(axis, names, horizontal=True)
        axis.axvline(0, color="0.4", lw=0.8, ls=":")
        axis.set_title(VARIANTS_IN_WORDS[variant], fontsize=8)
        if variant in told:
            knows = interquartile_mean(told[variant])
            axis.axvspan(knows.low, knows.high, **_TOLD_BAND)
            axis.axvline(knows.mean, color="0.3", lw=1)
            scores = told[variant].rename_axis("seed").rename("score").reset_index()
            rows.append(scores.assign(network="mlp", trained_as=variant_in_words(variant), state="told throughout"))
    figure.supxlabel("metres (in the right direction, where there is one)", fontsize=9)
    grey = {"color": "0.3", "marker": "o", "linestyle": "none"}
    styles = {"as it is": grey, "state swapped": grey | {"mfc": "none"}}
    if any(variant in told for variant in runs):
        styles["mlp told throughout"] = {"color": "0.3", "linestyle": "-"}
    plots.legend_above(figure, styles)
    data = pd.concat(rows, ignore_index=True)
    kept = {variant: relying(of_it, names) for variant, of_it in runs.items()}
    who = "; ".join(f"{variant_in_words(variant)}: {enumerated(able) or 'none'}" for variant, able in kept.items())
    line = "; line: an mlp that is told throughout what is hidden" if "mlp told throughout" in styles else ""
    return Drawing(
        figure,
        data,
        f"Policies whose filled and open marks are far apart rely on their state (by more than {RELIES_M:g} m: {who}). Filled: as the policy is; "
        f"open: its state swapped between the trials with an episode of another value{line}; interquartile mean over seeds with 95% bootstrap interval.",
        f"Dot plots, policies down the side, a panel for each way of training. Policies that rely on their state: {who}.",
    )  # fmt: skip


def follows_elsewhere(trained: Mapping[str, pd.DataFrame], names: Sequence[str]) -> str:
    """In how many plastic networks the memory follows E in each variant, in a sentence; empty where none was run."""
    told = []
    for variant, runs in trained.items():
        alone, _, follow = following_e(runs, plastic_of(names))
        if alone.empty:
            continue
        others = [name for name in alone.index if name not in follow]
        but = f" (all but {enumerated(others)})" if 0 < len(others) < len(follow) else ""
        told.append(f"{len(follow)} of {len(alone)} {VARIANTS_IN_A_SENTENCE[variant]}{but}")
    return (
        f"The memory follows E in {enumerated(told)}: with all but E forgotten more than {MOST:.0%} of their episodes go the right way, and "
        f"with E swapped less than {1 - MOST:.0%}."
        if told
        else ""
    )


def lesions_elsewhere(trained: Mapping[str, pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Every lesion of every plastic policy however it was trained: a row a run and lesion."""
    rows = []
    for variant, runs in trained.items():
        data = lesioned(runs, plastic_of(names)).drop(columns="variant")
        rows.append(data.assign(trained_as=variant_in_words(variant)))
    return pd.concat(rows, ignore_index=True)


def shown_lesions(lesions: pd.DataFrame) -> pd.DataFrame:
    """:func:`lesions_elsewhere` as it is read: metres, a row a policy and way of training, a column a lesion."""
    keys = ["trained_as", "network", "lesion"]
    shown = lesions.groupby(keys, sort=False).score.agg(lambda x: figures.minus(f"{interquartile_mean(x):.2f}"))
    return shown.unstack("lesion").rename_axis(columns=None).reset_index()
