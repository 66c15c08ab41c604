"""The walk in which a limb is lame, and whether anything about it must be remembered."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...experiments.adaptation_task import TOLD, reminded
from ...records.statistics import Interval, interquartile_difference, interquartile_mean
from .. import figures
from ..phrases import between, capital, enumerated
from .adaptation import mean_score
from .adaptation_variants import RELIES_M, seeds, steps, variant_in_words
from .locomotion import plastic_of

LAME = ("-limb", "-motor")


def told_scores(told: pd.DataFrame) -> dict[str, pd.Series]:
    """By variant the scores, by seed, of the mlp that is told throughout what is hidden, of the runs of :func:`reminded`."""
    found = {}
    for variant, config in zip(TOLD, reminded().configs, strict=True):
        of_it = told[told.config_hash == config.hash] if len(told) else told
        if len(of_it):
            found[variant] = of_it.set_index("seed").score
    return found


def what_could_be_gained(told: Mapping[str, pd.Series], runs: pd.DataFrame, names: Sequence[str]) -> str:
    """How far one runs who is told the direction throughout, in sentences; empty where that was not run."""
    if "" not in told:
        return ""
    plastic = [mean_score(runs, name) for name in plastic_of(names) if (runs.network == name).any()]
    beside = (
        f" The plastic networks, which have to remember, run {between(plastic, '.2f')} m; not all of the distance is memory's, since an mlp "
        "walks farther than a spiking policy anyway."
        if plastic
        else ""
    )
    return f"An mlp that is told the direction throughout runs {interquartile_mean(told['']):.2f} m.{beside}"


def lost(runs: pd.DataFrame, names: Sequence[str]) -> dict[str, Interval]:
    """By policy that has a state, metres less with the state of an episode of another value: mean over seeds, each with itself."""
    return {
        name: interquartile_mean((of_it.score - of_it["score.all swapped"]).dropna())
        for name in names
        if name != "mlp" and len(of_it := runs[runs.network == name])
    }


def gained(told: Mapping[str, pd.Series], runs: Mapping[str, pd.DataFrame]) -> dict[str, Interval]:
    """By variant, metres that the mlp runs farther when it is told throughout; interval over the seeds of both."""
    usual = {variant: of_it[of_it.network == "mlp"].score for variant, of_it in runs.items()}
    return {
        v: interquartile_difference([told[v]], [scores]) for v, scores in usual.items() if v in told and len(scores)
    }


def must_it_be_remembered(runs: Mapping[str, pd.DataFrame], told: Mapping[str, pd.Series], names: Sequence[str]) -> str:
    """The answer in a paragraph, then a line for each variant; empty where none was run."""
    if not runs:
        return ""
    losses, gains = {variant: lost(of_it, names) for variant, of_it in runs.items()}, gained(told, runs)
    lines = [
        f"- **{capital(variant_in_words(variant))}** ({seeds(of_it)}, {steps(of_it)}): {_line(of_it, losses[variant], gains.get(variant), names)}"
        for variant, of_it in runs.items()
    ]
    return figures.minus("\n".join([" ".join(filter(None, [_used(losses), _worth(gains)])), "", *lines]))


def _used(losses: Mapping[str, Mapping[str, Interval]]) -> str:
    """Whether any policy uses what the first trial showed, in sentences; empty where no policy with a state was run."""
    every = [(variant, name, loss) for variant, of_it in losses.items() for name, loss in of_it.items()]
    if not every:
        return ""
    far = [one for one in every if one[2].mean > RELIES_M]
    sure = [one for one in every if one[2].low > 0]
    told = enumerated(f"{name} {loss:.2f} m where {variant_in_words(variant)}" for variant, name, loss in far or sure)
    if far:
        return f"By some. With the state of an episode in which another limb is lame these lose more than {RELIES_M:g} m: {told}."
    return (
        f"Hardly. With the state of an episode in which another limb is lame no policy loses more than {RELIES_M:g} m, by the mean."
        + (
            f" These lose something, by an interval above zero that is not corrected for {len(every)} comparisons: {told}."
            if sure
            else f" In none of {len(every)} cases does the interval of what is lost lie above zero."
        )
    )


def _worth(gains: Mapping[str, Interval]) -> str:
    """Whether knowing throughout would help, in a sentence; empty where that was not run."""
    if not gains:
        return ""
    pays = sum(gain.low > 0 for gain in gains.values())
    most = max(gain.high for gain in gains.values())
    return f"An mlp that is told throughout runs farther than one that is never told in {pays} of {len(gains)} of these tasks, by an interval above zero (at most {most:.2f} m, by the upper end)."


def _line(runs: pd.DataFrame, losses: Mapping[str, Interval], gain: Interval | None, names: Sequence[str]) -> str:
    scores = {name: mean_score(runs, name) for name in names if (runs.network == name).any()}
    first, plastic = max(scores, key=scores.__getitem__), [scores[name] for name in plastic_of(scores)]
    said = [
        f"{first} goes farthest, {scores[first]:.2f} m"
        + (f"; plastic networks {between(plastic, '.2f')} m" if plastic else "")
    ]
    if losses:
        most = max(losses, key=lambda name: losses[name].mean)
        said.insert(0, f"with its state swapped {most} loses most, {losses[most]:.2f} m")
    if gain is not None:
        said.append(f"Told throughout, the mlp runs {gain:+.2f} m farther")
    return ". ".join(said) + "."
